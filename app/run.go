package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/fault"
	"chancery.example/server/access"
	"chancery.example/server/api"
	"chancery.example/server/portal"
	"chancery.example/server/public"
)

// Time-outs of the portal's server. A pick-up makes an RSA key while its answer waits.
const (
	headTimeout   = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	answerTimeout = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 15 * time.Second
)

// Doors are where a running house can be reached.
type Doors struct {
	Portal string // URL
	Public string // URL of the listener, which need not be the public base URL of the certificates
	Socket string // path
	Data   string // the data directory
	// Setup is the one-time link for the first administrator; empty once there is one.
	Setup string
}

// PortalURL is how browsers reach the portal, without a slash at the end.
func (h *House) PortalURL() string {
	if h.config.Portal.URL != "" {
		return strings.TrimRight(h.config.Portal.URL, "/")
	}
	scheme := "http"
	if h.config.TLS.On() {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(h.config.Portal.Listen)
	if err != nil {
		return scheme + "://localhost"
	}
	// Browsers treat localhost as secure, so that passkeys and WebCrypto work without TLS; an IP address will not do.
	if ip := net.ParseIP(host); host == "" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		return scheme + "://" + strings.TrimSuffix(net.JoinHostPort(host, ""), ":") // browsers leave the usual port out of an origin
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// local reports whether an http base URL means this machine only.
func local(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost") || ip != nil && ip.IsLoopback()
}

// Run opens the doors, tells ready where they are, and serves until ctx ends; then everything under way is finished.
func (h *House) Run(ctx context.Context, ready func(Doors)) error {
	if err := h.checkListen(); err != nil {
		return err
	}
	p, err := h.portal()
	if err != nil {
		return err
	}
	a := api.New(api.Deps{Orders: h.Conductor, Desk: h.Desk, Ledger: h.Store, Agreements: h.agreements, Rights: h.Access.Rights,
		Limiter: access.NewLimiter(api.Limits(), h.clock), Now: h.clock, Log: h.log})
	meters := newMeters(h)
	pub := public.New(h.Status, public.Options{House: h.Record.Organisation, Observer: meters, Clock: h.clock, Log: h.log})
	front, back := h.doors(p, a, meters)

	doors, err := h.addresses(ctx)
	if err != nil {
		return err
	}
	listeners, err := h.listen()
	if err != nil {
		return err
	}
	doors.Public = "http://" + listeners.public.Addr().String()
	if err := h.runner.Start(context.WithoutCancel(ctx)); err != nil { // it is stopped below, after the doors
		listeners.close()
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return h.Status.Run(ctx) })
	work.Go(func() error { return pub.Serve(ctx, listeners.public) })
	work.Go(func() error { return serve(ctx, h.server(front), listeners.portal) })
	operator := h.server(back)
	operator.BaseContext = func(net.Listener) context.Context { return access.OperatorContext(context.Background()) }
	work.Go(func() error { return serve(ctx, operator, listeners.socket) })
	if listeners.metrics != nil {
		work.Go(func() error { return serve(ctx, h.server(meters.handler()), listeners.metrics) })
	}
	ready(doors)
	err = work.Wait()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, h.runner.Stop(stop))
}

// addresses are the doors as they are known before they are opened.
func (h *House) addresses(ctx context.Context) (Doors, error) {
	d := Doors{Portal: h.PortalURL(), Socket: h.home.path(socketFile), Data: h.home.dir}
	secret, err := h.Access.SetupLink(ctx)
	if fault.Is(err, fault.Conflict) { // there is an administrator
		return d, nil
	}
	d.Setup = d.Portal + "/setup/" + string(secret)
	return d, err
}

// portal makes the door for people.
func (h *House) portal() (*portal.Portal, error) {
	return portal.New(portal.Options{Orders: h.Conductor, Agreements: h.agreements, Desk: h.Desk, Ledger: h.Store, Outbox: h.outbox,
		Authority: h.Status, Access: h.Access, Clock: h.clock, Log: h.log, Limits: h.limits,
		Proof: func(ctx context.Context) (audit.Proof, error) {
			head, err := h.Store.AuditHead(ctx)
			if err != nil {
				return audit.Proof{}, err
			}
			return audit.Verify(audit.Upto(h.Store.AuditLog(ctx), head), head)
		},
		House: func() portal.House {
			mail := ""
			if h.config.SMTP.Host != "" {
				mail = h.config.SMTP.Host
			}
			return portal.House{Name: h.Record.Organisation, Origin: h.PortalURL(), Public: h.Record.PublicURL,
				PublicIsLocal: local(h.Record.PublicURL), MailServer: mail, KeyWarning: h.Keys.Warning(), KeyOffline: h.Keys.Offline}
		}})
}

