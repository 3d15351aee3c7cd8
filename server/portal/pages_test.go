package portal_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// view is a page as somebody sees it.
type view struct {
	name, path string
	staff      bool // as the administrator; else as anybody
	as         *browser
	status     int
	post       []string // the form, for pages that answer a POST
}

// views are the pages of the portal, in every state that they have.
func (s *stage) views() []view {
	text := s.get("/order")
	version, sum := value(s.t, text, "version"), value(s.t, text, "sha256")
	return []view{
		{name: "front", path: "/"},
		{name: "order", path: "/order"},
		{name: "order-errors", path: "/order", post: []string{"address", "alice@[192.0.2.1]"}, status: 422},
		{name: "sent", path: "/order", post: []string{"address", "grace@example.com", "agree", "yes", "version", version, "sha256", sum, "language", "en"}},
		{name: "check", path: "/check"},
		{name: "check-sent", path: "/check", post: []string{"address", "nobody@example.com"}},
		{name: "check-errors", path: "/check", post: []string{"address", "nobody"}, status: 422},
		{name: "authorities", path: "/ca"},
		{name: "confirm", path: s.confirm},
		{name: "confirm-used", path: s.used, status: 410},
		{name: "confirm-foreign", path: s.foreign},
		{name: "confirm-foreign-errors", path: s.foreign, post: []string{}, status: 422},
		{name: "confirmed", path: s.confirmed, status: 410},
		{name: "install-again", path: s.statusDelivered + "/install"},
		{name: "signin-to", path: "/signin?to=/admin/orders"},
		{name: "signin-empty", path: "/signin", post: []string{"email", ""}, status: 422},
		{name: "status-confirming", path: s.statusConfirming},
		{name: "status-approved", path: s.statusApproved},
		{name: "status-issued", path: s.statusIssued},
		{name: "status-delivered", path: s.statusDelivered},
		{name: "status-revoked", path: s.statusRevoked},
		{name: "status-cancelled", path: s.statusCancelled},
		{name: "revoke", path: s.statusDelivered + "/revoke"},
		{name: "revoke-errors", path: s.statusDelivered + "/revoke", post: []string{"reason", ""}, status: 422},
		{name: "renew", path: s.statusDelivered + "/renew"},
		{name: "pickup", path: s.pickup},
		{name: "pickup-errors", path: s.pickup, post: []string{"password", "password1234"}, status: 422},
		{name: "pickup-own", path: s.pickup, post: []string{"way", "own", "request", "nonsense"}, status: 422},
		{name: "arrived", path: s.pickupAgain + "?program=thunderbird"},
		{name: "pickup-again", path: s.pickupAgain + "?again=yes"},
		{name: "install", path: s.pickupDone + "?program=thunderbird"},
		{name: "not-found", path: "/nowhere", status: 404},
		{name: "link-unknown", path: "/o/abcdefghijklmnopqrstuvwxyz234567", status: 404},
		{name: "signin", path: "/signin"},
		{name: "signin-errors", path: "/signin", post: []string{"email", "ada@example.com", "password", "wrong", "code", "000000"}, status: 422},
		{name: "invitation", path: s.invitation},
		{name: "invitation-errors", path: s.invitation, post: []string{"name", "", "way", "app", "password", "abc", "code", ""}, status: 422},
		{name: "account", path: "/account", staff: true},
		{name: "token", path: "/account/token", staff: true, post: []string{"name", "nightly", "role", "administrator", "life", "30"}},
		{name: "totp", path: "/account/totp", staff: true},
		{name: "overview", path: "/admin", staff: true},
		{name: "orders", path: "/admin/orders", staff: true},
		{name: "orders-filtered", path: "/admin/orders?q=zzz", staff: true},
		{name: "order-staff", path: "/admin/orders/" + string(s.confirming.ID), staff: true},
		{name: "order-staff-delivered", path: "/admin/orders/" + string(s.delivered.ID), staff: true},
		{name: "order-staff-cancelled", path: "/admin/orders/" + string(s.cancelled.ID), staff: true},
		{name: "certificates", path: "/admin/certificates", staff: true},
		{name: "certificate", path: "/admin/certificates/" + s.serial, staff: true},
		{name: "certificate-revoked", path: "/admin/certificates/" + s.revoked, staff: true},
		{name: "certificate-revoke", path: "/admin/certificates/" + s.serial + "/revoke", staff: true},
		{name: "outbox", path: "/admin/outbox", staff: true},
		{name: "mail", path: "/admin/outbox/" + s.mail, staff: true},
		{name: "audit", path: "/admin/audit", staff: true},
		{name: "audit-proof", path: "/admin/audit/proof", staff: true, post: []string{}},
		{name: "ca", path: "/admin/ca", staff: true},
		{name: "accounts", path: "/admin/accounts", staff: true},
		{name: "accounts-errors", path: "/admin/accounts/invite", staff: true, post: []string{"name", "Bo", "email", "bo"}, status: 422},
		{name: "home-recovery", path: "/home", as: s.officer},
		{name: "home-holder", path: "/home", as: s.holder},
		{name: "order-holder", path: "/admin/orders/" + string(s.delivered.ID), as: s.holder},
		{name: "denied", path: "/admin", as: s.officer, status: 403},
		{name: "ended", path: "/again" + s.againCancelled(), post: []string{}},
		{name: "person", path: "/admin/accounts/" + s.person, staff: true},
	}
}

