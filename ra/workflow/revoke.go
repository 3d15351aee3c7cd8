package workflow

import (
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/ra/order"
)

// CompromisedJob revokes every certificate whose key is known to somebody else.
const CompromisedJob jobs.Kind = "key.compromised"

type keyArgs struct {
	SPKI string `json:"spki"`
}

// Revoke ends a subscriber's certificate before its time, and with it its order: whatever pick-up links are out lead nowhere
// any more. Revoking twice is fault.Conflict, and the first reason stays; but a key can be reported as compromised at any time,
// and then no other certificate with it stays good (SBR 4.9.1.1, 6.1.2).
//
// A holder who revokes means what they have now: where the order was picked up again meanwhile, the newer certificate is revoked.
func (c *Conductor) Revoke(ctx context.Context, serial issuance.Serial, why status.Reason, by audit.Actor) error {
	return c.retry(ctx, func() error {
		cert, o, before, err := c.subscribers(ctx, serial)
		if err != nil {
			return err
		}
		if before != nil && by.Kind == audit.Applicant && o.Serial != "" && serialOf(o) != serial {
			if cert, o, before, err = c.subscribers(ctx, serialOf(o)); err != nil {
				return err
			}
		}
		return c.revoke(ctx, cert, o, before, why, by)
	})
}

// subscribers reads a subscriber's certificate with its order and its revocation, if any.
func (c *Conductor) subscribers(ctx context.Context, serial issuance.Serial) (issuance.Certificate, order.Order, *status.Revocation, error) {
	cert, err := c.ledger.Certificate(ctx, serial)
	if fault.Is(err, fault.NotFound) { // it is just being made, or there is none
		return cert, order.Order{}, nil, err
	}
	if err == nil && cert.Order == "" {
		err = fault.New(fault.Refused, "revoke.house", "This is a certificate of the house itself. It is not revoked here, but in a ceremony.")
	}
	if err != nil {
		return cert, order.Order{}, nil, err
	}
	standing, err := c.ledger.Standing(ctx, cert.Issuer, serial)
	if err != nil {
		return cert, order.Order{}, nil, err
	}
	o, err := c.ledger.Order(ctx, order.ID(cert.Order))
	return cert, o, standing.Revocation, err
}

// revoke commits one revocation, or the report of a compromised key whose certificate has already ended.
func (c *Conductor) revoke(ctx context.Context, cert issuance.Certificate, o order.Order, before *status.Revocation, why status.Reason, by audit.Actor) error {
	now := c.now()
	s := Step{Order: o}
	compromised := why == status.KeyCompromise
	switch ended := now.After(cert.NotAfter); {
	case before != nil && (!compromised || before.Reason == status.KeyCompromise):
		return fault.New(fault.Conflict, "revoke.already", "This certificate was already revoked on %s.", before.At.Format(time.DateOnly))
	case ended && !compromised:
		return fault.New(fault.Conflict, "revoke.ended", "This certificate ended on %s and can no longer be revoked.", cert.NotAfter.Format(time.DateOnly))
	case ended || before != nil:
		s.Audit = []audit.Entry{audit.New(now, by, "certificate.compromise", "certificate/"+string(cert.Serial), map[string]string{
			"order": cert.Order, "mailbox": cert.Mailbox, "spki": cert.SPKI})}
	default:
		if serialOf(o) == cert.Serial { // an earlier certificate of an order that was picked up again leaves the order as it is
			if err := s.advance(order.Revoke, now); err != nil {
				return err
			}
		}
		s.Revoked = []status.Revocation{{Serial: cert.Serial, Issuer: cert.Issuer, At: now, Reason: why, By: by.String(), NotAfter: cert.NotAfter}}
		s.Audit = []audit.Entry{audit.New(now, by, "certificate.revoke", "certificate/"+string(cert.Serial), map[string]string{
			"reason": why.String(), "order": cert.Order, "mailbox": cert.Mailbox})}
		s.mail(MailRevoked, now, now)
		s.Mails[0].Serial = string(cert.Serial)
	}
	if compromised {
		s.Compromised = []string{cert.SPKI}
		s.Jobs = append(s.Jobs, jobs.New(CompromisedJob, keyArgs{SPKI: cert.SPKI}).Once(cert.SPKI))
	}
	return c.ledger.Commit(ctx, s)
}

// RevokeCompromised is the handler of CompromisedJob. It can be run as often as wanted.
func (c *Conductor) RevokeCompromised(ctx context.Context, args keyArgs, _ jobs.Attempt) error {
	list, err := c.ledger.LiveWithKey(ctx, args.SPKI)
	if err != nil {
		return err
	}
	for _, cert := range list {
		if err := c.Revoke(ctx, cert.Serial, status.KeyCompromise, system); err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	return nil
}
