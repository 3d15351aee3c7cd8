package pkcs12

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/fault"
)

// corpora is the folder of files that others made; CHANCERY_CORPORA names another place.
func corpora(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CHANCERY_CORPORA")
	if dir == "" {
		dir = "../../shared/corpora"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpora at %s; set CHANCERY_CORPORA to run these cases", dir)
	}
	return dir
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	return runWith(t, "", env, name, args...)
}

// runWith runs a peer with text on its standard input.
func runWith(t *testing.T, stdin string, env []string, name string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("real peers run without -short")
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func encode(t *testing.T, password string, encoding Encoding, ids ...Identity) []byte {
	t.Helper()
	file, err := Encode(ids, password, encoding)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenSSLReadsOurs(t *testing.T) {
	h := makeHouse()
	for _, c := range []struct {
		name     string
		encoding Encoding
		password string
		flags    []string
		says     []string
	}{
		{"modern, without -legacy", Modern, "correct horse", nil, []string{"PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256", "MAC: sha256, Iteration 100000"}},
		{"modern, a password outside ASCII", Modern, "Schlüssel 🔑", nil, []string{"friendlyName: Alice, signing"}},
		{"legacy", Legacy, "correct horse", nil, []string{"pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 50000", "MAC: sha1, Iteration 50000"}},
		{"legacy, a password outside ASCII", Legacy, "Schlüssel 🔑", nil, []string{"friendlyName: Alice, signing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), "id.p12"), encode(t, c.password, c.encoding, h.alice, h.bob))
			args := append([]string{"pkcs12", "-in", path, "-passin", "env:PW", "-nodes", "-info"}, c.flags...)
			out := run(t, []string{"PW=" + c.password, "LC_ALL=C.UTF-8"}, "openssl", args...)
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("openssl does not say %q:\n%s", want, out)
				}
			}
			if keys, certs := strings.Count(out, "BEGIN PRIVATE KEY"), strings.Count(out, "BEGIN CERTIFICATE"); keys != 2 || certs != 4 {
				t.Errorf("openssl finds %d keys and %d certificates, want 2 and 4", keys, certs)
			}
		})
	}
}

func TestWeReadOpenSSL(t *testing.T) {
	h := makeHouse()
	dir := t.TempDir()
	var bundle bytes.Buffer
	for _, c := range h.alice.Chain {
		pem.Encode(&bundle, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	key, err := x509.MarshalPKCS8PrivateKey(h.alice.Key)
	if err != nil {
		t.Fatal(err)
	}
	keyPath := write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	certPath := write(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.alice.Cert.Raw}))
	chainPath := write(t, filepath.Join(dir, "chain.pem"), bundle.Bytes())
	for _, c := range []struct {
		name, password string
		flags          []string
	}{
		{"its defaults", "correct horse", nil},
		{"a password outside ASCII", "Schlüssel 🔑", nil},
		{"no password", "", nil},
		{"RC2-40 certificates", "correct horse", []string{"-legacy"}},
		{"RC2-128", "correct horse", []string{"-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-RC2-128"}},
		{"two-key 3DES", "correct horse", []string{"-certpbe", "PBE-SHA1-2DES", "-keypbe", "PBE-SHA1-2DES", "-legacy"}},
		{"three-key 3DES", "correct horse", []string{"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"}},
		{"PBES2 with 3DES", "correct horse", []string{"-certpbe", "DES-EDE3-CBC", "-keypbe", "DES-EDE3-CBC"}},
		{"AES-128 and AES-192, MAC by SHA-512", "correct horse", []string{"-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC", "-macalg", "sha512"}},
		{"MAC by SHA-384 in one round", "correct horse", []string{"-macalg", "sha384", "-nomaciter"}},
		{"no MAC", "correct horse", []string{"-nomac"}},
		{"certificates in clear", "correct horse", []string{"-certpbe", "NONE"}},
		{"a key in clear", "correct horse", []string{"-keypbe", "NONE", "-certpbe", "NONE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "id.p12")
			args := []string{"pkcs12", "-export", "-inkey", keyPath, "-in", certPath, "-certfile", chainPath, "-name", "Alice, signing", "-out", path, "-passout", "env:PW"}
			run(t, []string{"PW=" + c.password, "LC_ALL=C.UTF-8"}, "openssl", append(args, c.flags...)...)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			ids, extra, err := Decode(data, c.password, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) != 1 || len(extra) != 0 {
				t.Fatalf("%d identities, %d extra", len(ids), len(extra))
			}
			checkIdentity(t, ids[0], h.alice)
			if !strings.Contains(strings.Join(c.flags, " "), "-keypbe NONE") {
				if _, _, err = Decode(data, "wrong", Limits{}); fault.CodeOf(err) != "pkcs12.wrong-password" {
					t.Errorf("a wrong password gives %v", err)
				}
			}
		})
	}
}

