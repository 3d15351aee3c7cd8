package access

import (
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/ra/order"
)

// Kind is what sort of principal somebody is.
type Kind string

// The kinds of principal.
const (
	Anybody  Kind = "anonymous" // not signed in
	Person   Kind = "account"   // signed in with two factors
	Program  Kind = "token"     // an API token
	Operator Kind = "operator"  // whoever may open the socket in the data directory
	Bearer   Kind = "link"      // holds a link of one order
)

// Principal is who asks. The zero value is nobody in particular, who may do the least.
type Principal struct {
	Kind    Kind // empty means Anybody
	Account AccountID
	Token   string // a Program's token ID
	Session string // a Person's session ID
	Name    string
	Email   string
	// Language is the account's; empty where there is none.
	Language string
	Roles    Roles
	// Order and Purpose are of a Bearer's link.
	Order   order.ID
	Purpose order.Purpose
	// SignedInAt is when a Person proved both factors.
	SignedInAt time.Time
	Client     Client
}

// SignedIn reports whether the principal is somebody known: a person, a program or the operator.
func (p Principal) SignedIn() bool {
	return p.Kind == Person || p.Kind == Program || p.Kind == Operator
}

// Actor is the principal as the audit log names it. A program's ID is "acc_…/tok_…", so that the entry says whose
// token it was.
func (p Principal) Actor() audit.Actor {
	switch p.Kind {
	case Person:
		return audit.Actor{Kind: audit.Person, ID: string(p.Account)}
	case Program:
		return audit.Actor{Kind: audit.Program, ID: string(p.Account) + "/" + p.Token}
	case Operator:
		return audit.Actor{Kind: audit.Operator}
	case Bearer:
		return audit.Actor{Kind: audit.Applicant, ID: string(p.Purpose)}
	}
	return audit.Actor{Kind: audit.Applicant}
}

// LinkBearer is the principal for somebody who followed a link, after the caller checked the link (order.Link.Check).
// Who is signed in as well keeps being a Person in the session; the link decides on the link's own pages.
func LinkBearer(l order.Link, from Client) Principal {
	return Principal{Kind: Bearer, Order: l.Order, Purpose: l.Purpose, Client: from}
}

type principalKey struct{}

// From returns who asks in this request: what Authenticate found, and nobody in particular outside of it.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// As returns a context in which who asks. Doors use it for the bearers of links, and tests for everybody.
func As(ctx context.Context, who Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, who)
}
