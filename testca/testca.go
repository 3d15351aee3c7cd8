// Package testca answers: which hierarchy does this test need?
//
// Any hierarchy is one expression:
//
//	alice := testca.New(t).Root().Issuing().Leaf("alice@example.com", testca.RSA2048)
//
// Certificates are real and signed by real keys; every peer accepts them. It is for tests only.
package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The validity of every certificate unless Valid says otherwise. They span the years in which the tests will run.
var (
	Start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	End   = time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Option changes a certificate before it is signed. Key algorithms are options too.
type Option interface{ change(*plan) }

// plan is what one certificate shall be.
type plan struct {
	algorithm Algorithm
	key       crypto.Signer
	template  x509.Certificate
}

// Algorithm is a key algorithm.
type Algorithm string

// The key algorithms. P256 is what everything has that says nothing.
const (
	RSA1024 Algorithm = "RSA-1024" // too weak, for refusals; needs GODEBUG=rsa1024min=0
	RSA2048 Algorithm = "RSA-2048"
	RSA3072 Algorithm = "RSA-3072"
	P256    Algorithm = "P-256"
	P384    Algorithm = "P-384"
	P521    Algorithm = "P-521"
	Ed25519 Algorithm = "Ed25519"
)

func (a Algorithm) change(p *plan) { p.algorithm = a }

// With changes the template in any way.
type With func(template *x509.Certificate)

func (w With) change(p *plan) { w(&p.template) }

type withKey struct{ key crypto.Signer }

func (w withKey) change(p *plan) { p.key = w.key }

// Key uses a key that exists already, to certify it twice.
func Key(key crypto.Signer) Option { return withKey{key} }

// Valid sets the validity.
func Valid(notBefore, notAfter time.Time) Option {
	return With(func(t *x509.Certificate) { t.NotBefore, t.NotAfter = notBefore, notAfter })
}

// Usage sets the key usage of a leaf.
func Usage(usage x509.KeyUsage) Option {
	return With(func(t *x509.Certificate) { t.KeyUsage = usage })
}

// ExtUsage sets the extended key usages; none leaves the extension out.
func ExtUsage(usages ...x509.ExtKeyUsage) Option {
	return With(func(t *x509.Certificate) { t.ExtKeyUsage = usages })
}

// Name sets the common name.
func Name(common string) Option {
	return With(func(t *x509.Certificate) { t.Subject.CommonName = common })
}

// SubjectAddress moves the address of a leaf from the subjectAltName to the subject's emailAddress, as old
// certificates have it.
func SubjectAddress(address string) Option {
	return With(func(t *x509.Certificate) {
		t.Subject.ExtraNames = append(t.Subject.ExtraNames, pkix.AttributeTypeAndValue{
			Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(address)},
		})
	})
}

// Extension adds one.
func Extension(id asn1.ObjectIdentifier, critical bool, der []byte) Option {
	return With(func(t *x509.Certificate) {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: der})
	})
}

// Capabilities adds the S/MIME capabilities extension (RFC 4262) with these algorithms, without parameters.
func Capabilities(t testing.TB, ids ...asn1.ObjectIdentifier) Option {
	t.Helper()
	type capability struct{ ID asn1.ObjectIdentifier }
	var list []capability
	for _, id := range ids {
		list = append(list, capability{id})
	}
	der, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return Extension(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}, false, der)
}

// World is where a test's hierarchies begin.
type World struct{ t testing.TB }

// New begins a world for a test.
func New(t testing.TB) *World { return &World{t} }

// CA is one certification authority.
type CA struct {
	Cert   *x509.Certificate
	Key    crypto.Signer
	Parent *CA // nil for a root
	t      testing.TB
}

// Leaf is one mailbox's certificate.
type Leaf struct {
	Cert   *x509.Certificate
	Key    crypto.Signer
	Issuer *CA
	t      testing.TB
}

// Root makes a self-signed authority.
func (w *World) Root(options ...Option) *CA {
	w.t.Helper()
	return newCA(w.t, nil, "Test Root", options)
}

// Issuing makes an authority below this one.
func (c *CA) Issuing(options ...Option) *CA {
	c.t.Helper()
	return newCA(c.t, c, "Test Issuing CA", options)
}

func newCA(t testing.TB, parent *CA, name string, options []Option) *CA {
	t.Helper()
	p := plan{algorithm: P256, template: x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Example"}, CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, IsCA: true,
	}}
	cert, key := p.issue(t, parent, options)
	return &CA{Cert: cert, Key: key, Parent: parent, t: t}
}

