package access_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// refusing notes what a door was given to refuse.
func refusing(into *error) access.Refuse {
	return func(w http.ResponseWriter, _ *http.Request, err error) {
		*into = err
		w.WriteHeader(http.StatusForbidden)
	}
}

func TestWhatOtherSitesSendIsRefused(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Origin = "https://pki.example.com" })
	for _, c := range []struct {
		name, method string
		header       map[string]string
		ok           bool
	}{
		{"a form of the portal", "POST", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, true},
		{"a typed address", "GET", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"a link from a mail", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"a form of another site", "POST", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, false},
		{"a form of a neighbour in the same domain", "POST", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://www.example.com"}, false},
		{"another site's request in an old browser", "DELETE", map[string]string{"Origin": "https://evil.example"}, false},
		{"the portal's own in an old browser behind a proxy", "POST", map[string]string{"Origin": "https://pki.example.com"}, true},
		{"a program", "POST", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://127.0.0.1:8080/orders", nil)
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			var refused error
			ran := false
			h.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }), refusing(&refused)).ServeHTTP(httptest.NewRecorder(), r)
			if ran != c.ok || ran == (refused != nil) {
				t.Errorf("it ran: %v, refused with %v", ran, refused)
			}
			if refused != nil {
				h.refused(refused, fault.Denied, "access.cross-origin")
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct{ origin, transport string }{{"http://localhost:8443", ""}, {"https://pki.example.com", "max-age=31536000"}} {
		h := newHouse(t, func(conf *access.Config) { conf.Origin = c.origin })
		w := httptest.NewRecorder()
		h.Headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		got := w.Result().Header
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Strict-Transport-Security": c.transport, "X-Frame-Options": "DENY"} {
			if got.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", c.origin, name, got.Get(name), want)
			}
		}
		policy := got.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("the policy %q lacks %q", policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("the policy %q allows what is unsafe", policy)
		}
	}
}

func TestRequire(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	ask := func(b *browser, do access.Action) error {
		return b.in(func(ctx context.Context) (err error) {
			ran := false
			h.Require(do, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }), refusing(&err)).
				ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			if ran == (err != nil) {
				return errors.New("it ran and was refused, or neither")
			}
			return err
		})
	}
	h.must(ask(p.browser, access.AuditRead))
	h.refused(ask(p.browser, access.OrderDecide), fault.Denied, "access.denied")
	h.refused(ask(h.browser(), access.AuditRead), fault.Anonymous, "access.sign-in")
	h.must(ask(h.browser(), access.OrderCreate))
}

func TestTheSocketIsTheOperators(t *testing.T) {
	h := newHouse(t)
	var last access.Principal
	handler := h.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { last = access.From(r.Context()) }),
		func(w http.ResponseWriter, r *http.Request, err error) { t.Error(err) })

	dir, err := os.MkdirTemp("", "chy") // a socket's path is short
	h.must(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "api.sock")
	socket, err := net.Listen("unix", path)
	h.must(err)
	inside := &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return access.OperatorContext(context.Background()) }}
	go inside.Serve(socket)
	defer inside.Close()
	outside := httptest.NewServer(handler)
	defer outside.Close()

	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	answer, err := client.Get("http://house/")
	h.must(err)
	answer.Body.Close()
	if last.Kind != access.Operator || h.Allow(last, access.AccountManage, access.Resource{}) != nil {
		t.Errorf("on the socket one is %+v", last)
	}
	answer, err = http.Get(outside.URL)
	h.must(err)
	answer.Body.Close()
	if last.SignedIn() || last.Client.Address.String() != "127.0.0.1" {
		t.Errorf("on the network one is %+v", last)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	h := newHouse(t)
	sealer, err := access.NewSealer(make([]byte, 32))
	h.must(err)
	for _, origin := range []string{"", "pki.example.com", "ftp://pki.example.com", "https://", "https://pki.example.com/portal", "https://user@pki.example.com", "https://pki.example.com?x", "://"} {
		_, err := access.New(access.Config{Ledger: h.store, Sealer: sealer, Origin: origin})
		if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "access.origin" {
			t.Errorf("the origin %q: got %v", origin, err)
		}
	}
	if _, err := access.New(access.Config{Ledger: h.store, Origin: origin}); err == nil {
		t.Error("without a sealer the secrets of apps would lie readable, and New said nothing")
	}
	if _, err := access.NewSealer(make([]byte, 16)); err == nil {
		t.Error("a key of 16 bytes was taken")
	}
	other, err := access.NewSealer([]byte(strings.Repeat("x", 32)))
	h.must(err)
	sealed, err := sealer.Seal([]byte("secret"), []byte("here"))
	h.must(err)
	if _, err := other.Open(sealed, []byte("here")); err == nil {
		t.Error("another key opened it")
	}
	if _, err := sealer.Open(sealed, []byte("there")); err == nil {
		t.Error("it opened in another place")
	}
	if plain, err := sealer.Open(sealed, []byte("here")); err != nil || string(plain) != "secret" {
		t.Errorf("it opens as %q, %v", plain, err)
	}
}
