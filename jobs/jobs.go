// Package jobs answers: what still has to be done, and tried again?
//
// A job is a promise that is stored in the same transaction as the step that made it. The store keeps and runs
// them; this package is what the rest of the house says about them.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Kind names what a job does; one handler serves one kind.
type Kind string

// Job is one thing to do.
type Job struct {
	Kind Kind
	Args json.RawMessage
	// RunAt is when to run it; the zero time means at once.
	RunAt time.Time
	// Unique, when set, is the job's identity among waiting and running jobs of its kind: a second one is not stored.
	Unique string
	// MaxAttempts bounds the tries; zero means DefaultAttempts.
	MaxAttempts int
}

// DefaultAttempts is how often a job is tried when it says nothing else.
const DefaultAttempts = 12

// New makes a job whose arguments are args as JSON.
func New(k Kind, args any) Job {
	raw, err := json.Marshal(args)
	if err != nil { // arguments are our own plain structs
		panic(fmt.Sprintf("jobs: arguments of %s: %v", k, err))
	}
	return Job{Kind: k, Args: raw}
}

// At returns the job to be run at an instant.
func (j Job) At(t time.Time) Job { j.RunAt = t; return j }

// Once returns the job with an identity: no second one of its kind is stored while it waits or runs.
func (j Job) Once(id string) Job { j.Unique = id; return j }

// Tries returns the job with its own bound on attempts.
func (j Job) Tries(n int) Job { j.MaxAttempts = n; return j }

// Attempt is what a handler is given.
type Attempt struct {
	Args   json.RawMessage
	Number int  // 1 for the first
	Last   bool // no further attempt follows an error
}

// Handler does a job. An error means: try again later, with back-off, until the attempts are used up.
type Handler func(ctx context.Context, a Attempt) error

// Table is which handler serves which kind.
type Table map[Kind]Handler

// Periodic is a job that is enqueued again and again.
type Periodic struct {
	Every time.Duration
	Job   Job
	// AtStart asks for a first run when the house starts.
	AtStart bool
}

// Decode gives a typed handler its arguments.
func Decode[T any](f func(ctx context.Context, args T, a Attempt) error) Handler {
	return func(ctx context.Context, a Attempt) error {
		var args T
		if err := json.Unmarshal(a.Args, &args); err != nil {
			return Give(fmt.Errorf("arguments: %w", err))
		}
		return f(ctx, args, a)
	}
}

// errGivenUp marks an error after which trying again is useless.
type errGivenUp struct{ error }

func (e errGivenUp) Unwrap() error { return e.error }

// Give wraps an error after which the job is not tried again.
func Give(err error) error { return errGivenUp{err} }

// GivenUp reports whether err says that trying again is useless.
func GivenUp(err error) bool { var g errGivenUp; return errors.As(err, &g) }

// Later is an error that asks for another run after d without counting as a failed attempt.
type Later struct{ After time.Duration }

func (l Later) Error() string { return "again in " + l.After.String() }
