package cms

import (
	"crypto/x509"
	"io"
)

// Description is what a message is made of, without any key: one level of content types.
type Description struct {
	// Type is the content type of this level.
	Type OID
	// Version is the version number of the syntax.
	Version int
	// ContentType is the type of what is inside.
	ContentType OID
	// Detached tells that a SignedData holds no content.
	Detached bool
	// ContentBytes is the size of the content, or of its ciphertext.
	ContentBytes int64
	// Cipher is the content encryption algorithm of an encrypted level.
	Cipher *Algorithm
	// Recipients are those of an encrypted level.
	Recipients []RecipientInfo
	// DigestAlgorithms, Certificates, CRLs and Signers are those of a SignedData.
	DigestAlgorithms []Algorithm
	Certificates     []*x509.Certificate
	CRLs             [][]byte
	Signers          []*SignerInfo
	// Content describes the content if it is CMS itself and readable without a key.
	Content *Description
}

// Describe reads a message to its end and tells what it is made of. It checks no signature and opens nothing.
func Describe(r io.Reader, l Limits) (*Description, error) { return nil, errNotYet }
