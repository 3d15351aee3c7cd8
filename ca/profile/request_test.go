package profile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chancery.example/fault"
	"chancery.example/mailbox"
)

// opensslRequest has OpenSSL make a key and a request for it.
func opensslRequest(t testing.TB, newkey []string, more ...string) []byte {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key.pem")
	args := append([]string{"req", "-new", "-nodes", "-keyout", key, "-utf8"}, newkey...)
	return openssl(t, nil, append(args, more...)...)
}

var (
	newEC  = []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	newRSA = []string{"-newkey", "rsa:2048"}
)

// utf8Config has OpenSSL ask for a SmtpUTF8Mailbox; only in a section of a file can it be told that the text is UTF-8.
func utf8Config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "req.cnf")
	text := "[req]\ndistinguished_name=dn\nreq_extensions=ext\n[dn]\n[ext]\nsubjectAltName=@alt\n[alt]\n" +
		"otherName.1=1.3.6.1.5.5.7.8.9;FORMAT:UTF8,UTF8:jürgen@example.com\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRequestsOfOpenSSL(t *testing.T) {
	for _, c := range []struct {
		name   string
		newkey []string
		more   []string
		want   []string
	}{
		{"PEM with a name", newEC, []string{"-subj", "/CN=Alice", "-addext", "subjectAltName=email:alice@example.com"}, []string{"alice@example.com"}},
		{"DER", newRSA, []string{"-outform", "der", "-subj", "/CN=alice@example.com"}, []string{"alice@example.com"}},
		{"an emailAddress in the subject", newEC, []string{"-subj", "/CN=Alice/emailAddress=alice@example.com"}, []string{"alice@example.com"}},
		{"the same one three times", newEC, []string{"-subj", "/CN=alice@example.com/emailAddress=alice@Example.COM", "-addext", "subjectAltName=email:alice@example.com"}, []string{"alice@example.com"}},
		{"several", newEC, []string{"-subj", "/CN=Alice", "-addext", "subjectAltName=email:b@example.com,email:a@example.com"}, []string{"b@example.com", "a@example.com"}},
		{"one beyond ASCII", newEC, []string{"-subj", "/CN=J", "-config", utf8Config(t)}, []string{"jürgen@example.com"}},
		{"other names are passed over", newEC, []string{"-subj", "/CN=J", "-addext", "subjectAltName=DNS:example.com,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:j@example.com"}, nil},
		{"no name at all", newEC, []string{"-subj", "/"}, nil},
		{"P-384, signed with SHA-512", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha512"}, []string{"-subj", "/CN=Alice"}, nil},
		{"RSA with PSS", append(newRSA, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"), []string{"-subj", "/CN=Alice"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := CheckRequest(opensslRequest(t, c.newkey, c.more...))
			if err != nil {
				t.Fatal(err)
			}
			var want []mailbox.Address
			for _, text := range c.want {
				want = append(want, address(t, text))
			}
			if !slices.Equal(r.Mailboxes, want) {
				t.Errorf("asks for %v, want %v", r.Mailboxes, want)
			}
			if err := CheckKey(r.PublicKey, Dual, now); err != nil {
				t.Error(err)
			}
			if der, err := x509.MarshalPKIXPublicKey(r.PublicKey); err != nil || !bytes.Equal(der, r.SPKI) {
				t.Errorf("SPKI: %v", err)
			}
		})
	}
}

