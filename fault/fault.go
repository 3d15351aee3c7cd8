// Package fault answers: what kind of error is this, and what may the caller be told?
//
// Every error that can reach a person carries a kind (which the doors translate, each in one table, to an
// HTTP status, an SMTP reply or an exit status), a stable code, a sentence fit for the caller, and a cause
// that only the log sees.
package fault

import (
	"errors"
	"fmt"
)

// Kind is the class of an error; doors decide by it and never by text.
type Kind uint8

// The kinds, each with the HTTP status that a door would choose for it.
const (
	Internal    Kind = iota // our own failure; the caller learns nothing of the cause (500)
	Invalid                 // the input is wrong and the caller can mend it (400/422)
	Denied                  // the caller may not do this (403)
	Anonymous               // the caller must sign in first (401)
	NotFound                // there is no such thing, or none the caller may know of (404)
	Conflict                // somebody else changed it meanwhile, or the state does not allow it (409)
	Gone                    // it was here, and has expired or been used (410)
	TooLarge                // the input is larger than its bound (413)
	Refused                 // a rule forbids it; the sentence names the rule (422)
	Limited                 // too many requests (429)
	Unavailable             // a part that we need does not answer now (503)
)

var kindNames = [...]string{"internal", "invalid", "denied", "anonymous", "not-found", "conflict", "gone",
	"too-large", "refused", "limited", "unavailable"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is an error with a public face and a private cause.
type Error struct {
	Kind Kind
	// Code is stable and fit for message catalogues and scripts: "mailbox.address-literal".
	Code string
	// Say is the English sentence for the caller: what is wrong, and what to do.
	Say string
	// Args are values that the sentence names, for catalogues in other languages. May be nil.
	Args map[string]string
	// Cause is for the log only. May be nil.
	Cause error
}

// New makes an error of a kind with a stable code and a sentence for the caller.
func New(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Say: fmt.Sprintf(format, args...)}
}

// Wrap is New with a private cause.
func Wrap(cause error, k Kind, code, format string, args ...any) *Error {
	e := New(k, code, format, args...)
	e.Cause = cause
	return e
}

// With returns a copy that carries one more named value for translated sentences.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Args = make(map[string]string, len(e.Args)+1)
	for k, v := range e.Args {
		c.Args[k] = v
	}
	c.Args[key] = value
	return &c
}

// Error is the text for logs: the sentence and the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Say + ": " + e.Cause.Error()
	}
	return e.Say
}

// Unwrap gives the private cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the outermost Error in err's chain, and Internal where there is none.
func KindOf(err error) Kind {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err carries the kind k. A nil error carries none.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// CodeOf returns the stable code of err, and "internal" where there is none.
func CodeOf(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) && e.Code != "" {
		return e.Code
	}
	return "internal"
}

// Sentence returns what the caller may be told. It never shows the cause.
func Sentence(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) && e.Say != "" {
		return e.Say
	}
	return "Something went wrong on our side. Nothing was lost; please try again."
}
