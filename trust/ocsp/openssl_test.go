package ocsp

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("real peers run without -short")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// put writes the certificates and keys of a house where openssl finds them.
func (h house) put(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.pem", "CERTIFICATE", h.ca.Raw)
	write("leaf.pem", "CERTIFICATE", h.leaf.Raw)
	write("responder.pem", "CERTIFICATE", h.responder.Raw)
	key, err := x509.MarshalPKCS8PrivateKey(h.responderKey)
	if err != nil {
		t.Fatal(err)
	}
	write("responder.key", "PRIVATE KEY", key)
	return dir
}

func TestOpenSSLAsksAndBelievesUs(t *testing.T) {
	for _, kind := range []string{"RSA-2048", "P-256", "P-384"} {
		h := newHouse(t, kind)
		dir := h.put(t)
		for _, c := range []struct {
			name string
			hash crypto.Hash
			flag string
		}{{"SHA-1", crypto.SHA1, "-sha1"}, {"SHA-256", crypto.SHA256, "-sha256"}} {
			for _, status := range []Status{Good, Revoked, Unknown} {
				t.Run(kind+" "+c.name+" "+status.String(), func(t *testing.T) {
					openssl(t, dir, "ocsp", c.flag, "-issuer", "ca.pem", "-cert", "leaf.pem", "-nonce", "-reqout", "q.der")
					der, err := os.ReadFile(filepath.Join(dir, "q.der"))
					if err != nil {
						t.Fatal(err)
					}
					q, err := ParseRequest(der)
					if err != nil || len(q.IDs) != 1 || !q.IDs[0].Equal(h.id(t, c.hash)) || len(q.Nonce) == 0 {
						t.Fatalf("got %+v, %v", q, err)
					}
					answer := h.single(t, status)
					answer.ID = q.IDs[0]
					if der, err = h.delegated().Respond(h.now, q.Nonce, answer); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(dir, "r.der"), der, 0o600); err != nil {
						t.Fatal(err)
					}
					out := openssl(t, dir, "ocsp", "-respin", "r.der", "-reqin", "q.der", "-no_nonce", "-CAfile", "ca.pem", c.flag, "-issuer", "ca.pem", "-cert", "leaf.pem")
					if !strings.Contains(out, "Response verify OK") || !strings.Contains(out, "leaf.pem: "+status.String()) || strings.Contains(out, "WARNING") {
						t.Errorf("openssl says:\n%s", out)
					}
					if status == Revoked && !strings.Contains(out, "Reason: keyCompromise") {
						t.Errorf("openssl says:\n%s", out)
					}
				})
			}
		}
	}
}

func TestWeAskAndBelieveOpenSSL(t *testing.T) {
	h := newHouse(t, "P-256")
	dir := h.put(t)
	index := "V\t" + h.leaf.NotAfter.UTC().Format("060102150405Z") + "\t\t03\tunknown\t/CN=alice@example.com\n"
	if err := os.WriteFile(filepath.Join(dir, "index.txt"), []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	q := Request{IDs: []CertID{h.id(t, crypto.SHA1), h.id(t, crypto.SHA1)}, Nonce: []byte("0123456789abcdef0123456789abcdef")}
	q.IDs[1].Serial = h.ca.SerialNumber // not in the index
	der, err := q.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "q.der"), der, 0o600); err != nil {
		t.Fatal(err)
	}
	openssl(t, dir, "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "responder.pem", "-rkey", "responder.key", "-reqin", "q.der", "-respout", "r.der", "-ndays", "1")
	if der, err = os.ReadFile(filepath.Join(dir, "r.der")); err != nil {
		t.Fatal(err)
	}
	r, err := ParseResponse(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(h.ca, r.ProducedAt); err != nil {
		t.Error(err)
	}
	if string(r.Nonce) != string(q.Nonce) || len(r.Responses) != 2 || r.Responses[0].Status != Good || r.Responses[1].Status != Unknown {
		t.Errorf("got nonce %x, %+v", r.Nonce, r.Responses)
	}
}
