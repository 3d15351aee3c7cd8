package config

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"chancery.example/fault"
)

// Check holds the settings against each other and says the first thing that cannot be, naming the setting and what to
// do. It looks at nothing but the settings: files and hosts are tried by those who use them.
func (c Config) Check() error {
	for _, check := range []func() error{c.checkData, c.checkDoors, c.checkURL, c.checkTLS, c.checkDatabase, c.checkSMTP, c.checkMail, c.checkLog} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// bad is a setting that cannot be as it is; code is the setting's key in the codes of faults.
func bad(key, format string, args ...any) error {
	return fault.New(fault.Invalid, "config."+key, format, args...)
}

func (c Config) checkData() error {
	if strings.TrimSpace(c.Data) == "" {
		return bad("data", "data must name the folder that keeps the house. Leave it out for %q.", Default().Data)
	}
	return nil
}

// checkDoors looks at the addresses to listen on.
func (c Config) checkDoors() error {
	doors := map[string]string{}
	for _, d := range []struct {
		key, address string
		optional     bool
	}{{"portal.listen", c.Portal.Listen, false}, {"public.listen", c.Public.Listen, false}, {"metrics.listen", c.Metrics.Listen, true}} {
		if d.address == "" && d.optional {
			continue
		}
		host, port, err := net.SplitHostPort(d.address)
		if n, bad := strconv.ParseUint(port, 10, 16); err == nil && bad == nil && (host == "" || host == "localhost" || isAddress(host)) {
			if n != 0 && doors[d.address] != "" { // 0: the kernel chooses
				return fault.New(fault.Invalid, "config."+d.key, "%s and %s are both %q. Give each a port of its own.", doors[d.address], d.key, d.address)
			}
			doors[d.address] = d.key
			continue
		}
		return bad(d.key, "%s is %q. Write it as an address and a port: 127.0.0.1:8440, or :8440 for every address of this machine.", d.key, d.address)
	}
	for _, p := range c.Portal.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil && !isAddress(p) {
			return bad("portal.trusted-proxies", "portal.trusted_proxies has %q, which is neither an address nor a network. Write it like 10.0.0.7 or 10.0.0.0/8.", p)
		}
	}
	return nil
}

