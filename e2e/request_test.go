package e2e

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/config"
)

// A key that its holder made with OpenSSL: ordered from the command line, confirmed in a browser, fetched as PEM, revoked and
// seen as revoked; all through the API that the command line speaks.
func TestCertificateForARequestByTheCommandLine(t *testing.T) {
	c := newConfig(t, config.SQLite)
	makeHouse(t, c)
	h := start(t, c)
	dir := t.TempDir()
	key, csr := filepath.Join(dir, "key.pem"), filepath.Join(dir, "csr.pem")
	peer(t, nil, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr, "-subj", "/CN=alice@example.com")
	wants(t, 0, "order", "create", "alice@example.com", "--agreement", "current", "--request", csr, "--data", c.Data)
	link := h.await("the confirmation", hasLink("alice@example.com", "/confirm/")).link("/confirm/")

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page := body(t, must[*http.Response](t)(client.Get(link)).Body)
	if !strings.Contains(page, `name="key"`) {
		t.Errorf("the page does not ask whose key it is:\n%s", page)
	}
	a := must[*http.Response](t)(client.PostForm(link, url.Values{}))
	if text := body(t, a.Body); a.StatusCode < 400 {
		t.Errorf("without the yes to the key the answer is %s:\n%s", a.Status, text)
	}
	a = must[*http.Response](t)(client.PostForm(link, url.Values{"key": {"known"}}))
	if text := body(t, a.Body); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("confirming gives %s:\n%s", a.Status, text)
	}

	id := strings.Fields(string(wants(t, 0, "order", "list", "alice", "--data", c.Data)))[5]
	var chain []byte
	within(t, 10*time.Second, "the certificate can be fetched", func() bool {
		out, _, status := chancery(t, nil, "order", "fetch", id, "--data", c.Data)
		chain = out
		return status == 0
	})
	pem := file(t, dir, "chain.pem", chain)
	root := file(t, dir, "root.pem", []byte(body(t, must[*http.Response](t)(http.Get(h.doors.Public+"/ca/root.pem")).Body)))
	peer(t, nil, "openssl", "verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", root, "-untrusted", pem, pem)
	mine, theirs := peer(t, nil, "openssl", "pkey", "-in", key, "-pubout"), peer(t, nil, "openssl", "x509", "-in", pem, "-noout", "-pubkey")
	if mine != theirs {
		t.Error("the certificate is for another key")
	}
	list := strings.Fields(string(wants(t, 0, "cert", "list", "alice", "--data", c.Data)))
	serial := list[5]
	wants(t, 0, "cert", "revoke", serial, "--reason", "key-compromise", "--data", c.Data)
	if out := string(wants(t, 0, "cert", "show", serial, "--data", c.Data)); !strings.Contains(out, "revoked") {
		t.Errorf("after the revocation it is shown as:\n%s", out)
	}
	_, said, status := chancery(t, nil, "order", "create", "alice@example.com", "--agreement", "current", "--request", csr, "--data", c.Data)
	if status != 1 || !strings.Contains(said, "compromised") {
		t.Errorf("the compromised key is taken again: exit status %d\n%s", status, said)
	}
}
