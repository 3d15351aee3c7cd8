package status

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"chancery.example/ca/issuance"
)

func TestWrittenLists(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	revoked := func(n int64, serial string, reason Reason, at time.Time) Revocation {
		return Revocation{N: n, Serial: issuance.Serial(serial), Issuer: "issuing", At: at, Reason: reason, NotAfter: now.AddDate(int(n%3)+1, 0, 0)}
	}
	many := make([]Revocation, 3000)
	for i := range many {
		many[i] = revoked(int64(i+1), string(issuance.NewSerial()), Reason(i%2), now)
	}
	cases := map[string]struct {
		key     string
		entries []Revocation
		// beyond names the zlint lint that must speak up: the list is right by RFC 5280, and outside what it expects.
		beyond string
	}{
		"an empty list has no revokedCertificates": {"p256", nil, ""},
		"one entry without a reason":               {"p256", []Revocation{revoked(1, "00000000000000000000000000000001", Unspecified, now)}, ""},
		"the reason of CA certificates, which the rules for subscribers do not know": {"p384",
			[]Revocation{revoked(1, string(issuance.NewSerial()), CACompromise, now)}, "e_cab_crl_has_valid_reason_code"},
		"every reason": {"p384", []Revocation{revoked(1, string(issuance.NewSerial()), KeyCompromise, now), revoked(3, string(issuance.NewSerial()), AffiliationChanged, now),
			revoked(4, string(issuance.NewSerial()), Superseded, now), revoked(5, string(issuance.NewSerial()), CessationOfOperation, now),
			revoked(6, string(issuance.NewSerial()), PrivilegeWithdrawn, now)}, ""},
		"serial numbers with the highest bit, of 20 octets and of one": {"rsa", []Revocation{revoked(1, "ff000000000000000000000000000000", Superseded, now),
			revoked(2, "7fffffffffffffffffffffffffffffffffffffff", Superseded, now), revoked(3, "00000000000000000000000000000080", Superseded, now)}, ""},
		"a revocation after 2049 is a GeneralizedTime": {"p256", []Revocation{revoked(1, string(issuance.NewSerial()), Superseded, time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC))},
			"e_crl_revocation_time_after_this_update"},
		"thousands, of lengths in three octets": {"p256", many, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.key)
			e := newEntries()
			for _, r := range c.entries {
				if err := e.add(r); err != nil {
					t.Fatal(err)
				}
			}
			der, err := list{issuer: h.issuing, number: 4711, thisUpdate: now, nextUpdate: now.AddDate(0, 0, 7), entries: e}.der(h.issuingKey)
			if err != nil {
				t.Fatal(err)
			}
			l := parse(t, der, h.issuing)
			if l.Number.Cmp(big.NewInt(4711)) != 0 || !bytes.Equal(l.AuthorityKeyId, h.issuing.SubjectKeyId) ||
				!l.ThisUpdate.Equal(now) || !l.NextUpdate.Equal(now.AddDate(0, 0, 7)) {
				t.Errorf("number %v, AKI %x, from %v to %v", l.Number, l.AuthorityKeyId, l.ThisUpdate, l.NextUpdate)
			}
			compareEntries(t, l.RevokedCertificateEntries, c.entries)
			acceptedByOpenSSL(t, h, der, len(c.entries))
			acceptedByZlint(t, der, c.beyond)
		})
	}
}

func acceptedByOpenSSL(t *testing.T, h *house, der []byte, entries int) {
	t.Helper()
	path := h.write(t, "list.crl", der)
	out, code := openssl(t, "crl", "-in", path, "-verify", "-CAfile", filepath.Join(h.dir, "issuing.pem"), "-noout", "-text")
	if code != 0 || !strings.Contains(out, "verify OK") || strings.Count(out, "Serial Number:") != entries {
		t.Errorf("openssl crl: %d, %d entries\n%.2000s", code, strings.Count(out, "Serial Number:"), out)
	}
	// What it reads and writes again must be what it was given: nothing is there that DER would write otherwise.
	again := filepath.Join(h.dir, "again.crl")
	if out, code := openssl(t, "crl", "-in", path, "-out", again); code != 0 {
		t.Fatal(out)
	}
	text, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := pem.Decode(text); !bytes.Equal(b.Bytes, der) {
		t.Error("openssl writes the list otherwise than we did")
	}
}

func acceptedByZlint(t *testing.T, der []byte, beyond string) {
	t.Helper()
	l, err := zx509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	found := zlint.LintRevocationList(l)
	ran := 0
	for name, r := range found.Results {
		if r.Status > lint.NE {
			ran++
		}
		if r.Status >= lint.Notice != (name == beyond) {
			t.Errorf("zlint: %s: %v %s", name, r.Status, r.Details)
		}
	}
	if ran < 3 {
		t.Errorf("zlint looked at the list with %d lints only", ran)
	}
}

