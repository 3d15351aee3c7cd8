package access

import (
	_ "embed"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/ra/order"
)

// Policies is the text of the rules that Rights keeps, for auditors to read.
//
//go:embed policies.cedar
var Policies string

// Rights says who may do what, by the policies in policies.cedar. It has no state and is safe for concurrent use.
type Rights struct {
	policies *cedar.PolicySet
}

// NewRights reads the embedded policies.
func NewRights() (*Rights, error) {
	list, err := cedar.NewPolicyListFromBytes("policies.cedar", []byte(Policies))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "access.policies", "The rules of who may do what cannot be read.")
	}
	set := cedar.NewPolicySet()
	for _, p := range list {
		set.Add(cedar.PolicyID(p.Annotations()["id"]), p)
	}
	return &Rights{policies: set}, nil
}

// Resource is what an action is done to. The zero value is the house as a whole.
type Resource struct {
	Kind    ResourceKind // empty means House
	ID      string
	Order   order.ID  // the order that it is or belongs to
	By      AccountID // the account that ordered, itself or by one of its tokens; empty where none did
	Mailbox string    // the ordered address
}

// OfOrder is an order as a resource.
func OfOrder(o order.Order) Resource {
	return Resource{Kind: AnOrder, ID: string(o.ID), Order: o.ID, By: accountOf(o.By), Mailbox: o.Mailbox.String()}
}

// OfCertificate is a certificate as a resource. o is the order that it was made for; the zero Order where there is
// none or it is not at hand, and then only those may touch it who may touch every certificate.
func OfCertificate(c issuance.Certificate, o order.Order) Resource {
	r := Resource{Kind: ACertificate, ID: string(c.Serial), Order: order.ID(c.Order), Mailbox: c.Mailbox}
	if r.Order == o.ID {
		r.By = accountOf(o.By)
	}
	return r
}

// accountOf is the account behind an actor (Principal.Actor), empty where none is.
func accountOf(a audit.Actor) AccountID {
	if a.Kind != audit.Person && a.Kind != audit.Program {
		return ""
	}
	id, _, _ := strings.Cut(a.ID, "/")
	return AccountID(id)
}

// Allow says whether who may do this to that: nil, fault.Anonymous (sign in first) or fault.Denied.
func (r *Rights) Allow(who Principal, do Action, on Resource) error {
	principal, resource := who.entity(), on.entity()
	decision, why := cedar.Authorize(r.policies,
		cedar.EntityMap{principal.UID: principal, resource.UID: resource},
		cedar.Request{Principal: principal.UID, Action: cedar.NewEntityUID("Action", cedar.String(do)), Resource: resource.UID})
	// A policy that cannot be evaluated is skipped by Cedar; were it a "forbid", the request would slip through.
	if len(why.Errors) > 0 {
		return fault.New(fault.Internal, "access.policies", "The rules of who may do what cannot be applied: %s", why.Errors[0].Message)
	}
	switch {
	case decision == cedar.Allow:
		return nil
	case who.Kind == Bearer:
		return fault.New(fault.Denied, "access.link", "This link is not for that. Please use the newest mail about this order.")
	case !who.SignedIn():
		return fault.New(fault.Anonymous, "access.sign-in", "Please sign in first.")
	case who.Kind == Program:
		return fault.New(fault.Denied, "access.token", "This API token may not do that (%s). Its roles are: %s.", do, orNone(who.Roles)).
			With("action", string(do)).With("roles", orNone(who.Roles))
	}
	return fault.New(fault.Denied, "access.denied", "Your account may not do that (%s). If you need it, ask an administrator for the role.", do).With("action", string(do))
}

// Can is Allow for pages that show only what its reader may do.
func (r *Rights) Can(who Principal, do Action, on Resource) bool { return r.Allow(who, do, on) == nil }

func orNone(r Roles) string {
	if len(r) == 0 {
		return "none"
	}
	return r.String()
}

// entity is the principal as the policies see it.
func (p Principal) entity() types.Entity {
	if p.Kind == Bearer {
		return types.Entity{UID: cedar.NewEntityUID("Link", "link"), Attributes: cedar.NewRecord(cedar.RecordMap{
			"order": cedar.String(p.Order), "purpose": cedar.String(p.Purpose)})}
	}
	e := types.Entity{Attributes: cedar.NewRecord(cedar.RecordMap{
		"account": cedar.String(p.Account), "mailbox": cedar.String(foldASCII(p.Email))})}
	roles := p.Roles
	switch p.Kind {
	case Person:
		e.UID = cedar.NewEntityUID("Account", cedar.String(p.Account))
	case Program:
		e.UID = cedar.NewEntityUID("Token", cedar.String(p.Token))
	case Operator:
		e.UID, roles = cedar.NewEntityUID("Operator", "operator"), Roles{Administrator}
	default:
		return types.Entity{UID: cedar.NewEntityUID("Anonymous", "anybody")}
	}
	parents := make([]cedar.EntityUID, len(roles))
	for i, role := range roles {
		parents[i] = cedar.NewEntityUID("Role", cedar.String(role))
	}
	e.Parents = cedar.NewEntityUIDSet(parents...)
	return e
}

// entity is the resource as the policies see it.
func (r Resource) entity() types.Entity {
	kind := cedar.EntityType("House")
	switch r.Kind {
	case AnOrder:
		kind = "Order"
	case ACertificate:
		kind = "Certificate"
	default:
		return types.Entity{UID: cedar.NewEntityUID(kind, "house")}
	}
	return types.Entity{UID: cedar.NewEntityUID(kind, cedar.String(r.ID)), Attributes: cedar.NewRecord(cedar.RecordMap{
		"order": cedar.String(r.Order), "by": cedar.String(r.By), "mailbox": cedar.String(foldASCII(r.Mailbox))})}
}

// foldASCII is s with its ASCII letters in lower case: no host in use gives Alice@ and alice@ to different people, but
// letters outside ASCII are not ours to fold (compare mailbox.Address.EqualFold).
func foldASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}
