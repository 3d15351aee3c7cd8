package ceremony_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/ca/lint"
	"chancery.example/ca/profile"
	"chancery.example/fault"
	"chancery.example/rules"
	"chancery.example/store"
)

var (
	now      = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	operator = audit.Actor{Kind: audit.Operator}
)

// place is where a ceremony is held: real keys and a real ledger.
type place struct {
	keys   *keystore.Store
	folder string
	ledger *store.Store
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{folder: filepath.Join(t.TempDir(), "keys")}
	var err error
	if p.ledger, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "house.db"), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.ledger.Close() })
	if p.keys, err = keystore.Create(p.folder, keystore.Clear()); err != nil {
		t.Fatal(err)
	}
	return p
}

func plan() ceremony.Plan {
	p := ceremony.Default()
	p.PublicURL = "http://pki.example.com"
	return p
}

func perform(t *testing.T, at place, p ceremony.Plan) *ceremony.Hierarchy {
	t.Helper()
	h, err := ceremony.Perform(t.Context(), at.keys, at.ledger, p, operator, now, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func writePEM(t *testing.T, c *x509.Certificate) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "c.pem")
	if err := os.WriteFile(f, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// complains finds what openssl x509 -text writes where it cannot make sense of something.
var complains = regexp.MustCompile(`(?i)error|unable|not supported|<parse|\bunknown\b|invalid`)

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Root, issuing CA and responder are read without complaint by our lint, zlint (within it) and OpenSSL at its strictest.
func TestHierarchyPleasesEveryReader(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ceremony.Plan)
	}{
		{"the default: P-384 over P-256", func(*ceremony.Plan) {}},
		{"an RSA-4096 issuing CA under a P-384 root", func(p *ceremony.Plan) { p.IssuingKey = keystore.RSA4096 }},
		{"RSA-4096 throughout", func(p *ceremony.Plan) { p.RootKey, p.IssuingKey = keystore.RSA4096, keystore.RSA4096 }},
		{"a public house with a name beyond ASCII", func(p *ceremony.Plan) {
			p.Mode, p.Organisation, p.Country, p.RootName, p.IssuingName = profile.Public, "Bücher GmbH & Söhne", "DE", "Bücher Root", "Bücher Mail CA"
		}},
		{"validities of one's own", func(p *ceremony.Plan) {
			p.RootValidity, p.IssuingValidity = 30*365*24*time.Hour, 5*365*24*time.Hour
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, p := newPlace(t), plan()
			c.change(&p)
			var said []string
			h, err := ceremony.Perform(t.Context(), at.keys, at.ledger, p, operator, now, func(s string) { said = append(said, s) })
			if err != nil {
				t.Fatal(err)
			}
			if len(said) != 5 {
				t.Errorf("told of %d steps: %q", len(said), said)
			}
			for _, one := range []struct {
				cert, issuer *x509.Certificate
				kind         lint.Kind
			}{{h.Root, nil, lint.Root}, {h.Issuing, h.Root, lint.Issuing}, {h.Responder, h.Issuing, lint.Responder}} {
				if f := lint.Certificate(one.cert.Raw, lint.Context{Kind: one.kind, Mode: p.Mode, Issuer: one.issuer, At: now}); len(f) > 0 {
					t.Errorf("%s: lint finds %+v", one.cert.Subject, f)
				}
				if text := openssl(t, "x509", "-noout", "-text", "-nameopt", "utf8", "-in", writePEM(t, one.cert)); complains.MatchString(text) {
					t.Errorf("openssl x509 complains:\n%s", text)
				}
			}
			root, issuing := writePEM(t, h.Root), writePEM(t, h.Issuing)
			seconds := fmt.Sprint(now.Add(time.Hour).Unix())
			openssl(t, "verify", "-x509_strict", "-check_ss_sig", "-attime", seconds, "-CAfile", root, root)
			openssl(t, "verify", "-x509_strict", "-attime", seconds, "-CAfile", root, issuing)
			openssl(t, "verify", "-x509_strict", "-attime", seconds, "-purpose", "ocsphelper", "-CAfile", root, "-untrusted", issuing, writePEM(t, h.Responder))
			if !bytes.Contains(h.Issuing.Raw, []byte("http://pki.example.com/crl/root.crl")) || bytes.Contains(h.Issuing.Raw, []byte("/ocsp")) {
				t.Error("the issuing CA's certificate does not point at the root's list alone")
			}
			if p.RootValidity != 0 && !h.Root.NotAfter.Equal(now.Add(p.RootValidity-time.Second)) {
				t.Errorf("the root ends at %v", h.Root.NotAfter)
			}
		})
	}
}

