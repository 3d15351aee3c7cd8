// Package keystore answers: which keys does the house hold, and where?
//
// A Store is a folder. For each key it has two files: NAME.pub, the public key as PEM, and NAME.age, the private key as
// PKCS#8 PEM encrypted with age (https://age-encryption.org/v1) to the house identity. The identity is house.key: an
// age X25519 identity, in clear with mode 0600 or encrypted by a passphrase (age scrypt). Every age tool can read
// both, so the keys outlive this program. Nothing in the folder names a path or a machine: copied elsewhere,
// modes included, it opens there.
//
// A private key file may be taken away, as an offline root should be: NAME.pub stays and says that the key exists. X25519 is
// enough against a later quantum computer here, since the recipient's public key is written nowhere.
//
// The store keeps no private key in memory; a Signer does, as long as its holder keeps it.
package keystore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"

	"chancery.example/fault"
)

// Names and bounds of the files of a store.
const (
	identityFile  = "house.key"
	privateSuffix = ".age"
	publicSuffix  = ".pub"
	maxFile       = 64 << 10 // octets that are read of any file
	maxKeys       = 4096     // files that are looked at
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

// Signer is a private key that can be used but not seen, wherever it is kept: in a file now, in a PKCS#11 token later.
// It is safe for concurrent use.
type Signer interface {
	crypto.Signer
	Name() string
	Algorithm() Algorithm
}

// Store is an open folder of keys. It is safe for concurrent use by one process.
type Store struct {
	dir string

	mu        sync.Mutex // guards the fields below and serialises writes to the folder
	identity  age.Identity
	recipient age.Recipient
	protected bool
}

// Create makes a new store in a folder that is empty or not there yet. A folder that holds a store, or keys without
// their identity, is refused with fault.Conflict: nothing is ever silently remade.
func Create(dir string, p Protection) (*Store, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ioFault(err, "The key folder %s cannot be made.", dir)
	}
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if n == identityFile || strings.HasSuffix(n, privateSuffix) || strings.HasSuffix(n, publicSuffix) {
			return nil, fault.New(fault.Conflict, "keystore.exists",
				"The folder %s already holds keys (%s). Choose an empty folder, or open this one.", dir, n)
		}
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "keystore.random", "No house identity could be made.")
	}
	s := &Store{dir: dir, identity: identity, recipient: identity.Recipient()}
	if err := s.writeIdentity(identity.String(), p); err != nil {
		return nil, err
	}
	return s, nil
}

// Open opens a store; passphrase is called only when the identity is protected by one, and may be nil. What a crash
// left half done is finished: temporary files go, and a private key without its public file gets it.
func Open(dir string, passphrase func() (string, error)) (*Store, error) {
	s := &Store{dir: dir}
	if err := s.unlock(passphrase); err != nil {
		return nil, err
	}
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if strings.HasPrefix(n, temporaryPrefix) {
			os.Remove(filepath.Join(dir, n))
			continue
		}
		name, ok := strings.CutSuffix(n, privateSuffix)
		if !ok || slices.Contains(names, name+publicSuffix) || !validName.MatchString(name) {
			continue
		}
		key, err := s.decrypt(name)
		if err != nil {
			return nil, err
		}
		if err := s.writePublic(name, key.Public()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// validName is what a key may be called: it becomes a file name on every system.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func checkName(name string) error {
	if !validName.MatchString(name) {
		return fault.New(fault.Invalid, "keystore.name",
			"%q is no name for a key; use up to 63 lower-case letters, digits, - and _.", name)
	}
	return nil
}

// Generate makes a new key pair and keeps it under a name. A name that is taken is refused with fault.Conflict. When it
// returns, both files are durable.
func (s *Store) Generate(name string, alg Algorithm) (*Key, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, suffix := range []string{privateSuffix, publicSuffix} {
		if _, err := os.Lstat(filepath.Join(s.dir, name+suffix)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New(fault.Conflict, "keystore.exists", "There is already a key called %q; choose another name.", name)
		}
	}
	private, err := generate(alg)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "keystore.encode", "The new key %q could not be encoded.", name)
	}
	defer clear(der)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, s.recipient)
	if err == nil {
		err = pem.Encode(w, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "keystore.encrypt", "The new key %q could not be encrypted.", name)
	}
	// The public file comes last: it says that the key exists.
	if err := writeFile(s.dir, name+privateSuffix, sealed.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if err := s.writePublic(name, private.Public()); err != nil {
		return nil, err
	}
	return &Key{name: name, algorithm: alg, signer: private}, nil
}

