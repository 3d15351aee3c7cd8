package portal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"chancery.example/fault"
	"chancery.example/ra/order"
	"chancery.example/server/access"
)

var (
	errNoPage       = fault.New(fault.NotFound, "page.unknown", "There is no page at this address.")
	errNothingNamed = fault.New(fault.Invalid, "form.empty", "The form did not say what to do. Please go back and try again.")
	errSignIn       = fault.New(fault.Anonymous, "page.sign-in", "Please sign in first.")
)

// statuses translate the kinds of fault to HTTP (RFC 9110 15).
var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.Denied:      http.StatusForbidden,
	fault.Anonymous:   http.StatusUnauthorized,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Gone:        http.StatusGone,
	fault.TooLarge:    http.StatusRequestEntityTooLarge,
	fault.Refused:     http.StatusUnprocessableEntity,
	fault.Limited:     http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// errorData is what the error page shows.
type errorData struct {
	Kind string
	Say  string
	Code string
	Wait int // seconds; 0 when waiting does not help
	// Again is where a fresh link can be asked for; empty where none can be sent.
	Again string
}

// Refuse writes an error as a page. It is what the house gives to access.Authenticate, Require and Protect as well.
func (p *Portal) Refuse(w http.ResponseWriter, r *http.Request, err error) { p.fail(w, r, err) }

// fail writes an error as a page: what happened and what can be done, in the same grammar as every page.
func (p *Portal) fail(w http.ResponseWriter, r *http.Request, err error) {
	kind := fault.KindOf(err)
	if kind == fault.Anonymous && r.Method == http.MethodGet {
		http.Redirect(w, r, "/signin?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if kind == fault.Internal { // addresses hold secrets: the pattern is what the log may know
		p.Log.ErrorContext(r.Context(), "portal: page failed", "method", r.Method, "pattern", r.Pattern, "err", err)
	}
	v := p.page(r, "")
	words := p.words[v.Lang]
	d := errorData{Kind: kind.String(), Say: words.fault(err), Code: fault.CodeOf(err)}
	if kind == fault.Limited {
		d.Wait = max(access.RetryAfter(err), 1)
		w.Header().Set("Retry-After", fmt.Sprint(d.Wait))
	}
	var link badLink
	if errors.As(err, &link) && kind == fault.Gone {
		if shown, err := p.deadLink(w, r, link); err != nil {
			p.Log.ErrorContext(r.Context(), "portal: the page of a dead link failed", "order", link.order, "err", err)
		} else if shown {
			return
		}
		d.Again = "/again/" + string(link.purpose) + "/" + url.PathEscape(string(link.secret))
	}
	v.Data = d
	if err := p.render(w, r, statuses[kind], "error", v); err != nil {
		p.Log.ErrorContext(r.Context(), "portal: the error page failed", "err", err)
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
	}
}

// deadLink is the page behind a link that has done its work: it says where the order stands, and what comes next. It reports
// false where the plain error says all there is to say.
func (p *Portal) deadLink(w http.ResponseWriter, r *http.Request, link badLink) (bool, error) {
	if link.order == "" {
		return false, nil
	}
	at, err := p.Orders.View(r.Context(), link.order)
	if err != nil {
		return false, err
	}
	name := "ended"
	if p.informable(at.Order) {
		if link.purpose != order.ToConfirm || fault.CodeOf(link) != "link.used" {
			return false, nil
		}
		name = "confirmed"
	}
	v := p.page(r, at.Order.Language)
	f := p.follow(r, at, nil)
	f.Secret = string(link.secret)
	v.Data = f
	return true, p.render(w, r, http.StatusGone, name, v)
}

// tie makes an error of an action into an error of the form that asked for it; what the person cannot mend on this form
// stays an error.
func (p *Portal) tie(lang string, err error, field string) ([]fieldError, error) {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Refused, fault.Conflict, fault.Limited, fault.TooLarge, fault.Denied:
		return []fieldError{{Field: field, Say: p.words[lang].fault(err), Rule: fault.CodeOf(err)}}, nil
	}
	return nil, err
}
