package workflow

import (
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/ra/order"
)

// Revoke ends a subscriber's certificate before its time, and with it its order: whatever pick-up links are out lead nowhere
// any more. Revoking twice is fault.Conflict; the first reason stays.
func (c *Conductor) Revoke(ctx context.Context, serial issuance.Serial, why status.Reason, by audit.Actor) error {
	return c.retry(ctx, func() error {
		now := c.now()
		cert, o, err := c.revocable(ctx, serial, now)
		if err != nil {
			return err
		}
		s := Step{Order: o}
		if serialOf(o) == serial { // an earlier certificate of an order that was picked up again leaves the order as it is
			if err := s.advance(order.Revoke, now); err != nil {
				return err
			}
		}
		s.Revoked = []status.Revocation{{Serial: serial, Issuer: cert.Issuer, At: now, Reason: why, By: by.String(), NotAfter: cert.NotAfter}}
		s.Audit = []audit.Entry{audit.New(now, by, "certificate.revoke", "certificate/"+string(serial), map[string]string{
			"reason": why.String(), "order": cert.Order, "mailbox": cert.Mailbox})}
		s.mail(MailRevoked, now, now)
		s.Mails[0].Serial = string(serial)
		return c.ledger.Commit(ctx, s)
	})
}

// revocable reads a certificate with its order, and says why it cannot be revoked.
func (c *Conductor) revocable(ctx context.Context, serial issuance.Serial, now time.Time) (issuance.Certificate, order.Order, error) {
	cert, err := c.ledger.Certificate(ctx, serial)
	if err != nil {
		return cert, order.Order{}, err
	}
	if cert.Order == "" {
		return cert, order.Order{}, fault.New(fault.Refused, "revoke.house", "This is a certificate of the house itself. It is not revoked here, but in a ceremony.")
	}
	if now.After(cert.NotAfter) {
		return cert, order.Order{}, fault.New(fault.Conflict, "revoke.ended", "This certificate ended on %s and can no longer be revoked.", cert.NotAfter.Format(time.DateOnly))
	}
	standing, err := c.ledger.Standing(ctx, cert.Issuer, serial)
	if err != nil {
		return cert, order.Order{}, err
	}
	if r := standing.Revocation; r != nil {
		return cert, order.Order{}, fault.New(fault.Conflict, "revoke.already", "This certificate was already revoked on %s.", r.At.Format(time.DateOnly))
	}
	o, err := c.ledger.Order(ctx, order.ID(cert.Order))
	return cert, o, err
}
