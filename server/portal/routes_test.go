package portal_test

import (
	"context"
	"testing"

	"chancery.example/audit"
	"chancery.example/ra/agreement"
	"chancery.example/server/portal"
)

// routes is the table of the portal, made of the parts of a house.
func (h *house) routes() []portal.Route {
	h.t.Helper()
	p, err := portal.New(h.options(h.t))
	if err != nil {
		h.t.Fatal(err)
	}
	return p.Routes()
}

func (h *house) options(t testing.TB) portal.Options {
	book, err := agreement.Open()
	if err != nil {
		t.Fatal(err)
	}
	return portal.Options{Orders: h.Conductor, Agreements: book, Desk: h.Desk, Ledger: h.Store, Outbox: h.outbox, Authority: h.Status, Access: h.Access,
		Proof: func(context.Context) (audit.Proof, error) { return audit.Proof{}, nil },
		House: func() portal.House { return portal.House{Origin: h.doors.Portal} }}
}
