package cms

import (
	"errors"
	"fmt"
	"io"

	"chancery.example/fault"
)

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
