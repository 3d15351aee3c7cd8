package profile

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"time"

	"chancery.example/fault"
	"chancery.example/mailbox"
)

// MaxMailboxes bounds the addresses of one certificate.
const MaxMailboxes = 32

// URLs are what a certificate says about where its issuer publishes. All are plain http (SBR 7.1.2.3.b and c).
type URLs struct {
	CRL    []string // of the issuer's CRL; at least one is needed
	Issuer []string // of the issuer's certificate, DER (caIssuers)
	OCSP   []string // of the issuer's responder
}

// Input is what one subscriber certificate says beyond its profile. Everything in it must have been approved.
type Input struct {
	Mode Mode
	Use  Use
	// Mailboxes are all addresses, the principal one first.
	Mailboxes []mailbox.Address
	PublicKey crypto.PublicKey
	Serial    *big.Int
	NotBefore time.Time
	// Validity counts both ends; zero takes the default of the rules. It is cut at the issuer's own end.
	Validity time.Duration
	Issuer   *x509.Certificate
	URLs     URLs
	// Policies are the house's own policy OIDs, named in its CPS. May be empty.
	Policies []asn1.ObjectIdentifier
}

// Build returns the DER of the TBSCertificate.
func Build(p Profile, in Input) ([]byte, error) {
	return nil, fault.New(fault.Internal, "profile.unfinished", "being written")
}

// Assemble joins a TBSCertificate and the signature over it; the algorithm is the one that the TBSCertificate names.
func Assemble(tbs, signature []byte) ([]byte, error) {
	return nil, fault.New(fault.Internal, "profile.unfinished", "being written")
}

// Digest returns what has to be signed for a TBSCertificate: the digest and its hash, by the algorithm it names.
// Hand both to crypto.Signer.Sign of the issuing key.
func Digest(tbs []byte) ([]byte, crypto.Hash, error) {
	return nil, 0, fault.New(fault.Internal, "profile.unfinished", "being written")
}

// Authority is what a CA or responder certificate of the house says.
type Authority struct {
	Mode       Mode
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
	// URLs are the issuer's; unused for a root.
	URLs URLs
}

// Root returns the DER of a self-signed root's TBSCertificate (SBR 7.1.2.1).
func Root(a Authority) ([]byte, error) { return Build(Profile{}, Input{}) }

// Issuing returns the DER of the TBSCertificate of a CA that issues subscriber certificates (SBR 7.1.2.2).
func Issuing(a Authority) ([]byte, error) { return Build(Profile{}, Input{}) }

// Responder returns the DER of the TBSCertificate of a delegated OCSP responder (SBR 4.9.9, RFC 6960 4.2.2.2).
func Responder(a Authority) ([]byte, error) { return Build(Profile{}, Input{}) }

// CheckKey refuses a subscriber's public key that no certificate may carry at that time.
func CheckKey(pub crypto.PublicKey, use Use, at time.Time) error { return nil }

// CheckAuthorityKey refuses a public key that no CA certificate may carry at that time.
func CheckAuthorityKey(pub crypto.PublicKey, at time.Time) error { return nil }

// MaxRequest bounds a PKCS#10 request in octets, PEM or DER.
const MaxRequest = 64 << 10

// Request is a PKCS#10 request (RFC 2986) whose signature holds.
type Request struct {
	PublicKey crypto.PublicKey
	SPKI      []byte // DER of the SubjectPublicKeyInfo
	// Mailboxes are all addresses that it asks for, in SAN and subject, without repetition. May be empty.
	Mailboxes []mailbox.Address
}

// CheckRequest reads a request, PEM or DER, and checks that its sender holds the private key.
func CheckRequest(der []byte) (*Request, error) {
	return nil, fault.New(fault.Internal, "profile.unfinished", "being written")
}
