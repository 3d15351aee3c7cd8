package issuance_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/approval"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/ca/lint"
	"chancery.example/ca/profile"
	"chancery.example/fault"
	"chancery.example/rules"
	"chancery.example/testca"
)

func TestPrepareWantsAVerdictThatCoversTheMailbox(t *testing.T) {
	h := newHouse(t)
	alice, bob := address(t, "alice@example.com"), address(t, "bob@example.com")
	begun := now.Add(-time.Hour)
	lapse := begun.Add(rules.Duration(rules.MailboxEvidenceReuse, now))
	for _, c := range []struct {
		name    string
		verdict approval.Verdict
		at      time.Time
		code    string
	}{
		{"the zero verdict refuses", approval.Verdict{}, now, "issuance.no-verdict"},
		{"a verdict that is no refuses", approval.Judge(approval.Case{}, now), now, "issuance.no-verdict"},
		{"a verdict for another mailbox refuses", verdict(t, bob, begun, now), now, "issuance.unproved"},
		{"a verdict for the same letters in another case refuses", verdict(t, address(t, "Alice@example.com"), begun, now), now, "issuance.unproved"},
		{"a verdict from the future refuses", verdict(t, alice, begun, now), now.Add(-time.Second), "issuance.no-verdict"},
		{"a verdict that has lapsed refuses", verdict(t, alice, begun, now), lapse, "issuance.no-verdict"},
		{"a verdict is good in its last microsecond", verdict(t, alice, begun, now), lapse.Add(-time.Microsecond), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := h.Prepare(c.verdict, h.request(t, alice), c.at)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			mustBe(t, err, fault.Refused, c.code)
			if p != nil {
				t.Error("something was prepared all the same")
			}
		})
	}
}

