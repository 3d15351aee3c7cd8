// Package public answers: what may anybody fetch?
//
// It serves CRLs, OCSP answers and CA certificates over plain HTTP: each of them is signed, and a reader who has to
// check a certificate before he may trust TLS cannot be asked for TLS. Its addresses stand for ever in every
// certificate; PathCRL, PathCA and PathOCSP make them. It keeps no state and asks nobody who they are, so that a
// CDN can stand before it.
package public

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

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
	// MaxAtOnce bounds the requests that are worked on at the same time; others wait for a second, then get 503: 512.
	MaxAtOnce int
	Observer  Observer
	Clock     func() time.Time // time.Now
	Log       *slog.Logger     // slog.Default()
}

// Server is the public door.
type Server struct {
	status Status
	o      Options
}

// New makes the door.
func New(s Status, o Options) *Server { return &Server{status: s, o: o} }

// PathCRL is the path of an issuer's list: "/crl/issuing.crl".
func PathCRL(issuer string) string { return "/crl/" + issuer + ".crl" }

// PathCA is the path of an issuer's certificate in DER: "/ca/issuing.crt".
func PathCA(issuer string) string { return "/ca/" + issuer + ".crt" }

// PathOCSP is the path of the OCSP responder.
const PathOCSP = "/ocsp"

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Serve answers on a listener until ctx ends, then lets what is under way finish for a few seconds.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return nil }
