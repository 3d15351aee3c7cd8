// Package public answers: what may anybody fetch?
//
// It serves CRLs, OCSP answers and CA certificates over plain HTTP: each of them is signed, and a reader who has to
// check a certificate before he may trust TLS cannot be asked for TLS. Its addresses stand for ever in every
// certificate; PathCRL, PathCA and PathOCSP make them. It keeps no state and asks nobody who they are, so that a
// CDN can stand before it.
package public

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"chancery.example/ca/status"
)

// Status is what this door needs to know; *status.Authority is it.
type Status interface {
	Respond(ctx context.Context, request []byte) status.Answer
	CRL(ctx context.Context, issuer string) (status.CRL, error)
	Issuers() []status.Issuer
	Lists() []status.ListState
}

// Observer is told of every request that was served: what ("ocsp", "crl", "ca", "page", "health", "other"), the HTTP
// status, and how long it took.
type Observer interface {
	Observe(what string, status int, d time.Duration)
}

// Options of a Server. The zero value of each field means the house's choice.
type Options struct {
	// House is the organisation's name on the index page.
	House string
	// CacheFor bounds how long a cache may keep a list or an answer before it asks again: 15 minutes.
	CacheFor time.Duration
	// MaxAtOnce bounds the OCSP requests that are worked on at the same time; others wait for a second, then get 503:
	// 512. Everything else is a copy from memory.
	MaxAtOnce int
	Observer  Observer
	Clock     func() time.Time // time.Now
	Log       *slog.Logger     // slog.Default()
}

// Server is the public door.
type Server struct {
	status  Status
	o       Options
	working chan struct{} // one place for each OCSP request that is worked on
	files   map[string]file
}

// New makes the door. The issuers are those of s at that moment.
func New(s Status, o Options) *Server {
	if o.CacheFor == 0 {
		o.CacheFor = 15 * time.Minute
	}
	if o.MaxAtOnce == 0 {
		o.MaxAtOnce = 512
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Server{status: s, o: o, working: make(chan struct{}, o.MaxAtOnce), files: files(s.Issuers())}
}

// PathCRL is the path of an issuer's list: "/crl/issuing.crl".
func PathCRL(issuer string) string { return "/crl/" + issuer + ".crl" }

// PathCA is the path of an issuer's certificate in DER: "/ca/issuing.crt".
func PathCA(issuer string) string { return "/ca/" + issuer + ".crt" }

// PathOCSP is the path of the OCSP responder.
const PathOCSP = "/ocsp"

// Bounds and time-outs of the door.
const (
	maxBody        = 64 << 10 // octets of a POST
	maxHeader      = 16 << 10 // octets of a request's head, and so of a GET's path
	maxConnections = 4096
	headTimeout    = 5 * time.Second
	bodyTimeout    = 10 * time.Second
	writeTimeout   = 2 * time.Minute // of a long list over a slow line
	idleTimeout    = time.Minute
	placeTimeout   = time.Second // for a place among those that are worked on
	finishTimeout  = 5 * time.Second
)

// ServeHTTP answers one request. It looks at the path as it was sent: net/http's own multiplexer would clean away the
// "//" and "%2F" that belong to the base64 of an OCSP request. So it must not stand behind one either.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	seen := &seenWriter{ResponseWriter: w, status: http.StatusOK}
	seen.Header().Set("X-Content-Type-Options", "nosniff")
	what := s.route(seen, r)
	if s.o.Observer != nil {
		s.o.Observer.Observe(what, seen.status, time.Since(began))
	}
}

// route serves by the path and says what it was.
func (s *Server) route(w http.ResponseWriter, r *http.Request) string {
	path := "/" + strings.TrimLeft(r.URL.EscapedPath(), "/") // QUIRK: "//ocsp", where a base URL ended with a slash
	if path == PathOCSP || strings.HasPrefix(path, PathOCSP+"/") {
		s.ocsp(w, r, strings.TrimPrefix(path, PathOCSP))
		return "ocsp"
	}
	what, serve := "other", s.missing
	if f, ok := s.files[path]; ok {
		what, serve = "ca", s.file(f)
	} else if issuer, ok := listOf(path); ok {
		what, serve = "crl", s.crl(issuer)
	} else if path == "/" {
		what, serve = "page", s.page
	} else if path == "/healthz" {
		what, serve = "health", s.health
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, "GET, HEAD")
		return what
	}
	serve(w, r)
	return what
}

// listOf is the issuer whose list a path names.
func listOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/crl/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, ".crl")
}

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "This address answers "+allow+" only.", http.StatusMethodNotAllowed)
}

func (s *Server) missing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=60")
	http.Error(w, "There is nothing at this address. What can be fetched here is listed at /.", http.StatusNotFound)
}

// health says that the door stands open. It does not look at the lists: a list that cannot be renewed is not mended
// by taking away the node that still serves the last one.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// Serve answers on a listener until ctx ends, then lets what is under way finish for a few seconds.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	finished := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.Background(), finishTimeout)
		defer cancel()
		finished <- h.Shutdown(wait)
	})
	err := h.Serve(netutil.LimitListener(l, maxConnections))
	if !stop() && errors.Is(err, http.ErrServerClosed) {
		return <-finished
	}
	return err
}

// seenWriter remembers the status for the Observer.
type seenWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status.
func (w *seenWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController the writer beneath.
func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
