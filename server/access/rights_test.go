package access

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/ra/order"
)

//go:embed schema.cedarschema
var policySchema []byte

// expected names every action for everybody: "-" never, "any" on every resource, "own" on what they ordered, "box" on
// what stands on their mailbox, "link" on the order of their link. Tokens are walked as their roles below.
const expected = `
action              anonymous confirm status pickup subscriber requester specialist auditor recovery-officer administrator operator
order.create        any       any     any    any    any        any       any        any     any              any           any
order.read          -         link    link   link   box        own       any        any     -                any           any
order.list          -         -       -      -      -          -         any        any     -                any           any
order.confirm       -         link    -      -      -          -         -          -       -                -             -
order.inform        -         -       link   -      box        own       any        -       -                any           any
order.pickup        -         -       -      link   -          -         -          -       -                -             -
order.cancel        -         link    link   -      box        own       any        -       -                any           any
order.renew         -         -       link   -      box        own       -          -       -                any           any
order.decide        -         -       -      -      -          -         any        -       -                -             -
certificate.read    -         -       link   link   box        own       any        any     -                any           any
certificate.list    -         -       -      -      -          -         any        any     -                any           any
certificate.revoke  -         -       link   -      box        own       any        -       -                any           any
house.read          -         -       -      -      -          -         any        any     -                any           any
ca.read             -         -       -      -      -          -         any        any     -                any           any
ca.manage           -         -       -      -      -          -         -          -       -                any           any
outbox.read         -         -       -      -      -          -         -          -       -                any           any
outbox.retry        -         -       -      -      -          -         -          -       -                any           any
audit.read          -         -       -      -      -          -         -          any     -                any           any
metrics.read        -         -       -      -      -          -         -          any     -                any           any
settings.read       -         -       -      -      -          -         -          any     -                any           any
settings.write      -         -       -      -      -          -         -          -       -                any           any
account.read        -         -       -      -      -          -         -          any     -                any           any
account.manage      -         -       -      -      -          -         -          -       -                any           any
self.read           -         -       -      -      any        any       any        any     any              any           -
self.manage         -         -       -      -      any        any       any        any     any              any           -
token.create        -         -       -      -      any        any       any        any     any              any           any
`

// notForTokens are the actions that no token may do, whatever its role.
var notForTokens = map[Action]bool{AccountManage: true, SelfManage: true, TokenCreate: true}

// relation is a resource as somebody stands to it.
type relation struct {
	name     string
	resource func(on ResourceKind) Resource
}

const (
	ownOrder, foreignOrder     = order.ID("ord_own"), order.ID("ord_foreign")
	ownAccount, foreignAccount = AccountID("acc_own"), AccountID("acc_foreign")
)

var relations = []relation{
	{"own", func(k ResourceKind) Resource {
		return Resource{Kind: k, ID: "1", Order: foreignOrder, By: ownAccount, Mailbox: "bob@example.com"}
	}},
	{"box", func(k ResourceKind) Resource {
		return Resource{Kind: k, ID: "2", Order: foreignOrder, By: foreignAccount, Mailbox: "Alice@example.com"}
	}},
	{"link", func(k ResourceKind) Resource {
		return Resource{Kind: k, ID: "3", Order: ownOrder, By: foreignAccount, Mailbox: "bob@example.com"}
	}},
	{"foreign", func(k ResourceKind) Resource {
		return Resource{Kind: k, ID: "4", Order: foreignOrder, By: foreignAccount, Mailbox: "bob@example.com"}
	}},
	// An order placed without an account has no By, and a certificate of the house no mailbox: an empty value must
	// never meet another empty value.
	{"nobody's", func(k ResourceKind) Resource { return Resource{Kind: k, ID: "5"} }},
}

