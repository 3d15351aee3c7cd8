package cms

import (
	"errors"
	"fmt"
	"io"

	"chancery.example/fault"
)

// Codes of the errors of this package, each a *fault.Error:
//
//	cms.malformed, cms.truncated    the input breaks the syntax, or ends too early (fault.Invalid)
//	cms.limit                       the input goes beyond a bound of Limits (fault.TooLarge)
//	cms.other-type, cms.read-twice  the caller asked for what the message is not (fault.Refused)
//	cms.content-twice               a detached signature with content of its own (fault.Refused)
//	cms.cipher                      a content encryption algorithm that is not supported (fault.Refused)
//	cms.compression                 a compression algorithm that is not supported (fault.Refused)
//	cms.key-size                    a shared content key of the wrong size (fault.Refused)
//	cms.private-key                 a private key that cannot be read (fault.Invalid), or without its seed (fault.Refused)
//	cms.decrypt                     the message does not open, for whatever reason (fault.Refused)
//	cms.spool                       a large message could not be kept for its check (fault.Unavailable)
//	cms.sign                        a private key failed (fault.Internal)
//
// and, when writing, all fault.Refused: cms.no-signer, cms.no-recipient, cms.key-mismatch, cms.weak-key, cms.weak-digest,
// cms.unknown-key, cms.recipient-key, cms.no-key-identifier, cms.oaep-hash, cms.kdf, cms.password, cms.attributes, cms.content-type, cms.content-length.
// Errors of the streams themselves are passed on as they are.

// malformed is the error for input that breaks the syntax.
func malformed(format string, args ...any) error {
	return fault.New(fault.Invalid, "cms.malformed", "This is not a well-formed CMS message: %s.", fmt.Sprintf(format, args...))
}

// tooLarge is the error for input beyond a bound of Limits.
func tooLarge(what string, bound int64) error {
	return fault.New(fault.TooLarge, "cms.limit", "This CMS message is refused: it has more than %d %s.", bound, what)
}

// refused is the error for a message or option that this package does not serve.
func refused(code, format string, args ...any) error {
	return fault.New(fault.Refused, "cms."+code, format, args...)
}

// readError turns an early end of the stream into a malformed message and passes on what the stream itself reported.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Wrap(io.ErrUnexpectedEOF, fault.Invalid, "cms.truncated", "This CMS message ends before it is complete.")
	}
	return err
}