func generate(alg Algorithm) (crypto.Signer, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case RSA3072:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	default:
		return nil, fault.New(fault.Invalid, "keystore.algorithm",
			"The house makes no %q keys; use P-256, P-384, P-521, RSA-3072 or RSA-4096.", alg)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "keystore.random", "No %s key could be made.", alg)
	}
	return key, nil
}

// Key decrypts the private key of that name. It is fault.NotFound when no such key was ever made here, and
// fault.Unavailable when its file was taken away, as that of an offline root.
func (s *Store) Key(name string) (Signer, error) {
	public, err := s.Public(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.decrypt(name)
	if err != nil {
		return nil, err
	}
	if !sameKey(public, key.Public()) {
		return nil, fault.New(fault.Unavailable, "keystore.mismatch",
			"The files %s and %s do not belong together; put back the right ones from the backup.", name+privateSuffix, name+publicSuffix)
	}
	return key, nil
}

// decrypt reads NAME.age. The caller holds mu, or has the store for itself.
func (s *Store) decrypt(name string) (*Key, error) {
	sealed, err := readFile(s.dir, name+privateSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.Unavailable, "keystore.offline",
			"The private key %q is not here: its file %s was taken away (kept offline?). Put it back into the key folder for as long as it is needed.",
			name, name+privateSuffix)
	}
	if err != nil {
		return nil, err
	}
	damaged := func(cause error) error {
		return fault.Wrap(cause, fault.Unavailable, "keystore.damaged",
			"The private key file %s cannot be opened with this house's identity; put it back from the backup.", name+privateSuffix)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), s.identity)
	if err != nil {
		return nil, damaged(err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxFile))
	defer clear(text)
	if err != nil {
		return nil, damaged(err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, damaged(errors.New("no PKCS#8 PEM inside"))
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, damaged(err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, damaged(fmt.Errorf("a %T cannot sign", parsed))
	}
	return &Key{name: name, algorithm: algorithmOf(signer.Public()), signer: signer}, nil
}

// Public returns the public key of that name, also while the private key is offline.
func (s *Store) Public(name string) (crypto.PublicKey, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	text, err := readFile(s.dir, name+publicSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.NotFound, "keystore.unknown", "The house has no key called %q.", name)
	}
	if err != nil {
		return nil, err
	}
	var public crypto.PublicKey
	block, _ := pem.Decode(text)
	if block == nil {
		err = errors.New("no PEM inside")
	} else {
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "keystore.damaged",
			"The file %s cannot be read as a public key; put it back from the backup.", name+publicSuffix)
	}
	return public, nil
}

func (s *Store) writePublic(name string, public crypto.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "keystore.encode", "The public key of %q could not be encoded.", name)
	}
	return writeFile(s.dir, name+publicSuffix, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600)
}

// Names lists the keys that the house knows, in order, whether their private halves are here or offline.
func (s *Store) Names() ([]string, error) {
	files, err := list(s.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f, publicSuffix); ok && validName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Offline reports whether a key is known but its private file is not here.
func (s *Store) Offline(name string) bool {
	if _, err := s.Public(name); err != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(s.dir, name+privateSuffix))
	return errors.Is(err, fs.ErrNotExist)
}

// Check proves that the keys that are needed are here and open, and that what is known of the others can be read. All
// that is wrong comes in one fault.Unavailable, a sentence each. A key that is not needed may be offline.
func (s *Store) Check(needed ...string) error {
	names, err := s.Names()
	if err != nil {
		return err
	}
	var wrong []string
	var causes []error
	note := func(err error) {
		if err != nil {
			wrong = append(wrong, fault.Sentence(err))
			causes = append(causes, err)
		}
	}
	for _, n := range names {
		if !slices.Contains(needed, n) {
			_, err := s.Public(n)
			note(err)
		}
	}
	for _, n := range needed {
		_, err := s.Key(n)
		note(err)
	}
	if len(wrong) == 0 {
		return nil
	}
	return fault.Wrap(errors.Join(causes...), fault.Unavailable, "keystore.incomplete", "%s", strings.Join(wrong, " "))
}