// everybody is one principal for each column of the table.
func everybody() map[string]Principal {
	all := map[string]Principal{
		"anonymous": {},
		"operator":  {Kind: Operator},
		"confirm":   {Kind: Bearer, Order: ownOrder, Purpose: order.ToConfirm},
		"status":    {Kind: Bearer, Order: ownOrder, Purpose: order.ToStatus},
		"pickup":    {Kind: Bearer, Order: ownOrder, Purpose: order.ToPickup},
	}
	for _, r := range AllRoles {
		all[string(r)] = Principal{Kind: Person, Account: ownAccount, Email: "alice@example.com", Roles: Roles{r}}
	}
	return all
}

func TestEveryActionForEverybody(t *testing.T) {
	rights, err := NewRights()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(expected), "\n")
	columns := strings.Fields(lines[0])[1:]
	who := everybody()
	if len(columns) != len(who) {
		t.Fatalf("the table has %d columns, there are %d sorts of principal", len(columns), len(who))
	}
	table := map[Action][]string{}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		if len(f) != len(columns)+1 {
			t.Fatalf("row %q has %d cells, want %d", f[0], len(f)-1, len(columns))
		}
		table[Action(f[0])] = f[1:]
	}
	for _, a := range Actions {
		cells, ok := table[a.Action]
		if !ok {
			t.Errorf("action %s has no row in the table", a.Action)
			continue
		}
		delete(table, a.Action)
		if a.Means == "" {
			t.Errorf("action %s has no sentence", a.Action)
		}
		for i, column := range columns {
			p := who[column]
			checkCell(t, rights, p, column, a, cells[i])
			if p.Kind == Person {
				p.Kind, p.Token = Program, "tok_own"
				cell := cells[i]
				if notForTokens[a.Action] {
					cell = "-"
				}
				checkCell(t, rights, p, "token with "+column, a, cell)
			}
		}
	}
	for a := range table {
		t.Errorf("the table has a row for %s, which is no action", a)
	}
}

// checkCell walks every relation of a principal to a resource for one action.
func checkCell(t *testing.T, rights *Rights, p Principal, name string, a Meaning, cell string) {
	t.Helper()
	for _, rel := range relations {
		want := cell == "any" || cell == rel.name
		if err := rights.Allow(p, a.Action, rel.resource(a.On)); (err == nil) != want {
			t.Errorf("%s does %s on a resource that is %s: %v, the table says %q", name, a.Action, rel.name, err, cell)
		}
	}
}

func TestWhatTheRefusedAreTold(t *testing.T) {
	rights, err := NewRights()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		who  Principal
		kind fault.Kind
		code string
	}{
		{"somebody who is not signed in is asked to", Principal{}, fault.Anonymous, "access.sign-in"},
		{"the bearer of a link is told so", Principal{Kind: Bearer, Order: ownOrder, Purpose: order.ToConfirm}, fault.Denied, "access.link"},
		{"a program hears its roles", Principal{Kind: Program, Token: "tok_x"}, fault.Denied, "access.token"},
		{"a person is sent to an administrator", Principal{Kind: Person, Account: ownAccount}, fault.Denied, "access.denied"},
		{"a kind that does not exist is nobody", Principal{Kind: "root", Roles: Roles{Administrator}}, fault.Anonymous, "access.sign-in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := rights.Allow(c.who, AuditRead, Resource{})
			if !fault.Is(err, c.kind) || fault.CodeOf(err) != c.code {
				t.Errorf("got %v (%s), want %s with code %s", err, fault.CodeOf(err), c.kind, c.code)
			}
		})
	}
	nobodys := Resource{Kind: AnOrder, ID: "1"}
	for _, role := range []Role{Subscriber, Requester} {
		if err := rights.Allow(Principal{Kind: Person, Roles: Roles{role}}, OrderRead, nobodys); !fault.Is(err, fault.Denied) {
			t.Errorf("a %s without account and address at an order without either: got %v, want it denied", role, err)
		}
	}
	if err := rights.Allow(Principal{Kind: Bearer, Purpose: order.ToStatus}, OrderRead, Resource{Kind: AnOrder}); err == nil {
		t.Error("a link of no order opens an order without identifier")
	}
	if err := rights.Allow(Principal{Kind: Operator}, "audit.forge", Resource{}); !fault.Is(err, fault.Denied) {
		t.Errorf("an action that does not exist: got %v, want it denied", err)
	}
	if err := rights.Allow(Principal{Kind: Person, Account: ownAccount, Roles: Roles{"root"}}, AuditRead, Resource{}); !fault.Is(err, fault.Denied) {
		t.Errorf("a role that does not exist: got %v, want it denied", err)
	}
}

