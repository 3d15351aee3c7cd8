// Package delivery answers: how does a key reach its holder's mail clients?
//
// A key born at pick-up lives in this process from Born to Pack and nowhere else: it is made, certified, put into one
// PKCS#12 under the holder's password, and forgotten.
package delivery

import (
	"crypto/x509"
)

// Encoding is how a PKCS#12 is protected; which one depends on the program that will open it.
type Encoding string

// The encodings.
const (
	// Modern is PBES2 with AES-256-CBC, PBKDF2 and HMAC-SHA-256 (RFC 8018): every current program reads it.
	Modern Encoding = "modern"
	// Legacy is triple DES with SHA-1 (RFC 7292 appendix C): for Windows before 10 1709, macOS before 15, Android before 14 and
	// gpgsm, which cannot read Modern.
	Legacy Encoding = "legacy"
)

// Parcel is a file on its way to its holder.
type Parcel struct {
	Name        string // "alice@example.com.p12"
	ContentType string // "application/x-pkcs12"
	Data        []byte
	Certificate *x509.Certificate
}
