package portal_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/ra/order"
)

// requestFor makes a key and a request for an address with OpenSSL.
func requestFor(t *testing.T, address string) string {
	t.Helper()
	dir := t.TempDir()
	csr := filepath.Join(dir, "a.csr")
	openssl(t, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", filepath.Join(dir, "a.key"), "-subj", "/CN="+address, "-out", csr)
	raw, err := os.ReadFile(csr)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAKeyThatCameWithTheOrderNeedsItsOwnYes(t *testing.T) {
	h := openHouse(t, time.Now)
	b := h.browser()
	form := b.get("/order").body
	res := b.post("/order", "address", "quentin@example.com", "agree", "yes", "version", value(t, form, "version"), "sha256", value(t, form, "sha256"),
		"request", requestFor(t, "quentin@example.com"))
	if res.StatusCode != http.StatusOK {
		t.Fatalf("ordering: %s\n%s", res.Status, res.body)
	}
	link := h.letter("quentin@example.com", "/confirm/")
	page := b.get(link).body
	for _, want := range []string{"This key is not made for you", "somebody without an account", `name="key"`, "sign mail as you"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if res := b.post(link); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, `href="#key-known"`) {
		t.Errorf("confirmed without the box: %s", res.Status)
	}
	if res := b.post(link, "key", "known"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/o/") {
		t.Errorf("confirmed with the box: %s", res.Status)
	}
}

func TestAUsedConfirmationLinkLeadsOn(t *testing.T) {
	h := openHouse(t, time.Now)
	h.confirmed("rupert@example.com")
	link := h.letter("rupert@example.com", "/confirm/")
	b := h.browser()
	page := b.get(link)
	if page.StatusCode != http.StatusGone || !strings.Contains(page.body, "already confirmed") || !strings.Contains(page.body, `action="/again`+link+`"`) {
		t.Fatalf("%s\n%s", page.Status, page.body)
	}
	if res := b.post("/again" + link); res.StatusCode != http.StatusOK || h.letter("rupert@example.com", "/pickup/") == "" {
		t.Errorf("asking for the pick-up link: %s", res.Status)
	}
}

func TestNothingIsPickedUpAfterARevocation(t *testing.T) {
	h := openHouse(t, time.Now)
	link, o := h.confirmed("sybil@example.com")
	b := h.browser()
	if res := b.post(link, "program", "other", "password", goodPassword); res.StatusCode != http.StatusOK {
		t.Fatalf("picking up: %s\n%s", res.Status, res.body)
	}
	if res := b.post(h.letter("sybil@example.com", "/o/")+"/revoke", "reason", "key-compromise"); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("revoking: %s\n%s", res.Status, res.body)
	}
	if got := h.state(o); got != order.Revoked {
		t.Errorf("the order is %s", got)
	}
	for _, at := range []string{link, link + "?again=yes"} {
		page := b.get(at).body
		if !strings.Contains(page, "This certificate was revoked on") || strings.Contains(page, "Done: ") || strings.Contains(page, "<form id=\"pickup\"") || !strings.Contains(page, "Order a new certificate") {
			t.Errorf("%s says\n%s", at, page)
		}
	}
	before := len(h.letters("sybil@example.com"))
	if res := b.post("/again" + link); res.StatusCode != http.StatusOK || !strings.Contains(res.body, "This certificate was revoked on") {
		t.Errorf("asking for a new link: %s\n%s", res.Status, res.body)
	}
	if res := b.post(link, "program", "other", "password", goodPassword, "again", "yes"); res.StatusCode != http.StatusConflict {
		t.Errorf("picking up again: %s", res.Status)
	}
	if after := len(h.letters("sybil@example.com")); after > before+2 { // that it was issued, and that it was revoked, may still be on their way
		t.Errorf("%d mails, then %d", before, after)
	}
}
