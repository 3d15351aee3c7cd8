package smime

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/pkcs12"
)

// TestGnuPG lets gpgsm check and open what we made, and the other way round.
func TestGnuPG(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, "gpgsm.conf", "disable-crl-checks\n")
	write(t, home, "gpg-agent.conf", "allow-loopback-pinentry\n")
	write(t, home, "trustlist.txt", fmt.Sprintf("%X S relax\n", sha1.Sum(c.root.Cert.Raw)))
	t.Cleanup(func() { runQuietly(dir, "gpgconf", "--homedir", home, "--kill", "all") })
	gpgsm := func(input string, args ...string) string {
		t.Helper()
		return run(t, dir, input, "gpgsm", append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback"}, args...)...)
	}
	both := pkcs12.Identity{Key: c.bobRSA.Key, Cert: c.bobRSA.Cert, Chain: []*x509.Certificate{c.bobRSA.Issuer.Cert, c.root.Cert}}
	p12, err := pkcs12.Encode([]pkcs12.Identity{both}, "x", pkcs12.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "bob.p12", string(p12))
	gpgsm("x\n", "--passphrase-fd", "0", "--import", "bob.p12")

	message := func(make func(in io.Reader, out io.Writer) error) string {
		t.Helper()
		var out bytes.Buffer
		if err := make(strings.NewReader(letter), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	t.Run("checks what we sign", func(t *testing.T) {
		for name, leaf := range map[string]SignOptions{"RSA": signer(c.aliceRSA), "P-256": signer(c.alice)} {
			opts := leaf
			write(t, dir, "content", letter)
			write(t, dir, "beside.p7s", message(func(in io.Reader, out io.Writer) error { return SignCMS(t.Context(), in, out, opts) }))
			gpgsm("", "--verify", "beside.p7s", "content")
			opts.Opaque = true
			write(t, dir, "opaque.p7m", message(func(in io.Reader, out io.Writer) error { return SignCMS(t.Context(), in, out, opts) }))
			if got := gpgsm("", "--verify", "--output", "-", "opaque.p7m"); got != letter {
				t.Errorf("%s: gpgsm gave %q", name, got)
			}
		}
	})
	t.Run("opens what we encrypt", func(t *testing.T) {
		opts := recipients(c.bobRSA)
		opts.Cipher = cms.AES256CBC
		write(t, dir, "sealed.p7m", message(func(in io.Reader, out io.Writer) error { return EncryptCMS(t.Context(), in, out, opts) }))
		if got := gpgsm("x\n", "--passphrase-fd", "0", "--decrypt", "sealed.p7m"); got != letter {
			t.Errorf("gpgsm gave %q", got)
		}
	})
	t.Run("signs what we check", func(t *testing.T) {
		write(t, dir, "content", letter)
		made := gpgsm("x\n", "--passphrase-fd", "0", "--sign", "--local-user", "bob@example.com", "content")
		report, err := OpenCMS(t.Context(), strings.NewReader(made), nil, nil, c.reader())
		if err != nil || report.Verdict != Valid {
			t.Errorf("report %+v, error %v", report, err)
		}
	})
	t.Run("encrypts what we open", func(t *testing.T) {
		made := gpgsm("", "--encrypt", "--recipient", "bob@example.com", "content")
		var out bytes.Buffer
		if _, err := OpenCMS(t.Context(), strings.NewReader(made), nil, &out, c.reader()); err != nil || out.String() != letter {
			t.Errorf("%q, error %v", out.String(), err)
		}
	})
}
