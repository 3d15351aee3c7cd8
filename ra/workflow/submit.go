package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/profile"
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/order"
)

// The mails about an order.
const (
	MailConfirm notify.Kind = "confirm" // please confirm the mailbox
	MailReady   notify.Kind = "ready"   // approved: pick it up, if that was not done straight away
	MailPickup  notify.Kind = "pickup"  // the pick-up link that was asked for
	MailIssued  notify.Kind = "issued"  // a certificate for your mailbox was made
	MailRevoked notify.Kind = "revoked" // your certificate was revoked
)

// Submit takes an order: the address, the agreement and the request, if one was handed in, are checked; then it waits
// for its mailbox, and the confirmation mail is on its way.
func (c *Conductor) Submit(ctx context.Context, a Application) (order.Order, error) {
	now := c.now()
	o, err := c.newOrder(ctx, a, now)
	if err != nil {
		return order.Order{}, err
	}
	s, err := submitted(o, now)
	if err != nil {
		return order.Order{}, err
	}
	s.mail(MailConfirm, now, now)
	if err := c.ledger.Commit(ctx, s); err != nil {
		return order.Order{}, err
	}
	return c.ledger.Order(ctx, o.ID)
}

// submitted is the first step of every order.
func submitted(o order.Order, now time.Time) (Step, error) {
	s, err := begin(o, order.Submit, now)
	s.Audit = append(s.Audit, audit.New(now, o.By, "order.submit", o.Subject(), map[string]string{
		"mailbox": o.Mailbox.String(), "profile": o.Profile, "agreement": o.Agreement.Version, "agreement_sha256": o.Agreement.SHA256, "renews": o.Renews}))
	return s, err
}

// newOrder checks an application and gives the order that it asks for, not yet submitted.
func (c *Conductor) newOrder(ctx context.Context, a Application, now time.Time) (order.Order, error) {
	if a.Mailbox.IsZero() {
		return order.Order{}, fault.New(fault.Invalid, "mailbox.empty", "Please give the e-mail address that the certificate is for.")
	}
	if a.Profile == "" {
		a.Profile = profile.Default
	}
	if _, err := profile.Find(a.Profile, now); err != nil {
		return order.Order{}, err
	}
	text, err := c.agreements.Accept(a.Agreement, a.AgreementSHA256)
	if err != nil {
		return order.Order{}, err
	}
	o := order.Order{ID: order.NewID(), Mailbox: a.Mailbox, Profile: a.Profile, Language: c.agreements.In(a.Language).Language, By: a.By,
		Renews: string(a.Renews), Agreement: approval.Agreement{Version: text.Version, Language: text.Language, SHA256: text.SHA256, At: now, By: a.By.String()}}
	if len(a.Request) > 0 {
		if _, err := c.checkRequest(ctx, a.Request, a.Mailbox, now); err != nil {
			return order.Order{}, err
		}
		o.Request = a.Request
	}
	return o, nil
}

// checkRequest reads a PKCS#10 request and holds it against the ordered mailbox: its signature, its key, and that it
// asks for no other address; and that its key was never said to be compromised, by anybody (SBR 6.1.1.3, BR-034).
func (c *Conductor) checkRequest(ctx context.Context, raw []byte, ordered mailbox.Address, now time.Time) (*profile.Request, error) {
	r, err := profile.CheckRequest(raw)
	if err != nil {
		return nil, err
	}
	if err := profile.CheckKey(r.PublicKey, profile.Dual, now); err != nil {
		return nil, err
	}
	for _, m := range r.Mailboxes {
		if !m.Equal(ordered) {
			return nil, fault.New(fault.Refused, "request.other-mailbox", "The request names %s, but the order is for %s. Make a request for the ordered address, or one without any.", m, ordered).
				With("requested", m.String()).With("ordered", ordered.String())
		}
	}
	sum := sha256.Sum256(r.SPKI)
	known, err := c.ledger.CompromisedKey(ctx, hex.EncodeToString(sum[:]))
	if err != nil {
		return nil, err
	}
	if known {
		return nil, errCompromised
	}
	return r, nil
}

