package lifecycle_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/ca/profile"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/lifecycle"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/store"
)

var (
	start    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	operator = audit.Actor{Kind: audit.Operator}
)

const day = 24 * time.Hour

// house is a desk on a real ledger, real keys and a real status authority.
type house struct {
	*lifecycle.Desk
	t         *testing.T
	now       time.Time
	ledger    *store.Store
	authority *issuance.Authority
	status    *status.Authority
	hierarchy *ceremony.Hierarchy
	text      agreement.Text
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: start}
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	var err error
	h.ledger, err = store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "house.db"), Logger: log})
	h.must(err)
	t.Cleanup(func() { h.ledger.Close() })
	keys, err := keystore.Create(filepath.Join(dir, "keys"), keystore.Clear())
	h.must(err)
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	h.hierarchy, err = ceremony.Perform(t.Context(), keys, h.ledger, plan, operator, start.Add(-time.Hour), func(string) {})
	h.must(err)
	signer, err := keys.Key(ceremony.IssuingKey)
	h.must(err)
	h.authority = issuance.New(issuance.Issuer{Name: ceremony.IssuingKey, Certificate: h.hierarchy.Issuing, Chain: []*x509.Certificate{h.hierarchy.Root},
		Signer: signer, Mode: profile.Private, URLs: ceremony.URLs(plan.PublicURL, ceremony.IssuingKey)}, h.ledger)
	clock := func() time.Time { return h.now }
	h.status, err = status.New(h.ledger, status.Options{Clock: clock, Log: log}, status.Issuer{Name: ceremony.IssuingKey, Certificate: h.hierarchy.Issuing, CRLSigner: signer})
	h.must(err)
	book, err := agreement.Open()
	h.must(err)
	h.text = book.In("en")
	h.Desk = lifecycle.New(h.ledger, h.status, workflow.New(h.ledger, h.authority, book, clock, log), clock)
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// certificate makes a certificate for an address, now.
func (h *house) certificate(to string) issuance.Certificate {
	h.t.Helper()
	ctx := h.t.Context()
	m, err := mailbox.Parse(to)
	h.must(err)
	o := order.Order{ID: order.NewID(), State: order.Issuing, Mailbox: m, Profile: profile.Default, Language: "en", By: operator, CreatedAt: h.now, ApprovedAt: h.now,
		Agreement: approval.Agreement{Version: h.text.Version, SHA256: h.text.SHA256, At: h.now}}
	proof := approval.Evidence{ID: "evd_" + string(o.ID), Claim: o.Claims()[0], Method: approval.MailboxByEmail, At: h.now}
	v := approval.Judge(approval.Case{Claims: o.Claims(), Evidence: []approval.Evidence{proof}, Agreement: o.Agreement}, h.now)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	p, err := h.authority.Prepare(v, issuance.Request{Order: string(o.ID), Profile: o.Profile, Mailbox: m, PublicKey: key.Public(), KeyKept: true}, h.now)
	h.must(err)
	i := p.Intent()
	o.Serial = string(i.Serial)
	h.must(h.ledger.Commit(ctx, workflow.Step{Order: o, Intent: &i, Evidence: []approval.Evidence{proof}}))
	cert, err := h.authority.Sign(ctx, p)
	h.must(err)
	o.Version, o.State = 1, order.Issued
	h.must(h.ledger.Commit(ctx, workflow.Step{Order: o, Issued: &cert}))
	return cert
}

func (h *house) mails(f notify.Filter) []notify.Mail {
	h.t.Helper()
	f.Limit = 500
	list, err := h.ledger.Mails(h.t.Context(), f)
	h.must(err)
	return list
}

