package ocsp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"chancery.example/fault"
)

// house is an issuing CA with a delegated responder and one certificate to ask about.
type house struct {
	caKey, responderKey crypto.Signer
	ca, responder, leaf *x509.Certificate
	now                 time.Time
}

func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch kind {
	case "RSA-2048":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "P-256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "Ed25519":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newHouse(t testing.TB, kind string) house {
	t.Helper()
	h := house{now: time.Now().UTC().Truncate(time.Second)}
	h.caKey, h.responderKey = newKey(t, kind), newKey(t, kind)
	base := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: h.now.Add(-time.Hour), NotAfter: h.now.Add(24 * time.Hour)}
	}
	ca := base(1, "Issuing CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	h.ca = sign(t, ca, ca, h.caKey.Public(), h.caKey)
	h.responder = sign(t, responderTemplate(base(2, "Responder")), h.ca, h.responderKey.Public(), h.caKey)
	h.leaf = sign(t, base(3, "alice@example.com"), h.ca, newKey(t, "P-256").Public(), h.caKey)
	return h
}

func responderTemplate(c *x509.Certificate) *x509.Certificate {
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	c.ExtraExtensions = []pkix.Extension{{Id: oidNoCheck, Value: asn1.NullBytes}}
	return c
}

func (h house) id(t testing.TB, hash crypto.Hash) CertID {
	t.Helper()
	id, err := NewCertID(h.ca, h.leaf.SerialNumber, hash)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h house) single(t testing.TB, status Status) SingleResponse {
	s := SingleResponse{ID: h.id(t, crypto.SHA256), Status: status, ThisUpdate: h.now, NextUpdate: h.now.Add(time.Hour)}
	if status == Revoked {
		s.RevokedAt, s.Reason = h.now.Add(-time.Minute), KeyCompromise
	}
	return s
}

func (h house) delegated() *Responder {
	return &Responder{Issuer: h.ca, Certificate: h.responder, Signer: h.responderKey}
}

func TestRequestRoundTrip(t *testing.T) {
	h := newHouse(t, "P-256")
	nonce := bytes.Repeat([]byte{7}, 32)
	in := Request{IDs: []CertID{h.id(t, crypto.SHA1), h.id(t, crypto.SHA256), h.id(t, crypto.SHA384)}, Nonce: nonce}
	der, err := in.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.IDs) != 3 || !bytes.Equal(out.Nonce, nonce) {
		t.Fatalf("got %d certificates, nonce %x", len(out.IDs), out.Nonce)
	}
	for i, id := range out.IDs {
		if !id.Equal(in.IDs[i]) || !id.IssuedBy(h.ca) || id.IssuedBy(h.leaf) {
			t.Errorf("certificate %d is named differently", i)
		}
	}
}

// extension is one Extension in DER.
func extension(oid asn1.ObjectIdentifier, critical bool, value []byte) []byte {
	der, err := asn1.Marshal(pkix.Extension{Id: oid, Critical: critical, Value: value})
	if err != nil {
		panic(err)
	}
	return der
}

func tlv(tag byte, contents ...[]byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), IsCompound: tag&0x20 != 0, Tag: int(tag & 0x1f), Bytes: bytes.Join(contents, nil)})
	if err != nil {
		panic(err)
	}
	return der
}

