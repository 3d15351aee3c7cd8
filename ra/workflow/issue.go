package workflow

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/lint"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/keys/delivery"
	"chancery.example/notify"
	"chancery.example/ra/order"
)

// The jobs of an order.
const (
	IssueJob  jobs.Kind = "order.issue"  // make the certificate of an approved order with a request
	SettleJob jobs.Kind = "order.settle" // see what became of an intent
)

// settleAfter is how long an intent may stay open before it counts as left behind by a crash: much longer than any
// signature takes, much shorter than a person's patience.
const settleAfter = 2 * time.Minute

type orderArgs struct {
	Order order.ID `json:"order"`
}

type intentArgs struct {
	Serial issuance.Serial `json:"serial"`
}

var system = audit.Actor{Kind: audit.System}

func serialOf(o order.Order) issuance.Serial { return issuance.Serial(o.Serial) }

// PickUp hands the certificate to the bearer of a pick-up link. With a request in the choice, the parcel is the
// certificate with its chain as PEM; without, a key is born here and the parcel is a PKCS#12. Two commits stand around
// the signature: the intent before it, the certificate after it.
func (c *Conductor) PickUp(ctx context.Context, secret order.Secret, ch Choice) (delivery.Parcel, error) {
	var parcel delivery.Parcel
	err := c.retry(ctx, func() error { // a mail about the order may leave at the same moment
		now := c.now()
		_, o, err := c.follow(ctx, order.ToPickup, secret, now)
		if err != nil {
			return err
		}
		if o.StateAt(now) == order.Issued && !ch.Again {
			return fault.New(fault.Conflict, "pickup.again",
				"The certificate has already been made. If the download was interrupted, pick it up again: a new key is made and the first certificate is revoked.")
		}
		if err := o.Within(now, order.Approved, order.Issued); err != nil {
			return err
		}
		if len(ch.Request) > 0 {
			parcel, err = c.pickUpRequest(ctx, o, ch)
		} else {
			parcel, err = c.pickUpBorn(ctx, o, ch)
		}
		return err
	})
	return parcel, err
}

func (c *Conductor) pickUpRequest(ctx context.Context, o order.Order, ch Choice) (delivery.Parcel, error) {
	r, err := c.checkRequest(ctx, ch.Request, o.Mailbox, c.now())
	if err != nil {
		return delivery.Parcel{}, err
	}
	cert, err := c.issue(ctx, o, issuance.Request{PublicKey: r.PublicKey, KeyKept: true}, ch.By)
	if err != nil {
		return delivery.Parcel{}, err
	}
	return c.parcel(o, cert)
}

// parcel is a certificate with its chain, for somebody who holds the key.
func (c *Conductor) parcel(o order.Order, cert issuance.Certificate) (delivery.Parcel, error) {
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return delivery.Parcel{}, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.DER})
	for _, above := range c.authority.Chain() {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: above.Raw})...)
	}
	return delivery.Parcel{Name: delivery.FileName(o.Mailbox, ".pem"), ContentType: "application/x-pem-file", Data: data, Certificate: parsed}, nil
}

// Fetch gives the certificate of an order with its chain, as often as wanted: it is public.
func (c *Conductor) Fetch(ctx context.Context, id order.ID) (delivery.Parcel, error) {
	p, err := c.View(ctx, id)
	if err != nil {
		return delivery.Parcel{}, err
	}
	if p.Certificate == nil {
		return delivery.Parcel{}, p.Order.Within(c.now(), order.Issued, order.Delivered)
	}
	return c.parcel(p.Order, *p.Certificate)
}

func (c *Conductor) pickUpBorn(ctx context.Context, o order.Order, ch Choice) (delivery.Parcel, error) {
	if err := delivery.CheckPassword(ch.Password); err != nil {
		return delivery.Parcel{}, err
	}
	encoding, err := delivery.CheckEncoding(ch.Encoding)
	if err != nil {
		return delivery.Parcel{}, err
	}
	key, err := delivery.Born()
	if err != nil {
		return delivery.Parcel{}, err
	}
	cert, err := c.issue(ctx, o, issuance.Request{PublicKey: key.Public()}, ch.By)
	if err != nil {
		return delivery.Parcel{}, err
	}
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return delivery.Parcel{}, err
	}
	return delivery.Pack(key, parsed, c.authority.Chain(), o.Mailbox, ch.Password, encoding)
}

