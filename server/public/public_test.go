package public

import (
	"bytes"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/trust/ocsp"
)

// observations are what an Observer was told.
type observations struct {
	mu  sync.Mutex
	all []string
}

// Observe writes it down.
func (o *observations) Observe(what string, status int, d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, what+" "+strconv.Itoa(status))
}

func (o *observations) has(s string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.all, s)
}

// ask makes a request for a certificate of an issuer.
func ask(t testing.TB, nonce []byte, issuer *x509.Certificate, serial *big.Int) []byte {
	t.Helper()
	id, err := ocsp.NewCertID(issuer, serial, crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	der, err := (&ocsp.Request{IDs: []ocsp.CertID{id}, Nonce: nonce}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestOpenSSLAsksOverHTTP(t *testing.T) {
	h := newHouse(t)
	h.revoke()
	cases := map[string]struct {
		args []string
		want string
	}{
		"a good one":                  {[]string{"-no_nonce", "-cert", h.path("good.pem")}, "good.pem: good"},
		"a good one, with a nonce":    {[]string{"-nonce", "-cert", h.path("good.pem")}, "good.pem: good"},
		"a revoked one":               {[]string{"-no_nonce", "-cert", h.path("gone.pem")}, "gone.pem: revoked"},
		"why it was revoked":          {[]string{"-nonce", "-sha256", "-cert", h.path("gone.pem")}, "Reason: keyCompromise"},
		"one that was never recorded": {[]string{"-no_nonce", "-cert", h.path("none.pem")}, "none.pem: unknown"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, code := peer(t, "openssl", append([]string{"ocsp", "-url", h.url + PathOCSP, "-issuer", h.path("issuing.pem"), "-CAfile", h.path("root.pem"), "-timeout", "5"}, c.args...)...)
			if code != 0 || !strings.Contains(out, "Response verify OK") || !strings.Contains(out, c.want) || strings.Contains(out, "WARNING") {
				t.Errorf("%d %s", code, out)
			}
		})
	}
	t.Run("verify -crl_check says revoked", func(t *testing.T) {
		for file, want := range map[string]string{"gone.pem": "certificate revoked", "good.pem": "OK"} {
			for _, name := range []string{"issuing", "root"} {
				h.write(name+".crl.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: h.get(PathCRL(name)).body}))
			}
			out, _ := peer(t, "openssl", "verify", "-crl_check_all", "-CAfile", h.path("root.pem"), "-untrusted", h.path("issuing.pem"),
				"-CRLfile", h.path("issuing.crl.pem"), "-CRLfile", h.path("root.crl.pem"), h.path(file))
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s", file, out)
			}
		}
	})
}

func TestGETWithEveryClientsEscapes(t *testing.T) {
	h := newHouse(t)
	// A serial number whose request needs all of base64's letters, which the paths of URLs treat in their own way.
	var request []byte
	var text string
	for n := int64(1); !strings.Contains(text, "+") || !strings.Contains(text, "//") || !strings.HasSuffix(text, "="); n++ {
		request = ask(t, nil, h.issuing, new(big.Int).SetBytes([]byte(strings.Repeat("\xff\xfb\xef", 4)+strconv.FormatInt(n, 10))))
		text = base64.StdEncoding.EncodeToString(request)
	}
	want := h.send(http.MethodPost, "/ocsp", bytes.NewReader(request), "Content-Type", "application/ocsp-request").body
	if r, err := ocsp.ParseResponse(want); err != nil || r.Error != ocsp.Successful {
		t.Fatalf("POST: %v %v", r, err)
	}
	once := url.QueryEscape(text)
	cases := map[string]string{
		"escaped as RFC 6960 says":     "/ocsp/" + once,
		"not escaped, with // inside":  "/ocsp/" + text,
		"escaped twice":                "/ocsp/" + url.QueryEscape(once),
		"small letters in the escapes": "/ocsp/" + regexp.MustCompile("%..").ReplaceAllStringFunc(once, strings.ToLower),
		"without padding":              "/ocsp/" + url.QueryEscape(strings.TrimRight(text, "=")),
		"URL-safe letters":             "/ocsp/" + base64.URLEncoding.EncodeToString(request),
		"a plus that became a space":   "/ocsp/" + strings.ReplaceAll(once, "%2B", "%20"),
		"line breaks":                  "/ocsp/" + url.QueryEscape(text[:64]+"\r\n"+text[64:]+"\n"),
		"a base URL with a slash":      "/ocsp//" + once,
		"a base that ended with one":   "//ocsp/" + once,
	}
	for name, path := range cases {
		t.Run(name, func(t *testing.T) {
			out := h.path("answer")
			text, code := peer(t, "curl", "-sS", "--path-as-is", "--max-time", "5", "-w", "%{http_code} %{content_type}", "-o", out, h.url+path)
			if code != 0 || text != "200 application/ocsp-response" {
				t.Fatalf("%d %s", code, text)
			}
			r, err := ocsp.ParseResponse(h.get(path).body)
			if err != nil || r.Error != ocsp.Successful || len(r.Responses) != 1 || r.Responses[0].Status != ocsp.Unknown {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

func TestWhatCachesAreTold(t *testing.T) {
	h := newHouse(t)
	path := "/ocsp/" + url.QueryEscape(base64.StdEncoding.EncodeToString(ask(t, nil, h.issuing, h.good.SerialNumber)))
	type want struct{ contentType, cache string }
	for p, w := range map[string]want{
		path:               {"application/ocsp-response", "max-age=900, public, no-transform, must-revalidate"},
		"/crl/issuing.crl": {"application/pkix-crl", "max-age=900, public, no-transform, must-revalidate"},
		"/crl/root.crl":    {"application/pkix-crl", "max-age=900, public, no-transform, must-revalidate"},
		"/ca/issuing.crt":  {"application/pkix-cert", "public, max-age=86400"},
		"/ca/root.pem":     {"application/x-pem-file", "public, max-age=86400"},
		"/ca/chain.pem":    {"application/x-pem-file", "public, max-age=86400"},
	} {
		t.Run(p, func(t *testing.T) {
			got := h.get(p)
			if got.StatusCode != 200 || got.Header.Get("Content-Type") != w.contentType || got.Header.Get("Cache-Control") != w.cache ||
				got.Header.Get("Last-Modified") == "" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Fatalf("%d %v", got.StatusCode, got.Header)
			}
			tag := got.Header.Get("ETag")
			if len(tag) < 8 || tag[0] != '"' {
				t.Fatalf("ETag %s", tag)
			}
			for _, header := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
				if again := h.get(p, "If-None-Match", header); again.StatusCode != http.StatusNotModified || len(again.body) != 0 || again.Header.Get("ETag") != tag {
					t.Errorf("If-None-Match %s: %d", header, again.StatusCode)
				}
			}
			if again := h.get(p, "If-None-Match", `"other"`); again.StatusCode != 200 {
				t.Errorf("If-None-Match of another: %d", again.StatusCode)
			}
			head := h.send(http.MethodHead, p, nil)
			if head.StatusCode != 200 || len(head.body) != 0 || head.ContentLength != int64(len(got.body)) || head.Header.Get("ETag") != tag {
				t.Errorf("HEAD: %d, length %d of %d, %s", head.StatusCode, head.ContentLength, len(got.body), head.Header.Get("ETag"))
			}
			if got := h.send(http.MethodDelete, p, nil); got.StatusCode != http.StatusMethodNotAllowed || !strings.HasPrefix(got.Header.Get("Allow"), "GET, HEAD") {
				t.Errorf("DELETE: %d %s", got.StatusCode, got.Header.Get("Allow"))
			}
		})
	}
	t.Run("an OCSP answer's head agrees with what is signed (RFC 9919 5)", func(t *testing.T) {
		got := h.get(path)
		r, err := ocsp.ParseResponse(got.body)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(got.body)
		s := r.Responses[0]
		if got.Header.Get("Expires") != s.NextUpdate.Format(http.TimeFormat) || got.Header.Get("Last-Modified") != s.ThisUpdate.Format(http.TimeFormat) ||
			got.Header.Get("ETag") != `"`+hex.EncodeToString(sum[:])+`"` || got.Header.Get("Date") == "" {
			t.Errorf("%v for %+v", got.Header, s)
		}
	})
	t.Run("an answer to a nonce is nobody else's, and no-store is not for signed ones", func(t *testing.T) {
		got := h.send(http.MethodPost, "/ocsp", bytes.NewReader(ask(t, []byte("0123456789abcdef"), h.issuing, h.good.SerialNumber)))
		if cc := got.Header.Get("Cache-Control"); !strings.Contains(cc, "max-age=0") || strings.Contains(cc, "no-store") || strings.Contains(cc, "public") {
			t.Errorf("%s", cc)
		}
		r, err := ocsp.ParseResponse(got.body)
		if err != nil || string(r.Nonce) != "0123456789abcdef" {
			t.Errorf("nonce %q, %v", r.Nonce, err)
		}
	})
	t.Run("after a revocation the tag is another", func(t *testing.T) {
		before := h.get("/crl/issuing.crl").Header.Get("ETag")
		h.revoke()
		if after := h.get("/crl/issuing.crl", "If-None-Match", before); after.StatusCode != 200 || after.Header.Get("ETag") == before {
			t.Errorf("%d %s", after.StatusCode, after.Header.Get("ETag"))
		}
	})
	if !h.seen.has("ocsp 200") || !h.seen.has("crl 304") || !h.seen.has("ca 405") {
		t.Errorf("observed: %v", h.seen.all)
	}
}

// TestAWaveOfRevocationsIsVisibleWithinASecond ends 200 certificates at once, as after the loss of a directory, in a
// real ledger, and reads list and answers over HTTP.
func TestAWaveOfRevocationsIsVisibleWithinASecond(t *testing.T) {
	h := newHouse(t)
	var serials []issuance.Serial
	k := h.key(elliptic.P256())
	for range 200 {
		c := h.sign("issuing", &x509.Certificate{Subject: pkix.Name{CommonName: "alice@example.com"}, NotAfter: time.Now().AddDate(1, 0, 0)}, h.issuing, k, h.issuer)
		serials = append(serials, issuance.SerialOf(c.SerialNumber))
	}
	path := func(s issuance.Serial) string {
		return "/ocsp/" + url.QueryEscape(base64.StdEncoding.EncodeToString(ask(t, nil, h.issuing, s.Int())))
	}
	for _, s := range serials { // answers are ready, and must not outlive what comes
		h.get(path(s))
	}
	first := h.get(PathCRL("issuing"))
	var all sync.WaitGroup
	for _, s := range serials {
		all.Go(func() {
			now := time.Now()
			if err := h.authority.Commit(context.Background(), status.Change{Revocations: []status.Revocation{{Serial: s, Issuer: "issuing", At: now,
				Reason: status.CessationOfOperation, By: "system", NotAfter: now.AddDate(1, 0, 0)}}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	committed := time.Now()
	for _, s := range serials {
		r, err := ocsp.ParseResponse(h.get(path(s)).body)
		if err != nil || r.Responses[0].Status != ocsp.Revoked {
			t.Fatalf("%s: %+v %v", s, r, err)
		}
	}
	for {
		got := h.get(PathCRL("issuing"))
		list, err := x509.ParseRevocationList(got.body)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.RevokedCertificateEntries) == len(serials) && got.Header.Get("ETag") != first.Header.Get("ETag") {
			return
		}
		if time.Since(committed) > time.Second {
			t.Fatalf("after a second the list has %d of %d", len(list.RevokedCertificateEntries), len(serials))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestFilesAreWhatTheySay(t *testing.T) {
	h := newHouse(t)
	if c, err := x509.ParseCertificate(h.get(PathCA("issuing")).body); err != nil || !c.Equal(h.issuing) {
		t.Errorf("issuing.crt: %v", err)
	}
	chain := h.get("/ca/chain.pem").body
	var order []string
	for b, rest := pem.Decode(chain); b != nil; b, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, c.Subject.CommonName)
	}
	if !slices.Equal(order, []string{"Example Issuing", "Example Root"}) {
		t.Errorf("chain.pem: %v", order)
	}
	if list, err := x509.ParseRevocationList(h.get(PathCRL("root")).body); err != nil || list.CheckSignatureFrom(h.root) != nil {
		t.Errorf("root.crl: %v", err)
	}
}

func TestThePage(t *testing.T) {
	h := newHouse(t)
	got := h.get("/")
	page := string(got.body)
	sum := sha256.Sum256(h.root.Raw)
	for _, want := range []string{`<html lang="en">`, "Example &amp; Söhne", fingerprint(sum[:]), `href="/crl/issuing.crl"`, `href="/ca/root.crt"`, `href="/ca/chain.pem"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "//") {
			t.Errorf("a link to another host: %s", m[1])
		} else if link := h.get(m[1]); link.StatusCode != 200 {
			t.Errorf("%s: %d", m[1], link.StatusCode)
		}
	}
	style := page[strings.Index(page, "<style>")+len("<style>") : strings.Index(page, "</style>")]
	hash := sha256.Sum256([]byte(style))
	if policy := got.Header.Get("Content-Security-Policy"); !strings.Contains(policy, base64.StdEncoding.EncodeToString(hash[:])) || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy forbids the page's own style: %s", policy)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/crl/", "/crl/nobody.crl", "/crl/issuing", "/crl/../crl/issuing.crl", "/crl/issuing.crl/", "/crl/%2e%2e/issuing.crl",
		"/ca/", "/ca/nobody.crt", "/ca/issuing.key", "/ca/..%2fhouse.db", "/house.db", "/.git/config", "/index.html", "/ocspx"} {
		out, code := peer(t, "curl", "-sS", "--path-as-is", "--max-time", "5", "-o", h.path("out"), "-w", "%{http_code}", h.url+path)
		if code != 0 || out != "404" {
			t.Errorf("%s: %s", path, out)
		}
	}
	if got := h.get("/healthz"); got.StatusCode != 200 || string(got.body) != "ok\n" {
		t.Errorf("/healthz: %d %q", got.StatusCode, got.body)
	}
}

func TestBadRequestsOfOCSP(t *testing.T) {
	h := newHouse(t)
	stranger := ask(t, nil, h.good, big.NewInt(1))
	cases := map[string]struct {
		method, path string
		body         []byte
		status       int
		error        ocsp.ErrorStatus
	}{
		"a POST of nothing":              {http.MethodPost, "/ocsp", nil, 200, ocsp.MalformedRequest},
		"a POST of rubbish":              {http.MethodPost, "/ocsp", []byte("rubbish"), 200, ocsp.MalformedRequest},
		"a POST of just 64 KiB":          {http.MethodPost, "/ocsp", make([]byte, 64<<10), 200, ocsp.MalformedRequest},
		"another CA's certificate":       {http.MethodPost, "/ocsp", stranger, 200, ocsp.Unauthorized},
		"a GET of nothing":               {http.MethodGet, "/ocsp", nil, 200, ocsp.MalformedRequest},
		"a GET of what is not base64":    {http.MethodGet, "/ocsp/!!!!", nil, 400, ocsp.MalformedRequest},
		"a GET of base64 that is no DER": {http.MethodGet, "/ocsp/AAAA", nil, 200, ocsp.MalformedRequest},
		"a GET with escapes for ever":    {http.MethodGet, "/ocsp/%25252525", nil, 400, ocsp.MalformedRequest},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := h.send(c.method, c.path, bytes.NewReader(c.body))
			r, err := ocsp.ParseResponse(got.body)
			if err != nil || got.StatusCode != c.status || r.Error != c.error || got.Header.Get("Cache-Control") != "no-store" ||
				got.Header.Get("Content-Type") != "application/ocsp-response" {
				t.Errorf("%d %+v %v %v", got.StatusCode, r, err, got.Header)
			}
		})
	}
	if got := h.send(http.MethodPost, "/ocsp", bytes.NewReader(make([]byte, 64<<10+1))); got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a POST of more than 64 KiB: %d", got.StatusCode)
	}
	if got := h.send(http.MethodPut, "/ocsp", nil); got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: %d %s", got.StatusCode, got.Header.Get("Allow"))
	}
	// net/http answers 431 and cuts the connection; which of the two the client sees first is chance.
	if got, err := http.Get(h.url + "/ocsp/" + strings.Repeat("A", 40<<10)); err == nil {
		got.Body.Close()
		if got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a path of 40 KiB: %d", got.StatusCode)
		}
	}
}

// held is a Status whose answers wait until they are let go.
type held struct {
	Status
	on chan struct{}
}

func (s held) Respond(ctx context.Context, request []byte) status.Answer {
	<-s.on
	return s.Status.Respond(ctx, request)
}

func TestTooManyAtOnceAreToldToComeAgain(t *testing.T) {
	h := newHouse(t)
	letGo := make(chan struct{})
	s := New(held{h.authority, letGo}, Options{MaxAtOnce: 2})
	request := ask(t, nil, h.issuing, h.good.SerialNumber)
	codes := make(chan int, 3)
	for range 3 {
		go func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(request)))
			codes <- w.Code
		}()
	}
	if first := <-codes; first != http.StatusServiceUnavailable {
		t.Errorf("the third got %d", first)
	}
	close(letGo)
	for range 2 {
		if code := <-codes; code != 200 {
			t.Errorf("one that waited got %d", code)
		}
	}
}

func FuzzGET(f *testing.F) {
	f.Add("/MEowSDBGMEQwQjAKBggqhkiG9w0CBQ==", []byte{1, 2, 3})
	f.Add("//%252B%2525", []byte{0xff, 0xfb})
	f.Add("/%zz", []byte{})
	f.Fuzz(func(t *testing.T, rest string, request []byte) {
		requestOf(rest) // whatever a stranger writes: no panic
		text := base64.StdEncoding.EncodeToString(request)
		once := url.QueryEscape(text)
		for _, path := range []string{"/" + text, "/" + once, "//" + once, "/" + url.QueryEscape(once), "/" + strings.TrimRight(text, "=")} {
			if len(request) == 0 || text[0] == '/' {
				return // no request begins so: DER begins with 0x30, which is M
			}
			got, err := requestOf(path)
			if err != nil || !bytes.Equal(got, request) {
				t.Errorf("%s: %x, %v; want %x", path, got, err, request)
			}
		}
	})
}
