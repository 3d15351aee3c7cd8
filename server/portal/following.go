package portal

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/rules"
)

// step is one line of an order's way.
type step struct {
	Key  string // of its name in the catalogue
	Say  string // of the word under a step that is not done: now, next, or nothing
	Mark string // "done", "now", "next" or "bad"
	At   time.Time
}

// stepsOf is the way of an order as its holder sees it: what is done, what is now, what comes next.
func stepsOf(at workflow.Page, entries []audit.Entry) []step {
	o := at.Order
	when := func(action string) time.Time {
		for _, e := range entries { // newest first
			if e.Action == action {
				return e.At
			}
		}
		return time.Time{}
	}
	steps := []step{{Key: "step.ordered", At: o.CreatedAt}, {Key: "step.confirmed", At: when("order.confirm")},
		{Key: "step.approved", At: o.ApprovedAt}, {Key: "step.made"}, {Key: "step.arrived", At: o.DeliveredAt}}
	if at.Certificate != nil {
		steps[3].At = at.Certificate.IssuedAt
	}
	reached := map[order.State]int{order.Confirming: 1, order.Proved: 2, order.Approved: 3, order.Issuing: 3, order.Issued: 4, order.Delivered: 5}
	n, alive := reached[at.State]
	if !alive { // revoked, refused, cancelled, expired: what was done stays done, and the end stands last
		for n = len(steps); n > 0 && steps[n-1].At.IsZero(); n-- {
		}
		steps = append(steps[:n], step{Key: "step." + string(at.State), Mark: "bad", At: when("order." + map[order.State]string{
			order.Refused: "refuse", order.Cancelled: "cancel"}[at.State])})
		if at.State == order.Expired {
			steps[n].At = o.Deadline()
		}
	}
	for i := range steps {
		switch {
		case i < n:
			steps[i].Mark = "done"
		case i == n && alive:
			steps[i].Mark, steps[i].Say = "now", "step.now"
			steps[i].Key += ".do"
		case steps[i].Mark == "":
			steps[i].Mark = "next"
			steps[i].Key += ".do"
			if i == n+1 {
				steps[i].Say = "step.next"
			}
		}
	}
	if r := at.Revocation; r != nil { // what was still to come does not come any more
		steps = append(steps[:min(n, len(steps))], step{Key: "step.revoked", Mark: "bad", At: r.At})
	}
	return steps
}

// following is an order with everything that a page about it says.
type following struct {
	workflow.Page
	To      string // the address as a person writes it
	Secret  string // of the status link; empty on staff pages
	Steps   []step
	Sent    time.Time // when the last mail that waits for an answer was written
	Until   time.Time // until when the link in it, or the order, may be followed
	MailBad bool      // that mail could not be delivered
	MailLag bool      // that mail still waits: a try to send it failed
	History []audit.Entry
	Names   map[string]string // of accounts in it, by the ID of an actor; empty for holders
	Mails   []notify.Mail
	Ended   bool // the certificate's time is over
	Busy    bool // the page looks again by itself
	May     map[string]bool
}

// follow gathers what there is to say of an order.
func (p *Portal) follow(r *http.Request, at workflow.Page, entries []audit.Entry) following {
	now := p.Clock()
	f := following{Page: at, To: at.Order.Mailbox.Unicode(), Steps: stepsOf(at, entries), History: entries, Until: at.Order.Deadline()}
	mails, err := p.Ledger.Mails(r.Context(), notify.Filter{Order: string(at.Order.ID), Limit: 50})
	if err != nil {
		p.Log.WarnContext(r.Context(), "portal: the mails of an order cannot be read", "order", at.Order.ID, "err", err)
	}
	f.Mails = mails
	kind := workflow.MailPickup
	if at.State == order.Confirming {
		kind = workflow.MailConfirm
	}
	if m := lastMail(mails, kind); m.ID != "" {
		f.Sent, f.MailBad = m.CreatedAt, m.State == notify.Failed
		f.MailLag = lagging(m)
		if at.State == order.Confirming {
			f.Until = earlier(f.Until, m.CreatedAt.Add(rules.Duration(rules.MailboxRandomValueLife, m.CreatedAt)))
		}
	}
	f.Ended = at.Certificate != nil && now.After(at.Certificate.NotAfter)
	f.Busy = at.State == order.Issuing || at.State == order.Proved || at.State == order.Approved && len(at.Order.Request) > 0
	return f
}