// issue leads an order through Issuing to Issued. A refusal by verdict, profile or lint ends the order, with its reasons;
// any other error leaves it where it was.
func (c *Conductor) issue(ctx context.Context, o order.Order, r issuance.Request, by audit.Actor) (issuance.Certificate, error) {
	now := c.now()
	evidence, err := c.ledger.Evidence(ctx, o.Claims())
	if err != nil {
		return issuance.Certificate{}, err
	}
	v := approval.Judge(approval.Case{Claims: o.Claims(), Evidence: evidence, Agreement: o.Agreement}, now)
	if !v.Allowed(now) {
		return issuance.Certificate{}, c.refuse(ctx, o, v.Reasons(), now)
	}
	r.Order, r.Profile, r.Mailbox = string(o.ID), o.Profile, o.Mailbox
	prepared, err := c.authority.Prepare(v, r, now)
	if rejected := (*issuance.Rejected)(nil); errors.As(err, &rejected) {
		return issuance.Certificate{}, c.refuse(ctx, o, lintReasons(rejected.Findings), now)
	}
	if fault.Is(err, fault.Refused) {
		return issuance.Certificate{}, c.refuse(ctx, o, refusedReasons(err), now)
	}
	if err != nil {
		return issuance.Certificate{}, err
	}
	if o, err = c.intend(ctx, o, prepared.Intent(), v, by, now); err != nil {
		return issuance.Certificate{}, err
	}
	ctx = context.WithoutCancel(ctx) // a browser that goes away now must not leave the intent open
	cert, err := c.authority.Sign(ctx, prepared)
	if err != nil {
		c.log.ErrorContext(ctx, "signing failed after its intent was recorded; it will be settled", "order", o.ID, "serial", prepared.Intent().Serial, "err", err)
		return issuance.Certificate{}, err
	}
	return cert, c.record(ctx, o, cert, by)
}

// intend commits the intent, and with it, when a first certificate is replaced, the revocation of that one. The order
// comes back as it is then stored.
func (c *Conductor) intend(ctx context.Context, o order.Order, i issuance.Intent, v approval.Verdict, by audit.Actor, now time.Time) (order.Order, error) {
	s, on, first := Step{Order: o, Intent: &i}, order.Prepare, o.Serial
	if o.State == order.Issued {
		on = order.Repeat
		cert, err := c.ledger.Certificate(ctx, serialOf(o))
		if err != nil {
			return o, err
		}
		s.Revoked = []status.Revocation{{Serial: cert.Serial, Issuer: cert.Issuer, At: now, Reason: status.Superseded, By: by.String(), NotAfter: cert.NotAfter}}
		s.Audit = append(s.Audit, audit.New(now, by, "certificate.revoke", "certificate/"+first, map[string]string{"reason": "superseded", "why": "picked up again"}))
	}
	if err := s.advance(on, now); err != nil {
		return o, err
	}
	s.Order.Serial = string(i.Serial)
	s.Audit = append(s.Audit, audit.New(now, by, "order.prepare", o.Subject(), map[string]string{
		"serial": s.Order.Serial, "profile": i.Profile, "evidence": strings.Join(v.Evidence(), " "), "replaces": first}))
	s.Jobs = []jobs.Job{jobs.New(SettleJob, intentArgs{Serial: i.Serial}).At(now.Add(settleAfter)).Once(s.Order.Serial)}
	if err := c.ledger.Commit(ctx, s); err != nil {
		return o, err
	}
	s.Order.Version++
	return s.Order, nil
}

