package access

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"

	"chancery.example/fault"
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Secret is the random part of a link or a token: shown once, never stored, hidden from logs.
type Secret string

// String keeps secrets out of logs; doors write string(s) where it must be shown.
func (s Secret) String() string { return "[secret]" }

// newSecret draws 160 random bits as 32 characters.
func newSecret() Secret {
	var b [20]byte
	rand.Read(b[:])
	return Secret(base32Lower.EncodeToString(b[:]))
}

// newID draws an identifier: a prefix and 128 random bits as 26 characters.
func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + base32Lower.EncodeToString(b[:])
}

// idFrom derives an identifier from bytes, so that the same bytes give the same one.
func idFrom(prefix, kind string, from []byte) string {
	h := hashOf(kind, string(from))
	return prefix + base32Lower.EncodeToString(h[:16])
}

// hashOf is the stored form of a secret. The kind keeps a secret of one sort from passing for another. A plain hash is
// enough: what it hides has at least 80 random bits.
func hashOf(kind, secret string) Hash {
	return sha256.Sum256([]byte("chancery " + kind + "\n" + secret))
}

// Sealer encrypts what must not lie readable in the database. context binds a sealed value to its place, so that it
// cannot be moved to another row.
type Sealer interface {
	Seal(plain, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// aesSealer seals with AES-256-GCM and a random nonce in front of each value.
type aesSealer struct{ aead cipher.AEAD }

// NewSealer makes a Sealer from a key of 32 random bytes, which must be kept outside of the database: whoever has both
// can make everybody's codes.
func NewSealer(key []byte) (Sealer, error) {
	if len(key) != 32 {
		return nil, fault.New(fault.Internal, "access.key", "The key that seals sign-in secrets must have 32 bytes, it has %d.", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return aesSealer{aead}, nil
}

func (s aesSealer) Seal(plain, context []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plain, context), nil
}

func (s aesSealer) Open(sealed, context []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "access.unseal",
			"A stored sign-in secret cannot be opened. The key beside the database is not the one that sealed it.")
	}
	return plain, nil
}
