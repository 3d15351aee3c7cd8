package portal

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"chancery.example/audit"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/ra/order"
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