func (s *stage) get(path string) string {
	s.t.Helper()
	return s.admin.get(path).body
}

// who sees a view; nil for somebody who is not signed in.
func (s *stage) who(v view) *browser {
	if v.staff {
		return s.admin
	}
	return v.as
}

// againCancelled is where a new link for the cancelled order is asked for.
func (s *stage) againCancelled() string {
	return "/status" + strings.TrimPrefix(s.statusCancelled, "/o")
}

// show fetches a view in a language.
func (s *stage) show(v view, lang string) answer {
	s.t.Helper()
	b := s.house.browser()
	if who := s.who(v); who != nil {
		b = &browser{t: s.t, client: who.client, origin: who.origin}
	}
	b.lang = lang
	// The reader's own choice goes before the order's language.
	path := v.path
	if strings.Contains(path, "?") {
		path += "&lang=" + lang
	} else {
		path += "?lang=" + lang
	}
	if v.post != nil {
		return b.post(path, v.post...)
	}
	return b.get(path)
}

var (
	markup = regexp.MustCompile(`(?s)<(script|style|pre|code|svg|time|time [^>]*)\b.*?</(script|style|pre|code|svg|time)>`)
	ids    = regexp.MustCompile(` id="([^"]*)"`)
	inline = regexp.MustCompile(`(?i)<[^>]+\s(style|on[a-z]+)=`)
)

func TestEveryPageInBothLanguages(t *testing.T) {
	s := setStage(t, openHouse(t, time.Now))
	for _, v := range s.views() {
		t.Run(v.name, func(t *testing.T) {
			pages := map[string]string{}
			for _, lang := range []string{"en", "de"} {
				res := s.show(v, lang)
				want := v.status
				if want == 0 {
					want = http.StatusOK
				}
				if res.StatusCode != want && !(res.StatusCode == http.StatusTooManyRequests && lang == "de") {
					t.Fatalf("%s %s is %d, want %d\n%s", lang, v.path, res.StatusCode, want, res.body)
				}
				checkPage(t, res, lang)
				pages[lang] = res.body
			}
			if strip(pages["en"]) == strip(pages["de"]) {
				t.Error("the page is the same in both languages")
			}
		})
	}
}

func strip(page string) string { return markup.ReplaceAllString(page, "") }

// checkPage holds what every page must have.
func checkPage(t *testing.T, res answer, lang string) {
	t.Helper()
	page := res.body
	if i := strings.Index(page, "⟦"); i >= 0 {
		t.Errorf("%s: a text is missing: %.60s", lang, page[i:])
	}
	if i := strings.Index(page, "&lt;no value"); i >= 0 || strings.Contains(page, "<no value") {
		t.Errorf("%s: a value is missing in a text", lang)
	}
	if n := strings.Count(page, "<h1"); n != 1 {
		t.Errorf("%s: the page has %d h1", lang, n)
	}
	if !strings.Contains(page, `<html lang="`+lang+`">`) {
		t.Errorf("%s: the page says another language: %.120s", lang, page)
	}
	seen := map[string]bool{}
	for _, m := range ids.FindAllStringSubmatch(page, -1) {
		if seen[m[1]] {
			t.Errorf("%s: two elements have the id %q", lang, m[1])
		}
		seen[m[1]] = true
	}
	if m := inline.FindString(page); m != "" {
		t.Errorf("%s: the content policy forbids %s", lang, m)
	}
	for _, header := range []string{"Content-Security-Policy", "X-Content-Type-Options"} {
		if res.Header.Get(header) == "" {
			t.Errorf("%s: no %s", lang, header)
		}
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control is %q", lang, res.Header.Get("Cache-Control"))
	}
}