// Leaf makes a certificate for signing and encryption with one address; "" for none.
func (c *CA) Leaf(address string, options ...Option) *Leaf {
	c.t.Helper()
	p := plan{algorithm: P256, template: x509.Certificate{
		Subject:               pkix.Name{CommonName: "Leaf " + address},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		BasicConstraintsValid: true,
	}}
	if address != "" {
		p.template.EmailAddresses = []string{address}
	}
	cert, key := p.issue(c.t, c, options)
	return &Leaf{Cert: cert, Key: key, Issuer: c, t: c.t}
}

// issue makes the key and signs the certificate; without a parent it signs itself.
func (p *plan) issue(t testing.TB, parent *CA, options []Option) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	p.template.NotBefore, p.template.NotAfter = Start, End
	p.template.SerialNumber = randomSerial(t)
	for _, option := range options {
		option.change(p)
	}
	key := p.key
	if key == nil {
		key = NewKey(t, p.algorithm)
	}
	issuer, signer := &p.template, key
	if parent != nil {
		issuer, signer = parent.Cert, parent.Key
	}
	if public, err := x509.MarshalPKIXPublicKey(key.Public()); err == nil && p.template.SubjectKeyId == nil {
		sum := sha256.Sum256(public)
		p.template.SubjectKeyId = sum[:20] // leaves too: peers name signers and recipients by it
	}
	der, err := x509.CreateCertificate(rand.Reader, &p.template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatalf("testca: sign %s: %v", p.template.Subject, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("testca: parse %s: %v", p.template.Subject, err)
	}
	return cert, key
}

// NewKey makes a key.
func NewKey(t testing.TB, algorithm Algorithm) crypto.Signer {
	t.Helper()
	curves := map[Algorithm]elliptic.Curve{P256: elliptic.P256(), P384: elliptic.P384(), P521: elliptic.P521()}
	bits := map[Algorithm]int{RSA1024: 1024, RSA2048: 2048, RSA3072: 3072}
	var key crypto.Signer
	var err error
	switch {
	case curves[algorithm] != nil:
		key, err = ecdsa.GenerateKey(curves[algorithm], rand.Reader)
	case bits[algorithm] > 0:
		key, err = rsa.GenerateKey(rand.Reader, bits[algorithm])
	case algorithm == Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("testca: no key algorithm %q", algorithm)
	}
	if err != nil {
		t.Fatalf("testca: make a %s key: %v", algorithm, err)
	}
	return key
}

func randomSerial(t testing.TB) *big.Int {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		t.Fatal(err)
	}
	return serial.Add(serial, big.NewInt(1))
}

// Root is the authority at the top.
func (c *CA) Root() *CA {
	for c.Parent != nil {
		c = c.Parent
	}
	return c
}

// Intermediates are the authorities between a leaf and its root, the leaf's issuer first.
func (l *Leaf) Intermediates() []*x509.Certificate {
	var chain []*x509.Certificate
	for c := l.Issuer; c.Parent != nil; c = c.Parent {
		chain = append(chain, c.Cert)
	}
	return chain
}

// Revoked is one entry of a CRL.
type Revoked struct {
	Leaf   *Leaf
	At     time.Time
	Reason int // RFC 5280 5.3.1
}

// CRL signs a list in DER that was made at a time and holds for a week.
func (c *CA) CRL(at time.Time, revoked ...Revoked) []byte {
	c.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(at.Unix()), ThisUpdate: at, NextUpdate: at.Add(7 * 24 * time.Hour)}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: r.Leaf.Cert.SerialNumber, RevocationTime: r.At, ReasonCode: r.Reason})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.Cert, c.Key)
	if err != nil {
		c.t.Fatalf("testca: sign a CRL: %v", err)
	}
	return der
}

// CertPEM is certificates in PEM, one after the other.
func CertPEM(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, cert := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return text
}

// KeyPEM is a private key in PEM (PKCS#8).
func KeyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Files writes cert.pem, key.pem, chain.pem (all between leaf and root) and root.pem under names that begin with
// prefix, for peers that read files.
func (l *Leaf) Files(dir, prefix string) {
	l.t.Helper()
	for name, data := range map[string][]byte{
		"cert.pem": CertPEM(l.Cert), "key.pem": KeyPEM(l.t, l.Key),
		"chain.pem": CertPEM(l.Intermediates()...), "root.pem": CertPEM(l.Issuer.Root().Cert),
	} {
		if err := os.WriteFile(filepath.Join(dir, prefix+name), data, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
}
