package issuance_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"os"
	"os/exec"
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
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/store"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)

// house is an authority on a real ledger and real keys.
type house struct {
	*issuance.Authority
	ledger    *store.Store
	hierarchy *ceremony.Hierarchy
	issuer    issuance.Issuer
}

func newHouse(t testing.TB, change ...func(*ceremony.Plan)) *house {
	t.Helper()
	dir := t.TempDir()
	ledger, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "house.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	keys, err := keystore.Create(filepath.Join(dir, "keys"), keystore.Clear())
	if err != nil {
		t.Fatal(err)
	}
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	for _, f := range change {
		f(&plan)
	}
	h := &house{ledger: ledger}
	if h.hierarchy, err = ceremony.Perform(t.Context(), keys, ledger, plan, audit.Actor{Kind: audit.Operator}, now.Add(-time.Hour), func(string) {}); err != nil {
		t.Fatal(err)
	}
	signer, err := keys.Key(ceremony.IssuingKey)
	if err != nil {
		t.Fatal(err)
	}
	h.issuer = issuance.Issuer{Name: ceremony.IssuingKey, Certificate: h.hierarchy.Issuing, Chain: []*x509.Certificate{h.hierarchy.Root},
		Signer: signer, Mode: plan.Mode, URLs: ceremony.URLs(plan.PublicURL, ceremony.IssuingKey)}
	h.Authority = issuance.New(h.issuer, ledger)
	return h
}

func address(t testing.TB, s string) mailbox.Address {
	t.Helper()
	a, err := mailbox.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verdict is a yes for a mailbox, from evidence that was begun at an instant.
func verdict(t testing.TB, a mailbox.Address, begun, at time.Time) approval.Verdict {
	t.Helper()
	c := approval.Claim{Kind: approval.Mailbox, Value: a.String()}
	v := approval.Judge(approval.Case{Claims: []approval.Claim{c},
		Evidence:  []approval.Evidence{{ID: "evd_1", Claim: c, Method: approval.MailboxByEmail, At: begun}},
		Agreement: approval.Agreement{Version: "1", SHA256: strings.Repeat("a", 64), At: begun}}, at)
	if !v.Allowed(at) {
		t.Fatalf("the verdict is no: %v", v.Reasons())
	}
	return v
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (h *house) request(t testing.TB, a mailbox.Address) issuance.Request {
	return issuance.Request{Order: "ord_1", Profile: profile.Default, Mailbox: a, PublicKey: newKey(t).Public(), KeyKept: true}
}

// prepare prepares a certificate for alice.
func (h *house) prepare(t testing.TB) *issuance.Prepared {
	t.Helper()
	alice := address(t, "alice@example.com")
	p, err := h.Prepare(verdict(t, alice, now.Add(-time.Hour), now), h.request(t, alice), now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// record stores an intent.
func (h *house) record(t testing.TB, i issuance.Intent) {
	t.Helper()
	if err := h.ledger.CommitBatch(t.Context(), issuance.Batch{Intents: []issuance.Intent{i}}, entry("prepare")); err != nil {
		t.Fatal(err)
	}
}

func entry(action string) audit.Entry {
	return audit.New(now, audit.Actor{Kind: audit.System}, action, "test", nil)
}

// mustBe checks a refusal.
func mustBe(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Fatalf("got %v (%v, %s), want %v, %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
}

// counting counts what a key signs.
type counting struct {
	crypto.Signer
	n int
}

func (c *counting) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	c.n++
	return c.Signer.Sign(r, d, o)
}

// openssl runs a command on files and gives what it wrote.
func openssl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(context.Background(), "openssl", args...).CombinedOutput()
	return string(out), err
}

func writePEM(t testing.TB, certs ...[]byte) string {
	t.Helper()
	var b bytes.Buffer
	for _, der := range certs {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	f := filepath.Join(t.TempDir(), "certs.pem")
	if err := os.WriteFile(f, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}
