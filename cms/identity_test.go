package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"chancery.example/cms"
)

// identity is a certificate with its key.
type identity struct {
	name string
	cert *x509.Certificate
	key  crypto.Signer
}

var (
	identityLock sync.Mutex
	identities   = map[string]*identity{}
)

// someone returns the identity of a name, made on first use: "rsa", "rsa-other", "rsa-1024", "p256", "p384", "p521", "p224"; "ca" issued their certificates.
func someone(t testing.TB, name string) *identity {
	t.Helper()
	identityLock.Lock()
	defer identityLock.Unlock()
	if id := identities[name]; id != nil {
		return id
	}
	var key crypto.Signer
	var err error
	switch name {
	case "rsa", "rsa-other":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-1024":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "p256", "p256-other":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "p224":
		key, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "ca":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		t.Fatalf("nobody is called %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	id := &identity{name: name, key: key}
	if name == "ca" {
		id.cert = certify(t, id, nil)
	} else {
		identityLock.Unlock()
		ca := someone(t, "ca")
		identityLock.Lock()
		id.cert = certify(t, id, ca)
	}
	identities[name] = id
	return id
}

// certify issues a certificate; without an issuer it is that of a CA.
func certify(t testing.TB, id, issuer *identity) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: id.name, Organization: []string{"Example"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, SubjectKeyId: append([]byte{7}, serial.Bytes()...),
	}
	if issuer == nil {
		issuer = id
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
		id.cert = template
	} else {
		template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement
		if _, ok := id.key.(*rsa.PrivateKey); ok {
			template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
		}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		template.EmailAddresses = []string{id.name + "@example.com"}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, id.key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (id *identity) decryptionKey() cms.DecryptionKey {
	return cms.DecryptionKey{Certificate: id.cert, Key: id.key}
}

// files writes certificate and key as PEM for other programs.
func (id *identity) files(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, dir, id.name+".crt", "CERTIFICATE", id.cert.Raw), writePEM(t, dir, id.name+".key", "PRIVATE KEY", der)
}

func writePEM(t testing.TB, dir, name, label string, der []byte) string {
	return write(t, dir, name, pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run starts another program and returns what it printed; a missing program is a failure unless -short is given.
func run(t testing.TB, input []byte, program string, args ...string) ([]byte, error) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if testing.Short() {
			t.Skipf("%s is not installed", program)
		}
		t.Fatalf("%s is not installed: %v", program, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		t.Logf("%s %v: %v\n%s", program, args, err, stderr.Bytes())
	}
	return stdout.Bytes(), err
}

func mustRun(t testing.TB, input []byte, program string, args ...string) []byte {
	t.Helper()
	out, err := run(t, input, program, args...)
	if err != nil {
		t.Fatalf("%s failed", program)
	}
	return out
}

// text is a content of n bytes that does not repeat every block.
func text(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte('a' + (i*7+i/251)%26)
	}
	return out
}