func TestPoliciesFitTheirSchema(t *testing.T) {
	var s schema.Schema
	if err := s.UnmarshalCedar(policySchema); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	rights, err := NewRights()
	if err != nil {
		t.Fatal(err)
	}
	v := validate.New(resolved)
	n := 0
	for id, p := range rights.policies.All() {
		n++
		if err := v.Policy(string(id), (*ast.Policy)(p.AST())); err != nil {
			t.Errorf("policy %s: %v", id, err)
		}
		if p.Annotations()["why"] == "" {
			t.Errorf("policy %s does not say why", id)
		}
	}
	if want := strings.Count(Policies, "\npermit (") + strings.Count(Policies, "\nforbid ("); n != want {
		t.Errorf("%d policies were read, the file has %d: two share an id", n, want)
	}
	for _, a := range Actions {
		found := false
		for uid := range resolved.Actions {
			found = found || string(uid.ID) == string(a.Action)
		}
		if !found {
			t.Errorf("action %s is not in the schema", a.Action)
		}
	}
	for name, p := range everybody() {
		if err := v.Entity(p.entity()); err != nil {
			t.Errorf("principal %s does not fit the schema: %v", name, err)
		}
	}
	for _, k := range []ResourceKind{House, AnOrder, ACertificate} {
		if err := v.Entity((Resource{Kind: k, ID: "1"}).entity()); err != nil {
			t.Errorf("resource %s does not fit the schema: %v", k, err)
		}
	}
}

func TestWhoseAResourceIs(t *testing.T) {
	box, err := mailbox.Parse("alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	token := Principal{Kind: Program, Account: ownAccount, Token: "tok_1"}
	for _, c := range []struct {
		name string
		by   audit.Actor
		want AccountID
	}{
		{"a person's order is theirs", Principal{Kind: Person, Account: ownAccount}.Actor(), ownAccount},
		{"a token's order is its owner's", token.Actor(), ownAccount},
		{"an applicant's order is no account's", Principal{}.Actor(), ""},
		{"the operator's order is no account's", Principal{Kind: Operator}.Actor(), ""},
		{"an applicant cannot name themselves an account", audit.Actor{Kind: audit.Applicant, ID: string(ownAccount)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := order.Order{ID: ownOrder, Mailbox: box, By: c.by}
			if got := OfOrder(o).By; got != c.want {
				t.Errorf("the order is of %q, want %q", got, c.want)
			}
			cert := issuance.Certificate{Serial: "0a", Order: string(ownOrder), Mailbox: box.String()}
			if got := OfCertificate(cert, o).By; got != c.want {
				t.Errorf("its certificate is of %q, want %q", got, c.want)
			}
			if got := OfCertificate(cert, order.Order{}).By; got != "" {
				t.Errorf("a certificate without its order is of %q, want nobody", got)
			}
		})
	}
}

func BenchmarkAllow(b *testing.B) {
	rights, err := NewRights()
	if err != nil {
		b.Fatal(err)
	}
	who := Principal{Kind: Program, Account: ownAccount, Token: "tok_1", Roles: Roles{Requester}}
	for b.Loop() {
		if err := rights.Allow(who, OrderCreate, Resource{}); err != nil {
			b.Fatal(err)
		}
	}
}
