package cms

import (
	"crypto"
	"crypto/x509"
	"io"
	"time"
)

// Signer is one who signs.
type Signer struct {
	// Certificate is the signer's; it is carried in the message.
	Certificate *x509.Certificate
	// Key is the private key of Certificate: RSA of 2048 bits or more, or ECDSA on P-256, P-384 or P-521. It may live
	// in an HSM.
	Key crypto.Signer
	// PSS makes an RSA key sign by RSASSA-PSS (RFC 4056) and not by PKCS #1 v1.5.
	PSS bool
	// Hash is SHA256, SHA384 or SHA512; zero picks SHA-256, or what fits the curve of an ECDSA key.
	Hash crypto.Hash
	// KeyIdentifier names the signer by the certificate's subject key identifier and not by issuer and serial number.
	KeyIdentifier bool
}

// SignOptions says how to sign.
type SignOptions struct {
	// Signers sign, each for themselves; at least one.
	Signers []Signer
	// Certificates are carried beside those of the signers: usually the intermediates.
	Certificates []*x509.Certificate
	// CRLs are DER revocation lists to carry.
	CRLs [][]byte
	// Detached leaves the content out: it travels beside the signature.
	Detached bool
	// ContentType is what the content is; TypeData if empty.
	ContentType OID
	// ContentLength is the exact length of the content in bytes, if it is known and Detached is not set. Zero or less
	// means unknown. It makes the encoding shorter and, with RSA signers, all DER.
	ContentLength int64
	// SigningTime is stated in the signingTime attribute; if zero, there is none.
	SigningTime time.Time
	// Capabilities are stated in the SMIMECapabilities attribute, best first; if empty, there is none.
	Capabilities []Algorithm
	// Attributes are further signed attributes, the same for every signer.
	Attributes []Attribute
}

// NewSigner returns a writer that signs what is written to it. The message is complete on out when Close has
// returned nil; out is not closed. A key that does not fit its certificate, or that is too weak, is refused at once.
func NewSigner(out io.Writer, o SignOptions) (io.WriteCloser, error) {
	return nil, errNotYet
}

// WriteBundle writes a SignedData without signers that only carries certificates and DER revocation lists, as for
// smime-type=certs-only: RFC 8551 3.8.
func WriteBundle(out io.Writer, certificates []*x509.Certificate, crls [][]byte) error {
	return errNotYet
}
