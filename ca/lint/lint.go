// Package lint answers: does this to-be-signed certificate keep every rule?
//
// The house's own rules stand in files of their own (rule_*.go), each with its citation and the days on which it holds; beside them run
// the rules of zlint that concern mail, names and keys. zlint looks at a certificate as S/MIME only when it carries a reserved
// policy OID, which a private CA never claims; so a private certificate's twin is shown to it: the same TBSCertificate with
// the OID of its type added (SBR 7.1.6.1).
//
// Findings are values. What to do with them is decided by ca/issuance, which signs nothing that has an error.
package lint

import (
	"crypto/x509"
	"time"

	"chancery.example/ca/profile"
)

// MaxCertificate bounds what is looked at, in octets.
const MaxCertificate = 64 << 10

// Severity is how bad a finding is. Only Error stands in the way of signing.
type Severity uint8

// The severities.
const (
	Notice Severity = iota + 1
	Warning
	Error
)

// String is "notice", "warning", "error".
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	}
	return "error"
}

// MarshalText gives String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// The sources of findings.
const (
	SourceHouse = "chancery"
	SourceZlint = "zlint"
)

// Finding is one rule that a certificate does not keep.
type Finding struct {
	Source   string   `json:"source"` // "chancery" or "zlint"
	Rule     string   `json:"rule"`   // "BR-006", or zlint's name of it
	Citation string   `json:"citation"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"` // what is wrong and how to mend it
}

// Kind is what sort of certificate is checked.
type Kind uint8

// The kinds. Others are no certificates of this house.
const (
	Subscriber Kind = 1 << iota
	Root
	Issuing
	Responder
)

// Context is what the certificate claims to be.
type Context struct {
	Kind       Kind
	Type       profile.Type       // of a subscriber certificate
	Generation profile.Generation // of a subscriber certificate
	Mode       profile.Mode
	Issuer     *x509.Certificate // nil for a root
	At         time.Time         // when it is signed
}

// Check lints a TBSCertificate before it is signed (SBR 4.3.1.2, BR-107). Nothing found is nil.
func Check(tbs []byte, c Context) []Finding {
	if len(tbs) > MaxCertificate {
		return []Finding{malformed("It is larger than %d KiB.", MaxCertificate>>10)}
	}
	if f, ok := c.incomplete(); ok {
		return []Finding{f}
	}
	p, ok := parse(tbs)
	if !ok {
		return []Finding{malformed("It is no DER of a TBSCertificate with extensions.")}
	}
	return check(p, p.certificate(), c)
}

// Certificate lints a whole certificate, and checks its signature where Context names the issuer or it is a root's.
// What the context leaves open (kind, type, generation, mode, time) is taken from the certificate itself, so that a stranger's
// can be looked at; without an issuer, what concerns the issuer is not looked at.
func Certificate(der []byte, c Context) []Finding {
	if len(der) > MaxCertificate {
		return []Finding{malformed("It is larger than %d KiB.", MaxCertificate>>10)}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return []Finding{malformed("It cannot be read: %v.", err)}
	}
	p, ok := parse(cert.RawTBSCertificate)
	if !ok {
		return []Finding{malformed("It is no DER of a TBSCertificate with extensions.")}
	}
	findings := check(p, der, c.complete(cert))
	return append(findings, checkSignature(cert, c)...)
}

// check runs both sets of rules.
func check(p parts, der []byte, c Context) []Finding {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return []Finding{malformed("It cannot be read: %v.", err)}
	}
	findings := checkOwn(p, cert, c)
	if c.Kind == Subscriber && c.Mode == profile.Private {
		der = p.twin(c.Type, c.Generation).certificate()
	}
	return append(findings, checkZlint(der, c.Kind)...)
}

func checkSignature(cert *x509.Certificate, c Context) []Finding {
	issuer := c.Issuer
	if issuer == nil && string(cert.RawIssuer) == string(cert.RawSubject) {
		issuer = cert
	}
	if issuer == nil {
		return nil
	}
	if err := issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return []Finding{{SourceHouse, "signature", "RFC 5280 6.1.3", Error, "The signature does not hold under the issuer's key: issue it again."}}
	}
	return nil
}

// incomplete says what the context lacks.
func (c Context) incomplete() (Finding, bool) {
	missing := ""
	switch {
	case c.Kind != Subscriber && c.Kind != Root && c.Kind != Issuing && c.Kind != Responder:
		missing = "its kind"
	case c.At.IsZero():
		missing = "when it is signed"
	case c.Mode != profile.Private && c.Mode != profile.Public:
		missing = "whether its CA is private or public"
	case c.Kind == Subscriber && profile.ReservedPolicy(c.Type, c.Generation) == nil:
		missing = "its type and generation"
	case c.Kind != Root && c.Issuer == nil:
		missing = "its issuer"
	default:
		return Finding{}, false
	}
	return Finding{SourceHouse, "context", "SBR 4.3.1.2", Error, "The certificate cannot be checked: it is not said " + missing + "."}, true
}

// complete fills what is open from the certificate.
func (c Context) complete(cert *x509.Certificate) Context {
	if c.At.IsZero() {
		c.At = cert.NotBefore
	}
	if c.Kind == 0 {
		c.Kind = kindOf(cert)
	}
	for t := profile.MV; t <= profile.IV; t++ {
		for g := profile.Legacy; g <= profile.Strict; g++ {
			for _, o := range cert.PolicyIdentifiers {
				if o.Equal(profile.ReservedPolicy(t, g)) && c.Type == 0 && c.Generation == 0 {
					c.Type, c.Generation = t, g
					if c.Mode == 0 {
						c.Mode = profile.Public
					}
				}
			}
		}
	}
	if c.Type == 0 {
		c.Type = profile.MV
	}
	if c.Generation == 0 {
		c.Generation = profile.Multipurpose
	}
	if c.Mode == 0 {
		c.Mode = profile.Private
	}
	return c
}

func kindOf(cert *x509.Certificate) Kind {
	for _, u := range cert.ExtKeyUsage {
		if u == x509.ExtKeyUsageOCSPSigning {
			return Responder
		}
	}
	switch {
	case !cert.IsCA:
		return Subscriber
	case string(cert.RawIssuer) == string(cert.RawSubject):
		return Root
	}
	return Issuing
}

// Blocks reports whether a finding stands in the way of signing.
func Blocks(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity >= Error {
			return true
		}
	}
	return false
}