func TestEverythingIsInTheLedgerAndTheLog(t *testing.T) {
	at := newPlace(t)
	h := perform(t, at, plan())
	found, err := ceremony.Open(t.Context(), at.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if !found.Root.Equal(h.Root) || !found.Issuing.Equal(h.Issuing) || !found.Responder.Equal(h.Responder) {
		t.Error("the ledger gives another hierarchy back")
	}
	if open, err := at.ledger.OpenIntents(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("open intents: %v, %v", open, err)
	}
	head, err := at.ledger.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for e, err := range at.ledger.AuditLog(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		counts[e.Action]++
	}
	if counts["certificate.prepare"] != 3 || counts["certificate.issue"] != 3 {
		t.Errorf("the log has %v", counts)
	}
	if p, err := audit.Verify(at.ledger.AuditLog(t.Context()), head); err != nil || p.Broken != nil {
		t.Errorf("the chain: %v, %v", p, err)
	}
}

func TestAnEmptyLedgerIsNoHouse(t *testing.T) {
	_, err := ceremony.Open(t.Context(), newPlace(t).ledger)
	if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "ceremony.missing" {
		t.Errorf("got %v", err)
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ceremony.Plan)
	}{
		{"a country that is none", func(p *ceremony.Plan) { p.Country = "Germany" }},
		{"no organisation", func(p *ceremony.Plan) { p.Organisation = "" }},
		{"no name for the root", func(p *ceremony.Plan) { p.RootName = "" }},
		{"a kind of key that is none", func(p *ceremony.Plan) { p.IssuingKey = "RSA-1024" }},
		{"a root of RSA-3072, too small since September 2026", func(p *ceremony.Plan) { p.RootKey = keystore.RSA3072 }},
		{"an https public URL", func(p *ceremony.Plan) { p.PublicURL = "https://pki.example.com" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, p := newPlace(t), plan()
			c.change(&p)
			_, err := ceremony.Perform(t.Context(), at.keys, at.ledger, p, operator, now, func(string) {})
			if err == nil || fault.Is(err, fault.Internal) || len(fault.Sentence(err)) < 20 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// broken is the real ledger, until it fails: the power goes at the worst moment.
type broken struct {
	*store.Store
	after int // commits that succeed
}

var errPower = errors.New("the power is gone")

func (b *broken) CommitBatch(ctx context.Context, batch issuance.Batch, e ...audit.Entry) error {
	if b.after == 0 {
		return errPower
	}
	b.after--
	return b.Store.CommitBatch(ctx, batch, e...)
}

func TestCrashBetweenIntentAndCertificateIsSettled(t *testing.T) {
	for _, c := range []struct {
		after   int
		missing string
		profile string
	}{{1, "root", ceremony.RootProfile}, {3, "issuing CA", ceremony.IssuingProfile}, {5, "responder", ceremony.ResponderProfile}} {
		t.Run(c.missing, func(t *testing.T) {
			at := newPlace(t)
			_, err := ceremony.Perform(t.Context(), at.keys, &broken{at.ledger, c.after}, plan(), operator, now, func(string) {})
			if !errors.Is(err, errPower) {
				t.Fatal(err)
			}
			open, err := at.ledger.OpenIntents(t.Context())
			if err != nil || len(open) != 1 || open[0].Profile != c.profile {
				t.Fatalf("open are %v, %v", open, err)
			}
			for range 2 { // settling twice changes nothing
				if err := ceremony.Settle(t.Context(), at.keys, at.ledger, now.Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			if open, err := at.ledger.OpenIntents(t.Context()); err != nil || len(open) != 0 {
				t.Fatalf("still open: %v, %v", open, err)
			}
			cert, err := at.ledger.Certificate(t.Context(), open[0].Serial)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := x509.ParseCertificate(cert.DER)
			if err != nil || !bytes.Equal(parsed.RawTBSCertificate, open[0].TBS) {
				t.Errorf("other octets were signed than intended: %v", err)
			}
			if c.profile == ceremony.RootProfile && parsed.CheckSignatureFrom(parsed) != nil {
				t.Error("the root's signature is wrong")
			}
		})
	}
}

func TestAnIntentOfAnOfflineKeyStaysOpen(t *testing.T) {
	at := newPlace(t)
	if _, err := ceremony.Perform(t.Context(), at.keys, &broken{at.ledger, 3}, plan(), operator, now, func(string) {}); !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(at.folder, "root.age")); err != nil {
		t.Fatal(err)
	}
	if err := ceremony.Settle(t.Context(), at.keys, at.ledger, now); err != nil {
		t.Fatal(err)
	}
	if open, err := at.ledger.OpenIntents(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("open are %v, %v", open, err)
	}
}

// The ledger of one house with the keys of another: what was intended must not be signed with a key of the same name.
func TestAnIntentIsNotSignedWithAnotherKeyOfTheSameName(t *testing.T) {
	at, other := newPlace(t), newPlace(t)
	if _, err := ceremony.Perform(t.Context(), at.keys, &broken{at.ledger, 1}, plan(), operator, now, func(string) {}); !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	perform(t, other, plan())
	err := ceremony.Settle(t.Context(), other.keys, at.ledger, now)
	if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "ceremony.signature" {
		t.Fatalf("got %v", err)
	}
	if open, err := at.ledger.OpenIntents(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("open are %v, %v", open, err)
	}
}

func TestResponderIsCertifiedAnew(t *testing.T) {
	at := newPlace(t)
	first := perform(t, at, plan())
	later := now.Add(20 * 24 * time.Hour)
	fresh, err := ceremony.CertifyResponder(t.Context(), at.keys, at.ledger, first.Issuing, profile.Private, audit.Actor{Kind: audit.System}, later)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.SerialNumber.Cmp(first.Responder.SerialNumber) == 0 || !bytes.Equal(fresh.RawSubjectPublicKeyInfo, first.Responder.RawSubjectPublicKeyInfo) || !bytes.Equal(fresh.RawSubject, first.Responder.RawSubject) {
		t.Error("the new one must have the same name and key and another serial number")
	}
	if want := later.Add(rules.Duration(rules.ResponderValidity, later) - time.Second); !fresh.NotAfter.Equal(want) {
		t.Errorf("ends at %v, want %v", fresh.NotAfter, want)
	}
	if f := lint.Certificate(fresh.Raw, lint.Context{Kind: lint.Responder, Mode: profile.Private, Issuer: first.Issuing, At: later}); len(f) > 0 {
		t.Errorf("lint finds %+v", f)
	}
	found, err := ceremony.Open(t.Context(), at.ledger)
	if err != nil || !found.Responder.Equal(fresh) {
		t.Errorf("the ledger gives the old one: %v", err)
	}
}

func TestResponderNeedsTheIssuingKey(t *testing.T) {
	at := newPlace(t)
	h := perform(t, at, plan())
	if err := os.Remove(filepath.Join(at.folder, "issuing.age")); err != nil {
		t.Fatal(err)
	}
	_, err := ceremony.CertifyResponder(t.Context(), at.keys, at.ledger, h.Issuing, profile.Private, operator, now)
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}
