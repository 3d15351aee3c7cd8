package trust

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// otherQuestion are cases about what a certificate may do in TLS, code signing and time stamping, about OpenSSL's
// trust settings, and about its own options. Nothing here corresponds to them.
var otherQuestion = regexp.MustCompile(`purpose|mistrust|client trust|rejected EKU|timestampsign|codesign|as code sign|strict|` +
	`auth level 3|verify_depth 0|proxy cert`)

// differs are cases that we judge otherwise on purpose, each with the reason.
var differs = map[string]string{
	"accept RSA 768 root at auth level 0":                  "keys under 2048 bits are refused always",
	"accept RSA 768 intermediate at auth level 0":          "keys under 2048 bits are refused always",
	"accept RSA 768 leaf at auth level 0":                  "keys under 2048 bits are refused always",
	"accept md5 intermediate at auth level 0":              "MD5 is refused always",
	"accept md5 leaf at auth level 0":                      "MD5 is refused always",
	"Accept PSS signature using SHA1 at auth level 0":      "SHA-1 is refused always",
	"Name Constraints CNs not permitted":                   "RFC 5280 does not take a common name for a host name",
	"Name Constraints CN hostname not permitted":           "RFC 5280 does not take a common name for a host name",
	"Name Constraints CN BMPSTRING hostname not permitted": "RFC 5280 does not take a common name for a host name",
	"Name constraints bad othername name constraint":       "a SmtpUTF8Mailbox that is no text is malformed",
	"fail trusted Ed25519-signed self-issued X25519 cert":  "an anchor may be the end certificate",
	"accept cert generated with EC and SHA3-224":           "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-256":           "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-384":           "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-512":           "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-224 w/fips":    "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-256 w/fips":    "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-384 w/fips":    "SHA-3 signatures are not known here",
	"accept cert generated with EC and SHA3-512 w/fips":    "SHA-3 signatures are not known here",
	"SM2 ID test":     "SM2 is not known here",
	"SM2 hex ID test": "SM2 is not known here",
}

// openSSLCase is one case of verify-expected.json.
type openSSLCase struct {
	Name, Cert, Purpose      string
	Trusted, Untrusted, Opts []string
	Accept                   bool
}

// readPEM reads the certificates of a file that we can read, without OpenSSL's trust settings.
func readPEM(t *testing.T, path string) []*x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return list
		}
		der := block.Bytes
		switch block.Type {
		case "TRUSTED CERTIFICATE":
			der = der[:4+int(der[2])<<8+int(der[3])]
		case "CERTIFICATE":
		default:
			continue
		}
		if cert, err := ParseCertificate(der); err == nil {
			list = append(list, cert)
		}
	}
}

func (c openSSLCase) options(t *testing.T, certs string) Options {
	o := Options{At: time.Date(2026, 6, 9, 0, 0, 0, 0, time.UTC), Usage: AnyUsage}
	for _, name := range c.Trusted {
		o.Anchors = append(o.Anchors, readPEM(t, filepath.Join(certs, name+".pem"))...)
	}
	for _, name := range c.Untrusted {
		o.Intermediates = append(o.Intermediates, readPEM(t, filepath.Join(certs, name+".pem"))...)
	}
	for i, opt := range c.Opts {
		switch opt {
		case "-attime":
			seconds, err := strconv.ParseInt(c.Opts[i+1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			o.At = time.Unix(seconds, 0)
		case "-explicit_policy":
			o.ExplicitPolicy = true
		case "-policy":
			oid, err := x509.ParseOID(c.Opts[i+1])
			if err != nil {
				t.Fatal(err)
			}
			o.Policies = append(o.Policies, oid)
		}
	}
	return o
}

func TestOpenSSLPaths(t *testing.T) {
	dir := filepath.Join(corpora(t), "openssl")
	data, err := os.ReadFile(filepath.Join(dir, "verify-expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct{ Tests []openSSLCase }
	if err := json.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	certs := filepath.Join(dir, "test/certs")
	judged := 0
	for _, c := range suite.Tests {
		if otherQuestion.MatchString(c.Name) || slices.Contains(c.Opts, "-x509_strict") {
			continue
		}
		judged++
		t.Run(c.Name, func(t *testing.T) {
			var r Result
			if leaf := readPEM(t, filepath.Join(certs, c.Cert+".pem")); len(leaf) > 0 {
				r = Evaluate(context.Background(), leaf[0], c.options(t, certs))
			}
			why, exempt := differs[c.Name]
			switch {
			case exempt && r.Trusted == c.Accept:
				t.Errorf("we agree with OpenSSL now: %s is not true any more", why)
			case !exempt && r.Trusted != c.Accept:
				t.Errorf("trusted %v, want %v: %v", r.Trusted, c.Accept, r.Reasons)
			}
		})
	}
	if judged < 100 {
		t.Errorf("only %d cases were judged", judged)
	}
}

// TestRFC9216 walks to either of two authorities that certified each other, one with RSA and one with Ed25519.
func TestRFC9216(t *testing.T) {
	dir := filepath.Join(corpora(t), "rfc9216")
	one := func(name string) *x509.Certificate {
		t.Helper()
		list := readPEM(t, filepath.Join(dir, name+".crt.pem"))
		if len(list) != 1 {
			t.Fatalf("%s holds %d certificates", name, len(list))
		}
		return list[0]
	}
	o := Options{Intermediates: certs(one("rsa-ca.cross-signed-by-ed25519"), one("ed25519-ca.cross-signed-by-rsa")), At: now}
	for _, person := range []string{"alice", "bob", "carlos", "dana"} {
		for _, anchor := range []string{"rsa-ca", "ed25519-ca"} {
			t.Run(person+" by "+anchor, func(t *testing.T) {
				o := o
				o.Anchors = certs(one(anchor))
				o.Usage = MailSigning
				check(t, one(person+".sign"), o)
				check(t, one(person+".encrypt"), o, WrongUsage)
				o.Usage = MailEncryption
				check(t, one(person+".encrypt"), o)
				check(t, one(person+".sign"), o, WrongUsage)
			})
		}
	}
}