func TestNSSReadsOursAndWeReadNSS(t *testing.T) {
	h := makeHouse()
	for _, c := range []struct {
		name     string
		encoding Encoding
		password string
	}{
		{"modern", Modern, "correct horse"},
		{"modern, a password outside ASCII", Modern, "Schlüssel"},
		{"legacy", Legacy, "correct horse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			db := "sql:" + dir
			env := []string{"LC_ALL=C.UTF-8"}
			run(t, env, "certutil", "-N", "-d", db, "--empty-password")
			in := write(t, filepath.Join(dir, "in.p12"), encode(t, c.password, c.encoding, h.alice, h.bob))
			run(t, env, "pk12util", "-i", in, "-d", db, "-W", c.password)
			if keys := run(t, env, "certutil", "-K", "-d", db); !strings.Contains(keys, "Alice, signing") || !strings.Contains(keys, "Schlüssel") {
				t.Errorf("NSS does not have both keys by name:\n%s", keys)
			}
			out := filepath.Join(dir, "out.p12")
			run(t, env, "pk12util", "-o", out, "-n", h.alice.FriendlyName, "-d", db, "-W", c.password)
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			ids, _, err := Decode(data, c.password, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) != 1 {
				t.Fatalf("%d identities", len(ids))
			}
			checkIdentity(t, ids[0], h.alice)
		})
	}
}

func TestGpgsmReadsLegacyAndWeReadGpgsm(t *testing.T) {
	h := makeHouse()
	home, err := os.MkdirTemp("", "gpgsm") // a short path: the agent's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	env := []string{"GNUPGHOME=" + home, "LC_ALL=C.UTF-8"}
	write(t, filepath.Join(home, "gpg-agent.conf"), []byte("allow-loopback-pinentry\ns2k-count 65536\n"))
	batch := []string{"--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--disable-dirmngr"}
	in := write(t, filepath.Join(home, "in.p12"), encode(t, "correct horse", Legacy, h.alice))
	runWith(t, "correct horse\n", env, "gpgsm", append(batch, "--import", in)...)
	if list := run(t, env, "gpgsm", append(batch, "-K")...); !strings.Contains(list, "alice@example.com") {
		t.Errorf("gpgsm does not have the key:\n%s", list)
	}
	out := filepath.Join(home, "out.p12")
	runWith(t, "correct horse\n", env, "gpgsm", append(batch, "--output", out, "--export-secret-key-p12", "alice@example.com")...)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	ids, _, err := Decode(data, "correct horse", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 || ids[0].Cert == nil || !ids[0].Cert.Equal(h.alice.Cert) {
		t.Fatalf("%d identities came back, %+v", len(ids), ids)
	}
	// The same numbers, perhaps with the primes in another order and another private exponent, as libgcrypt wants them.
	got, ok := ids[0].Key.(*rsa.PrivateKey)
	if want := h.alice.Key.(*rsa.PrivateKey); !ok || !got.PublicKey.Equal(&want.PublicKey) || got.Validate() != nil {
		t.Error("the key is another")
	}
}

func TestOpenSSLCorpus(t *testing.T) {
	dir := filepath.Join(corpora(t), "openssl/test/recipes/80-test_pkcs12_data")
	files, err := filepath.Glob(filepath.Join(dir, "*.p12"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			password := "1234"
			switch {
			case strings.Contains(name, "oct-is-null"), strings.HasPrefix(name, "BOOLEAN"):
				password = "RedHatEnterpriseLinux10.0"
			case strings.HasPrefix(name, "nomac"):
				password = "testpassword"
			}
			good := strings.Contains(name, ".good.") || name == "nomac_parse.p12" || name == "pbmac1_sha1_hmac_and_prf.p12"
			ids, _, err := Decode(data, password, Limits{})
			t.Logf("%d identities, %v", len(ids), err)
			if good != (err == nil) {
				t.Errorf("opened: %v, want %v (%v)", err == nil, good, err)
			}
			if want := 1; good {
				if name == "nomac_parse.p12" { // all of it is sealed to a public key; OpenSSL finds nothing either
					want = 0
				}
				if len(ids) != want || want == 1 && ids[0].Cert == nil {
					t.Errorf("%d identities, want %d", len(ids), want)
				}
			}
		})
	}
}

func TestRFC9216Corpus(t *testing.T) {
	dir := filepath.Join(corpora(t), "rfc9216")
	for _, name := range []string{"alice", "bob", "carlos", "dana"} {
		t.Run(name+" has a key to sign and one to open", func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, name+".p12"))
			if err != nil {
				t.Fatal(err)
			}
			ids, extra, err := Decode(data, name, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) != 2 || len(extra) != 0 {
				t.Fatalf("%d identities, %d extra", len(ids), len(extra))
			}
			for _, id := range ids {
				if id.Cert == nil || len(id.Chain) != 1 || id.FriendlyName == "" {
					t.Errorf("%q: certificate %v, chain of %d", id.FriendlyName, id.Cert != nil, len(id.Chain))
				}
			}
			again, err := Encode(ids, name, Modern)
			if err != nil {
				t.Fatal(err)
			}
			back, _, err := Decode(again, name, Limits{})
			if err != nil || len(back) != 2 {
				t.Fatalf("%d, %v", len(back), err)
			}
			for i := range ids {
				checkIdentity(t, back[i], ids[i])
			}
		})
	}
}
