package cli

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chancery.example/pkcs12"
	"chancery.example/testca"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chancery": func() {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
	}})
}

// TestScripts runs the command line as a person types it. Every script finds the people of writeCast in $CAST and the
// messages that others made in $CORPORA, in lines that begin with [corpora].
func TestScripts(t *testing.T) {
	corpora := os.Getenv("CHANCERY_CORPORA")
	if corpora == "" {
		corpora = filepath.Join("..", "..", "shared", "corpora")
	}
	corpora, err := filepath.Abs(corpora)
	if err != nil {
		t.Fatal(err)
	}
	_, missing := os.Stat(corpora)
	if missing != nil {
		t.Logf("no corpora at %s; lines that need them are left out; set CHANCERY_CORPORA to run them", corpora)
	}
	people := t.TempDir()
	writeCast(t, people)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Condition: func(name string) (bool, error) {
			if name != "corpora" {
				return false, fmt.Errorf("there is no condition %s", name)
			}
			return missing == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("CAST", people)
			env.Setenv("CORPORA", corpora)
			return nil
		},
	})
}

// writeCast writes the people of the scripts:
//
//	root.pem, chain.pem          the root, and the issuing CA below it
//	alice-*.pem, alice-rsa-*.pem sign (alice@example.com)
//	bob-*.pem, bob-rsa-*.pem     read (bob@example.com)
//	gcm-*.pem                    reads AES-GCM and says so
//	mallory-*.pem                is somebody else under the same root
//	stranger-*.pem               is alice@example.com under another root
//	old-*.pem                    is Alice's expired certificate
//	alice.p12                    a signing and an encryption key, passphrase "correct horse"
//	good.crl, revoked.crl        without and with Alice; root.crl of the root
func writeCast(t *testing.T, dir string) {
	t.Helper()
	root := testca.New(t).Root(testca.P384)
	issuing := root.Issuing()
	alice := issuing.Leaf("alice@example.com")
	aliceRSA := issuing.Leaf("alice@example.com", testca.RSA2048)
	bobRSA := issuing.Leaf("bob@example.com", testca.RSA2048)
	leaves := map[string]*testca.Leaf{
		"alice-": alice, "alice-rsa-": aliceRSA, "bob-": issuing.Leaf("bob@example.com"), "bob-rsa-": bobRSA,
		"gcm-": issuing.Leaf("gcm@example.com", testca.Capabilities(t, []int{2, 16, 840, 1, 101, 3, 4, 1, 46})), "mallory-": issuing.Leaf("mallory@example.net"),
		"stranger-": testca.New(t).Root().Leaf("alice@example.com"),
		"old-":      issuing.Leaf("alice@example.com", testca.Valid(testca.Start, testca.Start.AddDate(0, 1, 0))),
	}
	for prefix, leaf := range leaves {
		leaf.Files(dir, prefix)
	}
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("root.pem", testca.CertPEM(root.Cert))
	write("root.der", root.Cert.Raw)
	write("chain.pem", testca.CertPEM(issuing.Cert))
	write("alice-cert.der", alice.Cert.Raw)
	write("passphrase", []byte("correct horse\n"))

	sign := issuing.Leaf("alice@example.com", testca.Usage(x509.KeyUsageDigitalSignature))
	open := issuing.Leaf("alice@example.com", testca.Usage(x509.KeyUsageKeyAgreement))
	var list []pkcs12.Identity
	for name, leaf := range map[string]*testca.Leaf{"sign": sign, "read": open} {
		list = append(list, pkcs12.Identity{Key: leaf.Key, Cert: leaf.Cert, Chain: append(leaf.Intermediates(), root.Cert), FriendlyName: name})
	}
	p12, err := pkcs12.Encode(list, "correct horse", pkcs12.Modern)
	if err != nil {
		t.Fatal(err)
	}
	write("alice.p12", p12)
	write("alice-read.pem", testca.CertPEM(open.Cert))
	write("alice-sign.pem", testca.CertPEM(sign.Cert))

	crl := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }
	now := time.Now().Add(-time.Hour).Truncate(time.Second)
	write("good.crl", crl(issuing.CRL(now)))
	write("revoked.crl", issuing.CRL(now, testca.Revoked{Leaf: alice, At: now})) // DER, for once
	write("root.crl", crl(root.CRL(now)))
}