func TestPrepareRefusesKeysAndProfiles(t *testing.T) {
	h := newHouse(t)
	alice := address(t, "alice@example.com")
	v := verdict(t, alice, now.Add(-time.Hour), now)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak := &rsa.PublicKey{N: newRSA(t).N, E: 1}
	for _, c := range []struct {
		name   string
		change func(*issuance.Request)
	}{
		{"no key", func(r *issuance.Request) { r.PublicKey = nil }},
		{"a curve that no mail client knows", func(r *issuance.Request) { r.PublicKey = p224.Public() }},
		{"an RSA exponent of 1", func(r *issuance.Request) { r.PublicKey = weak }},
		{"a profile that does not exist", func(r *issuance.Request) { r.Profile = "ev-everything" }},
		{"the legacy generation, which ended", func(r *issuance.Request) { r.Profile = "mv-legacy" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := h.request(t, alice)
			c.change(&r)
			if p, err := h.Prepare(v, r, now); err == nil || p != nil || fault.Is(err, fault.Internal) {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

func newRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The profile takes the issuer's name as it stands in its certificate. One without a name is what the lint must stop.
func TestLintBites(t *testing.T) {
	h := newHouse(t)
	alice := address(t, "alice@example.com")
	nameless := *h.issuer.Certificate
	nameless.RawSubject = []byte{0x30, 0}
	h.issuer.Certificate = &nameless
	p, err := issuance.New(h.issuer, h.ledger).Prepare(verdict(t, alice, now.Add(-time.Hour), now), h.request(t, alice), now)
	var rejected *issuance.Rejected
	if !errors.As(err, &rejected) || p != nil {
		t.Fatalf("got %v, want a Rejected", err)
	}
	if !lint.Blocks(rejected.Findings) {
		t.Error("none of the findings blocks")
	}
	if !strings.Contains(err.Error(), "e_issuer_field_empty") || !strings.Contains(err.Error(), "RFC 5280: 4.1.2.4") {
		t.Errorf("the error does not name rule and citation: %v", err)
	}
}

func TestAnIssuingKeyThatIsTooSmallFromADay(t *testing.T) {
	h := newHouse(t)
	alice := address(t, "alice@example.com")
	ca := testca.New(t).Root().Issuing(testca.RSA2048)
	a := issuance.New(issuance.Issuer{Name: "issuing", Certificate: ca.Cert, Signer: ca.Key, Mode: profile.Private, URLs: h.issuer.URLs}, h.ledger)
	change := time.Date(2027, 9, 15, 0, 0, 0, 0, time.UTC) // SBR 6.1.5, BR-113
	for _, at := range []time.Time{change.Add(-time.Second), change} {
		_, err := a.Prepare(verdict(t, alice, at.Add(-time.Hour), at), h.request(t, alice), at)
		if (err == nil) != at.Before(change) || err != nil && !fault.Is(err, fault.Refused) {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

func TestTheRootSignsNoSubscribers(t *testing.T) {
	h := newHouse(t)
	alice := address(t, "alice@example.com")
	h.issuer.Certificate = h.hierarchy.Root
	_, err := issuance.New(h.issuer, h.ledger).Prepare(verdict(t, alice, now.Add(-time.Hour), now), h.request(t, alice), now)
	mustBe(t, err, fault.Refused, "issuance.root")
}

func TestSignOnlyWhatTheLedgerHolds(t *testing.T) {
	h := newHouse(t)
	counter := &counting{Signer: h.issuer.Signer}
	h.issuer.Signer = counter
	h.Authority = issuance.New(h.issuer, h.ledger)
	for _, c := range []struct {
		name string
		make func(*testing.T) *issuance.Prepared
		kind fault.Kind
		code string
	}{
		{"nothing", func(*testing.T) *issuance.Prepared { return nil }, fault.Refused, "issuance.unprepared"},
		{"a Prepared that Prepare did not make", func(*testing.T) *issuance.Prepared { return new(issuance.Prepared) }, fault.Refused, "issuance.unprepared"},
		{"an intent that was never recorded", func(t *testing.T) *issuance.Prepared { return h.prepare(t) }, fault.NotFound, "serial.unknown"},
		{"an intent with other octets in the ledger", func(t *testing.T) *issuance.Prepared {
			p := h.prepare(t)
			i := p.Intent()
			i.TBS = append(bytes.Clone(i.TBS), 0)
			h.record(t, i)
			return p
		}, fault.Internal, "issuance.intent-differs"},
		{"an intent of another issuer", func(t *testing.T) *issuance.Prepared {
			p := h.prepare(t)
			i := p.Intent()
			i.Issuer = "another"
			h.record(t, i)
			return p
		}, fault.Conflict, "issuance.closed"},
		{"an intent that was already closed with its certificate", func(t *testing.T) *issuance.Prepared {
			p := h.prepare(t)
			h.record(t, p.Intent())
			cert, err := h.Resume(t.Context(), p.Intent())
			if err != nil {
				t.Fatal(err)
			}
			if err := h.ledger.CommitBatch(t.Context(), issuance.Batch{Certificates: []issuance.Certificate{cert}}, entry("issue")); err != nil {
				t.Fatal(err)
			}
			counter.n = 0
			return p
		}, fault.Conflict, "issuance.closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			counter.n = 0
			p := c.make(t)
			cert, err := h.Sign(t.Context(), p)
			mustBe(t, err, c.kind, c.code)
			if cert.DER != nil || counter.n != 0 {
				t.Errorf("the key signed %d times", counter.n)
			}
		})
	}
}

func TestSignTwice(t *testing.T) {
	h := newHouse(t)
	p := h.prepare(t)
	h.record(t, p.Intent())
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { _, errs[i] = h.Sign(context.Background(), p) })
	}
	wait.Wait()
	signed := 0
	for _, err := range errs {
		if err == nil {
			signed++
			continue
		}
		mustBe(t, err, fault.Refused, "issuance.twice")
	}
	if signed != 1 {
		t.Errorf("signed %d times", signed)
	}
}

func TestASignThatFailedIsNotTriedAgainWithTheSamePrepared(t *testing.T) {
	h := newHouse(t)
	p := h.prepare(t)
	if _, err := h.Sign(t.Context(), p); err == nil {
		t.Fatal("signed what the ledger does not know")
	}
	h.record(t, p.Intent())
	_, err := h.Sign(t.Context(), p)
	mustBe(t, err, fault.Refused, "issuance.twice")
}

// After a crash the same certificate comes out: were the signature another, two certificates would share a serial number.
func TestResumeGivesTheSameCertificate(t *testing.T) {
	for _, alg := range []keystore.Algorithm{keystore.P256, keystore.P384, keystore.RSA4096} {
		t.Run(string(alg), func(t *testing.T) {
			h := newHouse(t, func(p *ceremony.Plan) { p.IssuingKey = alg })
			p := h.prepare(t)
			h.record(t, p.Intent())
			first, err := h.Sign(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			again, err := h.Resume(t.Context(), issuance.Intent{Serial: first.Serial})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.DER, again.DER) || first.SHA256 != again.SHA256 {
				t.Error("signing again gave another certificate")
			}
			_, err = h.Resume(t.Context(), issuance.Intent{Serial: issuance.NewSerial(), TBS: p.Intent().TBS, State: issuance.Open, Issuer: "issuing"})
			mustBe(t, err, fault.NotFound, "serial.unknown")
		})
	}
}

// What comes out is what was asked for, and every reader agrees: Go, our lint, zlint (in it) and OpenSSL.
func TestIssuedCertificates(t *testing.T) {
	for _, alg := range []keystore.Algorithm{keystore.P256, keystore.RSA4096} {
		h := newHouse(t, func(p *ceremony.Plan) { p.IssuingKey = alg })
		for _, c := range []struct{ name, profile, mailbox string }{
			{"strict", "mv-strict", "alice@example.com"},
			{"multipurpose", "mv-multipurpose", "alice@example.com"},
			{"beyond ASCII", "mv-strict", "jürgen@bücher.example"},
			{"a long local part", "mv-strict", strings.Repeat("a", 64) + "@example.com"},
		} {
			t.Run(string(alg)+" "+c.name, func(t *testing.T) {
				to := address(t, c.mailbox)
				r := h.request(t, to)
				r.Profile = c.profile
				p, err := h.Prepare(verdict(t, to, now.Add(-time.Hour), now), r, now)
				if err != nil {
					t.Fatal(err)
				}
				h.record(t, p.Intent())
				cert, err := h.Sign(t.Context(), p)
				if err != nil {
					t.Fatal(err)
				}
				parsed, err := x509.ParseCertificate(cert.DER)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(parsed.RawTBSCertificate, p.Intent().TBS) {
					t.Error("other octets were signed than were recorded")
				}
				if issuance.SerialOf(parsed.SerialNumber) != cert.Serial || !parsed.NotAfter.Equal(cert.NotAfter) || !parsed.NotBefore.Equal(now.Truncate(time.Second)) {
					t.Errorf("the record does not tell of this certificate: %+v", cert)
				}
				if end, err := p.Intent().NotAfter(); err != nil || !end.Equal(cert.NotAfter) {
					t.Errorf("the intent ends at %v, %v", end, err)
				}
				if f := lint.Certificate(cert.DER, lint.Context{Issuer: h.hierarchy.Issuing}); lint.Blocks(f) {
					t.Errorf("lint finds %+v", f)
				}
				root, chain, leaf := writePEM(t, h.hierarchy.Root.Raw), writePEM(t, h.hierarchy.Issuing.Raw), writePEM(t, cert.DER)
				at := []string{"verify", "-x509_strict", "-attime", "1795348800", "-purpose", "smimesign", "-CAfile", root, "-untrusted", chain, leaf}
				if out, err := openssl(t, at...); err != nil {
					t.Errorf("openssl verify: %v\n%s", err, out)
				}
			})
		}
	}
}

func TestChainIsTheIssuerThenTheRoot(t *testing.T) {
	h := newHouse(t)
	c := h.Chain()
	if len(c) != 2 || c[0] != h.hierarchy.Issuing || c[1] != h.hierarchy.Root || h.Issuer() != ceremony.IssuingKey {
		t.Errorf("the chain is %v of %q", c, h.Issuer())
	}
}

func TestPublicModeClaimsTheReservedPolicyAndPrivateNeverDoes(t *testing.T) {
	for _, mode := range []profile.Mode{profile.Private, profile.Public} {
		h := newHouse(t, func(p *ceremony.Plan) {
			p.Mode, p.IssuingKey = mode, keystore.P384
		})
		tbs := h.prepare(t).Intent().TBS
		reserved := []byte{0x67, 0x81, 0x0c, 0x01, 0x05} // 2.23.140.1.5
		if got := bytes.Contains(tbs, reserved); got != (mode == profile.Public) {
			t.Errorf("%v: the reserved OID is there: %v", mode, got)
		}
	}
}

func BenchmarkSignTBS(b *testing.B) {
	h := newHouse(b)
	tbs := h.prepare(b).Intent().TBS
	for b.Loop() {
		if _, err := issuance.SignTBS(tbs, h.issuer.Signer); err != nil {
			b.Fatal(err)
		}
	}
}