var errCompromised = fault.New(fault.Refused, "request.compromised", "This key was reported as compromised and is never certified again (SBR 6.1.1.3). Please make a new key and a new request.")

// mail adds a mail about the step's order, to be composed and sent not before an instant.
func (s *Step) mail(k notify.Kind, now, after time.Time) {
	m, job := notify.New(k, s.Order.Mailbox, s.Order.Language, now)
	m.Order, m.Serial = string(s.Order.ID), s.Order.Serial
	s.Mails = append(s.Mails, m)
	if after.After(now) {
		job = job.At(after)
	}
	s.Jobs = append(s.Jobs, job)
}

// Resend sends another confirmation mail, with a new random value.
func (c *Conductor) Resend(ctx context.Context, id order.ID, by audit.Actor) error {
	return c.ask(ctx, id, by, MailConfirm, "order.resend", order.Confirming)
}

// AskPickup mails a new pick-up link to the ordered mailbox.
func (c *Conductor) AskPickup(ctx context.Context, id order.ID, by audit.Actor) error {
	return c.ask(ctx, id, by, MailPickup, "order.ask-pickup", order.Approved, order.Issued)
}

// ask queues a mail about an order when its state is one of those in which the mail is of use.
func (c *Conductor) ask(ctx context.Context, id order.ID, by audit.Actor, k notify.Kind, action string, in ...order.State) error {
	return c.retry(ctx, func() error {
		now := c.now()
		o, err := c.ledger.Order(ctx, id)
		if err != nil {
			return err
		}
		if err := o.Within(now, in...); err != nil {
			return err
		}
		s := Step{Order: o, Audit: []audit.Entry{audit.New(now, by, action, o.Subject(), nil)}}
		s.mail(k, now, now)
		return c.ledger.Commit(ctx, s)
	})
}

// Cancel ends an order before issuance.
func (c *Conductor) Cancel(ctx context.Context, id order.ID, why string, by audit.Actor) error {
	if utf8.RuneCountInString(why) > 500 {
		return fault.New(fault.Invalid, "order.reason-long", "Please give the reason in at most 500 characters.")
	}
	return c.move(ctx, id, order.Cancel, func(s *Step, now time.Time) {
		if why != "" {
			s.Order.Reasons = append(s.Order.Reasons, approval.Reason{Code: "cancelled", Text: why})
		}
		s.Audit = append(s.Audit, audit.New(now, by, "order.cancel", s.Order.Subject(), map[string]string{"reason": why}))
	})
}

// Receive takes the holder's word that the certificate arrived: the order is complete.
func (c *Conductor) Receive(ctx context.Context, id order.ID, by audit.Actor) error {
	return c.move(ctx, id, order.Receive, func(s *Step, now time.Time) {
		s.Audit = append(s.Audit, audit.New(now, by, "order.receive", s.Order.Subject(), map[string]string{"serial": s.Order.Serial}))
	})
}

// move commits one event of the path, with what fill adds to its step.
func (c *Conductor) move(ctx context.Context, id order.ID, on order.Event, fill func(*Step, time.Time)) error {
	return c.retry(ctx, func() error {
		now := c.now()
		o, err := c.ledger.Order(ctx, id)
		if err != nil {
			return err
		}
		s, err := begin(o, on, now)
		if err != nil {
			return err
		}
		fill(&s, now)
		return c.ledger.Commit(ctx, s)
	})
}

// retry repeats a step that lost a race: somebody else moved the order between reading and committing. The second try
// reads again, and mostly finds that the state no longer allows it, which is the true answer.
func (c *Conductor) retry(ctx context.Context, step func() error) error {
	var err error
	for range 3 {
		if err = step(); fault.CodeOf(err) != StaleCode || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// StaleCode is the code of the ledger's fault.Conflict for a step that was made from an older version of its order.
const StaleCode = "order.changed"
