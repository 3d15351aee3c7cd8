package public

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"chancery.example/ca/status"
	"chancery.example/fault"
)

// certificateAge is how long caches may keep a CA certificate: it never changes under its address.
const certificateAge = 24 * time.Hour

// file is a CA certificate or the chain of them, ready to be sent.
type file struct {
	body        []byte
	contentType string
	tag         string
	modified    time.Time
}

// files makes the files of all issuers, by their path.
func files(issuers []status.Issuer) map[string]file {
	all := map[string]file{}
	var chain []byte
	var newest time.Time
	for _, is := range issuers {
		c := is.Certificate
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		all[PathCA(is.Name)] = newFile(c.Raw, "application/pkix-cert", c.NotBefore)
		all["/ca/"+is.Name+".pem"] = newFile(text, "application/x-pem-file", c.NotBefore)
		if newest.Before(c.NotBefore) {
			newest = c.NotBefore
		}
		if bytes.Equal(c.RawSubject, c.RawIssuer) {
			chain = append(chain, text...) // roots come last, as in every chain
		} else {
			chain = append(text, chain...)
		}
	}
	if len(chain) > 0 {
		all["/ca/chain.pem"] = newFile(chain, "application/x-pem-file", newest)
	}
	return all
}

func newFile(body []byte, contentType string, modified time.Time) file {
	sum := sha256.Sum256(body)
	return file{body: body, contentType: contentType, tag: hex.EncodeToString(sum[:]), modified: modified}
}

// file serves one.
func (s *Server) file(f file) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("ETag", `"`+f.tag+`"`)
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(certificateAge.Seconds())))
		http.ServeContent(w, r, "", f.modified, bytes.NewReader(f.body))
	}
}

// crl serves the newest list of an issuer (RFC 5280 4.2.1.13, RFC 2585 4.2). A list that has ended is served too:
// the reader has to judge it, and finds out more from it than from a 404.
func (s *Server) crl(issuer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l, err := s.status.CRL(r.Context(), issuer)
		switch {
		case fault.Is(err, fault.NotFound):
			s.missing(w, r)
			return
		case err != nil:
			s.o.Log.ErrorContext(r.Context(), "a revocation list could not be read", "issuer", issuer, "error", err)
			w.Header().Set("Retry-After", "5")
			http.Error(w, "The list cannot be read now. Please try again.", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/pkix-crl")
		// The number alone would repeat itself in a house that was set up anew under the same address.
		h.Set("ETag", fmt.Sprintf(`"%d-%x"`, l.Number, l.ThisUpdate.Unix()))
		h.Set("Cache-Control", s.maxAge(l.NextUpdate)+", public, no-transform, must-revalidate")
		http.ServeContent(w, r, "", l.ThisUpdate, bytes.NewReader(l.DER))
	}
}
