package cms

import (
	"crypto"
	"crypto/x509"
	"io"
)

// Recipient is one who shall be able to open the message.
type Recipient struct {
	// Certificate holds the public key: RSA of 2048 bits or more (key transport), or P-256, P-384, P-521 (key
	// agreement by RFC 5753). Whether it is valid, and for this use, is for the caller to know.
	Certificate *x509.Certificate
	// OAEP makes an RSA key be used by RSAES-OAEP (RFC 3560) and not by PKCS #1 v1.5.
	OAEP bool
	// OAEPHash is SHA1, SHA256, SHA384 or SHA512 for digest and mask; SHA-256 if zero.
	OAEPHash crypto.Hash
	// KeyIdentifier names the recipient by the certificate's subject key identifier and not by issuer and serial number.
	KeyIdentifier bool
}

// EncryptOptions says how to encrypt.
type EncryptOptions struct {
	// Cipher is the content encryption algorithm; AES256GCM if zero.
	Cipher Cipher
	// Recipients are those who can open the message; at least one.
	Recipients []Recipient
	// ContentType is what the content is; TypeData if empty.
	ContentType OID
	// ContentLength is the exact length of the content in bytes, if it is known; then the message is DER. Zero or less
	// means unknown.
	ContentLength int64
}

// NewEncrypter returns a writer that encrypts what is written to it: into AuthEnvelopedData (RFC 5083) if the cipher is an
// AEAD, else into EnvelopedData (RFC 5652 6.1). The message is complete on out when Close has returned nil; out is not
// closed. A recipient that cannot be encrypted to is refused at once, before anything is written.
func NewEncrypter(out io.Writer, o EncryptOptions) (io.WriteCloser, error) { return nil, errNotYet }
