package workflow

import (
	"context"
	"log/slog"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/rules"
)

// Post composes the house's mails when their turn comes, and hands them to the carrier. The links in a mail are made
// here, at the last moment: each mail has new ones, and their secrets are stored nowhere (SBR 3.2.2.2).
type Post struct {
	conductor *Conductor
	texts     *notify.Texts
	carrier   notify.Carrier
	portal    string // base URL of the portal, without a slash at the end
	log       *slog.Logger
}

// NewPost makes the post of a conductor.
func NewPost(c *Conductor, t *notify.Texts, carrier notify.Carrier, portal string, log *slog.Logger) *Post {
	return &Post{conductor: c, texts: t, carrier: carrier, portal: portal, log: log}
}

// Send is the handler of notify.Send.
func (p *Post) Send(ctx context.Context, args notify.SendArgs, a jobs.Attempt) error {
	m, err := p.conductor.ledger.Mail(ctx, args.Mail)
	if err != nil {
		return err
	}
	if m.State != notify.Queued && m.State != notify.Sending {
		return nil
	}
	var letter notify.Letter
	before := m
	if m.Order != "" {
		letter, m, err = p.aboutOrder(ctx, m)
	} else {
		m.Attempts, m.State = m.Attempts+1, notify.Sending
		err = p.conductor.ledger.CommitMail(ctx, m)
	}
	if err != nil {
		if a.Last { // what is given up must be seen
			before.Attempts++
			return p.failed(ctx, before, err, true)
		}
		return err
	}
	if m.State == notify.Dropped {
		return nil
	}
	message, err := p.texts.Compose(m, letter, p.conductor.now())
	if err != nil {
		return jobs.Give(p.failed(ctx, m, err, true))
	}
	if err := p.carrier.Carry(ctx, message); err != nil {
		return p.failed(ctx, m, err, a.Last || jobs.GivenUp(err))
	}
	now := p.conductor.now()
	m.State, m.SentAt, m.LastError = notify.Sent, now, ""
	return p.conductor.ledger.CommitMail(ctx, m, audit.New(now, system, "mail.send", subject(m), map[string]string{"kind": string(m.Kind), "to": m.To.String()}))
}

// subject is the mail's name in the audit log: that of its order where it has one, so that an order's history shows it.
func subject(m notify.Mail) string {
	if m.Order != "" {
		return "order/" + m.Order
	}
	return "mail/" + m.ID
}

// failed records an attempt that did not succeed, and when it was the last, that it is given up; the administrator
// sees both in the outbox.
func (p *Post) failed(ctx context.Context, m notify.Mail, cause error, last bool) error {
	m.LastError = cause.Error()
	m.State = notify.Queued
	var entries []audit.Entry
	if last {
		m.State = notify.Failed
		entries = append(entries, audit.New(p.conductor.now(), system, "mail.fail", subject(m), map[string]string{"kind": string(m.Kind), "to": m.To.String(), "error": m.LastError}))
		p.log.ErrorContext(ctx, "a mail could not be sent and is given up", "mail", m.ID, "kind", m.Kind, "err", cause)
	}
	if err := p.conductor.ledger.CommitMail(context.WithoutCancel(ctx), m, entries...); err != nil {
		return err
	}
	return cause
}

// wanted says in which states of its order a kind of mail still makes sense; a kind that is not listed always does.
var wanted = map[notify.Kind][]order.State{
	MailConfirm: {order.Confirming},
	MailReady:   {order.Approved},
	MailPickup:  {order.Approved, order.Issued},
}

// aboutOrder makes the links of a mail about an order and commits them, with the mail's state, as a step of that order. A
// mail that is no longer wanted is dropped.
func (p *Post) aboutOrder(ctx context.Context, m notify.Mail) (notify.Letter, notify.Mail, error) {
	var letter notify.Letter
	before := m
	err := p.conductor.retry(ctx, func() error {
		m = before
		now := p.conductor.now()
		o, err := p.conductor.ledger.Order(ctx, order.ID(m.Order))
		if err != nil {
			return err
		}
		if states, limited := wanted[m.Kind]; limited && o.Within(now, states...) != nil {
			m.State = notify.Dropped
			return p.conductor.ledger.CommitMail(ctx, m)
		}
		m.Attempts, m.State = m.Attempts+1, notify.Sending
		s, err := begin(o, order.Inform, now)
		if err != nil {
			return err
		}
		s.Mails = []notify.Mail{m}
		letter = p.write(&s, m, now)
		if err := p.certificate(ctx, m, &letter); err != nil {
			return err
		}
		return p.conductor.ledger.Commit(ctx, s)
	})
	return letter, m, err
}

// certificate adds what a mail says of the certificate that it is about.
func (p *Post) certificate(ctx context.Context, m notify.Mail, l *notify.Letter) error {
	if m.Serial == "" {
		return nil
	}
	cert, err := p.conductor.ledger.Certificate(ctx, issuance.Serial(m.Serial))
	if fault.Is(err, fault.NotFound) {
		return nil // an abandoned intent has none
	}
	if err != nil {
		return err
	}
	standing, err := p.conductor.ledger.Standing(ctx, cert.Issuer, cert.Serial)
	if err != nil {
		return err
	}
	l.Ends = cert.NotAfter
	if standing.Revocation != nil {
		l.Reason = standing.Revocation.Reason.String()
	}
	return nil
}

// write makes the links of a mail, adds them to the step, and gives what the mail's text needs.
func (p *Post) write(s *Step, m notify.Mail, now time.Time) notify.Letter {
	status, secret := order.NewLink(s.Order.ID, order.ToStatus, m.ID, now, statusLife)
	s.Links = append(s.Links, status)
	l := notify.Letter{Foreign: len(s.Order.Request) > 0, Mailbox: s.Order.Mailbox.Unicode(), Order: string(s.Order.ID), Serial: m.Serial, Status: p.portal + "/o/" + string(secret)}
	switch m.Kind {
	case MailConfirm:
		link, secret := order.NewLink(s.Order.ID, order.ToConfirm, m.ID, now, rules.Duration(rules.MailboxRandomValueLife, now))
		s.Links = append(s.Links, link)
		l.Action, l.Until = p.portal+"/confirm/"+string(secret), link.ExpiresAt
	case MailReady, MailPickup:
		link, secret := order.NewLink(s.Order.ID, order.ToPickup, m.ID, now, rules.Duration(rules.PickUpLinkLife, now))
		s.Links = append(s.Links, link)
		l.Action, l.Until = p.portal+"/pickup/"+string(secret), link.ExpiresAt
	default:
		l.Action = l.Status
	}
	return l
}

// Handlers are the jobs of the conductor and its post.
func Handlers(c *Conductor, p *Post) jobs.Table {
	return jobs.Table{
		notify.Send: jobs.Decode(p.Send),
		IssueJob:    jobs.Decode(c.IssueApproved),
		SettleJob:   jobs.Decode(c.Settle),

		CompromisedJob: jobs.Decode(c.RevokeCompromised),
	}
}
