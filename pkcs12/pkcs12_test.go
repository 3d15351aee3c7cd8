package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/fault"
)

// house is a small hierarchy: a root, an issuing CA, and identities below it.
type house struct {
	root, issuing *x509.Certificate
	alice         Identity // RSA
	bob           Identity // P-256
}

var makeHouse = sync.OnceValue(func() house {
	rootKey, root := certify("Root", nil, nil, 1, nil)
	issuingKey, issuing := certify("Issuing CA", rootKey, root, 2, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, alice := certify("alice@example.com", issuingKey, issuing, 3, rsaKey)
	bobKey, bob := certify("bob@example.com", issuingKey, issuing, 4, nil)
	chain := []*x509.Certificate{issuing, root}
	return house{root, issuing,
		Identity{Key: rsaKey, Cert: alice, Chain: chain, FriendlyName: "Alice, signing"},
		Identity{Key: bobKey, Cert: bob, Chain: chain, FriendlyName: "Bob 🔑 Schlüssel"}}
})

// certify makes a certificate for key (a new P-256 key when nil), signed by parent (itself when nil).
func certify(name string, parentKey crypto.Signer, parent *x509.Certificate, serial int64, key crypto.Signer) (crypto.Signer, *x509.Certificate) {
	if key == nil {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		key = k
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	if strings.Contains(name, "@") {
		template.EmailAddresses = []string{name}
	} else {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return key, cert
}

func sameKey(a, b crypto.PrivateKey) bool {
	k, ok := a.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && k.Equal(b)
}

func TestRoundTrip(t *testing.T) {
	h := makeHouse()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	x, _ := ecdh.X25519().GenerateKey(rand.Reader)
	for _, c := range []struct {
		name     string
		in       []Identity
		password string
	}{
		{"one key with its chain", []Identity{h.alice}, "correct horse"},
		{"two keys that share a chain", []Identity{h.alice, h.bob}, "correct horse"},
		{"a key without a certificate", []Identity{{Key: ed}}, "x"},
		{"an X25519 key", []Identity{{Key: x, FriendlyName: "seal"}}, "x"},
		{"a certificate without a chain or name", []Identity{{Key: h.bob.Key, Cert: h.bob.Cert}}, "x"},
		{"a password outside ASCII", []Identity{h.bob}, "Schlüssel-Ключ"},
		{"a password outside the basic plane", []Identity{h.bob}, "🔑🗝"},
		{"a password longer than a hash block", []Identity{h.bob}, strings.Repeat("lang ", 50)},
	} {
		for _, encoding := range []Encoding{Modern, Legacy} {
			t.Run(c.name+[]string{", modern", ", legacy"}[encoding], func(t *testing.T) {
				file, err := writer{c.password, encoding, 100}.file(c.in) // the peers' tests have the real number of rounds
				if err != nil {
					t.Fatal(err)
				}
				out, extra, err := Decode(file, c.password, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if len(extra) != 0 || len(out) != len(c.in) {
					t.Fatalf("%d identities and %d extra certificates came back", len(out), len(extra))
				}
				for i, want := range c.in {
					checkIdentity(t, out[i], want)
				}
				_, _, err = Decode(file, c.password+"x", Limits{})
				if fault.CodeOf(err) != "pkcs12.wrong-password" || !fault.Is(err, fault.Invalid) {
					t.Errorf("a wrong password gives %v", err)
				}
			})
		}
	}
}

func checkIdentity(t *testing.T, got, want Identity) {
	t.Helper()
	if !sameKey(got.Key, want.Key) {
		t.Error("the key is another")
	}
	if got.FriendlyName != want.FriendlyName {
		t.Errorf("the name is %q, want %q", got.FriendlyName, want.FriendlyName)
	}
	if (got.Cert == nil) != (want.Cert == nil) || got.Cert != nil && !got.Cert.Equal(want.Cert) {
		t.Error("the certificate is another")
	}
	if len(got.Chain) != len(want.Chain) {
		t.Fatalf("the chain has %d certificates, want %d", len(got.Chain), len(want.Chain))
	}
	for i := range want.Chain {
		if !got.Chain[i].Equal(want.Chain[i]) {
			t.Errorf("certificate %d of the chain is another", i)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	h := makeHouse()
	for _, c := range []struct {
		name     string
		in       []Identity
		password string
		code     string
	}{
		{"no identity", nil, "x", "pkcs12.empty"},
		{"an empty password", []Identity{h.bob}, "", "pkcs12.empty-password"},
		{"a password with a null", []Identity{h.bob}, "a\x00b", "pkcs12.password-characters"},
		{"a password that is not UTF-8", []Identity{h.bob}, "a\xff", "pkcs12.password-characters"},
		{"a certificate of another key", []Identity{{Key: h.alice.Key, Cert: h.bob.Cert}}, "x", "pkcs12.key-mismatch"},
		{"no key", []Identity{{FriendlyName: "nobody"}}, "x", "pkcs12.unsupported-key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Encode(c.in, c.password, Modern); fault.CodeOf(err) != c.code || !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	h := makeHouse()
	file, err := Encode([]Identity{h.bob}, "secret", Modern)
	if err != nil {
		t.Fatal(err)
	}
	// Somewhere in the middle lie sealed octets: change one that belongs to no structure.
	altered := bytes.Clone(file)
	altered[len(altered)/2] ^= 1
	macless := bytes.Clone(file)
	macless[len(macless)-40] ^= 1 // within the salt or value of the MAC
	for _, c := range []struct {
		name   string
		in     []byte
		limits Limits
		codes  string
	}{
		{"nothing", nil, Limits{}, "pkcs12.damaged"},
		{"text", []byte("-----BEGIN CERTIFICATE-----"), Limits{}, "pkcs12.damaged"},
		{"half a file", file[:len(file)/2], Limits{}, "pkcs12.damaged"},
		{"a file with a tail", append(bytes.Clone(file), 0), Limits{}, "pkcs12.damaged"},
		{"a certificate", h.bob.Cert.Raw, Limits{}, "pkcs12.damaged"},
		{"a MAC that was altered under the right password", macless, Limits{}, "pkcs12.damaged"},
		{"more octets than allowed", file, Limits{Size: 100}, "pkcs12.limit"},
		{"more rounds than allowed", file, Limits{Iterations: 1000}, "pkcs12.limit"},
		{"more bags than allowed", file, Limits{Bags: 2}, "pkcs12.limit"},
		{"nesting without end", bytes.Repeat([]byte{0x30, 0x80}, 1<<18), Limits{}, "pkcs12.damaged"},
		{"contents that were altered", altered, Limits{}, "pkcs12.wrong-password pkcs12.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids, extra, err := Decode(c.in, "secret", c.limits)
			if err == nil || !strings.Contains(c.codes, fault.CodeOf(err)) {
				t.Errorf("got %s (%v), want %s", fault.CodeOf(err), err, c.codes)
			}
			if ids != nil || extra != nil {
				t.Error("a refusal came with contents")
			}
		})
	}
}

// rc2 against the vectors of RFC 2268 5 whose effective length is that of the key.
func TestRC2(t *testing.T) {
	for _, c := range []struct{ key, plain, sealed string }{
		{"\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x27\x8b\x27\xe4\x2e\x2f\x0d\x49"},
		{"\x30\x00\x00\x00\x00\x00\x00\x00", "\x10\x00\x00\x00\x00\x00\x00\x01", "\x30\x64\x9e\xdf\x9b\xe7\xd2\xc2"},
		{"\x88\xbc\xa9\x0e\x90\x87\x5a\x7f\x0f\x79\xc3\x84\x62\x7b\xaf\xb2", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x22\x69\x55\x2a\xb0\xf8\x5c\xa6"},
	} {
		b := newRC2([]byte(c.key))
		out := make([]byte, 8)
		b.Encrypt(out, []byte(c.plain))
		if string(out) != c.sealed {
			t.Errorf("%x sealed to %x, want %x", c.plain, out, c.sealed)
		}
		b.Decrypt(out, out)
		if string(out) != c.plain {
			t.Errorf("%x opened to %x, want %x", c.sealed, out, c.plain)
		}
	}
}

func FuzzDecode(f *testing.F) {
	h := makeHouse()
	for _, encoding := range []Encoding{Modern, Legacy} {
		file, err := writer{"x", encoding, 2}.file([]Identity{h.bob}) // two rounds, so that thousands are tried in a second
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Add([]byte{0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80, 0x00, 0x00, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, err := Decode(data, "x", Limits{Iterations: 2000})
		if err != nil && fault.CodeOf(err) == "internal" {
			t.Fatalf("an error without a code: %v", err)
		}
	})
}

// FuzzSafe reaches what Decode reads only behind a MAC that holds.
func FuzzSafe(f *testing.F) {
	h := makeHouse()
	for _, encoding := range []Encoding{Modern, Legacy} {
		file, err := writer{"x", encoding, 2}.file([]Identity{h.bob}) // two rounds, so that thousands are tried in a second
		if err != nil {
			f.Fatal(err)
		}
		parsed, err := parse(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(parsed.safe)
	}
	cert := certBag(h.bob.Cert, attributes(h.bob))
	f.Add(element(0x30, contentInfo(oidData, element(0x04, element(0x30, cert)))))
	f.Fuzz(func(t *testing.T, safe []byte) {
		p := pfxFile{safe: safe}
		if c, err := p.contents(secrets("x")[0], &budget{2000}, 100); err == nil {
			c.identities()
		}
	})
}
