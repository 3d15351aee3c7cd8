package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"os/exec"
	"strings"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/mailbox"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] |= 0x40
	return new(big.Int).SetBytes(b[:])
}

func address(t testing.TB, text string) mailbox.Address {
	t.Helper()
	m, err := mailbox.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sign(t testing.TB, tbs []byte, key crypto.Signer) *x509.Certificate {
	t.Helper()
	digest, hash, err := Digest(tbs)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	der, err := Assemble(tbs, signature)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

type house struct {
	root, issuing       *x509.Certificate
	rootKey, issuingKey crypto.Signer
}

func rootOf(key crypto.Signer) Authority {
	return Authority{CommonName: "Example Root R1", Organisation: "Exämple GmbH", Country: "DE", PublicKey: key.Public(),
		Serial: serial(), NotBefore: now.Add(-48 * time.Hour)}
}

func (h house) issuingOf(key crypto.Signer) Authority {
	return Authority{CommonName: "Example Mail CA 1", Organisation: "Exämple GmbH", Country: "DE", PublicKey: key.Public(),
		Serial: serial(), NotBefore: now.Add(-24 * time.Hour), Issuer: h.root,
		URLs: URLs{CRL: []string{"http://pki.example.com/crl/root.crl"}, Issuer: []string{"http://pki.example.com/ca/root.cer"}}}
}

func newHouse(t testing.TB, issuingKey crypto.Signer) house {
	t.Helper()
	h := house{rootKey: ecKey(t, elliptic.P384()), issuingKey: issuingKey}
	tbs, err := Root(rootOf(h.rootKey))
	if err != nil {
		t.Fatal(err)
	}
	h.root = sign(t, tbs, h.rootKey)
	if tbs, err = Issuing(h.issuingOf(issuingKey)); err != nil {
		t.Fatal(err)
	}
	h.issuing = sign(t, tbs, h.rootKey)
	return h
}

// input is a complete one, which tests change.
func (h house) input(t testing.TB, addresses ...string) Input {
	t.Helper()
	in := Input{Mode: Private, Use: Dual, PublicKey: ecKey(t, elliptic.P256()).Public(), Serial: serial(), NotBefore: now,
		Issuer: h.issuing, URLs: URLs{CRL: []string{"http://pki.example.com/crl/mail1.crl"},
			Issuer: []string{"http://pki.example.com/ca/mail1.cer"}, OCSP: []string{"http://pki.example.com/ocsp"}}}
	if len(addresses) == 0 {
		addresses = []string{"alice@example.com"}
	}
	for _, a := range addresses {
		in.Mailboxes = append(in.Mailboxes, address(t, a))
	}
	return in
}

func find(t testing.TB, name string) Profile {
	t.Helper()
	p, err := Find(name, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mustBe checks a refusal: kind, code and a sentence for a person that names the rule.
func mustBe(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Fatalf("got %v (kind %v, code %s), want kind %v, code %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
	say := fault.Sentence(err)
	if len(say) < 20 || strings.Contains(say, "%!") {
		t.Errorf("no sentence for a person: %q", say)
	}
	if id, ok := strings.CutPrefix(code, "profile.BR-"); ok && kind == fault.Refused && !strings.Contains(say, "BR-"+id) {
		t.Errorf("the sentence does not name BR-%s: %s", id, say)
	}
}

// openssl runs a peer; that it fails is a failure.
func openssl(t testing.TB, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader(string(stdin))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}
