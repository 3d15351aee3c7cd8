package cms

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"time"
)

var errNotYet = errors.New("cms: not yet written")

// Reader reads one ContentInfo, RFC 5652 3, from a stream of BER.
type Reader struct {
	contentType OID
}

// NewReader reads the beginning of a message and finds out its type. The stream is bare BER; see [PEMReader] for PEM.
func NewReader(r io.Reader, l Limits) (*Reader, error) { return nil, errNotYet }

// Type is the content type of the message: TypeSignedData, TypeEnvelopedData, or any other.
func (r *Reader) Type() OID { return r.contentType }

// Signed continues as SignedData, RFC 5652 5.1. It fails if Type is another, or if it was called before.
func (r *Reader) Signed() (*SignedReader, error) { return nil, errNotYet }

// Decrypt continues as EnvelopedData or AuthEnvelopedData; see the function Decrypt.
func (r *Reader) Decrypt(keys []DecryptionKey) (*Opened, error) { return nil, errNotYet }

// SignedReader is a SignedData of which the content is still to be read.
type SignedReader struct {
	contentType OID
	detached    bool
}

// ContentType is the type of what is signed.
func (s *SignedReader) ContentType() OID { return s.contentType }

// Detached tells that the message holds no content: it travels beside.
func (s *SignedReader) Detached() bool { return s.detached }

// Content reads the signed content. It is not yet checked: nobody knows before its end whether the signature holds.
// Of a detached message it is empty.
func (s *SignedReader) Content() io.Reader { return nil }

// Finish reads what follows the content (and the content, so far as it was not read) and returns it. Signers of a
// detached message can only be checked through VerifyDetached or VerifyDigested.
func (s *SignedReader) Finish() (*Signed, error) { return nil, errNotYet }

// Signed is a SignedData that was read to its end: RFC 5652 5.1.
type Signed struct {
	// ContentType is the type of what is signed.
	ContentType OID
	// Detached tells that the content was not inside.
	Detached bool
	// Certificates are those carried that could be parsed, in the order of the message. Nothing about them is checked.
	Certificates []*x509.Certificate
	// RawCertificates is the DER of every certificate carried, those that could not be parsed included.
	RawCertificates [][]byte
	// CRLs is the DER of every revocation list carried.
	CRLs [][]byte
	// Signers are those who signed; there may be none.
	Signers []*SignerInfo
}

// CertificateOf returns the first carried certificate that signer names, or nil.
func (s *Signed) CertificateOf(signer *SignerInfo) *x509.Certificate {
	for _, c := range s.Certificates {
		if signer.Matches(c) {
			return c
		}
	}
	return nil
}

// EntityIdentifier names a certificate by issuer and serial number, or by subject key identifier: RFC 5652 5.3, 6.2.
type EntityIdentifier struct {
	// Issuer is the DER of the issuer's name; nil if KeyID is used.
	Issuer []byte
	// Serial is the serial number; nil if KeyID is used.
	Serial *big.Int
	// KeyID is the subject key identifier; nil if issuer and serial number are used.
	KeyID []byte
}

// Attribute is one attribute of RFC 5652 5.3.
type Attribute struct {
	Type OID
	// Values are the DER of each value.
	Values [][]byte
}

// SignerInfo is one signature: RFC 5652 5.3.
type SignerInfo struct {
	// Signer names the signer's certificate.
	Signer EntityIdentifier
	// DigestAlgorithm is that of the content and of the signed attributes.
	DigestAlgorithm Algorithm
	// SignatureAlgorithm is that of the signature.
	SignatureAlgorithm Algorithm
	// SigningTime is when the signer says to have signed; zero if they do not. It is shown, never believed.
	SigningTime time.Time
	// Capabilities are what the signer says to be able to read, best first.
	Capabilities []Algorithm
	// SignedAttributes are all the attributes under the signature, as they came.
	SignedAttributes []Attribute
	// UnsignedAttributes are attributes beside it: nothing protects them.
	UnsignedAttributes []Attribute
}

// Matches tells whether cert is the certificate that the signer names.
func (s *SignerInfo) Matches(cert *x509.Certificate) bool { return false }

// Status is what became of a signature.
type Status uint8

// The results of checking a signature.
const (
	// Unknown: it could not be checked; it is neither good nor broken.
	Unknown Status = iota
	// Intact: the content is what the holder of the certificate's key signed.
	Intact
	// Weak: as Intact, but by an algorithm or key that no longer proves anything (MD5, SHA-1, RSA under 2048 bits).
	Weak
	// Broken: the signature does not hold, or breaks a rule that must hold.
	Broken
)

// Reasons of a SignatureResult.
const (
	ReasonNone               = ""
	ReasonUnknownDigest      = "unknown-digest"       // Unknown: a digest algorithm that this package does not have
	ReasonUnknownSignature   = "unknown-signature"    // Unknown: a signature algorithm that this package does not have
	ReasonUnknownKey         = "unknown-key"          // Unknown: a public key that this package cannot use
	ReasonNoContent          = "no-content"           // Unknown: the content was not there, or not digested by this algorithm
	ReasonWeakDigest         = "weak-digest"          // Weak: MD5 or SHA-1
	ReasonWeakKey            = "weak-key"             // Weak: RSA under 2048 bits, or a curve under 256
	ReasonWrongCertificate   = "wrong-certificate"    // Broken: the signer names another certificate
	ReasonDigestNotAnnounced = "digest-not-announced" // Broken: digestAlgorithms lacks the signer's: RFC 5652 5.1
	ReasonBadAttributes      = "bad-attributes"       // Broken: a required signed attribute is missing, repeated or malformed
	ReasonContentType        = "content-type"         // Broken: the contentType attribute does not name the content's type
	ReasonContentChanged     = "content-changed"      // Broken: messageDigest is not the content's
	ReasonAlgorithmMismatch  = "algorithm-mismatch"   // Broken: the algorithms do not agree with each other or with the key
	ReasonSignature          = "signature"            // Broken: the signature is not by this certificate's key
	ReasonAmbiguousContent   = "ambiguous-content"    // Broken: content without signed attributes that looks like signed attributes
)

// SignatureResult is what became of a signature, with a reason for programs and a sentence for people.
type SignatureResult struct {
	Status Status
	Reason string
	Text   string
}

// Check tells whether the signature is intact under cert's public key. It judges neither cert itself nor the time.
func (s *SignerInfo) Check(cert *x509.Certificate) SignatureResult { return SignatureResult{} }

// Digester takes the digests of content that travels beside its signature, such as the first part of a multipart/signed,
// before the signature is known. It is an io.Writer; write exactly the signed bytes.
type Digester struct{}

// NewDigester takes digests by the hashes given (those that micalg promises); by SHA-256, SHA-384 and SHA-512 if none is.
func NewDigester(hashes ...crypto.Hash) *Digester { return nil }

// Write takes in more content; it never fails.
func (d *Digester) Write(p []byte) (int, error) { return len(p), nil }

// VerifyDetached reads a detached signature, then the content to its end, and returns the signers, ready to be checked.
// A message with content of its own is refused with the code cms.content-twice.
func VerifyDetached(signature, content io.Reader, l Limits) (*Signed, error) { return nil, errNotYet }

// VerifyDigested is VerifyDetached for content that came before its signature and went through d. Signers with a digest
// algorithm that d did not take check as Unknown with ReasonNoContent.
func VerifyDigested(signature io.Reader, d *Digester, l Limits) (*Signed, error) {
	return nil, errNotYet
}
