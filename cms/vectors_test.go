package cms_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/mldsa"

	"chancery.example/cms"
)

func golden(t *testing.T, elements ...string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMLDSAExampleOfRFC9882 is a message of RFC 9882, appendix B. Its certificate, which names the signer, is not carried; its key is
// that of the seed 0, 1, … 31 of RFC 9881.
func TestMLDSAExampleOfRFC9882(t *testing.T) {
	message, err := io.ReadAll(cms.PEMReader(bytes.NewReader(golden(t, "rfc9882", "ml-dsa-44-with-attributes.pem"))))
	if err != nil {
		t.Fatal(err)
	}
	content, s := readSigned(t, message)
	if string(content) != "ML-DSA-44 signed-data example with signed attributes" || len(s.Signers) != 1 {
		t.Fatalf("%q, %d signers", content, len(s.Signers))
	}
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	if err != nil {
		t.Fatal(err)
	}
	ca := someone(t, "ca")
	issuer := *ca.cert
	issuer.RawSubject, issuer.Subject = nil, pkix.Name{Organization: []string{"IETF"}, CommonName: "LAMPS WG"}
	template := &x509.Certificate{SerialNumber: s.Signers[0].Signer.Serial, NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0)}
	der, err := x509.CreateCertificate(nil, template, &issuer, publicOf(key), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(withKeyInfo(t, der, modernKeyInfo(key), ca.signer()))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Signers[0].Check(cert); r.Status != cms.Intact {
		t.Errorf("%+v", r)
	}
}

// TestMessagesOfBouncyCastle were made by Bouncy Castle 1.72 with the identity of Dana in RFC 9216.
func TestMessagesOfBouncyCastle(t *testing.T) {
	want := text(100)
	for name, counters := range map[string]int{"ed25519-countersigned.der": 1, "ed25519-without-attributes.der": 0} {
		content, s := readSigned(t, golden(t, "bouncycastle", name))
		if !bytes.Equal(content, want) || len(s.Signers) != 1 || len(s.Signers[0].CounterSignatures) != counters {
			t.Fatalf("%s: %q, %d signers", name, content, len(s.Signers))
		}
		for _, signer := range append(s.Signers, s.Signers[0].CounterSignatures...) {
			if r := signer.Check(s.CertificateOf(signer)); r.Status != cms.Intact {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	if got, err := unpack(golden(t, "bouncycastle", "compressed.der"), cms.Limits{}); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if got, _ := decrypted(t, golden(t, "bouncycastle", "password.der"), cms.DecryptionKey{Key: cms.Passphrase("correct")}); !bytes.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