// record commits what was signed.
func (c *Conductor) record(ctx context.Context, o order.Order, cert issuance.Certificate, by audit.Actor) error {
	now := c.now()
	s, err := begin(o, order.Issue, now)
	if err != nil {
		return err
	}
	s.Issued = &cert
	s.Audit = []audit.Entry{audit.New(now, by, "certificate.issue", "certificate/"+string(cert.Serial),
		map[string]string{"order": string(o.ID), "issuer": cert.Issuer, "profile": cert.Profile, "mailbox": cert.Mailbox, "sha256": cert.SHA256})}
	s.mail(MailIssued, now, now)
	if err := c.dropReady(ctx, &s); err != nil {
		return err
	}
	if err := c.ledger.Commit(ctx, s); err != nil {
		return err
	}
	// The key may have been reported while it was being certified. Whoever reports commits the report before looking
	// for certificates, and this one is committed before looking for reports: one of the two sees the other.
	known, err := c.ledger.CompromisedKey(ctx, cert.SPKI)
	if err != nil || !known {
		return err
	}
	if err := c.Revoke(ctx, cert.Serial, status.KeyCompromise, system); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return errCompromised
}

// dropReady takes back the mail that would have said that the certificate can be picked up, where it still waits.
func (c *Conductor) dropReady(ctx context.Context, s *Step) error {
	waiting, err := c.ledger.Mails(ctx, notify.Filter{Order: string(s.Order.ID), Kind: MailReady, State: notify.Queued, Limit: 10})
	if err != nil {
		return err
	}
	for _, m := range waiting {
		m.State = notify.Dropped
		s.Mails = append(s.Mails, m)
	}
	return nil
}

// refuse ends an order with its reasons and gives the fault that says them.
func (c *Conductor) refuse(ctx context.Context, o order.Order, reasons []approval.Reason, now time.Time) error {
	said := fault.New(fault.Refused, "order.refused", "The certificate cannot be issued. %s", reasonsText(reasons))
	s, err := begin(o, order.Refuse, now)
	if err != nil { // an issued order stays issued; the repetition is refused
		return said
	}
	s.Order.Reasons = reasons
	s.Audit = []audit.Entry{audit.New(now, system, "order.refuse", o.Subject(), map[string]string{"verdict": "no", "reasons": reasonsText(reasons)})}
	if err := c.ledger.Commit(ctx, s); err != nil {
		return err
	}
	return said
}

func reasonsText(reasons []approval.Reason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = r.Text
		if r.Rule != "" {
			texts[i] += " (" + r.Rule + ")"
		}
	}
	return strings.Join(texts, " ")
}

// refusedReasons is a fault as the reason of an order's end.
func refusedReasons(err error) []approval.Reason {
	return []approval.Reason{{Code: fault.CodeOf(err), Text: fault.Sentence(err)}}
}

func lintReasons(findings []lint.Finding) []approval.Reason {
	var out []approval.Reason
	for _, f := range findings {
		if f.Severity >= lint.Error {
			out = append(out, approval.Reason{Code: "lint." + f.Rule, Text: f.Text, Rule: f.Citation})
		}
	}
	return out
}

// IssueApproved makes the certificate of an approved order whose request was handed in with it. It is the handler of IssueJob.
func (c *Conductor) IssueApproved(ctx context.Context, args orderArgs, _ jobs.Attempt) error {
	o, err := c.ledger.Order(ctx, args.Order)
	if err != nil {
		return err
	}
	if o.StateAt(c.now()) != order.Approved || len(o.Request) == 0 {
		return nil // already done, or no longer wanted
	}
	r, err := c.checkRequest(ctx, o.Request, o.Mailbox, c.now())
	if err != nil && !fault.Is(err, fault.Refused) && !fault.Is(err, fault.Invalid) {
		return err
	}
	if err != nil { // it was good when it was handed in; the rules have changed since, or the key was reported
		if said := c.refuse(ctx, o, refusedReasons(err), c.now()); !fault.Is(said, fault.Refused) {
			return said
		}
		return nil
	}
	_, err = c.issue(ctx, o, issuance.Request{PublicKey: r.PublicKey, KeyKept: true}, system)
	if fault.Is(err, fault.Refused) {
		return nil // the order says so
	}
	return err
}
