package app

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/notify"
)

// smtpOf makes the carrier of the configured server.
func smtpOf(c config.SMTP, from mail.Address) (*notify.SMTP, error) {
	s := &notify.SMTP{Host: c.Host, Port: c.Port, Security: notify.Security(c.Security), Username: c.Username, Password: c.Password.Reveal(),
		Hello: c.Hello, From: from, Timeout: c.Timeout}
	if c.PasswordFile != "" {
		raw, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "smtp.password-file", "smtp.password_file cannot be read: %v", err)
		}
		s.Password = strings.TrimRight(string(raw), "\r\n")
	}
	if ip := net.ParseIP(c.Host); s.Security == notify.None && c.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fault.New(fault.Refused, "smtp.clear", "smtp.security is none, but %s is not this machine: the links in our mails would cross the network in clear. Use starttls or tls.", c.Host)
	}
	if c.CAFile != "" {
		pool, err := poolOf("smtp.ca_file", c.CAFile)
		if err != nil {
			return nil, err
		}
		s.TLSConfig = &tls.Config{RootCAs: pool, ServerName: c.Host, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

// poolOf reads the certificates that a setting names.
func poolOf(setting, file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "config.ca-file", "%s cannot be read: %v", setting, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fault.New(fault.Invalid, "config.ca-file", "%s holds no certificate in PEM.", setting)
	}
	return pool, nil
}

// filePair is a certificate in files that somebody else renews: they are read again when they have changed.
type filePair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // of the certificate's file when it was read
	looked  time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Minute

func (f *filePair) load() error {
	info, err := os.Stat(f.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.pair, f.changed, f.looked = &pair, info.ModTime(), time.Now()
	return nil
}

// get is for tls.Config. While new files cannot be used, the old certificate stays, and the log says why.
func (f *filePair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookEvery {
		return f.pair, nil
	}
	f.looked = time.Now()
	if info, err := os.Stat(f.cert); err == nil && info.ModTime().Equal(f.changed) {
		return f.pair, nil
	}
	if err := f.load(); err != nil {
		f.log.Error("the renewed files of tls.cert and tls.key cannot be used; the old certificate stays", "err", err)
	}
	return f.pair, nil
}

// prefixes reads addresses and networks.
func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fault.Wrap(err, fault.Invalid, "portal.trusted-proxies", "portal.trusted_proxies has %q, which is no address or network; write it like 10.0.0.0/8.", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

// tlsConfig is how the portal speaks TLS: with files, which are read anew for each start, or by ACME.
func (h *House) tlsConfig() (*tls.Config, error) {
	c := h.config.TLS
	if !c.ByACME() {
		pair := &filePair{cert: c.Cert, key: c.Key, log: h.log}
		if err := pair.load(); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "tls.files", "tls.cert and tls.key cannot be used: %v", err)
		}
		return &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
	}
	name := hostOf(h.PortalURL())
	if h.config.Portal.URL == "" || net.ParseIP(name) != nil || name == "localhost" {
		return nil, fault.New(fault.Invalid, "tls.acme", "tls.acme needs portal.url with the name that the certificate is for, like https://pki.example.com.")
	}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Email: c.ACME.Email, HostPolicy: autocert.HostWhitelist(name), Cache: autocert.DirCache(h.home.path("acme"))}
	if c.ACME.Directory != "" {
		m.Client = &acme.Client{DirectoryURL: c.ACME.Directory}
	}
	if c.ACME.CAFile != "" {
		pool, err := poolOf("tls.acme.ca_file", c.ACME.CAFile)
		if err != nil {
			return nil, err
		}
		if m.Client == nil {
			m.Client = &acme.Client{DirectoryURL: autocert.DefaultACMEDirectory}
		}
		m.Client.HTTPClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	}
	t := m.TLSConfig() // answers tls-alpn-01 on the portal's own port
	t.MinVersion = tls.VersionTLS12
	return t, nil
}

func hostOf(base string) string {
	_, rest, _ := strings.Cut(base, "://")
	host, _, _ := strings.Cut(rest, "/")
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}