func TestARequestOfNSS(t *testing.T) {
	db := t.TempDir()
	noise := filepath.Join(db, "noise")
	if err := os.WriteFile(noise, []byte(strings.Repeat("noise", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []byte {
		out, err := exec.Command("certutil", args...).Output()
		if err != nil {
			t.Fatalf("certutil %v: %v", args, err)
		}
		return out
	}
	run("-N", "-d", db, "--empty-password")
	text := run("-R", "-d", db, "-k", "ec", "-q", "nistp256", "-s", "CN=Alice", "-7", "alice@example.com", "-z", noise, "-a")
	r, err := CheckRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Mailboxes, []mailbox.Address{address(t, "alice@example.com")}) {
		t.Errorf("asks for %v", r.Mailboxes)
	}
}

func TestBadRequests(t *testing.T) {
	good := opensslRequest(t, newEC, "-subj", "/CN=alice@example.com")
	block, _ := pem.Decode(good)
	broken := bytes.Clone(block.Bytes)
	broken[len(broken)-1] ^= 1
	other := bytes.Replace(block.Bytes, []byte("alice@"), []byte("mallo@"), 1)
	key, err := x509.MarshalPKCS8PrivateKey(ecKey(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	armour := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for _, c := range []struct {
		name string
		data []byte
		kind fault.Kind
		code string
	}{
		{"a broken signature", broken, fault.Invalid, "request.signature"},
		{"a name that was changed after signing", other, fault.Invalid, "request.signature"},
		{"10 MB", make([]byte, 10<<20), fault.TooLarge, "request.too-large"},
		{"nothing", nil, fault.Invalid, "request.malformed"},
		{"text", []byte("please give me a certificate"), fault.Invalid, "request.malformed"},
		{"PEM that is cut off", good[:len(good)/2], fault.Invalid, "request.malformed"},
		{"DER with something after it", append(bytes.Clone(block.Bytes), 0), fault.Invalid, "request.malformed"},
		{"a private key", armour("PRIVATE KEY", key), fault.Invalid, "request.private-key"},
		{"a private key of OpenSSL's old kind", armour("EC PRIVATE KEY", key), fault.Invalid, "request.private-key"},
		{"a certificate", armour("CERTIFICATE", newHouse(t, ecKey(t, elliptic.P256())).root.Raw), fault.Invalid, "request.malformed"},
		{"PSS with a salt of another length", opensslRequest(t, append(newRSA, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"), "-subj", "/CN=A"), fault.Invalid, "request.algorithm"},
		{"an address that is none", opensslRequest(t, newEC, "-subj", "/CN=alice@"), fault.Invalid, ""},
		{"an IP literal", opensslRequest(t, newEC, "-subj", "/CN=A", "-addext", "subjectAltName=email:alice@[192.0.2.1]"), fault.Invalid, ""},
		{"RSA-512", opensslRequest(t, []string{"-newkey", "rsa:512"}, "-subj", "/CN=A"), fault.Refused, "profile.BR-027"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := CheckRequest(c.data)
			if r != nil {
				t.Error("something came back")
			}
			code := c.code
			if code == "" {
				if code = fault.CodeOf(err); !strings.HasPrefix(code, "mailbox.") {
					t.Errorf("code %s", code)
				}
			}
			mustBe(t, err, c.kind, code)
		})
	}
	t.Run("RSA-1024 holds, but its key does not pass", func(t *testing.T) {
		r, err := CheckRequest(opensslRequest(t, []string{"-newkey", "rsa:1024"}, "-subj", "/CN=A"))
		if err != nil {
			t.Fatal(err)
		}
		mustBe(t, CheckKey(r.PublicKey, Dual, now), fault.Refused, "profile.BR-027")
	})
	t.Run("Ed25519 holds, but its key does not pass", func(t *testing.T) {
		r, err := CheckRequest(opensslRequest(t, []string{"-newkey", "ed25519"}, "-subj", "/CN=A"))
		if err != nil {
			t.Fatal(err)
		}
		mustBe(t, CheckKey(r.PublicKey, Dual, now), fault.Refused, "profile.BR-026")
	})
	t.Run("a curve that is none of ours", func(t *testing.T) {
		_, err := CheckRequest(opensslRequest(t, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, "-subj", "/CN=A"))
		if err == nil {
			t.Error("passes")
		}
	})
	t.Run("too many mailboxes", func(t *testing.T) {
		template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "A"}}
		for i := range MaxMailboxes + 1 {
			template.EmailAddresses = append(template.EmailAddresses, "a"+string(rune('a'+i%26))+string(rune('a'+i/26))+"@example.com")
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, template, ecKey(t, elliptic.P256()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = CheckRequest(der)
		mustBe(t, err, fault.Invalid, "request.mailboxes")
	})
}

func FuzzCheckRequest(f *testing.F) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{"alice@example.com"}}, k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := CheckRequest(data)
		if (r == nil) == (err == nil) {
			t.Error("neither a request nor a reason")
		}
		utf8Mailboxes(data)
	})
}
