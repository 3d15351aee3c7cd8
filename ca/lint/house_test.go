package lint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/ca/profile"
	"chancery.example/mailbox"
)

// now is the day on which everything in these tests is signed.
var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// makeKey makes each kind of key once; RSA takes its time.
func makeKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	keysMu.Lock()
	defer keysMu.Unlock()
	if k := keys[kind]; k != nil {
		return k
	}
	var k crypto.Signer
	var err error
	switch kind {
	case "P-256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "RSA-1024":
		k, err = rsa.GenerateKey(rand.Reader, 1024)
	case "RSA-2048":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA-3072", "RSA-4096":
		k, err = keyFrom(filepath.Join("testdata", strings.ToLower(kind)+".pem"))
	default:
		t.Fatalf("no key of kind %s", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys[kind] = k
	return k
}

// keyFrom reads a key that protects nothing; making one of this size takes too long for a test.
func keyFrom(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM in " + path)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return k.(crypto.Signer), nil
}

var (
	keysMu sync.Mutex
	keys   = map[string]crypto.Signer{}
)

func serial(t testing.TB) *big.Int {
	t.Helper()
	var b [16]byte
	rand.Read(b[:])
	b[0] |= 1
	return new(big.Int).SetBytes(b[:])
}

// sign makes a certificate of a TBSCertificate.
func sign(t testing.TB, tbs []byte, key crypto.Signer) *x509.Certificate {
	t.Helper()
	digest, hash, err := profile.Digest(tbs)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	der, err := profile.Assemble(tbs, signature)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// house is a root and an issuing CA with their keys.
type house struct {
	root, issuing       *x509.Certificate
	rootKey, issuingKey crypto.Signer
	rootTBS, issuingTBS []byte
}

func newHouse(t testing.TB, rootKind, issuingKind string) house {
	t.Helper()
	h := house{rootKey: makeKey(t, rootKind), issuingKey: makeKey(t, issuingKind)}
	var err error
	h.rootTBS, err = profile.Root(profile.Authority{CommonName: "Example Root R1", Organisation: "Example GmbH", Country: "DE",
		PublicKey: h.rootKey.Public(), Serial: serial(t), NotBefore: now.Add(-48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	h.root = sign(t, h.rootTBS, h.rootKey)
	h.issuingTBS, err = profile.Issuing(profile.Authority{CommonName: "Example Mail CA 1", Organisation: "Example GmbH", Country: "DE",
		PublicKey: h.issuingKey.Public(), Serial: serial(t), NotBefore: now.Add(-24 * time.Hour), Issuer: h.root,
		URLs: profile.URLs{CRL: []string{"http://pki.example.com/crl/root.crl"}, Issuer: []string{"http://pki.example.com/ca/root.cer"}}})
	if err != nil {
		t.Fatal(err)
	}
	h.issuing = sign(t, h.issuingTBS, h.rootKey)
	return h
}

func (h house) responder(t testing.TB, kind string) []byte {
	t.Helper()
	tbs, err := profile.Responder(profile.Authority{CommonName: "Example Responder 1", Organisation: "Example GmbH", Country: "DE",
		PublicKey: makeKey(t, kind).Public(), Serial: serial(t), NotBefore: now, Issuer: h.issuing})
	if err != nil {
		t.Fatal(err)
	}
	return tbs
}

func (h house) urls() profile.URLs {
	return profile.URLs{CRL: []string{"http://pki.example.com/crl/mail1.crl"}, Issuer: []string{"http://pki.example.com/ca/mail1.cer"},
		OCSP: []string{"http://pki.example.com/ocsp"}}
}

// subscriber builds a subscriber's TBSCertificate.
func (h house) subscriber(t testing.TB, name, kind string, use profile.Use, mode profile.Mode, addresses ...string) []byte {
	t.Helper()
	p, err := profile.Find(name, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(addresses) == 0 {
		addresses = []string{"alice@example.com"}
	}
	in := profile.Input{Mode: mode, Use: use, PublicKey: makeKey(t, kind).Public(), Serial: serial(t), NotBefore: now,
		Issuer: h.issuing, URLs: h.urls()}
	for _, a := range addresses {
		m, err := mailbox.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		in.Mailboxes = append(in.Mailboxes, m)
	}
	tbs, err := profile.Build(p, in)
	if err != nil {
		t.Fatal(err)
	}
	return tbs
}

// contextOf is the context of a subscriber certificate by a profile's name.
func (h house) contextOf(t testing.TB, name string, mode profile.Mode) Context {
	t.Helper()
	p, err := profile.Find(name, now)
	if err != nil {
		t.Fatal(err)
	}
	return Context{Kind: Subscriber, Type: p.Type, Generation: p.Generation, Mode: mode, Issuer: h.issuing, At: now}
}
