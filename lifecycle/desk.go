// Package lifecycle answers: what is about to expire, to be renewed, to be revoked?
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// MailExpiring reminds a holder that a certificate ends.
const MailExpiring notify.Kind = "expiring"

// Ledger is what this package needs of the store.
type Ledger interface {
	Certificate(ctx context.Context, s issuance.Serial) (issuance.Certificate, error)
	Certificates(ctx context.Context, f issuance.Filter) ([]issuance.Certificate, error)
	Order(ctx context.Context, id order.ID) (order.Order, error)
	Standing(ctx context.Context, issuer string, s issuance.Serial) (status.Standing, error)
	// Expiring reads the subscribers' certificates that are not revoked and end between two instants, by end and serial number.
	Expiring(ctx context.Context, from, until time.Time, limit int, after issuance.Serial) ([]issuance.Certificate, error)
	Mails(ctx context.Context, f notify.Filter) ([]notify.Mail, error)
	// CommitReminder stores a new mail, the job that sends it and the entry that tells of it, in one transaction.
	CommitReminder(ctx context.Context, m notify.Mail, send jobs.Job, told audit.Entry) error
}

// Publisher is told that there are revocations to publish; *status.Authority is it.
type Publisher interface{ Wake() }

// Desk revokes, renews and reminds.
type Desk struct {
	ledger    Ledger
	publisher Publisher
	conductor *workflow.Conductor
	clock     func() time.Time
}

// New makes a desk.
func New(l Ledger, p Publisher, c *workflow.Conductor, clock func() time.Time) *Desk {
	return &Desk{ledger: l, publisher: p, conductor: c, clock: clock}
}

func (d *Desk) now() time.Time { return d.clock().UTC().Truncate(time.Microsecond) }

// Revoke ends a subscriber's certificate before its time; see workflow.Conductor.Revoke. It is in the CRL and in OCSP within
// a second.
func (d *Desk) Revoke(ctx context.Context, s issuance.Serial, why status.Reason, by audit.Actor) error {
	if err := d.conductor.Revoke(ctx, s, why, by); err != nil {
		return err
	}
	d.publisher.Wake()
	return nil
}

// Renewal is what a holder accepts when renewing.
type Renewal struct {
	Agreement, AgreementSHA256 string
	Language                   string
	// Request is a PKCS#10 request for the new key; nil when it is to be born at pick-up.
	Request []byte
	By      audit.Actor
}

// Renew orders the successor of a certificate: the same claims and profile, a new key.
func (d *Desk) Renew(ctx context.Context, s issuance.Serial, r Renewal) (order.Order, error) {
	cert, err := d.ledger.Certificate(ctx, s)
	if err != nil {
		return order.Order{}, err
	}
	if cert.Order == "" {
		return order.Order{}, fault.New(fault.Refused, "renew.house", "This is a certificate of the house itself; it is renewed by the house.")
	}
	standing, err := d.ledger.Standing(ctx, cert.Issuer, s)
	if err != nil {
		return order.Order{}, err
	}
	if standing.Revocation != nil {
		return order.Order{}, fault.New(fault.Conflict, "renew.revoked", "This certificate was revoked and cannot be renewed. Place a new order if you still need one.")
	}
	o, err := d.ledger.Order(ctx, order.ID(cert.Order))
	if err != nil {
		return order.Order{}, err
	}
	if r.Language == "" {
		r.Language = o.Language
	}
	return d.conductor.Renew(ctx, workflow.Application{Mailbox: o.Mailbox, Profile: cert.Profile, Language: r.Language,
		Agreement: r.Agreement, AgreementSHA256: r.AgreementSHA256, Request: r.Request, Renews: s, By: r.By})
}

// RemindJob looks for certificates whose holders should hear that they end.
const RemindJob jobs.Kind = "lifecycle.remind"

// stages are how long before its end a holder is reminded, the last one first.
var stages = []time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour}

// remindPage is how many certificates are looked at in one read.
const remindPage = 200

// Remind is the handler of RemindJob. Each stage gives one mail; a stage that was slept through is not made up for when a
// later one is due. It keeps no state but the mails themselves, so it can be run at any time and as often as wanted. What
// is wrong with one certificate holds up no other: the rest is reminded, and the error comes back for another try.
func (d *Desk) Remind(ctx context.Context, _ jobs.Attempt) error {
	now := d.now()
	var after issuance.Serial
	var failed error // the first one
	for {
		list, err := d.ledger.Expiring(ctx, now, now.Add(stages[len(stages)-1]), remindPage, after)
		if err != nil || len(list) == 0 {
			return errors.Join(failed, err)
		}
		for _, cert := range list {
			if err := d.remind(ctx, cert, now); err != nil && failed == nil {
				failed = fmt.Errorf("reminding of certificate %s: %w", cert.Serial, err)
			}
		}
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		after = list[len(list)-1].Serial
	}
}

func (d *Desk) remind(ctx context.Context, cert issuance.Certificate, now time.Time) error {
	due := cert.NotAfter.Add(-stages[len(stages)-1])
	for _, s := range stages {
		if t := cert.NotAfter.Add(-s); !now.Before(t) {
			due = t
			break
		}
	}
	sent, err := d.ledger.Mails(ctx, notify.Filter{Serial: string(cert.Serial), Kind: MailExpiring, Limit: 1})
	if err != nil {
		return err
	}
	if len(sent) > 0 && !sent[0].CreatedAt.Before(due) {
		return nil
	}
	if renewed, err := d.renewed(ctx, cert); err != nil || renewed {
		return err
	}
	o, err := d.ledger.Order(ctx, order.ID(cert.Order))
	if err != nil {
		return err
	}
	m, job := notify.New(MailExpiring, o.Mailbox, o.Language, now)
	m.Order, m.Serial = cert.Order, string(cert.Serial)
	return d.ledger.CommitReminder(ctx, m, job, audit.New(now, audit.Actor{Kind: audit.System}, "certificate.remind", "certificate/"+string(cert.Serial),
		map[string]string{"ends": cert.NotAfter.Format(time.RFC3339)}))
}

// renewed reports whether the mailbox has a certificate that ends later and was not revoked. The search finds parts of
// addresses too, so it is followed to its end.
func (d *Desk) renewed(ctx context.Context, cert issuance.Certificate) (bool, error) {
	filter := issuance.Filter{Text: cert.Mailbox, Limit: 500}
	for {
		list, err := d.ledger.Certificates(ctx, filter)
		if err != nil {
			return false, err
		}
		for _, other := range list {
			if other.Mailbox != cert.Mailbox || !other.NotAfter.After(cert.NotAfter) {
				continue
			}
			standing, err := d.ledger.Standing(ctx, other.Issuer, other.Serial)
			if err != nil {
				return false, err
			}
			if standing.Revocation == nil {
				return true, nil
			}
		}
		if len(list) < filter.Limit {
			return false, nil
		}
		filter.After = list[len(list)-1].Serial
	}
}
