package workflow

import (
	"context"
	"slices"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/ra/order"
	"chancery.example/ra/validation"
	"chancery.example/rules"
)

// The lives of links. That of a confirmation link is the rules' (SBR 3.2.2.2); a status link lives as long as anybody could
// need it, since it is the holder's way to revoke.
const statusLife = 10 * 365 * 24 * time.Hour

// pickupMailDelay is how long the pick-up mail waits after a confirmation: whoever confirms goes straight on to the
// pick-up page and mostly needs no mail. It is dropped when the certificate was picked up meanwhile.
const pickupMailDelay = 10 * time.Minute

// Open gives what the bearer of a link may see. It changes nothing, so that a link scanner proves nothing.
func (c *Conductor) Open(ctx context.Context, p order.Purpose, secret order.Secret) (Page, error) {
	link, o, err := c.follow(ctx, p, secret, c.now())
	if err != nil {
		return Page{Order: o, Link: link}, err
	}
	page, err := c.View(ctx, o.ID)
	page.Link = link
	return page, err
}

// View gives what there is to see of an order.
func (c *Conductor) View(ctx context.Context, id order.ID) (Page, error) {
	o, err := c.ledger.Order(ctx, id)
	if err != nil {
		return Page{}, err
	}
	p := Page{Order: o, State: o.StateAt(c.now())}
	if o.Serial == "" || o.State == order.Issuing {
		return p, nil
	}
	cert, err := c.ledger.Certificate(ctx, serialOf(o))
	if err != nil {
		return p, err
	}
	standing, err := c.ledger.Standing(ctx, cert.Issuer, cert.Serial)
	if err != nil {
		return p, err
	}
	p.Certificate, p.Revocation = &cert, standing.Revocation
	return p, nil
}

// follow finds a link and its order, and checks that it may be followed. For a used or expired link the order comes back
// beside the error, so that a page can offer what to do.
func (c *Conductor) follow(ctx context.Context, p order.Purpose, secret order.Secret, now time.Time) (order.Link, order.Order, error) {
	link, err := c.ledger.Link(ctx, secret.Hash())
	if fault.Is(err, fault.NotFound) {
		return link, order.Order{}, order.Link{}.Check(p, now)
	}
	if err != nil {
		return link, order.Order{}, err
	}
	if link.Purpose != p {
		return order.Link{}, order.Order{}, link.Check(p, now)
	}
	o, err := c.ledger.Order(ctx, link.Order)
	if err != nil {
		return link, order.Order{}, err
	}
	return link, o, link.Check(p, now)
}

// Confirm takes the random value of a confirmation mail back: evidence, verdict and approval, in one commit. The
// confirming person goes straight on with a pick-up link; where a request was handed in with the order, the
// certificate is made by a job.
//
// An order that came with a request has a key that somebody else may hold. Then the confirming person must have said that
// they know whose it is (keyKnown): one click on "this is my mailbox" is no consent to that.
func (c *Conductor) Confirm(ctx context.Context, secret order.Secret, keyKnown bool, by audit.Actor) (Confirmed, error) {
	var out Confirmed
	err := c.retry(ctx, func() error {
		now := c.now()
		link, o, err := c.follow(ctx, order.ToConfirm, secret, now)
		if err != nil {
			return err
		}
		if len(o.Request) > 0 && !keyKnown {
			return fault.New(fault.Refused, "confirm.key", "This order came with a key that somebody already holds. Please confirm only if you made that key, or know who did and want this.")
		}
		evidence, err := validation.ByEmail(o.Mailbox, validation.Sent{Mail: link.Mail, At: link.CreatedAt}, now, string(o.ID))
		if err != nil {
			return err
		}
		s := Step{Order: o, Used: &link.Hash, Evidence: []approval.Evidence{evidence}}
		if err := c.prove(&s, s.Evidence, by, now); err != nil {
			return err
		}
		status, secretStatus := order.NewLink(o.ID, order.ToStatus, "", now, statusLife)
		s.Links = append(s.Links, status)
		out = Confirmed{Status: secretStatus}
		out.Pickup = c.invite(&s, now)
		if err := c.ledger.Commit(ctx, s); err != nil {
			return err
		}
		out.Order = s.Order
		return nil
	})
	if err != nil { // what was prepared for a try that was lost leads nowhere
		return Confirmed{}, err
	}
	return out, nil
}

