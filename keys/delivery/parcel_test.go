package delivery_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/fault"
	"chancery.example/keys/delivery"
	"chancery.example/mailbox"
	"chancery.example/testca"
)

const password = "pässword mit ümlaut"

func address(t *testing.T, s string) mailbox.Address {
	t.Helper()
	a, err := mailbox.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAKeyIsNotPackedWithTheCertificateOfAnother(t *testing.T) {
	key, err := delivery.Born()
	if err != nil {
		t.Fatal(err)
	}
	if n := key.Public().(*rsa.PublicKey).N.BitLen(); n != delivery.KeyBits {
		t.Errorf("the key has %d bits", n)
	}
	leaf := testca.New(t).Root().Issuing().Leaf("alice@example.com", testca.RSA2048)
	if p, err := delivery.Pack(key, leaf.Cert, nil, address(t, "alice@example.com"), password, delivery.Modern); err == nil || p.Data != nil {
		t.Errorf("got %d octets, %v", len(p.Data), err)
	}
}

func TestNothingOfAKeyIsPrinted(t *testing.T) {
	key, err := delivery.Born()
	if err != nil {
		t.Fatal(err)
	}
	n := key.Public().(*rsa.PublicKey).N.String()[:40]
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "key", key, "pointer", &key)
	raw, err := json.Marshal(map[string]any{"key": key}) // through any, as a careless log would
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"%v": fmt.Sprintf("%v", key), "%+v": fmt.Sprintf("%+v", key), "%#v": fmt.Sprintf("%#v", key), "%s": fmt.Sprintf("%s", key), "%d": fmt.Sprintf("%d", key),
		"%x": fmt.Sprintf("%x", &key), "in a struct": fmt.Sprintf("%+v", struct{ K delivery.Key }{key}), "log": log.String(), "JSON": string(raw)} {
		if strings.Contains(out, n) || strings.Contains(out, "0xc0") || len(out) > 300 {
			t.Errorf("%s shows %.100s", name, out)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for p, code := range map[string]string{
		"": "password.short", "1234567": "password.short", "ääääää": "password.short", "12345678": "", "ääääääää": "", "correct horse battery staple": "",
		strings.Repeat("x", 1000): "", strings.Repeat("x", 1001): "password.long", "long enough \xff": "password.encoding",
	} {
		if err := delivery.CheckPassword(p); (code == "") != (err == nil) || err != nil && (fault.CodeOf(err) != code || !fault.Is(err, fault.Invalid)) {
			t.Errorf("%.20q: %v", p, err)
		}
	}
}

func TestCheckEncoding(t *testing.T) {
	for in, want := range map[delivery.Encoding]delivery.Encoding{"": delivery.Modern, delivery.Modern: delivery.Modern, delivery.Legacy: delivery.Legacy} {
		if got, err := delivery.CheckEncoding(in); err != nil || got != want {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	for _, in := range []delivery.Encoding{"MODERN", "rc2", "legacy "} {
		if _, err := delivery.CheckEncoding(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestFileNameIsSafeEverywhere(t *testing.T) {
	for in, want := range map[string]string{
		"alice@example.com": "alice@example.com.p12", "alice+work@example.com": "alice+work@example.com.p12", `"a/../b"@example.com`: "_a_.._b_@example.com.p12",
		`"a\\b:c*?<>|"@example.com`: "", "jürgen@bücher.example": "j_rgen@xn--bcher-kva.example.p12",
	} {
		got := delivery.FileName(address(t, in), ".p12")
		if want != "" && got != want {
			t.Errorf("%s is stored as %q, want %q", in, got, want)
		}
		if strings.ContainsAny(got, `/\:*?"<>|`+"\r\n\x00") || got != filepath.Base(got) || strings.HasPrefix(got, ".") {
			t.Errorf("%s is stored as %q", in, got)
		}
	}
}

// pack makes a parcel with a key of this package, certified by a test hierarchy.
func pack(t *testing.T, e delivery.Encoding) (delivery.Parcel, delivery.Key) {
	t.Helper()
	key, err := delivery.Born()
	if err != nil {
		t.Fatal(err)
	}
	root := testca.New(t).Root()
	issuing := root.Issuing()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "alice@example.com"}, NotBefore: testca.Start, NotAfter: testca.End,
		KeyUsage: x509.KeyUsageDigitalSignature, EmailAddresses: []string{"alice@example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuing.Cert, key.Public(), issuing.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p, err := delivery.Pack(key, cert, []*x509.Certificate{issuing.Cert, root.Cert}, address(t, "alice@example.com"), password, e)
	if err != nil {
		t.Fatal(err)
	}
	return p, key
}

func TestParcelsAreReadByTheirClients(t *testing.T) {
	for _, e := range []delivery.Encoding{delivery.Modern, delivery.Legacy} {
		t.Run(string(e), func(t *testing.T) {
			p, key := pack(t, e)
			if p.Name != "alice@example.com.p12" || p.ContentType != "application/x-pkcs12" || !key.Public().(*rsa.PublicKey).Equal(p.Certificate.PublicKey) {
				t.Errorf("the parcel is %s, %s", p.Name, p.ContentType)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "a.p12")
			if err := os.WriteFile(file, p.Data, 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"pkcs12", "-in", file, "-passin", "pass:" + password, "-nodes"}
			if e == delivery.Legacy {
				args = append(args, "-legacy")
			}
			out, err := exec.Command("openssl", args...).CombinedOutput()
			if err != nil || strings.Count(string(out), "BEGIN CERTIFICATE") != 3 || strings.Count(string(out), "BEGIN PRIVATE KEY") != 1 || !strings.Contains(string(out), "friendlyName: alice@example.com") {
				t.Errorf("openssl: %v\n%.500s", err, out)
			}
			if out, err := exec.Command("openssl", "pkcs12", "-in", file, "-passin", "pass:wrong", "-nodes", "-legacy").CombinedOutput(); err == nil {
				t.Errorf("a wrong password opens it:\n%.200s", out)
			}
			if out, err := exec.Command("certutil", "-N", "-d", dir, "--empty-password").CombinedOutput(); err != nil {
				t.Fatalf("certutil: %v\n%s", err, out)
			}
			if out, err := exec.Command("pk12util", "-i", file, "-d", dir, "-W", password).CombinedOutput(); err != nil {
				t.Errorf("pk12util: %v\n%s", err, out)
			}
		})
	}
}