// lagging reports whether a mail still waits because a try to send it failed.
func lagging(m notify.Mail) bool {
	return (m.State == notify.Queued || m.State == notify.Sending) && m.LastError != ""
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// history is what happened to an order, newest first, with what happened to its certificate.
func (p *Portal) history(r *http.Request, at workflow.Page) ([]audit.Entry, error) {
	entries, err := p.Ledger.AuditEntries(r.Context(), audit.Filter{Subject: at.Order.Subject(), Limit: 100})
	if err != nil || at.Certificate == nil {
		return entries, err
	}
	more, err := p.Ledger.AuditEntries(r.Context(), audit.Filter{Subject: "certificate/" + string(at.Certificate.Serial), Limit: 100})
	return merged(entries, more), err
}

// merged puts two lists, each newest first, into one.
func merged(a, b []audit.Entry) []audit.Entry {
	out := make([]audit.Entry, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].Seq > b[0].Seq {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

// statusPage is the page behind the link in every mail: where the order stands, and the one thing to do.
func (p *Portal) statusPage(w http.ResponseWriter, r *http.Request, at held) error {
	entries, err := p.history(r, at.Page)
	if err != nil {
		return err
	}
	v := p.page(r, at.Order.Language)
	f := p.follow(r, at.Page, entries)
	f.Secret, f.History = string(at.Secret), forHolder(entries)
	v.Data, v.Live, v.Calls = f, f.Busy, p.statusCalls(at.Order)
	return p.render(w, r, http.StatusOK, "status", v)
}

// inform mails fresh links to the ordered mailbox.
func (p *Portal) inform(w http.ResponseWriter, r *http.Request, at held) error {
	if err := p.mayMail(at.Order.Mailbox); err != nil {
		return err
	}
	if err := p.informAbout(r, at.Order, at.Who); err != nil {
		return err
	}
	return back(w, r, "/o/"+string(at.Secret)+"?done=informed")
}

// received takes the holder's word that the file arrived.
func (p *Portal) received(w http.ResponseWriter, r *http.Request, at held) error {
	if err := p.Orders.Receive(r.Context(), at.Order.ID, at.By()); err != nil {
		return err
	}
	return back(w, r, "/o/"+string(at.Secret))
}

// cancel ends an order at its holder's wish.
func (p *Portal) cancel(w http.ResponseWriter, r *http.Request, at held) error {
	if err := p.Orders.Cancel(r.Context(), at.Order.ID, "", at.By()); err != nil {
		return err
	}
	return back(w, r, "/o/"+string(at.Secret))
}

// ownCertificate hands out the certificate with its chain. It is public; the key is not in it.
func (p *Portal) ownCertificate(w http.ResponseWriter, r *http.Request, at held) error {
	return p.sendParcel(w, r, at.Order.ID)
}

func (p *Portal) sendParcel(w http.ResponseWriter, r *http.Request, id order.ID) error {
	parcel, err := p.Orders.Fetch(r.Context(), id)
	if err != nil {
		return err
	}
	return attach(w, parcel.Name, parcel.ContentType, parcel.Data)
}

// installPage shows again how the file is given to each program.
func (p *Portal) installPage(w http.ResponseWriter, r *http.Request, at held) error {
	if at.State != order.Delivered || at.Revocation != nil {
		return back(w, r, "/o/"+string(at.Secret))
	}
	v := p.page(r, at.Order.Language)
	v.Data = pickupData{held: at, To: at.Order.Mailbox.Unicode(), Programs: programs, Back: "/o/" + string(at.Secret)}
	return p.render(w, r, http.StatusOK, "install", v)
}

// revokeData is the page before a revocation: it shows what will happen.
type revokeData struct {
	workflow.Page
	To, Serial, Back, Action string
	Reasons                  []string
	Chosen                   string
}

func (p *Portal) revokePage(w http.ResponseWriter, r *http.Request, at held) error {
	return p.showRevoke(w, r, http.StatusOK, at, "", nil)
}

func (p *Portal) showRevoke(w http.ResponseWriter, r *http.Request, code int, at held, chosen string, errs []fieldError) error {
	if at.Certificate == nil {
		return fault.New(fault.Conflict, "revoke.none", "There is no certificate yet. You can cancel the order instead.")
	}
	v := p.page(r, at.Order.Language)
	here := "/o/" + string(at.Secret)
	v.Errors = errs
	v.Data = revokeData{Page: at.Page, To: at.Order.Mailbox.Unicode(), Serial: string(at.Certificate.Serial), Back: here, Action: here + "/revoke",
		Reasons: status.Names(status.Subscriber), Chosen: chosen}
	v.Calls = p.revokeCalls(string(at.Certificate.Serial))
	return p.render(w, r, code, "revoke", v)
}

func (p *Portal) revoke(w http.ResponseWriter, r *http.Request, at held) error {
	lang := choose(r, at.Order.Language)
	reason, errs := p.reason(lang, r, status.Subscriber)
	if len(errs) > 0 {
		return p.showRevoke(w, r, http.StatusUnprocessableEntity, at, "", errs)
	}
	if at.Certificate == nil {
		return p.showRevoke(w, r, http.StatusOK, at, "", nil)
	}
	if err := p.Desk.Revoke(r.Context(), at.Certificate.Serial, reason, at.By()); err != nil {
		return err
	}
	return back(w, r, "/o/"+string(at.Secret))
}

// reason reads the reason of a revocation from a form.
func (p *Portal) reason(lang string, r *http.Request, by status.Revoker) (status.Reason, []fieldError) {
	chosen := r.PostFormValue("reason")
	if chosen == "" {
		return 0, []fieldError{{Field: "reason-" + status.Names(by)[0], Say: p.words[lang].text("revoke.reason.missing")}}
	}
	reason, err := status.ParseReason(chosen)
	if err == nil {
		err = status.Permit(by, reason)
	}
	if err != nil {
		return 0, []fieldError{{Field: "reason-" + status.Names(by)[0], Say: p.words[lang].fault(err), Rule: fault.CodeOf(err)}}
	}
	return reason, nil
}

// certificateOf parses what is stored; the house wrote it, so it parses.
func certificateOf(der []byte) *x509.Certificate {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return &x509.Certificate{}
	}
	return c
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// attach sends a file to be saved.
func attach(w http.ResponseWriter, name, mediaType string, data []byte) error {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	_, err := w.Write(data)
	if err != nil {
		return nil // the reader is gone; they can ask again
	}
	return nil
}
