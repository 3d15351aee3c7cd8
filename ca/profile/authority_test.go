package profile

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/fault"
)

func TestTheHousesOwnCertificates(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	t.Run("root", func(t *testing.T) {
		r := h.root
		if !r.IsCA || r.MaxPathLen != -1 || r.MaxPathLenZero || r.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			t.Error("constraints or usage")
		}
		if len(r.ExtKeyUsage)+len(r.PolicyIdentifiers)+len(r.CRLDistributionPoints) > 0 || len(r.SubjectKeyId) != 20 {
			t.Error("something stands there that does not belong into a root")
		}
		if !bytes.Equal(r.RawSubject, r.RawIssuer) || r.Subject.String() != "CN=Example Root R1,O=Exämple GmbH,C=DE" {
			t.Errorf("named %s by %s", r.Subject, r.Issuer)
		}
	})
	t.Run("issuing CA", func(t *testing.T) {
		i := h.issuing
		if err := i.CheckSignatureFrom(h.root); err != nil {
			t.Error(err)
		}
		if !i.IsCA || !i.MaxPathLenZero || i.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			t.Error("constraints or usage")
		}
		if !slices.Equal(i.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth}) || i.PolicyIdentifiers[0].String() != "2.5.29.32.0" {
			t.Errorf("purposes %v, policies %v", i.ExtKeyUsage, i.PolicyIdentifiers)
		}
		if !slices.Equal(i.CRLDistributionPoints, []string{"http://pki.example.com/crl/root.crl"}) || !slices.Equal(i.IssuingCertificateURL, []string{"http://pki.example.com/ca/root.cer"}) {
			t.Error("addresses")
		}
	})
	t.Run("responder", func(t *testing.T) {
		key := ecKey(t, elliptic.P256())
		tbs, err := Responder(Authority{CommonName: "Example Responder 1", Organisation: "Exämple GmbH", Country: "DE",
			PublicKey: key.Public(), Serial: serial(), NotBefore: now, Issuer: h.issuing})
		if err != nil {
			t.Fatal(err)
		}
		r := sign(t, tbs, h.issuingKey)
		if r.IsCA || !slices.Equal(r.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}) || r.KeyUsage != x509.KeyUsageDigitalSignature {
			t.Error("constraints, purposes or usage")
		}
		if got := r.NotAfter.Sub(r.NotBefore) + time.Second; got != 30*24*time.Hour {
			t.Errorf("lives for %s", got)
		}
		text := string(openssl(t, r.Raw, "x509", "-inform", "der", "-noout", "-text"))
		if !strings.Contains(text, "OCSP No Check") || !strings.Contains(text, "OCSP Signing") {
			t.Errorf("openssl reads %s", text)
		}
	})
}

func TestAuthoritiesThatAreRefused(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	good := ecKey(t, elliptic.P256())
	for _, c := range []struct {
		name  string
		spoil func(*Authority)
		kind  fault.Kind
		code  string
	}{
		{"no common name", func(a *Authority) { a.CommonName = "" }, fault.Refused, "profile.BR-115"},
		{"no organisation", func(a *Authority) { a.Organisation = "" }, fault.Refused, "profile.BR-115"},
		{"an organisation that is a dash", func(a *Authority) { a.Organisation = "-" }, fault.Refused, "profile.BR-115"},
		{"a name with a line break", func(a *Authority) { a.CommonName = "a\nb" }, fault.Refused, "profile.BR-115"},
		{"a name that is too long", func(a *Authority) { a.CommonName = strings.Repeat("ä", 65) }, fault.Refused, "profile.BR-115"},
		{"a name that is no UTF-8", func(a *Authority) { a.CommonName = "a\xff" }, fault.Refused, "profile.BR-115"},
		{"a country in small letters", func(a *Authority) { a.Country = "de" }, fault.Refused, "profile.BR-115"},
		{"no country", func(a *Authority) { a.Country = "" }, fault.Refused, "profile.BR-115"},
		{"a small RSA key", func(a *Authority) { a.PublicKey = rsaKey(t).Public() }, fault.Refused, "profile.BR-112"},
		{"no CRL of the root", func(a *Authority) { a.URLs.CRL = nil }, fault.Refused, "profile.BR-010"},
		{"no serial number", func(a *Authority) { a.Serial = nil }, fault.Refused, "profile.BR-009"},
		{"a root as issuing CA", func(a *Authority) { a.Issuer = nil }, fault.Internal, "profile.issuer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.issuingOf(good)
			c.spoil(&a)
			_, err := Issuing(a)
			mustBe(t, err, c.kind, c.code)
		})
	}
	t.Run("an issued root", func(t *testing.T) {
		_, err := Root(h.issuingOf(good))
		mustBe(t, err, fault.Internal, "profile.issuer")
	})
	t.Run("a responder without CA", func(t *testing.T) {
		_, err := Responder(rootOf(good))
		mustBe(t, err, fault.Internal, "profile.issuer")
	})
	t.Run("64 characters beyond ASCII are a name", func(t *testing.T) {
		a := h.issuingOf(good)
		a.CommonName = strings.Repeat("ä", 64)
		if _, err := Issuing(a); err != nil {
			t.Error(err)
		}
	})
}

func TestDigestAndAssembleRefuseJunk(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	whole := h.root.Raw
	for _, junk := range [][]byte{nil, {}, {0x30}, {0x30, 0x80}, []byte("text"), whole[:20], whole} {
		if _, hash, err := Digest(junk); err == nil {
			t.Errorf("%.8x… has a digest by %v", junk, hash)
		}
	}
	for _, junk := range [][]byte{nil, {0x30}, []byte("text")} {
		_, err := Assemble(junk, nil)
		mustBe(t, err, fault.Invalid, "profile.tbs")
	}
	if _, hash, err := Digest(h.root.RawTBSCertificate); err != nil || hash != crypto.SHA384 {
		t.Errorf("the root's: %v, %v", hash, err)
	}
	again, err := Assemble(h.root.RawTBSCertificate, h.root.Signature)
	if err != nil || !bytes.Equal(again, whole) {
		t.Errorf("taken apart and joined it is another: %v", err)
	}
}

func FuzzAssemble(f *testing.F) {
	h := newHouse(f, ecKey(f, elliptic.P256()))
	f.Add(h.root.RawTBSCertificate)
	f.Add(h.issuing.RawTBSCertificate)
	f.Fuzz(func(t *testing.T, tbs []byte) {
		if digest, hash, err := Digest(tbs); err == nil && len(digest) != hash.Size() {
			t.Errorf("%d octets of %v", len(digest), hash)
		}
		Assemble(tbs, tbs)
	})
}
