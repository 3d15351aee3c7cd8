package portal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"mime/quotedprintable"
	"net/http"
	"strings"
	"testing"

	"chancery.example/audit"
	"chancery.example/keys/delivery"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// letters are the mails to an address as the outbox keeps them, newest first, as text.
func (h *house) letters(address string) []string {
	h.t.Helper()
	mails, err := h.Store.Mails(h.t.Context(), notify.Filter{Text: address, State: notify.Sent, Limit: 50})
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, m := range mails {
		raw, err := h.outbox.Read(m.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(string(raw)))) // all parts at once: links are what is looked for
		if err != nil && len(text) == 0 {
			h.t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// stage is a house with an order in every state.
type stage struct {
	*house
	admin, officer, holder *browser
	// Orders, named by their state.
	confirming, approved, issued, delivered, cancelled order.Order
	// Links as they stand in mails: paths.
	confirm, confirmed, foreign, used, pickup, pickupAgain, pickupDone                              string
	statusConfirming, statusApproved, statusIssued, statusDelivered, statusRevoked, statusCancelled string
	invitation                                                                                      string
	// Things that staff pages show: serial numbers, an account, a mail.
	serial, revoked, person, mail string
}

// placeForeign orders with a request, whose key somebody holds, and gives the confirmation link.
func (h *house) placeForeign(address string) string {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{address}}, key)
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	form := b.get("/order").body
	res := b.post("/order", "address", address, "agree", "yes", "version", value(h.t, form, "version"), "sha256", value(h.t, form, "sha256"),
		"request", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	if res.StatusCode != http.StatusOK {
		h.t.Fatalf("ordering for %s: %s\n%s", address, res.Status, res.body)
	}
	return h.letter(address, "/confirm/")
}

// setStage leads orders to every state by the real doors.
func setStage(t testing.TB, h *house) *stage {
	t.Helper()
	s := &stage{house: h, admin: h.administrator()}
	anybody := h.browser()
	confirm := func(address string) (string, order.Order) {
		o := h.place(address)
		link := h.letter(address, "/confirm/")
		res := anybody.post(link)
		if res.StatusCode != http.StatusSeeOther {
			t.Fatalf("confirming %s: %s\n%s", address, res.Status, res.body)
		}
		s.used = link
		return res.Header.Get("Location"), o
	}
	pick := func(link string) {
		secret := order.Secret(strings.TrimPrefix(link, "/pickup/"))
		if _, err := h.Conductor.PickUp(t.Context(), secret, workflow.Choice{Password: goodPassword, Encoding: delivery.Modern, By: audit.Actor{Kind: audit.Applicant, ID: string(order.ToPickup)}}); err != nil {
			t.Fatal(err)
		}
	}
	s.confirming = h.place("alice@example.com")
	s.confirm = h.letter("alice@example.com", "/confirm/")
	s.statusConfirming = h.letter("alice@example.com", "/o/")
	s.pickup, s.approved = confirm("bob.the.builder.of.long.addresses@engineering.example.com")
	s.confirmed = s.used
	s.foreign = h.placeForeign("heidi@example.com")
	s.statusApproved = h.letter("bob.the.builder", "/o/")
	s.pickupAgain, s.issued = confirm("carol@example.com")
	pick(s.pickupAgain)
	s.statusIssued = h.letter("carol@example.com", "/o/")
	link, o := confirm("dave@example.com")
	pick(link)
	anybody.post(link+"/received", "program", "thunderbird")
	s.pickupDone = link
	s.delivered, s.statusDelivered = o, h.letter("dave@example.com", "/o/")
	link, o = confirm("erin@example.com")
	pick(link)
	s.statusRevoked = h.letter("erin@example.com", "/o/")
	if res := anybody.post(s.statusRevoked+"/revoke", "reason", "key-compromise"); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("revoking: %s\n%s", res.Status, res.body)
	}
	s.cancelled = h.place("frank@example.com")
	s.statusCancelled = h.letter("frank@example.com", "/o/")
	if res := anybody.post(s.statusCancelled + "/cancel"); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("cancelling: %s\n%s", res.Status, res.body)
	}
	at, err := h.Conductor.View(t.Context(), s.delivered.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.serial = string(at.Certificate.Serial)
	if at, err = h.Conductor.View(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	s.revoked = string(at.Certificate.Serial)
	page := s.admin.post("/admin/accounts/invite", "name", "Grete", "email", "grete@example.com", "role", "specialist", "language", "de")
	m := inviteLink.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("inviting: %s\n%s", page.Status, page.body)
	}
	s.invitation = strings.TrimPrefix(m[1], h.doors.Portal)
	grete, err := h.Store.AccountByEmail(t.Context(), "grete@example.com")
	if err != nil {
		t.Fatal(err)
	}
	s.person = string(grete.ID)
	s.officer = h.somebody(s.admin, access.RecoveryOfficer)
	page = s.admin.post("/admin/accounts/invite", "name", "Dave", "email", "dave@example.com", "role", "subscriber", "language", "en")
	if m = inviteLink.FindStringSubmatch(page.body); m == nil {
		t.Fatalf("inviting: %s\n%s", page.Status, page.body)
	}
	s.holder = h.join(m[1], "Dave", "dave@example.com")
	mails, err := h.Store.Mails(t.Context(), notify.Filter{Text: "alice", Limit: 1})
	if err != nil || len(mails) != 1 {
		t.Fatal("the mail is not listed", err)
	}
	s.mail = mails[0].ID
	return s
}