// invite adds to a step what follows an approval: a job where a request was handed in, else a pick-up link for the page that
// the confirming person is on, and a mail in case they leave it.
func (c *Conductor) invite(s *Step, now time.Time) order.Secret {
	if len(s.Order.Request) > 0 {
		s.Jobs = append(s.Jobs, jobs.New(IssueJob, orderArgs{Order: s.Order.ID}).Once(string(s.Order.ID)))
		return ""
	}
	link, secret := order.NewLink(s.Order.ID, order.ToPickup, "", now, rules.Duration(rules.PickUpLinkLife, now))
	s.Links = append(s.Links, link)
	s.mail(MailReady, now, now.Add(pickupMailDelay))
	return secret
}

// prove moves a step's order from Confirming over Proved to Approved. A verdict of no is an error, and nothing is moved:
// whoever confirmed can mend what is missing.
func (c *Conductor) prove(s *Step, evidence []approval.Evidence, by audit.Actor, now time.Time) error {
	if err := s.advance(order.Confirm, now); err != nil {
		return err
	}
	v := approval.Judge(approval.Case{Claims: s.Order.Claims(), Evidence: evidence, Agreement: s.Order.Agreement}, now)
	if !v.Allowed(now) {
		return fault.New(fault.Refused, "order.unproved", "This does not prove what the certificate would say. %s", reasonsText(v.Reasons()))
	}
	for _, e := range evidence {
		if !slices.Contains(v.Evidence(), e.ID) {
			continue // older evidence that the verdict does not rest on
		}
		s.Audit = append(s.Audit, audit.New(now, by, "order.confirm", s.Order.Subject(), map[string]string{
			"evidence": e.ID, "claim": string(e.Claim.Kind) + " " + e.Claim.Value, "method": string(e.Method), "rule": e.Rule, "origin": e.Origin}))
	}
	s.Audit = append(s.Audit, audit.New(now, system, "order.approve", s.Order.Subject(), map[string]string{"verdict": "yes", "until": v.Until().Format(time.RFC3339)}))
	return s.advance(order.Approve, now)
}

// Renew takes an order that follows a certificate. Evidence that is still fresh is used again, and then the pick-up
// link is mailed to the mailbox at once; otherwise the mailbox is asked to confirm. It is asked in any case when somebody
// hands in a key of their own and does not come by a link that the mailbox got: nobody gets a certificate
// for another's mailbox unseen.
func (c *Conductor) Renew(ctx context.Context, a Application) (order.Order, error) {
	now := c.now()
	o, err := c.newOrder(ctx, a, now)
	if err != nil {
		return order.Order{}, err
	}
	evidence, err := c.ledger.Evidence(ctx, o.Claims())
	if err != nil {
		return order.Order{}, err
	}
	foreign := len(o.Request) > 0 && o.By.Kind != audit.Applicant
	if foreign || !approval.Judge(approval.Case{Claims: o.Claims(), Evidence: evidence, Agreement: o.Agreement}, now).Allowed(now) {
		return c.Submit(ctx, a)
	}
	s, err := submitted(o, now)
	if err != nil {
		return order.Order{}, err
	}
	if err := c.prove(&s, evidence, system, now); err != nil {
		return order.Order{}, err
	}
	if len(o.Request) > 0 {
		s.Jobs = append(s.Jobs, jobs.New(IssueJob, orderArgs{Order: o.ID}).Once(string(o.ID)))
	} else {
		s.mail(MailReady, now, now)
	}
	if err := c.ledger.Commit(ctx, s); err != nil {
		return order.Order{}, err
	}
	return c.ledger.Order(ctx, o.ID)
}
