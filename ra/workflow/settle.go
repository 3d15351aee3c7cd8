package workflow

import (
	"context"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/ra/order"
)

// Settle is the handler of SettleJob: it closes an intent that a crash left open.
func (c *Conductor) Settle(ctx context.Context, args intentArgs, _ jobs.Attempt) error {
	intents, err := c.ledger.OpenIntents(ctx)
	if err != nil {
		return err
	}
	for _, i := range intents {
		if i.Serial != args.Serial {
			continue
		}
		err := c.settle(ctx, i)
		if fault.Is(err, fault.Unavailable) { // a key that cannot sign now must not use up the attempts: nobody else closes it
			c.log.ErrorContext(ctx, "an open intent cannot be settled now; it is tried again", "serial", i.Serial, "order", i.Order, "err", err)
			return jobs.Later{After: settleAfter}
		}
		return err
	}
	return nil
}

// SettleAll closes every open intent. A node that is alone with its database does so at start, when nothing can be under way.
func (c *Conductor) SettleAll(ctx context.Context) error {
	intents, err := c.ledger.OpenIntents(ctx)
	if err != nil {
		return err
	}
	for _, i := range intents {
		if i.Order == "" {
			continue // the house's own; the ceremony closes it
		}
		if err := c.settle(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// settle signs the recorded content again where the holder has the key. A key that was born at pick-up died with its
// process, so that intent is abandoned: its serial number counts as revoked, whether or not it was signed, and the
// order waits to be picked up again.
func (c *Conductor) settle(ctx context.Context, i issuance.Intent) error {
	o, err := c.ledger.Order(ctx, order.ID(i.Order))
	if err != nil {
		return err
	}
	if i.KeyKept {
		cert, err := c.authority.Resume(ctx, i)
		if err != nil {
			return err
		}
		return c.settled(ctx, i, c.record(ctx, o, cert, system))
	}
	return c.settled(ctx, i, c.abandon(ctx, o, i))
}

// settled takes a lost race for what it is: somebody else closed the intent.
func (c *Conductor) settled(ctx context.Context, i issuance.Intent, err error) error {
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	if err == nil {
		c.log.WarnContext(ctx, "an intent that was left open is settled", "serial", i.Serial, "order", i.Order, "signed_again", i.KeyKept)
	}
	return err
}

func (c *Conductor) abandon(ctx context.Context, o order.Order, i issuance.Intent) error {
	now := c.now()
	end, err := i.NotAfter()
	if err != nil {
		return err
	}
	s, err := begin(o, order.Abandon, now)
	if err != nil {
		return err
	}
	s.Abandoned = i.Serial
	s.Revoked = []status.Revocation{{Serial: i.Serial, Issuer: i.Issuer, At: now, Reason: status.CessationOfOperation, By: system.String(), NotAfter: end}}
	s.Audit = []audit.Entry{audit.New(now, system, "order.abandon", o.Subject(), map[string]string{
		"serial": string(i.Serial), "why": "interrupted between intent and delivery; the key is gone"})}
	s.mail(MailReady, now, now)
	return c.ledger.Commit(ctx, s)
}
