package ocsp

import (
	"crypto"
	"crypto/x509"
	"errors"
	"math/big"
	"time"
)

var errTodo = errors.New("ocsp: is being written")

// NewCertID names the certificate with that serial number of that issuer. RFC 9919 3.1.1 recommends crypto.SHA256;
// crypto.SHA1 is what most responders know.
func NewCertID(issuer *x509.Certificate, serial *big.Int, hash crypto.Hash) (CertID, error) {
	return CertID{}, errTodo
}

// IssuedBy reports whether id names a certificate of that issuer, by both hashes.
func (id CertID) IssuedBy(issuer *x509.Certificate) bool { return false }

// ParseRequest reads a request in DER. A refusal is a fault.Invalid, and the server answers MalformedRequest.
func ParseRequest(der []byte) (*Request, error) { return nil, errTodo }

// Marshal writes the request in DER, unsigned.
func (r *Request) Marshal() ([]byte, error) { return nil, errTodo }

// DecodeGET reads the request out of the path of a GET (RFC 6960 A.1): what follows the responder's own path, still
// escaped as it came (http.Request.URL.EscapedPath) or already decoded.
func DecodeGET(path string) ([]byte, error) { return nil, errTodo }

// Responder signs answers.
type Responder struct {
	// Issuer is the CA whose certificates are answered for.
	Issuer *x509.Certificate
	// Certificate is the delegated responder's, or Issuer itself.
	Certificate *x509.Certificate
	// Signer has the private key of Certificate: RSA, P-256 or P-384.
	Signer crypto.Signer
}

// Respond signs one response with all answers. nonce is the request's to be echoed, or nil.
func (r *Responder) Respond(producedAt time.Time, nonce []byte, answers ...SingleResponse) ([]byte, error) {
	return nil, errTodo
}

// ErrorResponse is the unsigned response with that status.
func ErrorResponse(status ErrorStatus) []byte { return nil }

// ParseResponse reads a response in DER. It says nothing about its truth: see Verify.
func ParseResponse(der []byte) (*Response, error) { return nil, errTodo }

// Verify checks that the response is signed by issuer itself or by a responder that issuer certified for it
// (RFC 6960 4.2.2.2), and that the responder's certificate is valid at that time. It returns the signer's certificate.
func (r *Response) Verify(issuer *x509.Certificate, at time.Time) (*x509.Certificate, error) {
	return nil, errTodo
}
