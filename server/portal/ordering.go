package portal

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// front is the first page: what this is, in three lines, and where to begin.
func (p *Portal) front(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, "front", p.page(r, ""))
}

// orderData is the order form.
type orderData struct {
	Address, Request string
	Language         string
	Languages        []languageLink
	Accepted         bool
	More             bool // the part about requests is open
	Agreement        agreement.Text
}

// newOrder begins the form in a language.
func (p *Portal) newOrder(lang string) orderData {
	d := orderData{Language: lang, Agreement: p.Agreements.In(lang)}
	for _, l := range languages {
		d.Languages = append(d.Languages, languageLink{Lang: l, Name: languageNames[l]})
	}
	return d
}

func (p *Portal) orderForm(w http.ResponseWriter, r *http.Request) error {
	v := p.page(r, "")
	d := p.newOrder(v.Lang)
	if who := access.From(r.Context()); who.Kind == access.Person && who.Roles.Has(access.Subscriber) {
		d.Address = who.Email
	}
	if m := r.URL.Query().Get("mailbox"); len(m) <= mailbox.MaxAddress {
		if a, err := mailbox.Parse(m); err == nil {
			d.Address = a.Unicode()
		}
	}
	return p.showOrder(w, r, http.StatusOK, v, d)
}

func (p *Portal) showOrder(w http.ResponseWriter, r *http.Request, status int, v page, d orderData) error {
	v.Data, v.Calls = d, p.orderCalls(d)
	return p.render(w, r, status, "order", v)
}

// placeOrder takes the form. What is wrong with it comes back tied to its field; everything typed stays.
func (p *Portal) placeOrder(w http.ResponseWriter, r *http.Request) error {
	v := p.page(r, "")
	d := p.newOrder(v.Lang)
	d.Address = strings.TrimSpace(r.PostFormValue("address"))
	d.Accepted = r.PostFormValue("agree") != ""
	if l := r.PostFormValue("language"); spoken(l) {
		d.Language = l
	}
	request, err := requestOf(r)
	d.Request = r.PostFormValue("request")
	d.More = len(request) > 0 || err != nil
	if err != nil {
		v.Errors = append(v.Errors, fieldError{Field: "request", Say: p.words[v.Lang].fault(err), Rule: fault.CodeOf(err)})
	}
	to, err := mailbox.Parse(d.Address)
	if err != nil {
		v.Errors = append([]fieldError{{Field: "address", Say: p.words[v.Lang].fault(err), Rule: fault.CodeOf(err)}}, v.Errors...)
	}
	if !d.Accepted {
		v.Errors = append(v.Errors, fieldError{Field: "agree", Say: p.words[v.Lang].text("order.agree.missing"), Rule: "SBR 9.6.3"})
	}
	if len(v.Errors) > 0 {
		return p.showOrder(w, r, http.StatusUnprocessableEntity, v, d)
	}
	if err := p.limits.take(doorOrder, r); err != nil {
		return err
	}
	if err := p.mayMail(to); err != nil {
		return err
	}
	placed, err := p.Orders.Submit(r.Context(), workflow.Application{Mailbox: to, Language: d.Language, Request: request,
		Agreement: r.PostFormValue("version"), AgreementSHA256: r.PostFormValue("sha256"), By: access.From(r.Context()).Actor()})
	if err != nil {
		if v.Errors, err = p.tie(v.Lang, err, orderField(err)); err != nil {
			return err
		}
		d.Accepted = false // the text may have changed: it is accepted anew
		return p.showOrder(w, r, http.StatusUnprocessableEntity, v, d)
	}
	v.Data = p.sentFor(r, placed)
	return p.render(w, r, http.StatusOK, "sent", v)
}

// sentData is the page after an order: where to look now.
type sentData struct {
	To    string
	Order order.Order
	// NoServer says that the mail went to a file: the house has no mail server, and stands on the reader's own machine.
	NoServer bool
	Outbox   bool // the reader may look into the local outbox
}

func (p *Portal) sentFor(r *http.Request, o order.Order) sentData {
	d := sentData{To: o.Mailbox.Unicode(), Order: o}
	if house := p.House(); house.MailServer == "" {
		d.Outbox, d.NoServer = p.may(r, access.OutboxRead), onLoopback(house.Origin)
	}
	return d
}

// onLoopback reports whether an origin is reached from this machine only, so that whoever reads the page may also read its
// files.
func onLoopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback() || u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost")
}

// mayMail counts one mail that anybody can have sent to a mailbox, however its address is spelt.
func (p *Portal) mayMail(to mailbox.Address) error { return p.limits.Take(doorMail, to.Fold()) }

// orderField is the field of the order form that an error is about.
func orderField(err error) string {
	switch c := fault.CodeOf(err); {
	case strings.HasPrefix(c, "mailbox."):
		return "address"
	case strings.HasPrefix(c, "agreement."):
		return "agree"
	}
	return "request"
}

