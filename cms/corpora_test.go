package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

// corpus returns a folder of messages that others made. They are not copied into the project: CHANCERY_CORPORA says where
// they are, by default beside the project.
func corpus(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("CHANCERY_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "corpora")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Logf("the corpus %s is not there (CHANCERY_CORPORA names its folder)", dir)
		t.SkipNow()
	}
	return dir
}

func readFile(t *testing.T, elements ...string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pemIdentity reads certificate and private key from PEM files.
func pemIdentity(t *testing.T, files ...[]byte) (*x509.Certificate, crypto.PrivateKey) {
	t.Helper()
	var cert *x509.Certificate
	var key crypto.PrivateKey
	for _, rest := range files {
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			switch block.Type {
			case "CERTIFICATE":
				if c, err := x509.ParseCertificate(block.Bytes); err == nil && cert == nil {
					cert = c
				}
			case "PRIVATE KEY":
				key, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
			case "EC PRIVATE KEY":
				key, _ = x509.ParseECPrivateKey(block.Bytes)
			case "RSA PRIVATE KEY":
				key, _ = x509.ParsePKCS1PrivateKey(block.Bytes)
			}
		}
	}
	return cert, key
}

func TestOpenSSLCorpusOfBadAttributes(t *testing.T) {
	dir := corpus(t, "openssl/test/recipes/80-test_cms_data")
	for name, reason := range map[string]string{
		"bad_signtime_attr.cms": cms.ReasonBadAttributes,
		"ct_multiple_attr.cms":  cms.ReasonBadAttributes,
		"no_ct_attr.cms":        cms.ReasonBadAttributes,
		"no_md_attr.cms":        cms.ReasonBadAttributes,
	} {
		t.Run(name, func(t *testing.T) {
			_, s := readSigned(t, readFile(t, dir, name))
			if len(s.Signers) == 0 {
				t.Fatal("no signer")
			}
			for _, signer := range s.Signers {
				if r := signer.Check(s.CertificateOf(signer)); r.Status != cms.Broken || r.Reason != reason {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

func TestOpenSSLCorpusOfDecryption(t *testing.T) {
	dir := corpus(t, "openssl/test")
	data := filepath.Join(dir, "recipes", "80-test_cms_data")
	t.Run("a message of OpenSSL 1.1.1 opens", func(t *testing.T) {
		cert, key := pemIdentity(t, readFile(t, dir, "smime-certs", "smec3.pem"))
		_, body, _ := bytes.Cut(readFile(t, data, "ciphertext_from_1_1_1.cms"), []byte("\n\n"))
		message, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := decrypted(t, message, cms.DecryptionKey{Certificate: cert, Key: key})
		want := bytes.ReplaceAll(readFile(t, dir, "smcont.txt"), []byte("\n"), []byte("\r\n"))
		if !bytes.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
	for name, files := range map[string][2]string{
		"dh-malformed.der":   {filepath.Join(data, "dh-cert.pem"), filepath.Join(data, "dh-key.pem")},
		"ecdh-malformed.der": {filepath.Join(data, "ecdh-cert.pem"), filepath.Join(data, "ecdh-key.pem")},
		"rsa-malformed.der":  {filepath.Join(dir, "smime-certs", "smrsa3-cert.pem"), filepath.Join(dir, "smime-certs", "smrsa3-key.pem")},
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			cert, key := pemIdentity(t, readFile(t, files[0]), readFile(t, files[1]))
			_, err := cms.Decrypt(bytes.NewReader(readFile(t, data, name)), []cms.DecryptionKey{{Certificate: cert, Key: key}}, cms.Limits{})
			if err == nil {
				t.Error("was opened")
			}
			t.Log(err)
		})
	}
	t.Run("a nonce that is too long is an error", func(t *testing.T) {
		message := cms.PEMReader(bytes.NewReader(readFile(t, dir, "recipes", "80-test_cmsapi_data", "encDataWithTooLongIV.pem")))
		_, err := cms.Decrypt(message, nil, cms.Limits{})
		if err == nil {
			t.Error("was opened")
		}
		t.Log(err)
	})
	t.Run("EncryptedData is described", func(t *testing.T) {
		d, err := cms.Describe(bytes.NewReader(readFile(t, dir, "recipes", "80-test_cmsapi_data", "encryptedData.der")), cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d.Type != cms.TypeEncryptedData || d.Cipher == nil || d.ContentBytes == 0 {
			t.Errorf("%+v", d)
		}
	})
	for _, name := range []string{"80-test_cms_data/pkcs7-md4.pem", "80-test_cms_data/pkcs7-md4-encrypted.pem", "25-test_pkcs7_data/malformed.pkcs7"} {
		t.Run(name+" is not believed", func(t *testing.T) {
			message, _ := io.ReadAll(cms.PEMReader(bytes.NewReader(readFile(t, dir, "recipes", name))))
			r, err := cms.NewReader(bytes.NewReader(message), cms.Limits{})
			if err != nil {
				t.Log(err)
				return
			}
			s, err := r.Signed()
			if err != nil {
				t.Log(err)
				return
			}
			signed, err := s.Finish()
			if err != nil {
				t.Log(err)
				return
			}
			for _, signer := range signed.Signers {
				r := signer.Check(signed.CertificateOf(signer))
				t.Logf("%+v", r)
				if r.Status == cms.Intact {
					t.Error("is intact")
				}
			}
		})
	}
	t.Run("a bad RSA key is refused as a recipient", func(t *testing.T) {
		cert, _ := pemIdentity(t, readFile(t, dir, "smime-certs", "badrsa.pem"))
		if cert == nil {
			t.Log("crypto/x509 refuses the certificate already")
			return
		}
		if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: cert}}}); !fault.Is(err, fault.Refused) {
			t.Errorf("%v", err)
		}
	})
}

// TestOpenSSLIdentitiesSealAndSign uses the ready-made identities of OpenSSL's own tests.
func TestOpenSSLIdentitiesSealAndSign(t *testing.T) {
	dir := corpus(t, "openssl/test/smime-certs")
	for _, name := range []string{"smrsa1.pem", "smrsa2.pem", "smrsa3.pem", "smec1.pem", "csrsa1.pem"} {
		t.Run(name, func(t *testing.T) { sealAndSign(t, readFile(t, dir, name)) })
	}
}

// TestRFC9216Identities uses the RSA identities of RFC 9216; those of Ed25519 and X25519 come with a later step.
func TestRFC9216Identities(t *testing.T) {
	dir := corpus(t, "rfc9216")
	for _, name := range []string{"alice", "bob"} {
		for _, use := range []string{"sign", "encrypt"} {
			t.Run(name+" "+use, func(t *testing.T) {
				sealAndSign(t, readFile(t, dir, name+"."+use+".crt.pem"), readFile(t, dir, name+"."+use+".key.pem"))
			})
		}
	}
}

func sealAndSign(t *testing.T, files ...[]byte) {
	cert, key := pemIdentity(t, files...)
	content := text(3000)
	message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: cert, Key: key.(crypto.Signer)}}})
	got, s := readSigned(t, message)
	if r := s.Signers[0].Check(cert); r.Status != cms.Intact || !bytes.Equal(got, content) {
		t.Errorf("%+v", r)
	}
	sealed := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: cert}}})
	if got, _ := decrypted(t, sealed, cms.DecryptionKey{Certificate: cert, Key: key}); !bytes.Equal(got, content) {
		t.Error("the content came out different")
	}
}