func mustBe(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Fatalf("got %v (%v, %s), want %v, %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
}

func TestRevoke(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.status.Run(ctx) }()
	defer func() { cancel(); <-done }()
	cert := h.certificate("alice@example.com")
	h.now = h.now.Add(time.Hour)
	h.must(h.Revoke(t.Context(), cert.Serial, status.KeyCompromise, operator))
	began := time.Now()
	for {
		list, err := h.ledger.LastCRL(t.Context(), ceremony.IssuingKey)
		if err == nil {
			parsed, err := x509.ParseRevocationList(list.DER)
			h.must(err)
			if len(parsed.RevokedCertificateEntries) == 1 && issuance.SerialOf(parsed.RevokedCertificateEntries[0].SerialNumber) == cert.Serial && parsed.RevokedCertificateEntries[0].ReasonCode == 1 {
				break
			}
		}
		if time.Since(began) > time.Second {
			t.Fatal("not in the list within a second")
		}
		time.Sleep(10 * time.Millisecond)
	}
	mustBe(t, h.Revoke(t.Context(), cert.Serial, status.Superseded, operator), fault.Conflict, "revoke.already")
	standing, err := h.ledger.Standing(t.Context(), cert.Issuer, cert.Serial)
	h.must(err)
	if r := standing.Revocation; r == nil || r.Reason != status.KeyCompromise || !r.At.Equal(h.now) || r.By != operator.String() {
		t.Errorf("recorded as %+v", r)
	}
	if m := h.mails(notify.Filter{Serial: string(cert.Serial)}); len(m) != 1 || m[0].Kind != workflow.MailRevoked || m[0].Order != cert.Order {
		t.Errorf("the mails are %+v", m)
	}
	list, err := h.ledger.AuditEntries(t.Context(), audit.Filter{Subject: "certificate/" + string(cert.Serial), Limit: 10})
	h.must(err)
	if len(list) != 1 || list[0].Action != "certificate.revoke" || list[0].Detail["reason"] != "key-compromise" {
		t.Errorf("the log has %+v", list)
	}
}

func TestRevokeRefuses(t *testing.T) {
	h := newHouse(t)
	cert := h.certificate("alice@example.com")
	mustBe(t, h.Revoke(t.Context(), issuance.NewSerial(), status.Superseded, operator), fault.NotFound, "serial.unknown")
	mustBe(t, h.Revoke(t.Context(), issuance.SerialOf(h.hierarchy.Issuing.SerialNumber), status.Superseded, operator), fault.Refused, "revoke.house")
	h.now = cert.NotAfter.Add(time.Second)
	mustBe(t, h.Revoke(t.Context(), cert.Serial, status.Superseded, operator), fault.Conflict, "revoke.ended")
}

func TestRenew(t *testing.T) {
	h := newHouse(t)
	cert := h.certificate("alice@example.com")
	yes := lifecycle.Renewal{Agreement: h.text.Version, AgreementSHA256: h.text.SHA256, By: audit.Actor{Kind: audit.Applicant, ID: "status"}}
	o, err := h.Renew(t.Context(), cert.Serial, yes)
	h.must(err)
	if o.State != order.Approved || o.Renews != string(cert.Serial) || o.Mailbox.String() != "alice@example.com" || o.Profile != cert.Profile || o.Language != "en" {
		t.Errorf("renewed as %+v", o)
	}
	_, err = h.Renew(t.Context(), cert.Serial, lifecycle.Renewal{})
	mustBe(t, err, fault.Invalid, "agreement.missing")
	_, err = h.Renew(t.Context(), issuance.NewSerial(), yes)
	mustBe(t, err, fault.NotFound, "serial.unknown")
	_, err = h.Renew(t.Context(), issuance.SerialOf(h.hierarchy.Root.SerialNumber), yes)
	mustBe(t, err, fault.Refused, "renew.house")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{"bob@example.com"}}, key)
	h.must(err)
	yes.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	_, err = h.Renew(t.Context(), cert.Serial, yes)
	mustBe(t, err, fault.Refused, "request.other-mailbox")
	h.now = h.now.Add(31 * day)
	yes.Request = nil
	o, err = h.Renew(t.Context(), cert.Serial, yes)
	h.must(err)
	if o.State != order.Confirming {
		t.Errorf("old evidence gave %s", o.State)
	}
}

