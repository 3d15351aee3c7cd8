package lint

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"chancery.example/ca/profile"
)

// rule is one of the house's own rules.
type rule struct {
	id       string // "BR-006" of the checklist, or a word
	citation string // "SBR 6.3.2"
	kinds    Kind   // to which kinds it applies, any number of them
	// from and until bound the days of signing on which it holds; zero is no bound.
	from, until time.Time
	check       func(*view)
}

// all kinds of certificates.
const (
	authority = Root | Issuing
	every     = Subscriber | Root | Issuing | Responder
)

// compliance is the day from which the Baseline Requirements bind (SBR 1.2.1).
var compliance = time.Date(2023, 9, 1, 0, 0, 0, 0, time.UTC)

// own is every rule of the house; rule_*.go has them by what they look at.
var own = []rule{
	ruleLegacy, ruleReservedPolicy, ruleOwnPolicies, rulePolicyQualifiers, ruleValidity, ruleValidityDefault, ruleVersion, ruleSerial,
	ruleDistributionPoints, ruleInfoAccess, ruleBasicConstraints, ruleKeyUsage, ruleCipherOnly, ruleStrictPurposes,
	rulePurposes, ruleKeyIdentifiers, ruleAltName, ruleAltNameTypes, ruleDirectoryAttributes, ruleNonCritical, ruleLEI, ruleAdobe,
	ruleUnknownExtensions, ruleDuplicates, ruleKeyKind, ruleRSASize, ruleRSAExponent, ruleWeakKey, ruleSPKI, ruleSignatureAlgorithm,
	ruleSubject, ruleCommonName, ruleBounds, ruleEmailAddress, rulePlaceholders, ruleUTF8Mailbox, ruleCAKey, ruleIssuerKey,
	ruleAuthority, ruleAuthoritySubject, ruleChain, ruleAnyPolicy, ruleResponder,
}

// view is one certificate under inspection, with the findings so far.
type view struct {
	parts
	cert     *x509.Certificate
	context  Context
	rule     rule
	findings []Finding
}

// checkOwn runs the house's rules that hold for the kind on the day.
func checkOwn(p parts, cert *x509.Certificate, c Context) []Finding {
	v := &view{parts: p, cert: cert, context: c}
	for _, r := range own {
		if r.kinds&c.Kind == 0 || c.At.Before(r.from) || !r.until.IsZero() && !c.At.Before(r.until) {
			continue
		}
		v.rule = r
		r.check(v)
	}
	return v.findings
}

func (v *view) add(s Severity, format string, args ...any) {
	v.findings = append(v.findings, Finding{SourceHouse, v.rule.id, v.rule.citation, s, fmt.Sprintf(format, args...)})
}

func (v *view) fail(format string, args ...any) { v.add(Error, format, args...) }
func (v *view) warn(format string, args ...any) { v.add(Warning, format, args...) }

// extension returns the first extension of that kind.
func (v *view) extension(oid asn1.ObjectIdentifier) (extension, bool) {
	for _, e := range v.extensions {
		if e.oid.Equal(oid) {
			return e, true
		}
	}
	return extension{}, false
}

// strict reports whether the certificate is of the strict generation.
func (v *view) strict() bool { return v.context.Generation == profile.Strict }

// legacy reports whether it is of the banned one.
func (v *view) legacy() bool { return v.context.Generation == profile.Legacy }

func malformed(format string, args ...any) Finding {
	return Finding{SourceHouse, "parse", "RFC 5280 4.1", Error, fmt.Sprintf(format, args...)}
}