// doors puts the keepers before portal and API: front is for browsers and programs on the network, back for the socket.
func (h *House) doors(p *portal.Portal, a *api.API, m *meters) (front, back http.Handler) {
	k := h.Access
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", k.Authenticate(k.Require(access.MetricsRead, m.handler(), a.Refuse), a.Refuse))
	mux.Handle("/api/", m.watch("api", k.Authenticate(k.Protect(a, a.Refuse), a.Refuse)))
	mux.Handle("/", m.watch("portal", k.Authenticate(k.Protect(p, p.Refuse), p.Refuse)))
	inside := http.NewServeMux()
	inside.Handle("/api/", k.Authenticate(a, a.Refuse))
	inside.Handle("GET /metrics", m.handler())
	return k.Headers(mux), inside
}

// ready says whether this node can do its work now. The list of an offline root does not count: no other node could do better.
func (h *House) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := h.Store.Ping(ctx); err != nil {
		h.log.ErrorContext(ctx, "not ready", "err", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	for _, l := range h.Status.Lists() {
		if l.Issuer == ceremony.RootKey && h.Keys.Offline(ceremony.RootKey) {
			continue
		}
		if l.Number == 0 || h.clock().After(l.NextUpdate) {
			http.Error(w, "the revocation list of "+l.Issuer+" is not current", http.StatusServiceUnavailable)
			return
		}
	}
	w.Write([]byte("ready\n"))
}

// server gives an http.Server with its bounds.
func (h *House) server(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: headTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug)}
}

// serve serves until ctx ends, and then lets requests finish.
func serve(ctx context.Context, s *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		done <- s.Shutdown(stop)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// listeners are the open doors of a node.
type listeners struct{ portal, public, socket, metrics net.Listener }

func (l *listeners) close() {
	for _, one := range []net.Listener{l.portal, l.public, l.socket, l.metrics} {
		if one != nil {
			one.Close()
		}
	}
}

// listen opens every door, or none.
func (h *House) listen() (_ *listeners, err error) {
	l := &listeners{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.portal, err = tcp("portal.listen", h.config.Portal.Listen); err != nil {
		return nil, err
	}
	if h.config.TLS.On() {
		c, err := h.tlsConfig()
		if err != nil {
			return nil, err
		}
		l.portal = tls.NewListener(l.portal, c)
	}
	if l.public, err = tcp("public.listen", h.config.Public.Listen); err != nil {
		return nil, err
	}
	if h.config.Metrics.Listen != "" {
		if l.metrics, err = tcp("metrics.listen", h.config.Metrics.Listen); err != nil {
			return nil, err
		}
	}
	l.socket, err = h.listenSocket()
	return l, err
}

func tcp(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "listen", "The address %s of %s cannot be listened on: %v. Is another program there? Choose another address.", address, key, err)
	}
	return l, nil
}

// listenSocket opens the operator's socket. This process holds the lock of the data directory, so a socket that lies there is
// what a crash left.
func (h *House) listenSocket() (net.Listener, error) {
	path := h.home.path(socketFile)
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "listen.socket", "The socket %s cannot be made: %v. Is the path longer than 100 characters?", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// checkListen refuses to serve the portal in clear to the network.
func (h *House) checkListen() error {
	if h.config.TLS.On() || strings.HasPrefix(h.config.Portal.URL, "https://") { // TLS here, or at a proxy in front
		return nil
	}
	host, _, err := net.SplitHostPort(h.config.Portal.Listen)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "portal.listen", "portal.listen is %q; write it like 127.0.0.1:8440.", h.config.Portal.Listen)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fault.New(fault.Refused, "portal.clear", "The portal would be served to the network without TLS on %s. Set tls.cert and tls.key, or tls.acme; or, behind a proxy that speaks TLS, set portal.url to its https:// address.", h.config.Portal.Listen)
}
