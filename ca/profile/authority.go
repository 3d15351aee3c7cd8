package profile

import (
	"crypto"
	"crypto/x509"
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
	"chancery.example/rules"
)

// Authority is what a CA or responder certificate of the house says.
type Authority struct {
	CommonName string // unique within the house
	// Organisation and Country (ISO 3166-1 alpha-2, or XX) are needed in every CA certificate (SBR 7.1.4.3, BR-115).
	Organisation string
	Country      string
	PublicKey    crypto.PublicKey
	Serial       *big.Int
	NotBefore    time.Time
	// Validity counts both ends; zero takes the default of the rules. It is cut at the issuer's own end.
	Validity time.Duration
	// Issuer signs; nil for a root.
	Issuer *x509.Certificate
	// URLs are the issuer's; unused for a root and for a responder.
	URLs URLs
}

// Root returns the DER of a self-signed root's TBSCertificate (SBR 7.1.2.1): no EKU, no policies, no pathLen.
func Root(a Authority) ([]byte, error) {
	if a.Issuer != nil {
		return nil, fault.New(fault.Internal, "profile.issuer", "A root has no issuer but itself.")
	}
	if err := CheckAuthorityKey(a.PublicKey, a.NotBefore); err != nil {
		return nil, err
	}
	return a.build(rules.RootValidity, basicConstraintsExtension(-1), keyUsageExtension(keyCertSign|cRLSign))
}

// Issuing returns the DER of the TBSCertificate of a CA that issues subscriber certificates and nothing else (SBR
// 7.1.2.2). It is an affiliate of its root, so it carries anyPolicy (SBR 7.1.6.3, BR-116). OCSPSigning is left out on
// purpose: it would make the CA a responder for its own issuer. Its responders are delegated, for which no reader asks it.
func Issuing(a Authority) ([]byte, error) {
	if a.Issuer == nil || !a.Issuer.IsCA {
		return nil, fault.New(fault.Internal, "profile.issuer", "An issuing CA needs the root's certificate.")
	}
	if err := CheckAuthorityKey(a.PublicKey, a.NotBefore); err != nil {
		return nil, err
	}
	if err := a.URLs.check(); err != nil {
		return nil, err
	}
	extensions := []extension{
		basicConstraintsExtension(0),
		keyUsageExtension(keyCertSign | cRLSign),
		extendedKeyUsageExtension(oidEmailProtection, oidClientAuth),
		policiesExtension(oidAnyPolicy),
		distributionPointsExtension(a.URLs.CRL),
	}
	if len(a.URLs.Issuer)+len(a.URLs.OCSP) > 0 {
		extensions = append(extensions, authorityInfoAccessExtension(a.URLs))
	}
	return a.build(rules.IssuingValidity, extensions...)
}

// Responder returns the DER of the TBSCertificate of a delegated OCSP responder, signed by the CA for which it speaks
// (SBR 4.9.9, RFC 6960 4.2.2.2, BR-131). It cannot be revoked (id-pkix-ocsp-nocheck), so it should be short-lived.
func Responder(a Authority) ([]byte, error) {
	if a.Issuer == nil || !a.Issuer.IsCA {
		return nil, fault.New(fault.Internal, "profile.issuer", "A responder needs the certificate of its CA.")
	}
	if err := CheckKey(a.PublicKey, Sign, a.NotBefore); err != nil {
		return nil, err
	}
	return a.build(rules.ResponderValidity, keyUsageExtension(digitalSignature),
		extendedKeyUsageExtension(oidOCSPSigning), noCheckExtension())
}

func (a Authority) build(standard rules.Period, extensions ...extension) ([]byte, error) {
	subject, err := a.subject()
	if err != nil {
		return nil, err
	}
	if err := checkSerial(a.Serial); err != nil {
		return nil, err
	}
	notBefore, notAfter, err := validity(a.NotBefore, a.Validity, standard, a.Issuer)
	if err != nil {
		return nil, err
	}
	return issue(certificate{serial: a.Serial, subject: subject, notBefore: notBefore, notAfter: notAfter,
		extensions: extensions}, a.PublicKey, a.Issuer)
}

var validCountry = regexp.MustCompile(`^[A-Z]{2}$`)

// subject encodes C, O, CN in that order; the same input gives the same octets for ever (SBR 7.1.4.1).
func (a Authority) subject() ([]byte, error) {
	if !validCountry.MatchString(a.Country) {
		return nil, refuse("BR-115", "%q is no country; use the two capital letters of ISO 3166, for example DE, or XX (SBR 7.1.4.3, BR-115).", a.Country)
	}
	for _, text := range []string{a.Organisation, a.CommonName} {
		if !meaningful(text) || utf8.RuneCountInString(text) > maxCommonName {
			return nil, refuse("BR-115", "%q cannot name a CA or its organisation: that needs 1 to %d characters that say something (SBR 7.1.4.3, BR-115).", text, maxCommonName)
		}
	}
	return name(attribute{oidCountry, cbasn1.PrintableString, a.Country},
		attribute{oidOrganisation, cbasn1.UTF8String, a.Organisation},
		attribute{oidCommonName, cbasn1.UTF8String, a.CommonName}), nil
}

// meaningful refuses what is empty, padded, unprintable or a placeholder (SBR 7.1.4.2, BR-048).
func meaningful(text string) bool {
	return utf8.ValidString(text) && text == strings.TrimSpace(text) &&
		strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 &&
		strings.IndexFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) >= 0
}
