package lint

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/ca/profile"
)

// Everything that the profiles give is clean, by our rules, by zlint, and in OpenSSL's eyes.
func TestWhatTheProfilesGiveIsClean(t *testing.T) {
	issuers := []string{"P-256", "P-384", "RSA-4096"}
	subscribers := []string{"P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "RSA-4096"}
	if testing.Short() {
		issuers, subscribers = issuers[:2], subscribers[:3]
	}
	for _, issuer := range issuers {
		root := "P-384"
		if issuer == "RSA-4096" {
			root = "RSA-4096"
		}
		h := newHouse(t, root, issuer)
		t.Run("root "+root, func(t *testing.T) {
			clean(t, Check(h.rootTBS, Context{Kind: Root, Mode: profile.Private, At: h.root.NotBefore}))
			clean(t, Certificate(h.root.Raw, Context{}))
		})
		t.Run("issuing "+issuer, func(t *testing.T) {
			c := Context{Kind: Issuing, Mode: profile.Private, Issuer: h.root, At: h.issuing.NotBefore}
			clean(t, Check(h.issuingTBS, c))
			clean(t, Certificate(h.issuing.Raw, c))
			openssl(t, h, h.issuing)
		})
		t.Run("responder of "+issuer, func(t *testing.T) {
			tbs := h.responder(t, "P-256")
			c := Context{Kind: Responder, Mode: profile.Private, Issuer: h.issuing, At: now}
			clean(t, Check(tbs, c))
			cert := sign(t, tbs, h.issuingKey)
			clean(t, Certificate(cert.Raw, c))
			openssl(t, h, cert)
		})
		for _, subscriber := range subscribers {
			for _, name := range profile.Names(now) {
				for _, mode := range []profile.Mode{profile.Private, profile.Public} {
					for _, use := range []profile.Use{profile.Sign, profile.Encrypt, profile.Dual} {
						t.Run(strings.Join([]string{name, subscriber, use.String(), "from a", mode.String(), issuer}, " "), func(t *testing.T) {
							tbs := h.subscriber(t, name, subscriber, use, mode)
							c := h.contextOf(t, name, mode)
							clean(t, Check(tbs, c))
							cert := sign(t, tbs, h.issuingKey)
							clean(t, Certificate(cert.Raw, c))
							if use == profile.Dual && mode == profile.Private && (name == profile.Default || subscriber == "P-256") {
								openssl(t, h, cert, "-purpose", "smimesign")
								if strings.HasPrefix(subscriber, "RSA") { // OpenSSL's purpose wants keyEncipherment, which EC keys cannot have
									openssl(t, h, cert, "-purpose", "smimeencrypt")
								}
							}
						})
					}
				}
			}
		}
	}
}

// Addresses of every shape stay clean too.
func TestAddressesOfEveryShapeAreClean(t *testing.T) {
	h := newHouse(t, "P-384", "P-256")
	long := strings.Repeat("a", 64) + "@" + strings.Repeat("b", 60) + ".example.com"
	for _, c := range []struct {
		name      string
		addresses []string
	}{
		{"several addresses", []string{"alice@example.com", "alice.smith@example.com", "a@example.org"}},
		{"one that does not fit into a common name", []string{long}},
		{"exactly 64 characters", []string{strings.Repeat("a", 52) + "@example.com"}},
		{"65 characters", []string{strings.Repeat("a", 53) + "@example.com"}},
		{"a local part that needs quotes", []string{`"alice smith"@example.com`}},
		{"an internationalised domain", []string{"alice@bücher.example"}},
		{"a local part beyond ASCII", []string{"jürgen@bücher.example"}},
		{"capitals in the local part", []string{"Alice.O'Brien+news@example.com"}},
	} {
		for _, mode := range []profile.Mode{profile.Private, profile.Public} {
			t.Run(c.name+", "+mode.String(), func(t *testing.T) {
				tbs := h.subscriber(t, "mv-strict", "P-256", profile.Dual, mode, c.addresses...)
				clean(t, Check(tbs, h.contextOf(t, "mv-strict", mode)))
				openssl(t, h, sign(t, tbs, h.issuingKey), "-purpose", "smimesign")
			})
		}
	}
}

func clean(t *testing.T, findings []Finding) {
	t.Helper()
	for _, f := range findings {
		t.Errorf("%s %s (%s) %s: %s", f.Source, f.Rule, f.Citation, f.Severity, f.Text)
	}
}

// openssl verifies a certificate under the house, strictly, at the time of these tests.
func openssl(t *testing.T, h house, cert *x509.Certificate, more ...string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, c *x509.Certificate) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := append([]string{"verify", "-x509_strict", "-attime", "1795338000", "-CAfile", write("root.pem", h.root),
		"-untrusted", write("issuing.pem", h.issuing)}, more...)
	out, err := exec.Command("openssl", append(args, write("cert.pem", cert))...).CombinedOutput()
	if err != nil {
		t.Errorf("openssl verify: %v: %s", err, out)
	}
	out, err = exec.Command("openssl", "x509", "-in", filepath.Join(dir, "cert.pem"), "-noout", "-text").CombinedOutput()
	if err != nil || strings.Contains(strings.ToLower(string(out)), "error") || strings.Contains(string(out), "<INVALID") {
		t.Errorf("openssl x509: %v: %s", err, out)
	}
}