func TestParseRequestRefuses(t *testing.T) {
	h := newHouse(t, "P-256")
	der, err := (&Request{IDs: []CertID{h.id(t, crypto.SHA1)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	cut := h.id(t, crypto.SHA1)
	cut.NameHash = cut.NameHash[1:]
	short, err := (&Request{IDs: []CertID{cut}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var outer, tbs, list asn1.RawValue
	for _, step := range []struct {
		in  *[]byte
		out *asn1.RawValue
	}{{&der, &outer}, {&outer.Bytes, &tbs}, {&tbs.Bytes, &list}} {
		if _, err := asn1.Unmarshal(*step.in, step.out); err != nil {
			t.Fatal(err)
		}
	}
	with := func(exts ...[]byte) []byte {
		return tlv(0x30, tlv(0x30, list.FullBytes, tlv(0xa2, tlv(0x30, exts...))))
	}
	nonce := func(n int) []byte { return extension(oidNonce, false, tlv(0x04, make([]byte, n))) }
	other := asn1.ObjectIdentifier{1, 2, 3}
	for _, c := range []struct {
		name string
		in   []byte
		code string // empty: accepted
	}{
		{"no extensions", der, ""},
		{"a nonce of 1 octet", with(nonce(1)), ""},
		{"a nonce of 128 octets", with(nonce(128)), ""},
		{"an unknown extension that is not critical", with(extension(other, false, []byte{5, 0})), ""},
		{"version 1 spelt out", tlv(0x30, tlv(0x30, tlv(0xa0, tlv(2, []byte{0})), list.FullBytes)), ""},
		{"a requestor and a signature", tlv(0x30, tlv(0x30, tlv(0xa1, tlv(0x82, []byte("a"))), list.FullBytes), tlv(0xa0, tlv(0x30))), ""},
		{"nothing", nil, "ocsp.malformed"},
		{"a tail", append(bytes.Clone(der), 0), "ocsp.malformed"},
		{"version 2", tlv(0x30, tlv(0x30, tlv(0xa0, tlv(2, []byte{1})), list.FullBytes)), "ocsp.malformed"},
		{"no certificate", tlv(0x30, tlv(0x30, tlv(0x30))), "ocsp.malformed"},
		{"33 certificates", tlv(0x30, tlv(0x30, tlv(0x30, bytes.Repeat(list.Bytes, 33)))), "ocsp.too-large"},
		{"an empty nonce", with(nonce(0)), "ocsp.malformed"},
		{"a nonce of 129 octets", with(nonce(129)), "ocsp.malformed"},
		{"a nonce that is no octet string", with(extension(oidNonce, false, []byte{1, 2, 3})), "ocsp.malformed"},
		{"two nonces", with(nonce(16), nonce(16)), "ocsp.malformed"},
		{"an unknown critical extension", with(extension(other, true, []byte{5, 0})), "ocsp.critical-extension"},
		{"17 extensions", with(bytes.Repeat(extension(other, false, []byte{5, 0}), 17)), "ocsp.malformed"},
		{"17,000 octets", make([]byte, 17000), "ocsp.too-large"},
		{"a SHA-1 hash of 19 octets", short, "ocsp.malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseRequest(c.in)
			if c.code == "" && err != nil || c.code != "" && fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want %q", err, c.code)
			}
		})
	}
}

func TestDecodeGET(t *testing.T) {
	der := []byte{0x30, 0xfb, 0xff, 0xbf, 0x01} // base64 with + and /
	std := base64.StdEncoding.EncodeToString(der)
	if !strings.ContainsAny(std, "+/") || !strings.Contains(std, "=") {
		t.Fatalf("%s does not show the case", std)
	}
	for _, c := range []struct{ name, in string }{
		{"escaped by ourselves", EncodeGET(der)},
		{"with a slash before", "/" + EncodeGET(der)},
		{"escaped as a path", url.PathEscape(std)},
		{"not escaped", std},
		{"without padding", strings.TrimRight(std, "=")},
		{"in the URL-safe alphabet", base64.URLEncoding.EncodeToString(der)},
		{"with + as space", strings.ReplaceAll(std, "+", " ")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := DecodeGET(c.in); err != nil || !bytes.Equal(got, der) {
				t.Errorf("%s gives %x, %v", c.in, got, err)
			}
		})
	}
	for _, bad := range []string{"%zz", "a*b", strings.Repeat("A", 5*MaxRequest), strings.Repeat("A", 2*MaxRequest)} {
		if _, err := DecodeGET(bad); err == nil {
			t.Errorf("%.20s was accepted", bad)
		}
	}
}

func TestRespondAndVerify(t *testing.T) {
	for _, kind := range []string{"RSA-2048", "P-256", "P-384", "Ed25519"} {
		h := newHouse(t, kind)
		for _, c := range []struct {
			name      string
			responder *Responder
			signer    *x509.Certificate
		}{
			{"delegated", h.delegated(), h.responder},
			{"by the issuer itself", &Responder{Issuer: h.ca, Certificate: h.ca, Signer: h.caKey}, h.ca},
		} {
			t.Run(kind+" "+c.name, func(t *testing.T) {
				nonce := bytes.Repeat([]byte{9}, 32)
				second := h.single(t, Revoked)
				second.ID.Serial = big.NewInt(77)
				der, err := c.responder.Respond(h.now, nonce, h.single(t, Good), second)
				if err != nil {
					t.Fatal(err)
				}
				r, err := ParseResponse(der)
				if err != nil {
					t.Fatal(err)
				}
				signer, err := r.Verify(h.ca, h.now)
				if err != nil || !signer.Equal(c.signer) {
					t.Fatalf("verified by %v: %v", signer, err)
				}
				if !bytes.Equal(r.Nonce, nonce) || !r.ProducedAt.Equal(h.now) {
					t.Errorf("nonce %x, produced at %v", r.Nonce, r.ProducedAt)
				}
				good, ok := r.Find(h.id(t, crypto.SHA256))
				if !ok || good.Status != Good || !good.CurrentAt(h.now, 0) || good.CurrentAt(h.now.Add(2*time.Hour), time.Minute) || good.CurrentAt(h.now.Add(-time.Hour), time.Minute) {
					t.Errorf("got %+v, %v", good, ok)
				}
				revoked, ok := r.Find(second.ID)
				if !ok || revoked.Status != Revoked || !revoked.RevokedAt.Equal(second.RevokedAt) || revoked.Reason != KeyCompromise {
					t.Errorf("got %+v, %v", revoked, ok)
				}
				der[len(bytes.TrimRight(der, "\x00"))/3] ^= 1
				if r, err := ParseResponse(der); err == nil {
					if _, err = r.Verify(h.ca, h.now); err == nil {
						t.Error("an altered response verifies")
					}
				}
			})
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	h := newHouse(t, "P-256")
	other := newHouse(t, "P-256")
	template := func(change func(*x509.Certificate)) *x509.Certificate {
		c := responderTemplate(&x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "Responder"}, NotBefore: h.now.Add(-time.Hour), NotAfter: h.now.Add(time.Hour)})
		change(c)
		return c
	}
	by := func(change func(*x509.Certificate)) *Responder {
		return &Responder{Issuer: h.ca, Certificate: sign(t, template(change), h.ca, h.responderKey.Public(), h.caKey), Signer: h.responderKey}
	}
	leafKey := newKey(t, "P-256")
	for _, c := range []struct {
		name, code string
		responder  *Responder
		at         time.Time
	}{
		{"a certificate of the CA that is not for OCSP", "ocsp.responder", by(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), h.now},
		{"a certificate of the CA for any use", "ocsp.responder", by(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), h.now},
		{"a certificate of the CA without extended key usage", "ocsp.responder", by(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), h.now},
		{"a responder that may not sign", "ocsp.responder", by(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), h.now},
		{"a responder whose certificate has ended", "ocsp.responder", h.delegated(), h.now.Add(48 * time.Hour)},
		{"a responder whose certificate has not begun", "ocsp.responder", h.delegated(), h.now.Add(-48 * time.Hour)},
		{"a responder with a critical extension that nobody knows", "ocsp.responder", by(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: asn1.NullBytes})
		}), h.now},
		{"a responder of another CA with the same name", "ocsp.responder", other.delegated(), h.now},
		{"another CA with the same name", "ocsp.responder", &Responder{Issuer: other.ca, Certificate: other.ca, Signer: other.caKey}, h.now},
		{"a key that is not the certificate's", "ocsp.signature", &Responder{Issuer: h.ca, Certificate: h.responder, Signer: leafKey}, h.now},
	} {
		t.Run(c.name, func(t *testing.T) {
			der, err := c.responder.Respond(h.now, nil, h.single(t, Good))
			if err != nil {
				t.Fatal(err)
			}
			r, err := ParseResponse(der)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Verify(h.ca, c.at); fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func TestErrorResponses(t *testing.T) {
	for _, s := range []ErrorStatus{MalformedRequest, InternalError, TryLater, SigRequired, Unauthorized} {
		r, err := ParseResponse(ErrorResponse(s))
		if err != nil || r.Error != s {
			t.Errorf("status %d became %+v, %v", s, r, err)
		}
		if _, err := xocsp.ParseResponse(ErrorResponse(s), nil); err == nil {
			t.Errorf("x/crypto/ocsp takes status %d for an answer", s)
		} else if e, ok := err.(xocsp.ResponseError); !ok || int(e.Status) != int(s) {
			t.Errorf("x/crypto/ocsp says %v of status %d", err, s)
		}
	}
	for _, bad := range [][]byte{{0x30, 3, 0x0a, 1, 0}, {0x30, 3, 0x0a, 1, 4}, {0x30, 3, 0x0a, 1, 7}, {0x30, 3, 0x0a, 1, 0xff}} {
		if _, err := ParseResponse(bad); fault.CodeOf(err) != "ocsp.malformed" {
			t.Errorf("%x gives %v", bad, err)
		}
	}
}

func TestGoReadsOurs(t *testing.T) {
	for _, kind := range []string{"RSA-2048", "P-256", "P-384"} {
		h := newHouse(t, kind)
		der, err := (&Request{IDs: []CertID{h.id(t, crypto.SHA256)}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if q, err := xocsp.ParseRequest(der); err != nil || q.SerialNumber.Cmp(h.leaf.SerialNumber) != 0 || q.HashAlgorithm != crypto.SHA256 {
			t.Errorf("%s: x/crypto/ocsp reads our request as %+v, %v", kind, q, err)
		}
		for _, status := range []Status{Good, Revoked, Unknown} {
			der, err := h.delegated().Respond(h.now, nil, h.single(t, status))
			if err != nil {
				t.Fatal(err)
			}
			got, err := xocsp.ParseResponseForCert(der, h.leaf, h.ca)
			if err != nil || got.Status != int(status) {
				t.Errorf("%s: x/crypto/ocsp reads our %s as %+v, %v", kind, status, got, err)
			}
			if status == Revoked && err == nil && got.RevocationReason != int(KeyCompromise) {
				t.Errorf("%s: the reason is %d", kind, got.RevocationReason)
			}
		}
	}
}

func TestWeReadGo(t *testing.T) {
	h := newHouse(t, "P-256")
	der, err := xocsp.CreateRequest(h.leaf, h.ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ParseRequest(der)
	if err != nil || len(q.IDs) != 1 || !q.IDs[0].Equal(h.id(t, crypto.SHA1)) || q.Nonce != nil {
		t.Fatalf("got %+v, %v", q, err)
	}
	der, err = xocsp.CreateResponse(h.ca, h.responder, xocsp.Response{Status: xocsp.Revoked, SerialNumber: h.leaf.SerialNumber, Certificate: h.responder,
		ThisUpdate: h.now, NextUpdate: h.now.Add(time.Hour), RevokedAt: h.now.Add(-time.Hour), RevocationReason: xocsp.Superseded, IssuerHash: crypto.SHA256}, h.responderKey)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseResponse(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(h.ca, h.now); err != nil {
		t.Error(err)
	}
	if s, ok := r.Find(h.id(t, crypto.SHA256)); !ok || s.Status != Revoked || s.Reason != Superseded {
		t.Errorf("got %+v, %v", s, ok)
	}
}

func FuzzParseRequest(f *testing.F) {
	h := newHouse(f, "P-256")
	der, err := (&Request{IDs: []CertID{h.id(f, crypto.SHA1), h.id(f, crypto.SHA256)}, Nonce: make([]byte, 32)}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ParseRequest(der)
		if err != nil {
			if fault.CodeOf(err) == "internal" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		again, err := r.Marshal()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := ParseRequest(again)
		if err != nil || len(back.IDs) != len(r.IDs) || !bytes.Equal(back.Nonce, r.Nonce) {
			t.Fatalf("what was written reads differently: %v", err)
		}
		DecodeGET(string(der))
	})
}

func FuzzParseResponse(f *testing.F) {
	h := newHouse(f, "P-256")
	for _, status := range []Status{Good, Revoked, Unknown} {
		der, err := h.delegated().Respond(h.now, make([]byte, 32), h.single(f, status))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Add(ErrorResponse(TryLater))
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ParseResponse(der)
		if err != nil {
			if fault.CodeOf(err) == "internal" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		r.Verify(h.ca, h.now)
	})
}
