package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
)

// Key is a private key out of a file. It prints as its name only and cannot be compared; the secret leaves it
// by no method.
type Key struct {
	_         [0]func() // not comparable
	name      string
	algorithm Algorithm
	signer    crypto.Signer
}

var _ Signer = (*Key)(nil)

// Name is what the house calls the key.
func (k *Key) Name() string { return k.name }

// Algorithm is the kind of the key.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

// Public is the public key, an *ecdsa.PublicKey or *rsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.signer.Public() }

// Sign signs a digest as crypto.Signer describes: ECDSA gives ASN.1, RSA is PKCS #1 v1.5 unless opts are *rsa.PSSOptions.
func (k *Key) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.signer.Sign(random, digest, opts)
}

func (k *Key) describe() string { return fmt.Sprintf("private key %s (%s)", k.name, k.algorithm) }

// Format prints the name and kind for every verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.describe()) }

// LogValue is the name and kind.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.describe()) }

// MarshalText gives the name and kind, so that no encoder reaches the secret.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.describe()), nil }

// algorithmOf names the kind of a public key, also of kinds that Generate does not make.
func algorithmOf(public crypto.PublicKey) Algorithm {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		return Algorithm(p.Curve.Params().Name)
	case *rsa.PublicKey:
		return Algorithm(fmt.Sprintf("RSA-%d", p.N.BitLen()))
	}
	return Algorithm(fmt.Sprintf("%T", public))
}

func sameKey(a, b crypto.PublicKey) bool {
	e, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.Equal(b)
}
