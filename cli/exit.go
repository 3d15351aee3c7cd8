package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"chancery.example/fault"
)

// The exit statuses. Scripts rely on them; they never change their meaning.
const (
	StatusDone      = 0 // done, or the mail is valid
	StatusFailed    = 1 // the input could not be processed
	StatusUsage     = 2 // the command line itself is wrong
	StatusInvalid   = 3 // a signature is broken, altered, forbidden or revoked
	StatusUntrusted = 4 // intact, but something about its signer or its cover does not hold
	StatusUnsigned  = 5 // there is no signature
)

// statusOfKind is the one table from kinds of errors to exit statuses. A refusal is never 3 to 5: those are verdicts
// on a mail, which are results and no errors.
var statusOfKind = map[fault.Kind]int{
	fault.Internal:    StatusFailed,
	fault.Invalid:     StatusFailed,
	fault.Denied:      StatusFailed,
	fault.Anonymous:   StatusFailed,
	fault.NotFound:    StatusFailed,
	fault.Conflict:    StatusFailed,
	fault.Gone:        StatusFailed,
	fault.TooLarge:    StatusFailed,
	fault.Refused:     StatusFailed,
	fault.Limited:     StatusFailed,
	fault.Unavailable: StatusFailed,
}

// usageError is a command line that cannot be meant; its exit status is 2.
type usageError struct {
	sentence string
	command  string // as far as it was understood
}

func (e *usageError) Error() string { return e.sentence }

// badUsage is for rules between flags that kong's tags cannot say. Validate methods may return it as well.
func badUsage(format string, args ...any) error {
	return &usageError{sentence: fmt.Sprintf(format, args...)}
}

// statusError carries a verdict's exit status; what is to be said was already written.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// withStatus ends the command with a status and no further words. Status 0 is no error.
func withStatus(status int) error {
	if status == StatusDone {
		return nil
	}
	return statusError(status)
}

// report tells the person what went wrong, in one sentence, and returns the exit status.
func report(console *Console, err error) int {
	var status statusError
	var usage *usageError
	var known *fault.Error
	switch {
	case err == nil:
		return StatusDone
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage):
		console.Warn("%s; see %s --help", usage.sentence, strings.TrimSpace("chancery "+usage.command))
		return StatusUsage
	case errors.Is(err, context.Canceled):
		console.Warn("stopped before it was done")
		return StatusFailed
	case errors.As(err, &known) && known.Kind != fault.Internal:
		console.Warn("%s", known.Say)
		return statusOfKind[known.Kind]
	}
	// On the command line the caller owns the machine: unlike the doors of the house it may show the cause.
	console.Warn("%v", err)
	return StatusFailed
}
