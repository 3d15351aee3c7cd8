package portal

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"chancery.example/audit"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/ra/order"
	"chancery.example/server/access"
)

// details are an entry's details in a fixed order.
func details(e audit.Entry) [][2]string {
	keys := make([]string, 0, len(e.Detail))
	for k, v := range e.Detail {
		if v != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	out := make([][2]string, len(keys))
	for i, k := range keys {
		out[i] = [2]string{k, e.Detail[k]}
	}
	return out
}

// forHolder leaves out of a history what is the house's own work.
func forHolder(entries []audit.Entry) []audit.Entry {
	technical := []string{"order.approve", "order.prepare", "order.abandon", "certificate.prepare", "crl.publish"}
	return slices.DeleteFunc(slices.Clone(entries), func(e audit.Entry) bool { return slices.Contains(technical, e.Action) })
}

// names are the accounts behind entries, by the ID that the log gives to their actors. Whoever may not read accounts sees
// none; an account is asked for once.
func (p *Portal) names(r *http.Request, entries []audit.Entry, more ...audit.Actor) map[string]string {
	out := map[string]string{}
	if !p.may(r, access.AccountRead) {
		return out
	}
	for _, e := range entries {
		more = append(more, e.Actor)
	}
	for _, by := range more {
		account, _, _ := strings.Cut(by.ID, "/") // a program is "acc_…/tok_…"
		if _, known := out[by.ID]; known || !strings.HasPrefix(account, "acc_") {
			continue
		}
		a, err := p.Access.Account(r.Context(), access.AccountID(account))
		if err != nil {
			p.Log.WarnContext(r.Context(), "portal: an account of the log cannot be read", "account", account, "err", err)
			continue
		}
		if out[by.ID] = a.Name; a.Name == "" {
			out[by.ID] = a.Email
		}
	}
	return out
}

// told says an audit entry in plain words. An action without words is shown by its name.
func (w words) told(e audit.Entry) template.HTML {
	id := "audit." + e.Action
	if !w.has(id) {
		return code(e.Action)
	}
	return w.html(id, "Kind", w.named("mail.kind", e.Detail["kind"]))
}

// actor says who did something.
func (w words) actor(a audit.Actor) template.HTML {
	if a.Kind == audit.Applicant && a.ID != "" {
		if id := "actor.link." + a.ID; w.has(id) {
			return w.html(id)
		}
		return w.html("actor.link")
	}
	return w.named("actor", a.Kind)
}

// named says a value that other parts of the house define by its name in the catalogue. One that is newer than the
// catalogue is shown as it is.
func (w words) named(group string, value any) template.HTML {
	id := group + "." + fmt.Sprint(value)
	if !w.has(id) {
		return code(value)
	}
	return w.html(id)
}

// problem says what is wrong with a revocation list.
func (w words) problem(l status.ListState) string {
	return w.fault(&fault.Error{Code: l.Code, Say: l.Problem, Args: l.Args})
}

// subjectLink is where the thing that an entry is about is to be seen; empty where there is no page.
func subjectLink(subject string) string {
	kind, id, _ := strings.Cut(subject, "/")
	switch kind {
	case "order":
		return "/admin/orders/" + id
	case "certificate":
		return "/admin/certificates/" + id
	case "account":
		if !strings.HasPrefix(id, "acc_") { // the first administrator's invitation names no account
			return ""
		}
		return "/admin/accounts/" + id
	case "mail":
		return "/admin/outbox/" + id
	}
	return ""
}

// orderMark is the mark that goes with a state of an order.
func orderMark(state string) string {
	switch order.State(state) {
	case order.Delivered:
		return "done"
	case order.Refused, order.Cancelled, order.Expired, order.Revoked:
		return "bad"
	}
	return "now"
}
