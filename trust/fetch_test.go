package trust

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/testca"
	"chancery.example/trust/ocsp"
)

// web is a Fetcher that has what it is given, and remembers what was asked.
type web struct {
	bodies map[string][]byte
	post   func(url string, body []byte) ([]byte, error)
	get    bool // the responder answers GET too
	asked  []string
}

func (w *web) Get(_ context.Context, url string) ([]byte, error) {
	w.asked = append(w.asked, url)
	if b := w.bodies[url]; b != nil {
		return b, nil
	}
	if path, ok := strings.CutPrefix(url, "http://pki.example.com/ocsp/"); ok && w.get {
		request, err := ocsp.DecodeGET(path)
		if err != nil {
			return nil, err
		}
		return w.post("http://pki.example.com/ocsp", request)
	}
	return nil, errors.New("not there")
}

func (w *web) Post(_ context.Context, url, contentType string, body []byte) ([]byte, error) {
	w.asked = append(w.asked, url)
	if w.post == nil || contentType != "application/ocsp-request" {
		return nil, errors.New("not there")
	}
	return w.post(url, body)
}

func TestFetching(t *testing.T) {
	root := testca.New(t).Root()
	issuing := root.Issuing(testca.With(func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://pki.example.com/root.crl"} }))
	alice := issuing.Leaf("alice@example.com", testca.With(func(c *x509.Certificate) {
		c.CRLDistributionPoints = []string{"ldap://pki.example.com/", "http://pki.example.com/issuing.crl"}
		c.OCSPServer = []string{"http://pki.example.com/ocsp"}
		c.IssuingCertificateURL = []string{"http://pki.example.com/issuing.crt"}
	}))
	o := Options{Anchors: certs(root.Cert), Revocation: Hard}
	old := false // the responder knows SHA-1 only
	answer := func(status ocsp.Status, next time.Duration) func(string, []byte) ([]byte, error) {
		return func(_ string, body []byte) ([]byte, error) {
			q, err := ocsp.ParseRequest(body)
			if err != nil {
				return nil, err
			}
			if old && q.IDs[0].Hash != crypto.SHA1 {
				return ocsp.ErrorResponse(ocsp.Unauthorized), nil
			}
			r := ocsp.Responder{Issuer: issuing.Cert, Certificate: issuing.Cert, Signer: issuing.Key}
			return r.Respond(now, q.Nonce, ocsp.SingleResponse{ID: q.IDs[0], Status: status, RevokedAt: now.Add(-hour), Reason: ocsp.Superseded,
				ThisUpdate: now.Add(-2 * hour), NextUpdate: now.Add(next)})
		}
	}
	bodies := func() map[string][]byte {
		return map[string][]byte{"http://pki.example.com/issuing.crt": issuing.Cert.Raw, "http://pki.example.com/root.crl": root.CRL(now),
			"http://pki.example.com/issuing.crl": issuing.CRL(now)}
	}
	for _, c := range []struct {
		name   string
		web    *web
		codes  []Code
		source string
	}{
		{"issuer and lists are fetched", &web{bodies: bodies()}, nil, "crl"},
		{"a good OCSP answer", &web{bodies: bodies(), post: answer(ocsp.Good, hour)}, nil, "ocsp"},
		{"a revoking OCSP answer", &web{bodies: bodies(), post: answer(ocsp.Revoked, hour)}, []Code{RevokedCode}, "ocsp"},
		{"an OCSP answer that does not know, and a list that does", &web{bodies: bodies(), post: answer(ocsp.Unknown, hour)}, nil, "crl"},
		{"an OCSP answer of yesterday, and a list", &web{bodies: bodies(), post: answer(ocsp.Good, -hour)}, nil, "crl"},
		{"nothing is there", &web{}, []Code{UnknownIssuer}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := o
			o.Fetcher = c.web
			r := check(t, alice.Cert, o, c.codes...)
			if r.Revocation.Source != c.source {
				t.Errorf("the source is %q, want %q", r.Revocation.Source, c.source)
			}
			seen := map[string]bool{}
			for _, url := range c.web.asked {
				if seen[url] && !strings.HasSuffix(url, "/ocsp") || !strings.HasPrefix(url, "http://") {
					t.Errorf("%s was asked again, or should not be: %v", url, c.web.asked)
				}
				seen[url] = true
			}
		})
	}
	t.Run("a responder is asked by GET first", func(t *testing.T) {
		o := o
		w := &web{bodies: bodies(), post: answer(ocsp.Good, hour), get: true}
		o.Fetcher = w
		if r := check(t, alice.Cert, o); r.Revocation.Source != "ocsp" {
			t.Errorf("the source is %q", r.Revocation.Source)
		}
		for _, url := range w.asked {
			if url == "http://pki.example.com/ocsp" {
				t.Error("it was asked by POST too")
			}
		}
	})
	t.Run("a responder that knows SHA-1 only", func(t *testing.T) {
		o := o
		old = true
		defer func() { old = false }()
		o.Fetcher = &web{bodies: bodies(), post: answer(ocsp.Good, hour)}
		if r := check(t, alice.Cert, o); r.Revocation.Source != "ocsp" {
			t.Errorf("the source is %q", r.Revocation.Source)
		}
	})
	t.Run("an issuer in a certs-only message", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "issuing.pem"), testca.CertPEM(root.Cert, issuing.Cert), 0o600); err != nil {
			t.Fatal(err)
		}
		openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "issuing.pem", "-outform", "der", "-out", "issuing.p7c")
		message, err := os.ReadFile(filepath.Join(dir, "issuing.p7c"))
		if err != nil {
			t.Fatal(err)
		}
		check(t, alice.Cert, Options{Anchors: certs(root.Cert), Fetcher: &web{bodies: map[string][]byte{"http://pki.example.com/issuing.crt": message}}})
	})
	t.Run("nothing is fetched when revocation is off and the path is at hand", func(t *testing.T) {
		w := &web{bodies: bodies()}
		check(t, alice.Cert, Options{Anchors: certs(root.Cert), Intermediates: alice.Intermediates(), Fetcher: w})
		if len(w.asked) != 0 {
			t.Errorf("%v was asked", w.asked)
		}
	})
}