// requestOf reads a PKCS#10 request from a form: pasted text or an uploaded file. Neither is fine.
func requestOf(r *http.Request) ([]byte, error) {
	if text := strings.TrimSpace(r.PostFormValue("request")); text != "" {
		return []byte(text), nil
	}
	if r.MultipartForm == nil || len(r.MultipartForm.File["file"]) == 0 {
		return nil, nil
	}
	file, err := r.MultipartForm.File["file"][0].Open()
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "request.unreadable", "The file did not arrive whole. Please choose it again.")
	}
	defer file.Close()
	data, err := io.ReadAll(file) // bounded by maxForm
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "request.unreadable", "The file did not arrive whole. Please choose it again.")
	}
	return data, nil
}

// checkData is the page for somebody who lost their link.
type checkData struct {
	Address string
	Sent    bool
}

// check explains where the link to an order is, and offers to send it again.
func (p *Portal) check(w http.ResponseWriter, r *http.Request) error {
	v := p.page(r, "")
	v.Data = checkData{}
	return p.render(w, r, http.StatusOK, "check", v)
}

// findAgain mails fresh links to a mailbox that has an order. The answer is the same whether it has one or not, so that
// nobody learns who ordered here.
func (p *Portal) findAgain(w http.ResponseWriter, r *http.Request) error {
	v := p.page(r, "")
	d := checkData{Address: strings.TrimSpace(r.PostFormValue("address"))}
	to, err := mailbox.Parse(d.Address)
	if err != nil {
		v.Data = d
		v.Errors = []fieldError{{Field: "address", Say: p.words[v.Lang].fault(err), Rule: fault.CodeOf(err)}}
		return p.render(w, r, http.StatusUnprocessableEntity, "check", v)
	}
	if err := p.limits.take(doorOrder, r); err != nil {
		return err
	}
	if err := p.mayMail(to); err != nil {
		return err
	}
	list, err := p.Ledger.Orders(r.Context(), order.Filter{Mailbox: to, Limit: 50})
	if err != nil {
		return err
	}
	for _, o := range list {
		if !p.informable(o) {
			continue
		}
		if err := p.informAbout(r, o, access.From(r.Context())); err != nil {
			p.Log.WarnContext(r.Context(), "portal: fresh links could not be asked for", "order", o.ID, "err", err)
		}
		break
	}
	d.Sent = true
	v.Data = d
	return p.render(w, r, http.StatusOK, "check", v)
}

// informable reports whether a mail with fresh links is of use in the state of an order.
func (p *Portal) informable(o order.Order) bool {
	switch o.StateAt(p.Clock()) {
	case order.Confirming, order.Approved, order.Issued:
		return true
	}
	return false
}

// informAbout has the mail sent that fits the state of an order: one to confirm, or one to pick up.
func (p *Portal) informAbout(r *http.Request, o order.Order, who access.Principal) error {
	if o.StateAt(p.Clock()) == order.Confirming {
		return p.Orders.Resend(r.Context(), o.ID, who.Actor())
	}
	return p.Orders.AskPickup(r.Context(), o.ID, who.Actor())
}

// again sends fresh links for an order whose link has died, to the ordered mailbox only: whoever holds the dead link
// gains nothing by it.
func (p *Portal) again(w http.ResponseWriter, r *http.Request) error {
	if err := p.limits.take(doorLink, r); err != nil {
		return err
	}
	purpose := order.Purpose(r.PathValue("purpose"))
	link, err := p.Ledger.Link(r.Context(), order.Secret(r.PathValue("secret")).Hash())
	if err != nil || link.Purpose != purpose {
		return order.Link{}.Check(purpose, p.Clock())
	}
	at, err := p.Orders.View(r.Context(), link.Order)
	if err != nil {
		return err
	}
	v := p.page(r, at.Order.Language)
	if p.informable(at.Order) {
		if err := p.mayMail(at.Order.Mailbox); err != nil {
			return err
		}
		if err := p.informAbout(r, at.Order, access.LinkBearer(link, access.From(r.Context()).Client)); err != nil {
			return err
		}
		v.Data = p.sentFor(r, at.Order)
		return p.render(w, r, http.StatusOK, "sent", v)
	}
	// Nothing is to be sent: the order has ended, and its page says how.
	v.Data = p.follow(r, at, nil)
	return p.render(w, r, http.StatusOK, "ended", v)
}

// lastMail is the newest mail of a kind about an order; zero where there is none.
func lastMail(mails []notify.Mail, kind notify.Kind) notify.Mail {
	for _, m := range mails {
		if m.Kind == kind {
			return m
		}
	}
	return notify.Mail{}
}