// isAddress reports whether s is an IP address.
func isAddress(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

// loopback reports whether a host is this machine only.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// checkURL looks at how browsers reach the portal, and that nobody's password crosses a network in clear.
func (c Config) checkURL() error {
	listen, _, _ := net.SplitHostPort(c.Portal.Listen)
	if c.Portal.URL == "" {
		if !c.TLS.On() && !loopback(listen) {
			return fault.New(fault.Refused, "config.portal.clear", "portal.listen is %s, which the network reaches, and there is no TLS. Set tls.cert and tls.key, or tls.acme; or, behind a proxy that speaks TLS, set portal.url to its https:// address.", c.Portal.Listen)
		}
		return nil
	}
	u, err := url.Parse(c.Portal.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad("portal.url", "portal.url is %q. Write it like https://pki.example.com, without a path.", c.Portal.URL)
	}
	switch {
	case u.Scheme == "http" && c.TLS.On():
		return bad("portal.url", "portal.url begins with http://, but tls is set. Write https://.")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fault.New(fault.Refused, "config.portal.clear", "portal.url is %q: without TLS browsers offer no passkeys, and passwords cross the network in clear. Use https://, or http://localhost on this machine.", c.Portal.URL)
	case u.Scheme == "http" && !loopback(listen):
		return fault.New(fault.Refused, "config.portal.clear", "portal.listen is %s, which the network reaches, and there is no TLS. Listen on 127.0.0.1, or set tls.", c.Portal.Listen)
	}
	return nil
}

func (c Config) checkTLS() error {
	t := c.TLS
	files := t.Cert != "" || t.Key != ""
	switch {
	case files && (t.Cert == "" || t.Key == ""):
		return bad("tls", "tls needs both: tls.cert with the chain and tls.key with its private key.")
	case files && t.ByACME():
		return bad("tls", "tls has files and ACME. Choose one: tls.cert and tls.key, or tls.acme.")
	case !t.ByACME():
		return nil
	}
	u, err := url.Parse(c.Portal.URL)
	if err != nil || c.Portal.URL == "" || isAddress(u.Hostname()) || u.Hostname() == "localhost" {
		return bad("tls.acme", "tls.acme needs portal.url with the name that the certificate is for, like https://pki.example.com.")
	}
	if t.ACME.Email != "" && !bareAddress(t.ACME.Email) {
		return bad("tls.acme.email", "tls.acme.email is %q, which is no mail address.", t.ACME.Email)
	}
	if d, err := url.Parse(t.ACME.Directory); t.ACME.Directory != "" && (err != nil || d.Scheme != "https" || d.Host == "") {
		return bad("tls.acme.directory", "tls.acme.directory is %q. Write the https:// address of the ACME directory, or leave it out for Let's Encrypt.", t.ACME.Directory)
	}
	return nil
}

func (c Config) checkDatabase() error {
	switch d := c.Database; {
	case d.Driver != "" && d.Driver != SQLite && d.Driver != PostgreSQL:
		return bad("database.driver", "database.driver is %q. Choose %s or %s.", d.Driver, SQLite, PostgreSQL)
	case d.Driver == PostgreSQL && d.DSN == "":
		return bad("database.dsn", "database.driver is %s, so database.dsn must say where it is, like postgres://chancery@localhost/chancery.", PostgreSQL)
	case d.Driver != PostgreSQL && d.DSN != "":
		return bad("database.dsn", "database.dsn is for PostgreSQL. Set database.driver to %s, or leave database.dsn out: SQLite lies in the data folder.", PostgreSQL)
	}
	return nil
}

func (c Config) checkSMTP() error {
	s := c.SMTP
	if s.Host == "" {
		if s.Port != 0 || s.Username != "" || s.Password != "" || s.PasswordFile != "" {
			return bad("smtp.host", "smtp has settings but no smtp.host, so no mail would leave. Name the server, or leave smtp out: mail then goes to the outbox in the portal.")
		}
		return nil
	}
	switch {
	case strings.ContainsAny(s.Host, ":/ @") && !isAddress(s.Host):
		return bad("smtp.host", "smtp.host is %q. Write the server's name alone; the port is smtp.port.", s.Host)
	case s.Port < 0 || s.Port > 65535:
		return bad("smtp.port", "smtp.port is %d. Ports go from 1 to 65535; leave it out for the usual one.", s.Port)
	case s.Security != "" && s.Security != SecurityStartTLS && s.Security != SecurityTLS && s.Security != SecurityNone:
		return bad("smtp.security", "smtp.security is %q. Choose %s, %s or %s (this machine only).", s.Security, SecurityStartTLS, SecurityTLS, SecurityNone)
	case s.Security == SecurityNone && !loopback(s.Host):
		return fault.New(fault.Refused, "config.smtp.clear", "smtp.security is none, but %s is not this machine: the links in our mails would cross the network in clear. Use starttls or tls.", s.Host)
	case s.Password != "" && s.PasswordFile != "":
		return bad("smtp.password", "smtp.password and smtp.password_file are both set. Keep one.")
	case (s.Password != "" || s.PasswordFile != "") != (s.Username != ""):
		return bad("smtp.username", "smtp.username and a password (smtp.password_file or smtp.password) belong together. Set both or none.")
	case s.Timeout < 0:
		return bad("smtp.timeout", "smtp.timeout is %s. Write it like 30s.", s.Timeout)
	}
	return nil
}

func (c Config) checkMail() error {
	if c.Mail.From != "" && !bareAddress(c.Mail.From) {
		return bad("mail.from", "mail.from is %q. Write the address alone, like pki@example.com; the name is mail.name.", c.Mail.From)
	}
	if c.SMTP.Host != "" && c.Mail.From == "" {
		return bad("mail.from", "smtp is set, so mail.from must say whom our mails are from, like pki@example.com.")
	}
	if strings.ContainsAny(c.Mail.Name, "\r\n") {
		return bad("mail.name", "mail.name must be one line.")
	}
	return nil
}

// bareAddress reports whether s is a mail address without a name.
func bareAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

func (c Config) checkLog() error {
	if f := c.Log.Format; f != "" && f != LogText && f != LogJSON {
		return bad("log.format", "log.format is %q. Choose %s or %s.", f, LogText, LogJSON)
	}
	return nil
}
