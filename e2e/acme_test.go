package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"chancery.example/config"
	"chancery.example/testca"
)

// build makes one of pebble's programs, pinned in internal/tools/acmetest.
func build(t *testing.T, dir, name string) string {
	t.Helper()
	out := filepath.Join(dir, name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-modfile=internal/tools/acmetest/go.mod", "-o", out, "github.com/letsencrypt/pebble/v2/cmd/"+name)
	cmd.Dir = ".."
	if got, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s cannot be built: %v\n%s", name, err, got)
	}
	return out
}

// run starts a program that ends with the test.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	log := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), log)
		}
	})
}

// The portal gets its certificate by itself from a real ACME server, by tls-alpn-01 on its own port.
func TestPortalGetsItsCertificateByACME(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts an ACME server")
	}
	dir := t.TempDir()
	root := testca.New(t).Root(testca.P256)
	server := root.Leaf("acme@example.com", testca.P256, testca.ExtUsage(x509.ExtKeyUsageServerAuth), testca.With(func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }))
	trusted := testca.CertPEM(root.Cert)
	ca := file(t, dir, "ca.pem", trusted)
	cert, key := file(t, dir, "acme.pem", testca.CertPEM(server.Cert)), file(t, dir, "acme.key", testca.KeyPEM(t, server.Key))

	c := newConfig(t, config.SQLite)
	_, portalPort, _ := net.SplitHostPort(c.Portal.Listen)
	acme, management, dns := freePort(t), freePort(t), freePort(t)
	raw, err := json.Marshal(map[string]any{"pebble": map[string]any{"listenAddress": "127.0.0.1:" + acme, "managementListenAddress": "127.0.0.1:" + management,
		"certificate": cert, "privateKey": key, "httpPort": 1, "tlsPort": must[int](t)(net.LookupPort("tcp", portalPort))}})
	if err != nil {
		t.Fatal(err)
	}
	settings := file(t, dir, "pebble.json", raw)
	run(t, nil, build(t, dir, "pebble-challtestsrv"), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", "127.0.0.1:"+dns,
		"-management", "127.0.0.1:"+freePort(t), "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	run(t, []string{"PEBBLE_VA_NOSLEEP=1"}, build(t, dir, "pebble"), "-config", settings, "-dnsserver", "127.0.0.1:"+dns)

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	within(t, 20*time.Second, "the ACME server answers", func() bool {
		a, err := client.Get("https://localhost:" + acme + "/dir")
		if err == nil {
			a.Body.Close()
		}
		return err == nil && a.StatusCode == http.StatusOK
	})

	const name = "pki.example.com"
	c.Portal.URL = "https://" + name + ":" + portalPort
	c.TLS.ACME = config.ACME{Email: "admin@example.com", Directory: "https://localhost:" + acme + "/dir", CAFile: ca}
	makeHouse(t, c)
	start(t, c)

	var leaf *x509.Certificate
	within(t, 30*time.Second, "the portal shows its certificate", func() bool {
		conn, err := tls.Dial("tcp", c.Portal.Listen, &tls.Config{ServerName: name, InsecureSkipVerify: true}) // whose it is, is looked at below
		if err != nil {
			return false
		}
		defer conn.Close()
		leaf = conn.ConnectionState().PeerCertificates[0]
		return true
	})
	a := must[*http.Response](t)(client.Get("https://localhost:" + management + "/roots/0"))
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(body(t, a.Body))) {
		t.Fatal("pebble gives no root")
	}
	a = must[*http.Response](t)(client.Get("https://localhost:" + management + "/intermediates/0"))
	middle := x509.NewCertPool()
	middle.AppendCertsFromPEM([]byte(body(t, a.Body)))
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, DNSName: name}); err != nil {
		t.Errorf("the portal's certificate is not the ACME server's for %s: %v", name, err)
	}
	if _, err := tls.Dial("tcp", c.Portal.Listen, &tls.Config{ServerName: "other.example.com", InsecureSkipVerify: true}); err == nil {
		t.Error("the portal gets certificates for names that are not its own")
	}
}
