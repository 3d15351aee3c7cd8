package cms_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"chancery.example/cms"
)

// gpgsm makes a private home of GnuPG that holds the identities and trusts their CA.
func gpgsmHome(t *testing.T, private string, public ...string) (home string) {
	t.Helper()
	home = t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, nil, "gpgconf", "--homedir", home, "--kill", "all") }) // the agent of this home only
	ca := someone(t, "ca")
	write(t, home, "gpg-agent.conf", []byte("disable-scdaemon\ns2k-count 65536\n"))
	write(t, home, "gpgsm.conf", []byte("disable-dirmngr\ndisable-crl-checks\nno-common-certs-import\n"))
	write(t, home, "trustlist.txt", fmt.Appendf(nil, "%X S relax\n", sha1.Sum(ca.cert.Raw)))
	for _, n := range append([]string{"ca"}, public...) {
		cert, _ := someone(t, n).files(t, home)
		mustRun(t, nil, "gpgsm", "--homedir", home, "--batch", "--import", cert)
	}
	cert, key := someone(t, private).files(t, home)
	// GnuPG 2.2 reads no PBES2 with an explicit PRF.
	p12 := filepath.Join(home, "private.p12")
	mustRun(t, nil, "openssl", "pkcs12", "-export", "-legacy", "-in", cert, "-inkey", key, "-passout", "pass:secret", "-out", p12)
	mustRun(t, []byte("secret\n"), "gpgsm", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", p12)
	return home
}

// TestGPGSMBothWays: GnuPG 2.2 of Debian 12 has RSA by PKCS #1 v1.5 and CBC, and verifies ECDSA.
func TestGPGSMBothWays(t *testing.T) {
	home := gpgsmHome(t, "rsa", "p256", "p384")
	content := text(70_000)
	gpgsm := func(t *testing.T, input []byte, args ...string) []byte {
		t.Helper()
		in, out := write(t, home, "in", input), filepath.Join(home, "out")
		os.Remove(out)
		args = append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "-o", out}, args...)
		mustRun(t, []byte("secret\n"), "gpgsm", append(args, in)...)
		p, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	rsa := someone(t, "rsa")
	for _, n := range []string{"rsa", "p256", "p384"} {
		t.Run("verifies "+n, func(t *testing.T) {
			id := someone(t, n)
			o := cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, Detached: true}
			signature := write(t, home, "signature", signed(t, content, o))
			mustRun(t, nil, "gpgsm", "--homedir", home, "--batch", "--verify", signature, write(t, home, "content", content))
			o.Detached = false
			opaque := write(t, home, "opaque", signed(t, content, o))
			mustRun(t, nil, "gpgsm", "--homedir", home, "--batch", "--verify", opaque)
		})
	}
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES192CBC, cms.AES128CBC} {
		t.Run("opens "+c.String(), func(t *testing.T) {
			message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Certificate: rsa.cert}}})
			if got := gpgsm(t, message, "--decrypt"); !bytes.Equal(got, content) {
				t.Error("the content came out different")
			}
		})
	}
	t.Run("its signatures", func(t *testing.T) {
		got, s := readSigned(t, gpgsm(t, content, "--local-user", "rsa@example.com", "--sign"))
		if r := s.Signers[0].Check(rsa.cert); r.Status != cms.Intact || !bytes.Equal(got, content) {
			t.Errorf("%+v", r)
		}
		s, err := cms.VerifyDetached(bytes.NewReader(gpgsm(t, content, "--local-user", "rsa@example.com", "--detach-sign")), bytes.NewReader(content), cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Signers[0].Check(rsa.cert); r.Status != cms.Intact {
			t.Errorf("detached: %+v", r)
		}
	})
	t.Run("its sealed messages", func(t *testing.T) {
		got, o := decrypted(t, gpgsm(t, content, "--recipient", "rsa@example.com", "--encrypt"), rsa.decryptionKey())
		if !bytes.Equal(got, content) {
			t.Errorf("%+v", o)
		}
	})
}
