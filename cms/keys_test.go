package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"io"
	"os"
	"path/filepath"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

// hsmRSA shows no more of an RSA key than an HSM does.
type hsmRSA struct{ key *rsa.PrivateKey }

func (h hsmRSA) Public() crypto.PublicKey { return h.key.Public() }
func (h hsmRSA) Decrypt(r io.Reader, p []byte, o crypto.DecrypterOpts) ([]byte, error) {
	return h.key.Decrypt(r, p, o)
}
func (h hsmRSA) Sign(r io.Reader, p []byte, o crypto.SignerOpts) ([]byte, error) {
	return h.key.Sign(r, p, o)
}

// hsmEC shows no more of an elliptic curve key than an HSM does.
type hsmEC struct{ key *ecdsa.PrivateKey }

func (h hsmEC) ECDH(remote *ecdh.PublicKey) ([]byte, error) {
	k, err := h.key.ECDH()
	if err != nil {
		return nil, err
	}
	return k.ECDH(remote)
}

func TestKeysMayLiveElsewhere(t *testing.T) {
	r, p := someone(t, "rsa"), someone(t, "p384")
	content := text(500)
	for name, recipient := range map[string]cms.Recipient{"v1.5": {Certificate: r.cert}, "OAEP": {Certificate: r.cert, OAEP: true}, "ECDH": {Certificate: p.cert}} {
		key := cms.DecryptionKey{Certificate: recipient.Certificate, Key: hsmRSA{r.key.(*rsa.PrivateKey)}}
		if name == "ECDH" {
			key.Key = hsmEC{p.key.(*ecdsa.PrivateKey)}
		}
		message := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{recipient}})
		if got, _ := decrypted(t, message, key); !bytes.Equal(got, content) {
			t.Errorf("%s: the content came out different", name)
		}
		// A key of the wrong kind is a failure like all others.
		for _, wrong := range []crypto.PrivateKey{nil, "a string", someone(t, "p256").key, someone(t, "rsa-other").key} {
			_, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{{Certificate: recipient.Certificate, Key: wrong}}, cms.Limits{})
			if fault.CodeOf(err) != "cms.decrypt" {
				t.Errorf("%s with %T: %v", name, wrong, err)
			}
		}
	}
	message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: r.cert, Key: hsmRSA{r.key.(*rsa.PrivateKey)}, PSS: true}}})
	_, s := readSigned(t, message)
	if r := s.Signers[0].Check(r.cert); r.Status != cms.Intact {
		t.Errorf("%+v", r)
	}
}

func TestKeysAreLookedUpByRecipient(t *testing.T) {
	a, b := someone(t, "rsa"), someone(t, "p256")
	message := encrypted(t, text(50), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: a.cert}, {Certificate: b.cert}}})
	r, err := cms.NewReader(bytes.NewReader(message), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	o, err := r.DecryptWith(func(info cms.RecipientInfo) []cms.DecryptionKey {
		asked++
		if info.Recipient.Serial.Cmp(b.cert.SerialNumber) == 0 {
			return []cms.DecryptionKey{b.decryptionKey()}
		}
		return nil
	})
	if err != nil || asked != 2 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
	if got, err := io.ReadAll(o.Plaintext); err != nil || !bytes.Equal(got, text(50)) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCertificatesForPSSOnly: crypto/x509 leaves keys of the type id-RSASSA-PSS alone, and such a key must not be used otherwise.
func TestCertificatesForPSSOnly(t *testing.T) {
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "pss.key"), filepath.Join(dir, "pss.crt")
	mustRun(t, nil, "openssl", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
	mustRun(t, nil, "openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=pss", "-days", "2", "-out", cert)
	p, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := pemIdentity(t, p)
	content := text(500)
	message := mustRun(t, content, "openssl", "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer", cert, "-inkey", key, "-keyopt", "rsa_padding_mode:pss")
	_, s := readSigned(t, message)
	if r := s.Signers[0].Check(c); r.Status != cms.Intact {
		t.Errorf("%+v", r)
	}
	n := cms.ParseNode(message)
	alg := signerOf(n).Children[4]
	alg.Children = []*cms.Node{{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")}, {Tag: 5}}
	_, s = readSigned(t, n.DER())
	if r := s.Signers[0].Check(c); r.Status != cms.Broken || r.Reason != cms.ReasonAlgorithmMismatch {
		t.Errorf("as v1.5: %+v", r)
	}
	if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: c}}}); !fault.Is(err, fault.Refused) {
		t.Errorf("encrypted to a key for signatures: %v", err)
	}
}

func TestEncryptionKeyPreferenceGoesBothWays(t *testing.T) {
	id, other := someone(t, "p256"), someone(t, "rsa")
	message := signed(t, nil, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, Attributes: []cms.Attribute{cms.EncryptionKeyPreference(other.cert)}})
	_, s := readSigned(t, message)
	if k := s.Signers[0].EncryptionKey; !k.Matches(other.cert) || k.Matches(id.cert) {
		t.Errorf("%+v", k)
	}
}

// TestSpoolFileHasNoName: what does not fit into memory lies in a file that nobody else can find or read.
func TestSpoolFileHasNoName(t *testing.T) {
	id := someone(t, "p256")
	content := text(300_000)
	for _, c := range []cms.Cipher{cms.AES256GCM, cms.AES128CBC, cms.ChaCha20Poly1305} {
		for _, memory := range []int64{1, 1000, 64 << 10, 64<<10 + 1, 299_999, 300_000, 300_008, 400_000} {
			dir := t.TempDir()
			message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Certificate: id.cert}}})
			o, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{SpoolMemory: memory, SpoolDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("there is %s", files[0].Name())
			}
			got, err := io.ReadAll(o.Plaintext)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s with %d bytes of memory: %d bytes came out, %v", c, memory, len(got), err)
			}
			if err := o.Plaintext.Close(); err != nil {
				t.Error(err)
			}
		}
		message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Certificate: id.cert}}})
		_, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{SpoolMemory: 1, SpoolDir: filepath.Join(t.TempDir(), "missing")})
		if fault.CodeOf(err) != "cms.spool" {
			t.Errorf("%v", err)
		}
	}
}
