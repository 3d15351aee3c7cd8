package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/ra/order"
	"chancery.example/server/access"
	"chancery.example/server/portal"
)

// fill puts real values into a route's pattern.
func (s *stage) fill(r portal.Route) string {
	path := strings.TrimSuffix(r.Pattern, "{$}")
	secret := "abcdefghijklmnopqrstuvwxyz234567" // no link of anybody
	for _, v := range [][2]string{{"{secret}", secret}, {"{serial}", s.serial}, {"{version}", "0"}, {"{name}", "page.js"}, {"{purpose}", "status"}} {
		path = strings.ReplaceAll(path, v[0], v[1])
	}
	switch {
	case strings.HasPrefix(path, "/admin/orders/"):
		return strings.ReplaceAll(path, "{id}", string(s.confirming.ID))
	case strings.HasPrefix(path, "/admin/outbox/"):
		return strings.ReplaceAll(path, "{id}", s.mail)
	}
	return strings.ReplaceAll(path, "{id}", s.person)
}

// resource is what a route's action is done to, for the policies.
func (s *stage) resource(t *testing.T, r portal.Route) access.Resource {
	t.Helper()
	switch r.On {
	case access.AnOrder:
		return access.OfOrder(s.confirming)
	case access.ACertificate:
		cert, err := s.Store.Certificate(t.Context(), issuance.Serial(s.serial))
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Store.Order(t.Context(), order.ID(cert.Order))
		if err != nil {
			t.Fatal(err)
		}
		return access.OfCertificate(cert, o)
	}
	return access.Resource{}
}

func TestEveryRouteAsEachRole(t *testing.T) {
	s := setStage(t, openHouse(t, time.Now))
	routes := s.routes()
	if len(routes) < 60 {
		t.Fatalf("the table has only %d routes", len(routes))
	}
	who := map[access.Role]*browser{"": s.browser()}
	for _, role := range access.AllRoles {
		if role == access.RecoveryOfficer { // is on the stage already
			who[role] = s.officer
			continue
		}
		who[role] = s.somebody(s.admin, role)
	}
	for role, b := range who {
		name := string(role)
		if name == "" {
			name = "nobody"
		}
		t.Run(name, func(t *testing.T) {
			p := access.Principal{}
			if role != "" {
				acc, err := s.Store.AccountByEmail(t.Context(), string(role)+"@example.com")
				if err != nil {
					t.Fatal(err)
				}
				p = access.Principal{Kind: access.Person, Account: acc.ID, Email: acc.Email, Roles: acc.Roles, SignedInAt: time.Now()}
			}
			for _, r := range routes {
				if r.Pattern == "/signout" {
					continue // it would end the walk; TestSigningOut has it
				}
				s.walk(t, b, p, r)
			}
		})
	}
}

// walk goes one route as somebody, and compares the answer with what the policies say.
func (s *stage) walk(t *testing.T, b *browser, p access.Principal, r portal.Route) {
	t.Helper()
	b.t = t
	path := s.fill(r)
	var res answer
	if r.Method == http.MethodGet {
		res = b.get(path)
	} else {
		res = b.post(path)
	}
	refused := res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized ||
		res.StatusCode == http.StatusSeeOther && strings.HasPrefix(res.Header.Get("Location"), "/signin?to=")
	want := false
	switch {
	case r.Link: // no role opens a link of which it has not the secret: it is unknown to everybody
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusTooManyRequests { // the walk guesses a lot
			t.Errorf("%s %s without its secret is %d, want 404 or 429", r.Method, r.Pattern, res.StatusCode)
		}
		return
	case r.Action != "":
		want = s.Access.Allow(p, r.Action, s.resource(t, r)) != nil
	}
	if refused != want {
		t.Errorf("%s %s (%s) is %d, refused %v; the policies say %v", r.Method, r.Pattern, r.Action, res.StatusCode, refused, want)
	}
	if res.StatusCode >= 500 {
		t.Errorf("%s %s is %d", r.Method, r.Pattern, res.StatusCode)
	}
}

func TestNavigationShowsOnlyWhatIsAllowed(t *testing.T) {
	h := openHouse(t, time.Now)
	admin := h.administrator()
	for _, c := range []struct {
		role access.Role
		at   string
		has  []string
		not  []string
	}{
		{access.Specialist, "/admin", []string{"/admin/orders", "/admin/certificates", "/admin/ca"}, []string{"/admin/outbox", "/admin/accounts", "/admin/audit"}},
		{access.Auditor, "/admin", []string{"/admin/orders", "/admin/audit", "/admin/accounts"}, []string{"/admin/outbox"}},
		{access.RecoveryOfficer, "/home", []string{"/home"}, []string{"/admin"}},
		{access.Subscriber, "/home", []string{"/home", "/order"}, []string{"/admin"}},
	} {
		t.Run(string(c.role), func(t *testing.T) {
			page := h.somebody(admin, c.role).get(c.at).body
			for _, link := range c.has {
				if !strings.Contains(page, `href="`+link+`"`) {
					t.Errorf("no link to %s", link)
				}
			}
			for _, link := range c.not {
				if strings.Contains(page, `href="`+link) {
					t.Errorf("a link to %s, which is refused", link)
				}
			}
		})
	}
}

func TestSigningOut(t *testing.T) {
	h := openHouse(t, time.Now)
	b := h.administrator()
	if res := b.post("/signout"); res.Header.Get("Location") != "/signin?done=signedout" {
		t.Fatalf("signing out leads to %q", res.Header.Get("Location"))
	}
	res := b.get("/admin/orders?q=a")
	if want := "/signin?to=" + url.QueryEscape("/admin/orders?q=a"); res.Header.Get("Location") != want {
		t.Fatalf("afterwards the orders lead to %q, want %q", res.Header.Get("Location"), want)
	}
	for _, to := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "/\t/evil.example"} {
		if page := b.get("/signin?to=" + url.QueryEscape(to)); value(t, page.body, "to") != "" {
			t.Errorf("the sign-in page leads on to %s", to)
		}
	}
}
