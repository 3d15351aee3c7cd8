package public

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pagePolicy lets the page load nothing at all, and use its own style.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// pageIssuer is what the page says of one issuer.
type pageIssuer struct {
	Name, Subject, SHA256 string
	Until                 time.Time
	CRT, PEM, CRL         string
	Number                int64
	NextUpdate            time.Time
}

// page lists what can be fetched.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	lists := map[string]int{}
	states := s.status.Lists()
	for i, l := range states {
		lists[l.Issuer] = i
	}
	data := struct {
		House   string
		Style   template.CSS
		Issuers []pageIssuer
	}{House: s.o.House, Style: template.CSS(pageStyle)}
	for _, is := range s.status.Issuers() {
		sum := sha256.Sum256(is.Certificate.Raw)
		p := pageIssuer{Name: is.Name, Subject: is.Certificate.Subject.CommonName, SHA256: fingerprint(sum[:]), Until: is.Certificate.NotAfter,
			CRT: PathCA(is.Name), PEM: "/ca/" + is.Name + ".pem", CRL: PathCRL(is.Name)}
		if i, ok := lists[is.Name]; ok {
			p.Number, p.NextUpdate = states[i].Number, states[i].NextUpdate
		}
		data.Issuers = append(data.Issuers, p)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, data); err != nil {
		s.o.Log.ErrorContext(r.Context(), "the public page could not be made", "error", err)
		http.Error(w, "This page cannot be shown now.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "public, max-age=60")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes()))
}

// fingerprint is hex in groups of four, which people can compare by eye or ear.
func fingerprint(sum []byte) string {
	digits := strings.ToUpper(hex.EncodeToString(sum))
	var groups []string
	for ; digits != ""; digits = digits[4:] {
		groups = append(groups, digits[:4])
	}
	return strings.Join(groups, " ")
}
