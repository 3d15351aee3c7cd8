package portal

import (
	"errors"
	"net/http"
	"strings"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// guarded is a page for those who may do an action in the house as a whole.
func (p *Portal) guarded(a access.Action, h handler) http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) error {
		if err := p.Access.Allow(access.From(r.Context()), a, access.Resource{}); err != nil {
			return err
		}
		return h(w, r)
	})
}

// held is what the bearer of a link holds: the secret of the address and what it opens.
type held struct {
	workflow.Page
	Secret order.Secret
	Who    access.Principal
}

// By is the bearer as the audit log names them.
func (h held) By() audit.Actor { return h.Who.Actor() }

// bearer is a page for the bearer of a link: the conductor checks the secret, the policies the action.
func (p *Portal) bearer(purpose order.Purpose, a access.Action, h func(w http.ResponseWriter, r *http.Request, at held) error) http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) error {
		secret := order.Secret(r.PathValue("secret"))
		page, err := p.Orders.Open(r.Context(), purpose, secret)
		if fault.Is(err, fault.NotFound) { // somebody guesses, or copied badly
			if err := p.limits.take(doorLink, r); err != nil {
				return err
			}
		}
		if err != nil {
			return badLink{err: err, purpose: purpose, secret: secret, order: page.Order.ID}
		}
		who := access.LinkBearer(page.Link, access.From(r.Context()).Client)
		if err := p.Access.Allow(who, a, access.OfOrder(page.Order)); err != nil {
			return err
		}
		return h(w, r, held{Page: page, Secret: secret, Who: who})
	})
}

// badLink is an error of a link, with what is needed to offer a new one.
type badLink struct {
	err     error
	purpose order.Purpose
	secret  order.Secret
	order   order.ID // empty where the link is not known
}

func (b badLink) Error() string { return "link: " + b.err.Error() }
func (b badLink) Unwrap() error { return b.err }

// onOrder is a page about one order for those who may do an action to it.
func (p *Portal) onOrder(a access.Action, h func(w http.ResponseWriter, r *http.Request, at workflow.Page) error) http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) error {
		who := access.From(r.Context())
		if !who.SignedIn() {
			return errSignIn
		}
		page, err := p.Orders.View(r.Context(), order.ID(r.PathValue("id")))
		if err != nil {
			return err
		}
		if err := p.Access.Allow(who, a, access.OfOrder(page.Order)); err != nil {
			return err
		}
		return h(w, r, page)
	})
}

// owned is a certificate with the order that it was made for; the order is empty for the house's own.
type owned struct {
	issuance.Certificate
	Order order.Order
}

// onCertificate is a page about one certificate for those who may do an action to it.
func (p *Portal) onCertificate(a access.Action, h func(w http.ResponseWriter, r *http.Request, at owned) error) http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) error {
		who := access.From(r.Context())
		if !who.SignedIn() {
			return errSignIn
		}
		serial, err := issuance.ParseSerial(r.PathValue("serial"))
		if err != nil {
			return err
		}
		cert, err := p.Ledger.Certificate(r.Context(), serial)
		if err != nil {
			return err
		}
		at := owned{Certificate: cert}
		if cert.Order != "" {
			page, err := p.Orders.View(r.Context(), order.ID(cert.Order))
			if err != nil {
				return err
			}
			at.Order = page.Order
		}
		if err := p.Access.Allow(who, a, access.OfCertificate(cert, at.Order)); err != nil {
			return err
		}
		return h(w, r, at)
	})
}

// may reports whether the reader may do an action in the house, to hide what would be refused.
func (p *Portal) may(r *http.Request, a access.Action) bool {
	return p.Access.Allow(access.From(r.Context()), a, access.Resource{}) == nil
}

// readForm parses a form within its bound.
func readForm(r *http.Request) error {
	var err error
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		err = r.ParseMultipartForm(maxForm)
	} else {
		err = r.ParseForm()
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return fault.Wrap(err, fault.TooLarge, "form.large", "That is more than a form of ours takes (256 KB). A certificate request has a few kilobytes: is it the right file?")
	}
	return fault.Wrap(err, fault.Invalid, "form.malformed", "Your browser sent a form that cannot be read. Please go back and try again.")
}

// client is the key by which anonymous people are limited: their address, or the whole network of an IPv6 customer.
func client(r *http.Request) string {
	a := access.From(r.Context()).Client.Address
	if a.Is6() && !a.Is4In6() {
		if net, err := a.Prefix(64); err == nil {
			return net.String()
		}
	}
	return a.Unmap().String()
}

// keepLanguage remembers the language that a reader chose by ?lang=.
func (p *Portal) keepLanguage(w http.ResponseWriter, r *http.Request) {
	if l := r.URL.Query().Get("lang"); spoken(l) {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: l, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.House().Origin, "https:")})
	}
}
