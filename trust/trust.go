// Package trust answers: do we believe a stranger's certificate?
//
// [Evaluate] builds paths from a certificate to the anchors it is given and validates them by RFC 5280 6, with the
// mail profile of RFC 8550, and asks CRLs and OCSP responders whether every certificate on the way is still good.
// Its answer is a value, a [Result] with reasons that a person can act on and whose codes scripts can rely on; a
// certificate that is not believed is no error.
//
// The package has no clock and no network: the time is Options.At, and what is to be fetched goes through
// Options.Fetcher.
//
// Beyond RFC 5280 an issuer whose extended key usage leaves out mail issues no mail certificates, SHA-1, MD5, DSA and
// RSA keys under 2048 bits are refused, and constraints on rfc822Name also hold SmtpUTF8Mailbox (RFC 9598) and the
// subject's emailAddress. A list that was made after the time in question is taken, since it knows more: a revocation
// counts from its date or invalidity date, and always when the key was compromised.
//
// Not known here: signatures with SHA-3, SM2, Ed448 and ML-DSA, and CRLs and certificates behind ldap URLs.
package trust

import (
	"context"
	"crypto/x509"
	"time"
)

// Usage is what the certificate is to be used for.
type Usage uint8

const (
	// Mail demands an extended key usage, where there is one, with emailProtection or any (RFC 8550 4.4.4).
	Mail Usage = iota
	// MailSigning is Mail with a key usage, where there is one, that has digitalSignature or nonRepudiation.
	MailSigning
	// MailEncryption is Mail with a key usage, where there is one, that has keyEncipherment or keyAgreement.
	MailEncryption
	// AnyUsage asks nothing of the key usages of the end certificate.
	AnyUsage
)

// RevocationMode says how much is asked about revocation.
type RevocationMode uint8

const (
	// Off asks nothing. CRLs that were handed in are not looked at.
	Off RevocationMode = iota
	// Soft refuses what is known to be revoked and accepts what cannot be told.
	Soft
	// Hard accepts only what is known not to be revoked.
	Hard
)

// Options is what the caller believes and asks. The zero value trusts nobody.
type Options struct {
	// Anchors are trusted without question, whether or not they are self-signed, and even when they are the
	// certificate that is asked about. Of an anchor only name and key are used (RFC 5280 6.1.1 d), and the
	// constraints that it states of itself: validity, basicConstraints, name constraints.
	Anchors []*x509.Certificate
	// Intermediates are certificates that may help to build a path. They are not trusted.
	Intermediates []*x509.Certificate
	// CRLs are lists that may help to tell a revocation. They are not trusted before their signature is checked.
	CRLs []*CRL
	// At is the time that the question is about. It must be set.
	At time.Time
	// Revocation says how much is asked about revocation.
	Revocation RevocationMode
	// Fetcher gets CRLs, OCSP answers and missing issuers by the URLs in certificates. Nil: nothing is fetched.
	Fetcher Fetcher
	// Usage is what the certificate is to be used for.
	Usage Usage
	// Memory spares checking signatures twice in several evaluations. Nil: nothing is remembered.
	Memory *Memory

	// Policies is the user-initial-policy-set (RFC 5280 6.1.1 c). Empty: any policy.
	Policies []x509.OID
	// ExplicitPolicy, InhibitPolicyMapping and InhibitAnyPolicy are the inputs of RFC 5280 6.1.1 e, f and g.
	ExplicitPolicy       bool
	InhibitPolicyMapping bool
	InhibitAnyPolicy     bool
}

// Fetcher gets what certificates name by URL. Whoever implements it bounds size, time and the hosts that may be
// asked. Both methods return the whole body.
type Fetcher interface {
	Get(ctx context.Context, url string) ([]byte, error)
	Post(ctx context.Context, url, contentType string, body []byte) ([]byte, error)
}

// Code is a stable name for why a certificate is not believed.
type Code string

// The codes.
const (
	UnknownIssuer            Code = "unknown-issuer"
	Expired                  Code = "expired"
	NotYetValid              Code = "not-yet-valid"
	RevokedCode              Code = "revoked"
	RevocationUnknown        Code = "revocation-unknown"
	WrongUsage               Code = "wrong-usage"
	NameConstraints          Code = "name-constraints"
	Policy                   Code = "policy"
	PathLength               Code = "path-length"
	NotACA                   Code = "not-a-ca"
	WeakAlgorithm            Code = "weak-algorithm"
	BadSignature             Code = "bad-signature"
	UnknownCriticalExtension Code = "unknown-critical-extension"
	Malformed                Code = "malformed"
	UnknownAlgorithm         Code = "unknown-algorithm" // signed with an algorithm that we do not know: not broken, not believed
	TooComplex               Code = "too-complex"
	Cancelled                Code = "cancelled"
)

// Reason says why a certificate is not believed.
type Reason struct {
	Code Code   `json:"code"`
	Text string `json:"text"`
}

// Result is the answer of Evaluate.
type Result struct {
	// Trusted is true when one path holds in every respect that was asked.
	Trusted bool
	// Chain is the path that was judged: the certificate itself first, the anchor last. When Trusted is false it is
	// the path that came nearest, and holds at least the certificate itself.
	Chain []*x509.Certificate
	// Reasons says why Trusted is false; it is empty when it is true.
	Reasons []Reason
	// Revocation is what is known of the revocation of the certificates in Chain.
	Revocation Revocation
	// Policies is the user-constrained-policy-set (RFC 5280 6.1.6), only when Trusted. anyPolicy stands for all.
	Policies []x509.OID
}

// Has reports whether one of the reasons has that code.
func (r Result) Has(code Code) bool {
	for _, reason := range r.Reasons {
		if reason.Code == code {
			return true
		}
	}
	return false
}

// RevocationStatus is what is known of one certificate or of a whole path.
type RevocationStatus string

// The statuses, from best to worst.
const (
	NotChecked    RevocationStatus = "not-checked"
	StatusGood    RevocationStatus = "good"
	StatusUnknown RevocationStatus = "unknown"
	StatusRevoked RevocationStatus = "revoked"
)

// Revocation is what is known of the revocation of a path: its worst certificate decides.
type Revocation struct {
	Status RevocationStatus
	// Certificate is the one that is revoked or cannot be told; nil otherwise.
	Certificate *x509.Certificate
	// RevokedAt and Reason (by RFC 5280 5.3.1, -1 when none is given) are set with StatusRevoked.
	RevokedAt time.Time
	Reason    int
	// Source is "crl" or "ocsp", with StatusGood (of the end certificate) and StatusRevoked.
	Source string
	// Detail says in words why the status is unknown.
	Detail string
}
