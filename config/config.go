// Package config answers: what has the operator set?
//
// One YAML file, or none, becomes one Config; the environment overrides the file (CHANCERY_SMTP_HOST is smtp.host).
// A key that is not known is refused. No configuration at all works: the defaults are a house for this machine alone.
package config

import (
	"fmt"
	"log/slog"
	"time"
)

// Config is everything that can be set. The yaml tags are the keys of the file.
type Config struct {
	Data     string   `koanf:"data"`
	Portal   Portal   `koanf:"portal"`
	TLS      TLS      `koanf:"tls"`
	Public   Public   `koanf:"public"`
	Database Database `koanf:"database"`
	SMTP     SMTP     `koanf:"smtp"`
	Mail     Mail     `koanf:"mail"`
	CA       CA       `koanf:"ca"`
	Log      Log      `koanf:"log"`
	Metrics  Metrics  `koanf:"metrics"`
}

// Portal is the door for people and programs.
type Portal struct {
	Listen string `koanf:"listen"` // host:port
	// URL is how browsers reach it; empty takes http://localhost:PORT, or https:// with TLS.
	URL string `koanf:"url"`
	// TrustedProxies may say who the client is, as addresses or networks ("10.0.0.0/8").
	TrustedProxies []string `koanf:"trusted_proxies"`
}

// TLS protects the portal where it does not listen on loopback alone: by files, or by ACME.
type TLS struct {
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`
	ACME ACME   `koanf:"acme"`
}

// ACME gets the portal's certificate by itself (RFC 8555, by tls-alpn-01 on its own port).
type ACME struct {
	Email     string `koanf:"email"`
	Directory string `koanf:"directory"` // URL; empty for Let's Encrypt
	// CAFile holds certificates to trust instead of the system's when speaking to the directory, in PEM.
	CAFile string `koanf:"ca_file"`
}

// On reports whether the portal speaks TLS.
func (t TLS) On() bool { return t.Cert != "" || t.ByACME() }

// ByACME reports whether its certificate comes by ACME.
func (t TLS) ByACME() bool { return t.ACME.Email != "" || t.ACME.Directory != "" }

// Public is the door for everybody: CRLs, OCSP, CA certificates; always plain http.
type Public struct {
	Listen string `koanf:"listen"`
}

// Driver is a kind of database.
type Driver string

// The kinds of database.
const (
	SQLite     Driver = "sqlite"
	PostgreSQL Driver = "postgres"
)

// How the connection to an SMTP server is protected.
const (
	SecurityStartTLS = "starttls" // upgraded by STARTTLS, which must succeed; port 587
	SecurityTLS      = "tls"      // from the first octet; port 465
	SecurityNone     = "none"     // not at all, and so to this machine only; port 25
)

// How the log is written.
const (
	LogText = "text"
	LogJSON = "json"
)

// Database is where the ledger is kept.
type Database struct {
	Driver Driver `koanf:"driver"` // "sqlite" (default) or "postgres"
	DSN    Secret `koanf:"dsn"`    // of PostgreSQL
}

// SMTP is the server that takes outgoing mail; without a host, mail goes to the local outbox.
type SMTP struct {
	Host         string        `koanf:"host"`
	Port         int           `koanf:"port"`
	Security     string        `koanf:"security"` // starttls (default), tls, none (this machine only)
	Username     string        `koanf:"username"`
	Password     Secret        `koanf:"password"`
	PasswordFile string        `koanf:"password_file"`
	Hello        string        `koanf:"hello"`
	CAFile       string        `koanf:"ca_file"` // certificates to trust instead of the system's
	Timeout      time.Duration `koanf:"timeout"`
}

// Mail is how the house's mails look.
type Mail struct {
	From string `koanf:"from"` // address
	Name string `koanf:"name"`
}

// CA is about the CA keys.
type CA struct {
	// PassphraseFile holds the passphrase of the CA keys. Else CHANCERY_CA_PASSPHRASE is used, else a terminal is asked.
	PassphraseFile string `koanf:"passphrase_file"`
}

// Log is what is logged.
type Log struct {
	Level  slog.Level `koanf:"level"`
	Format string     `koanf:"format"` // text or json
}

// Metrics is where counters can be scraped without signing in; empty means at the portal with the right to.
type Metrics struct {
	Listen string `koanf:"listen"`
}

// Secret is a string that does not show itself.
type Secret string

// String is "[secret]", or empty for an empty one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps it out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps it out of JSON, also inside of other values.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

var _ fmt.Stringer = Secret("")
