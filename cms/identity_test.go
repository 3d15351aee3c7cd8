package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
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

	"filippo.io/mldsa"

	"chancery.example/cms"
)

// identity is a certificate with its key.
type identity struct {
	name string
	cert *x509.Certificate
	key  crypto.PrivateKey
}

// signer is the private key of one who signs.
func (id *identity) signer() crypto.Signer { return id.key.(crypto.Signer) }

var (
	identityLock sync.Mutex
	identities   = map[string]*identity{}
)

// someone returns the identity of a name, made on first use: "rsa", "rsa-other", "rsa-1024", "p256", "p384", "p521", "p224",
// "ed25519", "x25519", "ml-dsa-44" … "ml-kem-1024"; "ca" issued their certificates.
func someone(t testing.TB, name string) *identity {
	t.Helper()
	identityLock.Lock()
	defer identityLock.Unlock()
	if id := identities[name]; id != nil {
		return id
	}
	var key crypto.PrivateKey
	var err error
	switch name {
	case "ed25519", "ed25519-other":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "x25519", "x25519-other":
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	case "ml-dsa-44":
		key, err = mldsa.GenerateKey(mldsa.MLDSA44())
	case "ml-dsa-65", "ml-dsa-65-other":
		key, err = mldsa.GenerateKey(mldsa.MLDSA65())
	case "ml-dsa-87":
		key, err = mldsa.GenerateKey(mldsa.MLDSA87())
	case "ml-kem-768", "ml-kem-768-other":
		key, err = mlkem.GenerateKey768()
	case "ml-kem-1024":
		key, err = mlkem.GenerateKey1024()
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
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, publicOf(id.key), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	if info := modernKeyInfo(id.key); info != nil {
		der = withKeyInfo(t, der, info, issuer.signer())
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// publicOf returns a public key that crypto/x509 can write: for those that it cannot, any other in its place.
func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	switch key.(type) {
	case *ecdh.PrivateKey, *mldsa.PrivateKey, *mlkem.DecapsulationKey768, *mlkem.DecapsulationKey1024:
		return ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))
	}
	return key.(crypto.Signer).Public()
}

// modernKeyInfo returns the SubjectPublicKeyInfo of a key that crypto/x509 does not write, and nil for others: RFC 8410, RFC 9881, RFC 9935.
func modernKeyInfo(key crypto.PrivateKey) *cms.Node {
	var last byte // of the object identifiers 2.16.840.1.101.3.4.3.x and .4.x
	var public []byte
	family := byte(4)
	switch k := key.(type) {
	case *ecdh.PrivateKey:
		return node(16, node(16, &cms.Node{Tag: 6, Contents: []byte{0x2b, 0x65, 0x6e}}), &cms.Node{Tag: 3, Contents: append([]byte{0}, k.PublicKey().Bytes()...)})
	case *mldsa.PrivateKey:
		family, public = 3, k.PublicKey().Bytes()
		last = map[string]byte{"ML-DSA-44": 17, "ML-DSA-65": 18, "ML-DSA-87": 19}[k.PublicKey().Parameters().String()]
	case *mlkem.DecapsulationKey768:
		last, public = 2, k.EncapsulationKey().Bytes()
	case *mlkem.DecapsulationKey1024:
		last, public = 3, k.EncapsulationKey().Bytes()
	default:
		return nil
	}
	return node(16, node(16, &cms.Node{Tag: 6, Contents: []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, family, last}}),
		&cms.Node{Tag: 3, Contents: append([]byte{0}, public...)})
}

// withKeyInfo puts another SubjectPublicKeyInfo into a certificate and signs it anew.
func withKeyInfo(t testing.TB, der []byte, info *cms.Node, issuer crypto.Signer) []byte {
	t.Helper()
	n := cms.ParseNode(der)
	n.Children[0].Children[6] = info
	sum := sha256.Sum256(n.Children[0].DER())
	signature, err := issuer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	n.Children[2].Contents = append([]byte{0}, signature...)
	return n.DER()
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
