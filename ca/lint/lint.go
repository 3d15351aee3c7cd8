// Package lint answers: does this to-be-signed certificate keep every rule?
//
// The house's own rules stand one a file, each with its citation and the days on which it holds; beside them run
// the rules of zlint. Findings are values: what to do with an error is decided by ca/issuance, which signs nothing that has one.
package lint

import (
	"crypto/x509"
	"time"

	"chancery.example/ca/profile"
)

// Severity is how bad a finding is. Only Error stands in the way of signing.
type Severity uint8

// The severities.
const (
	Notice Severity = iota + 1
	Warning
	Error
)

// String is "notice", "warning", "error".
func (s Severity) String() string { return [...]string{"", "notice", "warning", "error"}[s&3] }

// MarshalText gives String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one rule that a certificate does not keep.
type Finding struct {
	Source   string   `json:"source"` // "chancery" or "zlint"
	Rule     string   `json:"rule"`   // "BR-006" or zlint's name
	Citation string   `json:"citation"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"` // what is wrong and how to mend it
}

// Kind is what sort of certificate is checked.
type Kind uint8

// The kinds.
const (
	Subscriber Kind = iota + 1
	Root
	Issuing
	Responder
)

// Context is what the certificate claims to be.
type Context struct {
	Kind       Kind
	Type       profile.Type
	Generation profile.Generation
	Mode       profile.Mode
	Issuer     *x509.Certificate // nil for a root
	At         time.Time         // when it is signed
}

// Check lints a TBSCertificate before it is signed.
func Check(tbs []byte, c Context) []Finding { return nil }

// Certificate lints a whole certificate.
func Certificate(der []byte, c Context) []Finding { return nil }

// Blocks reports whether a finding stands in the way of signing.
func Blocks(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity >= Error {
			return true
		}
	}
	return false
}
