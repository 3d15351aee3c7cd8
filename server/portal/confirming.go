package portal

import (
	"crypto/x509"
	"net/http"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/lifecycle"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
)

// confirmData is the page behind the link of a confirmation mail.
type confirmData struct {
	held
	To string
	// Key is the SHA-256 of the key that came with the order, in hex; empty where the key is yet to be made.
	Key string
}

// confirmPage shows one button. Opening it proves nothing: link scanners open everything.
func (p *Portal) confirmPage(w http.ResponseWriter, r *http.Request, at held) error {
	return p.showConfirm(w, r, http.StatusOK, at, nil)
}

func (p *Portal) showConfirm(w http.ResponseWriter, r *http.Request, code int, at held, errs []fieldError) error {
	v := p.page(r, at.Order.Language)
	v.Errors = errs
	v.Data = confirmData{held: at, To: at.Order.Mailbox.Unicode(), Key: keyOf(at.Order.Request)}
	return p.render(w, r, code, "confirm", v)
}

// keyOf is the SHA-256 of the public key of a request (its SubjectPublicKeyInfo, RFC 5280 4.1.2.7) in hex; empty without one.
// The conductor parsed the request when it was ordered, so it parses.
func keyOf(request []byte) string {
	if len(request) == 0 {
		return ""
	}
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return fingerprint(request)
	}
	return fingerprint(csr.RawSubjectPublicKeyInfo)
}

// confirm takes the proof, and leads straight on to the pick-up; where a request was handed in, to the status page.
func (p *Portal) confirm(w http.ResponseWriter, r *http.Request, at held) error {
	done, err := p.Orders.Confirm(r.Context(), at.Secret, r.PostFormValue("key") == "known", at.By())
	if err != nil {
		if fault.Is(err, fault.Gone) {
			return badLink{err: err, purpose: order.ToConfirm, secret: at.Secret, order: at.Order.ID}
		}
		if fault.CodeOf(err) == "confirm.key" { // the box was not ticked
			lang := choose(r, at.Order.Language)
			return p.showConfirm(w, r, http.StatusUnprocessableEntity, at,
				[]fieldError{{Field: "key-known", Say: p.words[lang].text("confirm.foreign.missing"), Rule: fault.CodeOf(err)}})
		}
		return err
	}
	if done.Pickup != "" {
		return back(w, r, "/pickup/"+string(done.Pickup))
	}
	return back(w, r, "/o/"+string(done.Status))
}

// disown ends an order that the mailbox's owner never asked for.
func (p *Portal) disown(w http.ResponseWriter, r *http.Request, at held) error {
	if err := p.Orders.Cancel(r.Context(), at.Order.ID, "The owner of the mailbox did not order it.", at.By()); err != nil {
		return err
	}
	v := p.page(r, at.Order.Language)
	v.Data = confirmData{held: at, To: at.Order.Mailbox.Unicode()}
	return p.render(w, r, http.StatusOK, "disowned", v)
}

// renewData is the page before a renewal.
type renewData struct {
	held
	To        string
	Agreement agreement.Text
}

func (p *Portal) renewPage(w http.ResponseWriter, r *http.Request, at held) error {
	return p.showRenew(w, r, http.StatusOK, at, nil)
}

func (p *Portal) showRenew(w http.ResponseWriter, r *http.Request, code int, at held, errs []fieldError) error {
	if at.Certificate == nil {
		return fault.New(fault.Conflict, "renew.none", "There is no certificate yet that could be renewed.")
	}
	v := p.page(r, at.Order.Language)
	text := p.Agreements.In(v.Lang)
	v.Errors, v.Calls = errs, p.renewCalls(string(at.Certificate.Serial), text.Version, text.SHA256)
	v.Data = renewData{held: at, To: at.Order.Mailbox.Unicode(), Agreement: text}
	return p.render(w, r, code, "renew", v)
}

// renew orders the successor. Its links are mailed to the mailbox, as those of every order.
func (p *Portal) renew(w http.ResponseWriter, r *http.Request, at held) error {
	lang := choose(r, at.Order.Language)
	if at.Certificate == nil {
		return p.showRenew(w, r, http.StatusOK, at, nil)
	}
	if r.PostFormValue("agree") == "" {
		return p.showRenew(w, r, http.StatusUnprocessableEntity, at, []fieldError{{Field: "agree", Say: p.words[lang].text("order.agree.missing"), Rule: "SBR 9.6.3"}})
	}
	if err := p.mayMail(at.Order.Mailbox); err != nil {
		return err
	}
	next, err := p.Desk.Renew(r.Context(), at.Certificate.Serial, renewalOf(r, lang, at.By()))
	if err != nil {
		errs, err := p.tie(lang, err, "agree")
		if err != nil {
			return err
		}
		return p.showRenew(w, r, http.StatusUnprocessableEntity, at, errs)
	}
	v := p.page(r, at.Order.Language)
	v.Data = p.sentFor(r, next)
	return p.render(w, r, http.StatusOK, "sent", v)
}

// renewalOf reads what the holder accepted.
func renewalOf(r *http.Request, lang string, by audit.Actor) lifecycle.Renewal {
	return lifecycle.Renewal{Agreement: r.PostFormValue("version"), AgreementSHA256: r.PostFormValue("sha256"), Language: lang, By: by}
}
