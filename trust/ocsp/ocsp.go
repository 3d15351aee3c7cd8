// Package ocsp answers: what does an OCSP message say, and how is one made?
//
// It reads and writes requests and responses of RFC 6960 in the lightweight profile of RFC 9919, with the nonce of
// RFC 9654. Everything is bytes in, bytes out: who asks, where an answer is kept and what time it is belong to the
// caller.
//
// A server parses with [ParseRequest], looks each [CertID] up, and signs with [Responder.Respond], or answers an
// [ErrorStatus]. A client makes a request with [Request.Marshal], reads the answer with [ParseResponse], and believes
// it only after [Response.Verify].
package ocsp

import (
	"crypto"
	"crypto/x509"
	"math/big"
	"time"
)

// Bounds of what the parsers accept.
const (
	MaxRequest  = 16 << 10 // octets of a request
	MaxIDs      = 32       // certificates asked for, or answered, in one message
	MaxResponse = 256 << 10
	MinNonce    = 1   // octets, RFC 9654 2.1
	MaxNonce    = 128 // octets, RFC 9654 2.1. Clients write 32; a responder may leave out one of under 16 or over 32
	maxSerial   = 64  // octets; RFC 5280 4.1.2.2 allows 20, strangers are known to exceed it
	maxExts     = 16  // extensions in one list
	maxCerts    = 8   // certificates in one response
)

// CertID names one certificate (RFC 6960 4.1.1): its serial number, and its issuer by two hashes.
type CertID struct {
	// Hash is crypto.SHA1, SHA256, SHA384 or SHA512. It is 0 when the request names an algorithm that we do not
	// know; such a CertID matches no issuer.
	Hash     crypto.Hash
	NameHash []byte // hash of the issuer's distinguished name in DER
	KeyHash  []byte // hash of the issuer's public key bits
	Serial   *big.Int

	algorithm []byte // AlgorithmIdentifier as it came, so that an answer repeats it octet by octet
}

// Request is a parsed OCSP request (RFC 6960 4.1).
type Request struct {
	IDs []CertID
	// Nonce is nil when there is none. On reading it has 1 to 128 octets (RFC 9654 2.1).
	Nonce []byte
}

// Status is what a responder says of a certificate.
type Status uint8

// The three answers of RFC 6960 2.2.
const (
	Good Status = iota
	Revoked
	Unknown
)

func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}

// Reason is a revocation reason by its number in RFC 5280 5.3.1.
type Reason int

// The reasons of RFC 5280 5.3.1. Unspecified is written as no reason at all.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
	RemoveFromCRL        Reason = 8
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

// SingleResponse is the answer for one certificate (RFC 6960 4.2.1).
type SingleResponse struct {
	ID         CertID
	Status     Status
	RevokedAt  time.Time // only with Revoked
	Reason     Reason    // only with Revoked
	ThisUpdate time.Time
	NextUpdate time.Time // zero: newer information is always available. RFC 9919 demands one
}

// Response is a parsed OCSP response (RFC 6960 4.2).
type Response struct {
	// Error is Successful, or else everything below is empty.
	Error      ErrorStatus
	ProducedAt time.Time
	Nonce      []byte // nil when there is none
	Responses  []SingleResponse
	// Certificates are those that the response carries, in its order.
	Certificates []*x509.Certificate

	responderName []byte // ResponderID byName: the Name in DER
	responderKey  []byte // ResponderID byKey: SHA-1 of the public key bits
	tbs           []byte
	signature     []byte
	algorithm     x509.SignatureAlgorithm
}

// ErrorStatus is the outer status of a response (RFC 6960 4.2.1).
type ErrorStatus uint8

// The statuses of RFC 6960 4.2.1.
const (
	Successful       ErrorStatus = 0
	MalformedRequest ErrorStatus = 1
	InternalError    ErrorStatus = 2
	TryLater         ErrorStatus = 3
	SigRequired      ErrorStatus = 5
	Unauthorized     ErrorStatus = 6
)

// CurrentAt reports whether the answer speaks of that time: it was made before, and newer information is not yet
// due. skew is what two clocks may differ.
func (s SingleResponse) CurrentAt(at time.Time, skew time.Duration) bool {
	return !s.ThisUpdate.After(at.Add(skew)) && (s.NextUpdate.IsZero() || !s.NextUpdate.Before(at.Add(-skew)))
}

// Find returns the answer for id, and false when the response has none.
func (r *Response) Find(id CertID) (SingleResponse, bool) {
	for _, s := range r.Responses {
		if s.ID.Equal(id) {
			return s, true
		}
	}
	return SingleResponse{}, false
}