func compareEntries(t *testing.T, got []x509.RevocationListEntry, want []Revocation) {
	t.Helper()
	bySerial := map[string]x509.RevocationListEntry{}
	for _, e := range got {
		bySerial[e.SerialNumber.Text(16)] = e
	}
	if len(got) != len(want) || len(bySerial) != len(want) {
		t.Errorf("%d entries for %d revocations", len(got), len(want))
	}
	for _, r := range want {
		e, ok := bySerial[r.Serial.Int().Text(16)]
		if !ok || e.ReasonCode != int(r.Reason) || !e.RevocationTime.Equal(r.At.Truncate(time.Second)) {
			t.Errorf("%s: listed as %v", r.Serial, e)
		}
		if extensions := len(e.Extensions); (r.Reason == Unspecified) != (extensions == 0) {
			t.Errorf("%s: reason %v with %d extensions", r.Serial, r.Reason, extensions)
		}
		for _, x := range e.Extensions {
			if x.Critical {
				t.Errorf("%s: a critical extension %v", r.Serial, x.Id)
			}
		}
	}
}

func TestEntriesLeaveAfterTheyEnded(t *testing.T) {
	now := time.Now().UTC()
	e := newEntries()
	for n, ends := range []time.Duration{-30 * 24 * time.Hour, -29 * 24 * time.Hour, -time.Second, time.Hour, 365 * 24 * time.Hour} {
		if err := e.add(Revocation{N: int64(n + 1), Serial: issuance.NewSerial(), NotAfter: now.Add(ends)}); err != nil {
			t.Fatal(err)
		}
	}
	e.drop(now)
	if e.count < 2 || e.count > 3 || e.upto != 5 {
		t.Errorf("%d entries are left, up to %d: those of the present week and later stay", e.count, e.upto)
	}
	size, count := 0, 0
	for _, s := range e.weeks {
		size, count = size+s.size, count+s.count
	}
	if size != e.size || count != e.count {
		t.Errorf("the sum says %d entries of %d octets, there are %d of %d", e.count, e.size, count, size)
	}
	for _, bad := range []issuance.Serial{"", "xyz", "0", issuance.Serial(strings.Repeat("ab", 21))} {
		if err := e.add(Revocation{N: 6, Serial: bad, NotAfter: now}); err == nil {
			t.Errorf("the serial number %q was listed", bad)
		}
	}
}

// FuzzEntry holds our encoding of an entry against crypto/x509.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{0xff, 1, 2}, int64(1_800_000_000), byte(1))
	f.Add([]byte{0, 0, 1}, int64(2_600_000_000), byte(0))
	h := newHouse(f, "p256")
	f.Fuzz(func(t *testing.T, serial []byte, at int64, reason byte) {
		if len(serial) == 0 || len(serial) > 19 || new(big.Int).SetBytes(serial).Sign() == 0 || at < 0 || at > 4_000_000_000 || reason > 10 || reason == 7 {
			return
		}
		e := newEntries()
		r := Revocation{N: 1, Serial: issuance.Serial(hex.EncodeToString(serial)), At: time.Unix(at, 0), Reason: Reason(reason), NotAfter: time.Now()}
		if err := e.add(r); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		der, err := list{issuer: h.issuing, number: 1, thisUpdate: now, nextUpdate: now.Add(time.Hour), entries: e}.der(h.issuingKey)
		if err != nil {
			t.Fatal(err)
		}
		compareEntries(t, parse(t, der, h.issuing).RevokedCertificateEntries, []Revocation{r})
	})
}

// BenchmarkList compares our writer with the standard library's, from entries as each of them keeps them.
func BenchmarkList(b *testing.B) {
	const n = 100_000
	h := newHouse(b, "p256")
	now := time.Now()
	tmpl := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 7)}
	e := newEntries()
	for i := range n {
		r := Revocation{N: int64(i + 1), Serial: issuance.NewSerial(), At: now, Reason: Superseded, NotAfter: now.AddDate(0, 0, i%700)}
		if err := e.add(r); err != nil {
			b.Fatal(err)
		}
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.Serial.Int(), RevocationTime: now, ReasonCode: int(Superseded)})
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l := list{issuer: h.issuing, number: 1, thisUpdate: tmpl.ThisUpdate, nextUpdate: tmpl.NextUpdate, entries: e}
			if err := l.write(io.Discard, h.issuingKey); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("crypto/x509", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x509.CreateRevocationList(rand.Reader, tmpl, h.issuing, h.issuingKey); err != nil {
				b.Fatal(err)
			}
		}
	})
}
