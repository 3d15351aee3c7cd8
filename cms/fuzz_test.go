package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"testing"
	"time"

	"chancery.example/cms"
)

// fixed returns the identity that the committed seeds are made for: its key is no secret.
func fixed(t testing.TB) *identity {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), big.NewInt(20261122).FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "fixed"}, SubjectKeyId: []byte("fixed"),
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(1_900_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{name: "fixed", cert: cert, key: key}
}

// small are limits that let a fuzzer reach them.
var small = cms.Limits{Depth: 12, Signers: 4, SignerBytes: 4096, Recipients: 4, RecipientBytes: 4096, Certificates: 4, CertificateBytes: 4096,
	CarriedBytes: 8192, AttributeBytes: 2048, SpoolMemory: 512, Content: 1 << 20, Iterations: 20_000, Unpacked: 3 << 20, Ratio: 50, WholeContent: 64}

// fixedKeys are keys of every kind that the committed seeds are made for.
func fixedKeys(t testing.TB) []cms.DecryptionKey {
	t.Helper()
	seed := bytes.Repeat([]byte{7}, 64)
	x, err := ecdh.X25519().NewPrivateKey(seed[:32])
	if err != nil {
		t.Fatal(err)
	}
	kem, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		t.Fatal(err)
	}
	keys := []cms.DecryptionKey{fixed(t).decryptionKey(), {Key: cms.Passphrase("fixed")}, {Key: cms.SharedKey{Key: seed[:16]}}}
	for name, key := range map[string]crypto.PrivateKey{"x25519": x, "ml-kem": kem} {
		cert := &x509.Certificate{SerialNumber: big.NewInt(9), SubjectKeyId: []byte(name), RawSubjectPublicKeyInfo: modernKeyInfo(key).DER()}
		keys = append(keys, cms.DecryptionKey{Certificate: cert, Key: key})
	}
	return keys
}

// FuzzSigned reads anything as SignedData, opaque and detached, and checks whatever signers it has.
func FuzzSigned(f *testing.F) {
	id := fixed(f)
	content := text(100)
	f.Fuzz(func(t *testing.T, message []byte) {
		if r, err := cms.NewReader(bytes.NewReader(message), small); err == nil {
			if s, err := r.Signed(); err == nil {
				got, err := io.ReadAll(s.Content())
				if signed, finish := s.Finish(); err == nil && finish == nil {
					for _, signer := range signed.Signers {
						if c := signed.CertificateOf(signer); c != nil {
							signer.Check(c)
						}
						if r := signer.Check(id.cert); r.Status == cms.Intact && !s.Detached() && !bytes.Equal(got, content) {
							t.Fatalf("intact over %q", got)
						}
					}
				}
			}
		}
		signed, err := cms.VerifyDetached(bytes.NewReader(message), bytes.NewReader(content), small)
		if err != nil {
			return
		}
		for _, signer := range signed.Signers {
			signer.Check(id.cert)
		}
	})
}

// FuzzDecrypt opens anything. What opens as authenticated is the content that the seeds were made of.
func FuzzDecrypt(f *testing.F) {
	keys := fixedKeys(f)
	f.Fuzz(func(t *testing.T, message []byte) {
		o, err := cms.Decrypt(bytes.NewReader(message), keys, small)
		if err != nil {
			return
		}
		defer o.Plaintext.Close()
		got, err := io.ReadAll(o.Plaintext)
		if err != nil || int64(len(got)) != o.Length {
			t.Fatalf("%d bytes of %d: %v", len(got), o.Length, err)
		}
		if o.Authenticated && !bytes.Equal(got, text(len(got))) {
			t.Fatalf("authenticated %q", got)
		}
	})
}

// FuzzUnpack reads anything as CompressedData and as EncryptedData.
func FuzzUnpack(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte) {
		if got, err := unpack(message, small); err == nil && int64(len(got)) > small.Unpacked {
			t.Fatalf("%d bytes", len(got))
		}
		r, err := cms.NewReader(bytes.NewReader(message), small)
		if err != nil {
			return
		}
		o, err := r.DecryptData(make([]byte, 16))
		if err != nil {
			return
		}
		defer o.Plaintext.Close()
		if got, err := io.ReadAll(o.Plaintext); err != nil || int64(len(got)) != o.Length || o.Authenticated {
			t.Fatalf("%d bytes of %d: %v", len(got), o.Length, err)
		}
	})
}

// FuzzParsePrivateKey reads anything as a private key.
func FuzzParsePrivateKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, der []byte) {
		if key, err := cms.ParsePrivateKey(der); (key == nil) == (err == nil) {
			t.Fatalf("%T, %v", key, err)
		}
	})
}

// FuzzDescribe describes anything, as PEM and as it is.
func FuzzDescribe(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte) {
		cms.Describe(bytes.NewReader(message), small)
		d, err := cms.Describe(cms.PEMReader(bytes.NewReader(message)), small)
		if err != nil {
			return
		}
		for range 3 {
			if d.Content == nil {
				break
			}
			d = d.Content
		}
	})
}

// FuzzNormalize turns anything into DER lengths; doing it again changes nothing.
func FuzzNormalize(f *testing.F) {
	f.Fuzz(func(t *testing.T, element []byte) {
		once, err := cms.Normalize(element, 20)
		if err != nil {
			return
		}
		twice, err := cms.Normalize(once, 20)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%x became %x and then %x, %v", element, once, twice, err)
		}
	})
}
