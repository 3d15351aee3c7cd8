package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

func TestAKeyThatCameWithTheOrderNeedsItsOwnYes(t *testing.T) {
	h := openHouse(t, time.Now)
	b := h.browser()
	link := h.placeForeign("quentin@example.com")
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
	if res := b.post("/again" + link); res.StatusCode != http.StatusOK || !strings.Contains(res.body, "This certificate was revoked on") {
		t.Errorf("asking for a new link: %s\n%s", res.Status, res.body)
	}
	if res := b.post(link, "program", "other", "password", goodPassword, "again", "yes"); res.StatusCode != http.StatusConflict {
		t.Errorf("picking up again: %s", res.Status)
	}
	mails, err := h.Store.Mails(t.Context(), notify.Filter{Order: string(o.ID), Kind: workflow.MailPickup, Limit: 1})
	if err != nil || len(mails) > 0 {
		t.Errorf("a pick-up link was written: %v, %v", mails, err)
	}
}

func TestMailThatDoesNotLeaveIsSeen(t *testing.T) {
	h := openHouse(t, time.Now)
	admin := h.administrator()
	o := h.place("trudy@example.com")
	status := h.letter("trudy@example.com", "/o/")
	mails, err := h.Store.Mails(t.Context(), notify.Filter{Order: string(o.ID), Limit: 1})
	if err != nil || len(mails) != 1 {
		t.Fatal(mails, err)
	}
	m := mails[0]
	m.State, m.LastError = notify.Queued, "The mail server refuses the connection."
	if err := h.Store.CommitMail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/admin":                        "Mail does not leave: The mail server refuses the connection. 1 waiting.",
		"/admin/orders/" + string(o.ID): "The mail server refuses the connection.",
		status:                          "could not be sent yet",
	} {
		if page := admin.get(path).body; !strings.Contains(page, want) {
			t.Errorf("%s lacks %q\n%s", path, want, page)
		}
	}
}

func TestAMailboxCannotBeFloodedByOtherSpellings(t *testing.T) {
	h := openHouse(t, time.Now)
	b := h.browser()
	form := b.get("/order").body
	var last answer
	for _, address := range []string{"victor@example.com", "VICTOR@example.com", "victor+a@example.com", "Victor+b@Example.com"} {
		last = b.post("/order", "address", address, "agree", "yes", "version", value(t, form, "version"), "sha256", value(t, form, "sha256"))
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the fourth mail to one mailbox: %s", last.Status)
	}
}
