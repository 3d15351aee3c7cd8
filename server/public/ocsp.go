package public

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chancery.example/ca/status"
	"chancery.example/trust/ocsp"
)

const typeOCSP = "application/ocsp-response"

// ocsp answers a POST of a request, or a GET with the request in the path (RFC 6960 A.1). rest is what follows
// PathOCSP, as it was sent.
func (s *Server) ocsp(w http.ResponseWriter, r *http.Request, rest string) {
	var request []byte
	var err error
	switch r.Method {
	case http.MethodPost:
		// Not by MaxBytesReader, which cuts the connection under a client that still sends, before it has read why.
		request, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			http.Error(w, "The request did not arrive whole.", http.StatusBadRequest)
			return
		}
		if len(request) > maxBody {
			http.Error(w, fmt.Sprintf("An OCSP request has at most %d octets.", ocsp.MaxRequest), http.StatusRequestEntityTooLarge)
			return
		}
	case http.MethodGet, http.MethodHead:
		request, err = requestOf(rest)
		if err != nil {
			malformed(w, r)
			return
		}
	default:
		notAllowed(w, "GET, HEAD, POST")
		return
	}
	if !s.enter(r) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too many requests are being answered now. Please try again.", http.StatusServiceUnavailable)
		return
	}
	answer := s.status.Respond(r.Context(), request)
	<-s.working
	s.answer(w, r, answer)
}

// requestOf reads the request out of a GET's path. QUIRK: some clients escape what was escaped already, or leave the
// line breaks of their base64 in.
func requestOf(rest string) ([]byte, error) {
	text := strings.TrimLeft(rest, "/")
	for range 2 {
		if !strings.Contains(text, "%") {
			break
		}
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			return nil, err
		}
		text = unescaped
	}
	text = strings.TrimLeft(strings.NewReplacer("\r", "", "\n", "").Replace(text), "/")
	return ocsp.DecodeGET(text)
}

// malformed answers what is not even base64. The body is OCSP all the same, for clients that look at it.
func malformed(w http.ResponseWriter, r *http.Request) {
	body := ocsp.ErrorResponse(ocsp.MalformedRequest)
	h := w.Header()
	h.Set("Content-Type", typeOCSP)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusBadRequest)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// enter takes a place among those that are worked on; it is false when none got free in time. It is asked for after
// the body was read, so that slow senders occupy none.
func (s *Server) enter(r *http.Request) bool {
	select {
	case s.working <- struct{}{}:
		return true
	default:
	}
	wait := time.NewTimer(placeTimeout)
	defer wait.Stop()
	select {
	case s.working <- struct{}{}:
		return true
	case <-wait.C:
	case <-r.Context().Done():
	}
	return false
}

// answer writes an answer with what caches need (RFC 9919 5 and 6.2). A signed answer never says "no-store", but one
// to a nonce is of no use to anybody else; an unsigned refusal is not to be kept.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, a status.Answer) {
	h := w.Header()
	h.Set("Content-Type", typeOCSP)
	switch {
	case a.Error != ocsp.Successful:
		h.Set("Cache-Control", "no-store")
	case !a.Shared:
		h.Set("Cache-Control", "max-age=0, must-revalidate, no-transform")
	default:
		h.Set("Cache-Control", s.maxAge(a.Refresh)+", public, no-transform, must-revalidate")
		h.Set("Last-Modified", a.ThisUpdate.UTC().Format(http.TimeFormat))
		h.Set("Expires", a.NextUpdate.UTC().Format(http.TimeFormat))
		h.Set("ETag", `"`+a.Tag+`"`)
		if r.Method != http.MethodPost && matches(r.Header.Get("If-None-Match"), a.Tag) {
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(a.DER)))
	if r.Method != http.MethodHead {
		w.Write(a.DER)
	}
}

// matches reports whether If-None-Match (RFC 9110 13.1.2) names the tag; the comparison is weak.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == "*" || candidate == `"`+tag+`"` {
			return true
		}
	}
	return false
}

// maxAge is the directive for something that is to be asked for again at an instant, and at CacheFor at the latest.
func (s *Server) maxAge(until time.Time) string {
	left := min(until.Sub(s.o.Clock()), s.o.CacheFor)
	return "max-age=" + strconv.Itoa(max(0, int(left/time.Second)))
}
