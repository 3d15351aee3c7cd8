// Package workflow answers: what is the next step of this order? It is the conductor: it reads the facts, asks the
// stations, and commits each move as one Step.
package workflow

import (
	"context"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
)

// Step is everything that one move of an order changes, as a value. The ledger stores all of it in one transaction,
// or none (DESIGN rule 2).
type Step struct {
	// Moves are the rows of the path that this step goes, in order, for logs and the kill tests.
	Moves []order.Move
	// Order is the new state. Its Version is the one that was read; the ledger compares it and stores Version+1. A new
	// order has Version 0.
	Order order.Order
	// Links are new; Used is the link that this move used up, if any.
	Links []order.Link
	Used  *order.SecretHash
	// Evidence is new.
	Evidence []approval.Evidence
	// Intent is new and open. The ledger refuses a serial number that it has seen.
	Intent *issuance.Intent
	// Issued closes the open intent of its serial number; the ledger refuses it when that intent is not open.
	Issued *issuance.Certificate
	// Abandoned closes the open intent of this serial number without a certificate.
	Abandoned issuance.Serial
	// Revoked are new revocations; the ledger numbers them. A serial number that is already revoked stays as it was.
	Revoked []status.Revocation
	// Compromised are keys that somebody else may know, by the SHA-256 of their SubjectPublicKeyInfo in hex.
	Compromised []string
	// Mails are new or changed.
	Mails []notify.Mail
	Jobs  []jobs.Job
	Audit []audit.Entry
}

// advance moves the step's order by an event.
func (s *Step) advance(on order.Event, now time.Time) error {
	from := s.Order.State
	o, err := s.Order.Advance(on, now)
	if err != nil {
		return err
	}
	s.Order = o
	s.Moves = append(s.Moves, order.Move{From: from, On: on, To: o.State})
	return nil
}

// begin is a step that begins with an event of an order.
func begin(o order.Order, on order.Event, now time.Time) (Step, error) {
	s := Step{Order: o}
	return s, s.advance(on, now)
}

// Ledger is what the conductor needs of the store. Reads outside Commit are snapshots; Commit refuses with
// fault.Conflict what was made from an older version of the order.
type Ledger interface {
	// Commit stores a step, all or nothing, durably.
	Commit(ctx context.Context, s Step) error
	// Order reads an order; fault.NotFound when there is none.
	Order(ctx context.Context, id order.ID) (order.Order, error)
	// Link reads a link by its hash; fault.NotFound when there is none.
	Link(ctx context.Context, h order.SecretHash) (order.Link, error)
	// Evidence reads the evidence for claims, whichever order it was gathered for.
	Evidence(ctx context.Context, claims []approval.Claim) ([]approval.Evidence, error)
	// Mail reads a mail; fault.NotFound when there is none.
	Mail(ctx context.Context, id string) (notify.Mail, error)
	// Mails reads mails, newest first.
	Mails(ctx context.Context, f notify.Filter) ([]notify.Mail, error)
	// CommitMail stores what became of a mail that is about no move of an order, with its audit entries.
	CommitMail(ctx context.Context, m notify.Mail, entries ...audit.Entry) error
	// OpenIntents reads the intents that are open.
	OpenIntents(ctx context.Context) ([]issuance.Intent, error)
	// Certificate reads a certificate; fault.NotFound when there is none.
	Certificate(ctx context.Context, s issuance.Serial) (issuance.Certificate, error)
	// CompromisedKey reports whether a certificate for a key was revoked because somebody else may know it. spki is the
	// SHA-256 of its SubjectPublicKeyInfo in hex.
	CompromisedKey(ctx context.Context, spki string) (bool, error)
	// LiveWithKey reads the subscribers' certificates for a key that are not revoked.
	LiveWithKey(ctx context.Context, spki string) ([]issuance.Certificate, error)
	// Standing reads what is known of a serial number under an issuer.
	Standing(ctx context.Context, issuer string, s issuance.Serial) (status.Standing, error)
}
