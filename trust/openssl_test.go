package trust

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/testca"
)

func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("real peers run without -short")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestListsOfOpenSSL(t *testing.T) {
	root := testca.New(t).Root(testca.RSA2048)
	alice, bob := root.Leaf("alice@example.com"), root.Leaf("bob@example.com")
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.pem", testca.CertPEM(root.Cert))
	write("ca.key", testca.KeyPEM(t, root.Key))
	write("number", []byte("01\n"))
	serial := fmt.Sprintf("%X", alice.Cert.SerialNumber)
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	write("index.txt", []byte("R\t490101000000Z\t260101000000Z,superseded\t"+serial+"\tunknown\t/CN=alice\n"))
	write("index.txt.attr", nil)
	for _, c := range []struct{ name, extensions string }{
		{"version 1, as its default configuration has it", ""},
		{"version 2", "crl_extensions = crl_ext\n"},
		{"version 2 with a critical scope", "crl_extensions = crl_idp\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write("ca.cnf", []byte("[ca]\ndefault_ca = house\n[house]\ndatabase = index.txt\ncrlnumber = number\ncertificate = ca.pem\nprivate_key = ca.key\n"+
				"default_md = sha256\ndefault_crl_days = 30\n"+c.extensions+"[crl_ext]\nauthorityKeyIdentifier = keyid\n"+
				"[crl_idp]\nauthorityKeyIdentifier = keyid\nissuingDistributionPoint = critical, @scope\n[scope]\nonlyuser = TRUE\n"))
			openssl(t, dir, "ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem")
			openssl(t, dir, "crl", "-in", "list.pem", "-outform", "der", "-out", "list.der")
			der, err := os.ReadFile(filepath.Join(dir, "list.der"))
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Anchors: certs(root.Cert), Revocation: Hard, CRLs: []*CRL{crl(t, der)}, At: time.Now()}
			if r := check(t, alice.Cert, o, RevokedCode); r.Revocation.Reason != 4 && c.extensions != "" {
				t.Errorf("the reason is %d, want 4", r.Revocation.Reason)
			}
			check(t, bob.Cert, o)
		})
	}
}
