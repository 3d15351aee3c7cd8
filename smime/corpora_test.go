package smime

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
)

// corpus opens a file of the corpora: CHANCERY_CORPORA, or beside the checkout.
func corpus(t *testing.T, path string) []byte {
	t.Helper()
	dir := os.Getenv("CHANCERY_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	if _, err := os.Stat(dir); err != nil { // they are others' and not part of the project
		t.Skipf("no corpora at %s; set CHANCERY_CORPORA to run these cases", dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pair reads a certificate and an unencrypted PKCS#8 key out of PEM.
func pair(t *testing.T, data []byte) (key cms.DecryptionKey) {
	t.Helper()
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var err error
		if block.Type == "CERTIFICATE" {
			key.Certificate, err = x509.ParseCertificate(block.Bytes)
		} else {
			key.Key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return key
}

const opensslCMS = "openssl/test/recipes/80-test_cms_data/"

func TestOpenSSLCorpus(t *testing.T) {
	root := pair(t, corpus(t, "openssl/test/smime-certs/smroot.pem")).Certificate
	opts := Options{Anchors: []*x509.Certificate{root}, At: now}
	for _, name := range []string{"no_ct_attr", "no_md_attr", "ct_multiple_attr", "bad_signtime_attr"} {
		t.Run(name+" must not verify", func(t *testing.T) {
			report, err := OpenCMS(t.Context(), bytes.NewReader(corpus(t, opensslCMS+name+".cms")), nil, nil, opts)
			if err == nil && report.Verdict != Invalid {
				t.Errorf("verdict %s, %v", report.Verdict, report.Reasons)
			}
		})
	}
	t.Run("a mail of OpenSSL 1.1.1 opens", func(t *testing.T) {
		key := pair(t, corpus(t, "openssl/test/smime-certs/smec3.pem"))
		var out bytes.Buffer
		_, err := Open(t.Context(), bytes.NewReader(corpus(t, opensslCMS+"ciphertext_from_1_1_1.cms")), &out, Options{Keys: []cms.DecryptionKey{key}})
		if want := corpus(t, "openssl/test/smcont.txt"); err != nil || strings.ReplaceAll(out.String(), "\r\n", "\n") != strings.ReplaceAll(string(want), "\r\n", "\n") {
			t.Errorf("%q, error %v", out.String(), err)
		}
	})
	for name, key := range map[string]string{"ecdh-malformed.der": opensslCMS + "ecdh-", "rsa-malformed.der": "openssl/test/smime-certs/smrsa3-"} {
		t.Run(name+" is an error", func(t *testing.T) {
			own := pair(t, append(corpus(t, key+"cert.pem"), corpus(t, key+"key.pem")...))
			_, err := OpenCMS(t.Context(), bytes.NewReader(corpus(t, opensslCMS+name)), nil, io.Discard, Options{Keys: []cms.DecryptionKey{own}})
			if err == nil {
				t.Error("it opened")
			}
		})
	}
	for _, name := range []string{opensslCMS + "pkcs7-md4.pem", opensslCMS + "pkcs7-md4-encrypted.pem", "openssl/test/recipes/25-test_pkcs7_data/malformed.pkcs7",
		"openssl/test/recipes/80-test_cmsapi_data/encDataWithTooLongIV.pem", opensslCMS + "dh-malformed.der"} {
		t.Run(filepath.Base(name)+" is never valid", func(t *testing.T) {
			report, err := OpenCMS(t.Context(), bytes.NewReader(corpus(t, name)), nil, nil, opts)
			if err == nil && report.Verdict == Valid {
				t.Errorf("report %+v", report)
			}
			if err != nil && fault.KindOf(err) == fault.Internal {
				t.Errorf("error %v is no fault of the input", err)
			}
		})
	}
}

// The one mail of NIST's PKITS that can be had. Its path maps from anyPolicy, which must fail; its signature is SHA-1.
func TestPKITSMail(t *testing.T) {
	anchor := pair(t, corpus(t, "openssl/test/certs/pkitsta.pem")).Certificate
	mail := corpus(t, "openssl/test/smime-eml/SignedInvalidMappingFromanyPolicyTest7.eml")
	report, err := Open(t.Context(), bytes.NewReader(mail), nil, Options{Anchors: []*x509.Certificate{anchor}, At: time.Date(2011, 4, 15, 0, 0, 0, 0, time.UTC)})
	if err != nil || report.Verdict == Valid || len(report.Signatures) != 1 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// TestAlgorithms lets OpenSSL sign with what must be refused, and with what we do not know.
func TestAlgorithms(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	c.aliceRSA.Files(dir, "")
	write(t, dir, "weak.pem", string(corpus(t, "openssl/test/smime-certs/smrsa1024.pem")))
	weakRoot := pair(t, corpus(t, "openssl/test/smime-certs/smroot.pem")).Certificate
	cases := []struct {
		name string
		args []string
		want Verdict
		code string
	}{
		{"SHA-256", []string{"-md", "sha256"}, Valid, ""},
		{"SHA-512", []string{"-md", "sha512"}, Valid, ""},
		{"SHA-1 is forbidden", []string{"-md", "sha1"}, Invalid, WeakAlgorithm},
		{"MD5 is forbidden", []string{"-md", "md5"}, Invalid, WeakAlgorithm},
		{"SHA3-256", []string{"-md", "sha3-256"}, Valid, ""},
		{"SHA3-512", []string{"-md", "sha3-512"}, Valid, ""},
		{"RIPEMD-160 is not known here", []string{"-md", "ripemd160"}, Untrusted, UnknownAlgorithm},
		{"RSA with 1024 bits is forbidden", []string{"-signer", "weak.pem", "-inkey", "weak.pem"}, Invalid, WeakAlgorithm},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"cms", "-sign", "-from", "alice@example.com", "-certfile", "chain.pem"}
			if test.args[0] == "-md" {
				args = append(args, "-signer", "cert.pem", "-inkey", "key.pem")
			}
			mail := run(t, dir, "Content-Type: text/plain\r\n\r\nhello\r\n", "openssl", append(args, test.args...)...)
			opts := c.anchors()
			opts.Anchors = append(opts.Anchors, weakRoot)
			report := open(t, mail, opts)
			if report.Verdict != test.want || test.code != "" && !slices.Contains(codes(report), test.code) {
				t.Errorf("verdict %s, reasons %v; want %s with %q", report.Verdict, report.Reasons, test.want, test.code)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	c := newCast(t)
	mail := signed(t, awkward["multipart with an 8-bit part"], signer(c.alice))
	part, err := Describe(t.Context(), strings.NewReader(mail), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	var list func(*Part)
	list = func(p *Part) {
		types = append(types, p.Type)
		for _, inner := range p.Parts {
			list(inner)
		}
	}
	list(part)
	want := "multipart/signed multipart/mixed text/plain application/pdf message/rfc822 text/plain application/pkcs7-signature"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("parts %s, want %s", got, want)
	}
	if signature := part.Parts[1].CMS; signature == nil || len(signature.Signers) != 1 || !signature.Detached {
		t.Errorf("signature %+v", signature)
	}
}
