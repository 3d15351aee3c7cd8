package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/testca"
)

func TestCheckPublicURL(t *testing.T) {
	for in, code := range map[string]string{
		"http://pki.example.com": "", "http://pki.example.com:8080": "", "http://pki.example.com/pki": "", "http://localhost:8441": "", "http://192.0.2.1": "", "http://[2001:db8::1]:80": "", "http://xn--bcher-kva.example": "",
		"https://pki.example.com": "public-url.scheme", "ftp://pki.example.com": "public-url.scheme", "http://pki.example.com/": "public-url.slash", "http://pki.example.com/pki/": "public-url.slash",
		"": "public-url.malformed", "pki.example.com": "public-url.malformed", "http://": "public-url.malformed", "http:pki": "public-url.malformed", "http://user:pw@pki.example.com": "public-url.malformed",
		"http://pki.example.com?x=1": "public-url.malformed", "http://pki.example.com#x": "public-url.malformed", "http://bücher.example": "public-url.ascii", "http://pki.example.com/a b": "public-url.ascii",
	} {
		if err := checkPublicURL(in); (code == "") != (err == nil) || err != nil && fault.CodeOf(err) != code {
			t.Errorf("%q: %v, want %q", in, err, code)
		}
	}
}

func TestPortalURL(t *testing.T) {
	for _, c := range []struct {
		listen, url string
		tls         bool
		want        string
	}{
		{"127.0.0.1:8440", "", false, "http://localhost:8440"},
		{"[::1]:8440", "", false, "http://localhost:8440"},
		{"localhost:8440", "", false, "http://localhost:8440"},
		{":8440", "", true, "https://localhost:8440"},
		{"0.0.0.0:8440", "", true, "https://localhost:8440"},
		{"[::]:8440", "", true, "https://localhost:8440"},
		{"pki.example.com:8440", "", true, "https://pki.example.com:8440"},
		{"192.0.2.1:8440", "", true, "https://192.0.2.1:8440"},
		{"[2001:db8::1]:8440", "", true, "https://[2001:db8::1]:8440"},
		{"pki.example.com:443", "", true, "https://pki.example.com"},
		{"[2001:db8::1]:443", "", true, "https://[2001:db8::1]"},
		{"127.0.0.1:80", "", false, "http://localhost"},
		{"127.0.0.1:443", "", false, "http://localhost:443"},
		{"127.0.0.1:8440", "https://pki.example.com", false, "https://pki.example.com"},
		{"127.0.0.1:8440", "https://pki.example.com/", false, "https://pki.example.com"},
	} {
		h := &House{config: config.Default()}
		h.config.Portal.Listen, h.config.Portal.URL = c.listen, c.url
		if c.tls {
			h.config.TLS.Cert = "cert.pem"
		}
		if got := h.PortalURL(); got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
}

func TestCheckListen(t *testing.T) {
	for _, c := range []struct {
		listen, url, cert, code string
	}{
		{"127.0.0.1:8440", "", "", ""}, {"localhost:8440", "", "", ""}, {"[::1]:8440", "", "", ""},
		{":8440", "", "", "portal.clear"}, {"0.0.0.0:8440", "", "", "portal.clear"}, {"192.0.2.1:8440", "", "", "portal.clear"}, {"pki.example.com:8440", "", "", "portal.clear"},
		{"0.0.0.0:8440", "", "cert.pem", ""}, {"0.0.0.0:8440", "https://pki.example.com", "", ""}, {"0.0.0.0:8440", "http://pki.example.com", "", "portal.clear"},
		{"8440", "", "", "portal.listen"},
	} {
		h := &House{config: config.Default()}
		h.config.Portal.Listen, h.config.Portal.URL, h.config.TLS.Cert = c.listen, c.url, c.cert
		if err := h.checkListen(); (c.code == "") != (err == nil) || err != nil && fault.CodeOf(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestLocal(t *testing.T) {
	for in, want := range map[string]bool{"http://localhost:8441": true, "http://127.0.0.1": true, "http://[::1]:80": true, "http://pki.localhost": true, "http://pki.example.com": false, "http://192.0.2.1": false, "http://notlocalhost": false} {
		if local(in) != want {
			t.Errorf("%s is local: %v", in, !want)
		}
	}
}

func TestSMTPSettings(t *testing.T) {
	from := mail.Address{Address: "pki@example.com"}
	file := func(content string) string {
		f := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(f, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, c := range []struct {
		name string
		in   config.SMTP
		code string
	}{
		{"STARTTLS", config.SMTP{Host: "mail.example.com", Security: "starttls"}, ""},
		{"in clear to this machine", config.SMTP{Host: "127.0.0.1", Security: "none"}, ""},
		{"in clear to localhost", config.SMTP{Host: "localhost", Security: "none"}, ""},
		{"in clear over the network", config.SMTP{Host: "mail.example.com", Security: "none"}, "smtp.clear"},
		{"in clear to an address of the network", config.SMTP{Host: "192.0.2.1", Security: "none"}, "smtp.clear"},
		{"a password file that is not there", config.SMTP{Host: "mail.example.com", PasswordFile: "/nowhere"}, "smtp.password-file"},
		{"an authority that is not there", config.SMTP{Host: "mail.example.com", CAFile: "/nowhere"}, "config.ca-file"},
		{"an authority without certificates", config.SMTP{Host: "mail.example.com", CAFile: file("nothing")}, "config.ca-file"},
	} {
		if s, err := smtpOf(c.in, from); (c.code == "") != (err == nil) || err != nil && fault.CodeOf(err) != c.code || err == nil && s.From != from {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	s, err := smtpOf(config.SMTP{Host: "mail.example.com", PasswordFile: file("secret\n"), Password: "other"}, from)
	if err != nil || s.Password != "secret" {
		t.Errorf("the password is %q, %v", s.Password, err)
	}
}

func TestPrefixes(t *testing.T) {
	list, err := prefixes([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"})
	if err != nil || len(list) != 3 || list[1].Bits() != 32 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := prefixes([]string{"the proxy"}); fault.CodeOf(err) != "portal.trusted-proxies" {
		t.Errorf("got %v", err)
	}
}

func TestACMEConfiguration(t *testing.T) {
	for _, c := range []struct{ url, code string }{{"https://pki.example.com", ""}, {"", "tls.acme"}, {"https://192.0.2.1", "tls.acme"}, {"https://localhost:8440", "tls.acme"}} {
		h := &House{config: config.Default(), home: home{dir: t.TempDir()}}
		h.config.TLS.ACME = config.ACME{Email: "pki@example.com", Directory: "https://acme.example/directory"}
		h.config.Portal.URL = c.url
		got, err := h.tlsConfig()
		if c.code != "" {
			if fault.CodeOf(err) != c.code {
				t.Errorf("%q: %v", c.url, err)
			}
			continue
		}
		if err != nil || got.MinVersion != tls.VersionTLS12 || got.GetCertificate == nil || !strings.Contains(strings.Join(got.NextProtos, " "), "acme-tls/1") {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := got.GetCertificate(&tls.ClientHelloInfo{ServerName: "evil.example.com"}); err == nil {
			t.Error("a certificate for any name is asked for")
		}
	}
}

// run opens the doors of a house until the test ends.
func run(t *testing.T, c config.Config) Doors {
	t.Helper()
	h, err := Open(t.Context(), c, Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, done := make(chan Doors, 1), make(chan error, 1)
	go func() { done <- h.Run(ctx, func(d Doors) { ready <- d }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("it did not stop well: %v", err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case d := <-ready:
		return d
	case err := <-done:
		done <- nil
		t.Fatalf("the house did not open: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the house did not open in 20 seconds")
	}
	return Doors{}
}

func await(t *testing.T, client *http.Client, url string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if code, body := get(t, client, url); code == http.StatusOK {
			return
		} else if time.Now().After(end) {
			t.Fatalf("%s: %d %s", url, code, body)
		}
	}
}

func TestDoors(t *testing.T) {
	c := newHouse(t)
	c.Metrics.Listen = freePort(t)
	d := run(t, c)
	client := &http.Client{Timeout: 10 * time.Second}
	if code, body := get(t, client, d.Portal+"/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %s", code, body)
	}
	await(t, client, d.Portal+"/readyz")
	if code, _ := get(t, client, d.Portal+"/metrics"); code != http.StatusUnauthorized {
		t.Errorf("/metrics at the portal for anybody: %d", code)
	}
	code, body := get(t, client, "http://"+c.Metrics.Listen+"/")
	if code != 200 {
		t.Errorf("the metrics listener: %d", code)
	}
	for _, name := range []string{"chancery_certificates{", "chancery_crl_next_update_seconds{", "chancery_mails{", "chancery_jobs{", "chancery_ledger_commits_total ", "go_goroutines "} {
		if !strings.Contains(body, name) {
			t.Errorf("no %s in the metrics", name)
		}
	}
	if code, _ := get(t, client, d.Public+"/ca/root.crt"); code != 200 {
		t.Errorf("the root's certificate: %d", code)
	}
	if !strings.HasPrefix(d.Setup, d.Portal+"/setup/") {
		t.Errorf("the set-up link is %q", d.Setup)
	}
	info, err := os.Stat(d.Socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	socket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.Socket)
	}}}
	for path, want := range map[string]int{"/api/v1/overview": 200, "/metrics": 200, "/": 404} {
		if code, body := get(t, socket, "http://socket"+path); code != want {
			t.Errorf("%s at the socket: %d %.100s", path, code, body)
		}
	}
	if code, _ := get(t, client, d.Portal+"/api/v1/overview"); code != 401 {
		t.Errorf("the API for anybody: %d", code)
	}
}

func TestAHouseWithoutTheRootsKeyIsReady(t *testing.T) {
	c := newHouse(t)
	if err := os.Remove(filepath.Join(c.Data, "keys", "root.age")); err != nil {
		t.Fatal(err)
	}
	d := run(t, c)
	await(t, http.DefaultClient, d.Portal+"/readyz")
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	c := newHouse(t)
	l, err := net.Listen("tcp", c.Public.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h, err := Open(t.Context(), c, Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	mustBe(t, h.Run(t.Context(), func(Doors) {}), "listen", c.Public.Listen, "public.listen")
	if other, err := net.Listen("tcp", c.Portal.Listen); err != nil {
		t.Errorf("the portal's door was left open: %v", err)
	} else {
		other.Close()
	}
}

func TestTLSByFiles(t *testing.T) {
	c := newHouse(t)
	root := testca.New(t).Root()
	leaf := root.Leaf("", testca.ExtUsage(x509.ExtKeyUsageServerAuth), testca.With(func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }))
	key, err := x509.MarshalPKCS8PrivateKey(leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c.TLS.Cert, c.TLS.Key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for f, b := range map[string]*pem.Block{c.TLS.Cert: {Type: "CERTIFICATE", Bytes: leaf.Cert.Raw}, c.TLS.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(f, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(root.Cert)
	d := run(t, c)
	if !strings.HasPrefix(d.Portal, "https://localhost:") {
		t.Fatalf("the portal is at %s", d.Portal)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	r, err := client.Get(d.Portal + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 200 || r.ProtoMajor != 2 || r.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s, HSTS %q", r.Proto, r.Status, r.Header.Get("Strict-Transport-Security"))
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}}}
	if _, err := old.Get(d.Portal + "/healthz"); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	bad := &House{config: c}
	bad.config.TLS.Key = c.TLS.Cert
	if _, err := bad.tlsConfig(); fault.CodeOf(err) != "tls.files" {
		t.Errorf("a key file without a key: %v", err)
	}
}
