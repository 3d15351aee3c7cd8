// Package pkcs12 answers: how do keys and certificates travel in one file?
//
// A PKCS#12 file (RFC 7292) carries any number of private keys with their certificates, chains and names, sealed
// with one password. [Encode] writes it in one of two dialects, [Decode] reads whatever current and old software
// writes: PBES2 (RFC 8018) with AES-CBC or 3DES, PBES1 with 3DES or RC2, and MACs of RFC 7292 or PBMAC1 (RFC 9579).
package pkcs12

import (
	"crypto"
	"crypto/x509"
)

// Identity is one private key with what belongs to it.
type Identity struct {
	// Key is an *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey or *ecdh.PrivateKey (X25519).
	Key crypto.PrivateKey
	// Cert certifies the public half of Key. It may be nil after Decode when the file has none for the key.
	Cert *x509.Certificate
	// Chain holds the certificates above Cert, issuer first.
	Chain []*x509.Certificate
	// FriendlyName is what mail clients show (PKCS#9 friendlyName). It may be empty.
	FriendlyName string
}

// Encoding is a dialect to write.
type Encoding uint8

const (
	// Modern is PBES2 with AES-256-CBC, PBKDF2 with HMAC-SHA-256, and a MAC with SHA-256. OpenSSL 1.1 and later, NSS,
	// Windows 10 1709 and later, macOS 15 and iOS 18 read it.
	Modern Encoding = iota
	// Legacy is PBES1 with three-key 3DES and a MAC with SHA-1, for older Windows and macOS, and for gpgsm. It is
	// weak: choose a long password, and remove the file after the import.
	Legacy
)

// Limits bounds what Decode does with a stranger's file. A zero field means its default.
type Limits struct {
	Size       int // octets of the file; default 4 MiB
	Iterations int // rounds of all key derivations together; default 10,000,000, some seconds of work
	Bags       int // bags and safes in the whole file; default 1,024
}