// Each stage gives one mail, however often the job runs, and a stage that was slept through is not made up for.
func TestRemind(t *testing.T) {
	h := newHouse(t)
	cert := h.certificate("alice@example.com")
	for _, c := range []struct {
		name   string
		before time.Duration // the certificate's end
		mails  int
	}{
		{"nothing 31 days before the end", 31 * day, 0},
		{"the first mail within 30 days", 30*day - time.Second, 1},
		{"no other an hour later", 30*day - time.Hour, 1},
		{"nothing 15 days before", 15 * day, 1},
		{"the second 13 days before, as the house slept on the 14th", 13 * day, 2},
		{"the 7th and the 1st day were slept through: one mail for both", 20 * time.Hour, 3},
		{"no other in the last hour", time.Hour, 3},
		{"nothing after the end", -time.Hour, 3},
	} {
		h.now = cert.NotAfter.Add(-c.before)
		for range 2 {
			h.must(h.Remind(t.Context(), jobs.Attempt{}))
		}
		if got := h.mails(notify.Filter{Kind: lifecycle.MailExpiring}); len(got) != c.mails {
			t.Errorf("%s: %d mails, want %d", c.name, len(got), c.mails)
		}
	}
}

func TestRemindLooksAtWhatTheMailboxHas(t *testing.T) {
	for _, c := range []struct {
		name     string
		meantime func(h *house)
		mails    int
	}{
		{"a certificate that was renewed needs no reminder", func(h *house) { h.certificate("alice@example.com") }, 0},
		{"one whose successor was revoked does", func(h *house) {
			h.must(h.Revoke(h.t.Context(), h.certificate("alice@example.com").Serial, status.Superseded, operator))
		}, 1},
		{"another mailbox whose address contains this one does not count", func(h *house) {
			for range 25 {
				h.certificate("malalice@example.com")
			}
		}, 1},
		{"the same letters in another case are another mailbox", func(h *house) { h.certificate("Alice@example.com") }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			first := h.certificate("alice@example.com")
			h.now = first.NotAfter.Add(-60 * day)
			c.meantime(h)
			h.now = first.NotAfter.Add(-5 * day)
			h.must(h.Remind(t.Context(), jobs.Attempt{}))
			if got := h.mails(notify.Filter{Kind: lifecycle.MailExpiring, Serial: string(first.Serial)}); len(got) != c.mails {
				t.Errorf("%d mails, want %d", len(got), c.mails)
			}
		})
	}
	t.Run("a revoked certificate needs none, and a successor that was renewed with many others is found", func(t *testing.T) {
		h := newHouse(t)
		gone, first := h.certificate("bob@example.com"), h.certificate("alice@example.com")
		h.must(h.Revoke(t.Context(), gone.Serial, status.Superseded, operator))
		h.now = first.NotAfter.Add(-60 * day)
		h.certificate("alice@example.com")
		for range 25 {
			h.certificate("malalice@example.com")
		}
		h.now = first.NotAfter.Add(-5 * day)
		h.must(h.Remind(t.Context(), jobs.Attempt{}))
		if got := h.mails(notify.Filter{Kind: lifecycle.MailExpiring}); len(got) != 0 {
			t.Errorf("%d mails", len(got))
		}
	})
}

// stumbling is the real ledger, except that one order cannot be read.
type stumbling struct {
	*store.Store
	order string
}

func (s stumbling) Order(ctx context.Context, id order.ID) (order.Order, error) {
	if string(id) == s.order {
		return order.Order{}, fault.New(fault.Unavailable, "store.unreadable", "This row cannot be read.")
	}
	return s.Store.Order(ctx, id)
}

func TestRemindGoesOnAfterOneThatFails(t *testing.T) {
	h := newHouse(t)
	first := h.certificate("alice@example.com")
	h.now = h.now.Add(time.Hour)
	h.certificate("bob@example.com")
	h.now = first.NotAfter.Add(-5 * day)
	err := lifecycle.New(stumbling{h.ledger, first.Order}, h.status, nil, func() time.Time { return h.now }).Remind(t.Context(), jobs.Attempt{})
	if err == nil || !strings.Contains(err.Error(), string(first.Serial)) {
		t.Errorf("the failure is not told: %v", err)
	}
	if got := h.mails(notify.Filter{Kind: lifecycle.MailExpiring}); len(got) != 1 || got[0].To.String() != "bob@example.com" {
		t.Errorf("the others got %+v", got)
	}
}
