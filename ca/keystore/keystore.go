// Package keystore answers: which keys does the house hold, and where?
package keystore

import (
	"crypto"

	"chancery.example/fault"
)

// Algorithm is a kind of key pair.
type Algorithm string

// The algorithms that Generate makes.
const (
	P256    Algorithm = "P-256"
	P384    Algorithm = "P-384"
	P521    Algorithm = "P-521"
	RSA3072 Algorithm = "RSA-3072"
	RSA4096 Algorithm = "RSA-4096"
)

// Signer is a private key that can be used but not seen, wherever it is kept.
type Signer interface {
	crypto.Signer
	Name() string
	Algorithm() Algorithm
}

// Protection says how the house identity is kept on disk.
type Protection struct {
	passphrase string
	workFactor int
}

// Clear keeps the identity readable in house.key, mode 0600. See [Store.Warning].
func Clear() Protection { return Protection{} }

// Passphrase protects the identity by a passphrase (scrypt).
func Passphrase(secret string) Protection { return Protection{passphrase: secret} }

// WithWorkFactor sets the base-2 logarithm of scrypt's cost, 10 to 20; the default is 18 (about a second and 256 MiB).
func (p Protection) WithWorkFactor(logN int) Protection { p.workFactor = logN; return p }

// Store is an open folder of keys.
type Store struct{}

var errUnfinished = fault.New(fault.Internal, "keystore.unfinished", "being written")

// Create makes a new store in a folder that is empty or not there yet.
func Create(dir string, p Protection) (*Store, error) { return nil, errUnfinished }

// Open opens the store; passphrase is called only when it is protected by one, and may be nil.
func Open(dir string, passphrase func() (string, error)) (*Store, error) { return nil, errUnfinished }

// Generate makes a new key pair and keeps it under a name.
func (s *Store) Generate(name string, alg Algorithm) (Signer, error) { return nil, errUnfinished }

// Key decrypts the private key of that name. fault.Unavailable when its file is not here (an offline root).
func (s *Store) Key(name string) (Signer, error) { return nil, errUnfinished }

// Public returns the public key of that name, also while the private key is offline.
func (s *Store) Public(name string) (crypto.PublicKey, error) { return nil, errUnfinished }

// Names lists the keys that the house knows, whether here or offline.
func (s *Store) Names() []string { return nil }

// Check says, in a sentence each, what is missing or damaged. Nothing is decrypted but the keys that are named.
func (s *Store) Check(needed ...string) error { return errUnfinished }

// Protect changes how the identity is kept. The keys themselves are not touched.
func (s *Store) Protect(p Protection) error { return errUnfinished }

// Protected reports whether a passphrase is needed to open the store.
func (s *Store) Protected() bool { return false }

// Warning says how to do better, and is empty when a passphrase protects the store.
func (s *Store) Warning() string { return "" }
