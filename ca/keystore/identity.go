package keystore

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"filippo.io/age"

	"chancery.example/fault"
)

// Bounds of the protection by a passphrase.
const (
	// MinPassphrase is the least number of characters of a passphrase.
	MinPassphrase     = 12
	defaultWorkFactor = 18
	minWorkFactor     = 10
	maxWorkFactor     = 20 // 1 GiB; more in a file is refused before it is tried
)

// Protection says how the house identity is kept on disk.
type Protection struct {
	secret     func() string // nil for none; a function, so that no print of any struct around it shows the passphrase
	workFactor int
}

// Clear keeps the identity readable in house.key with mode 0600. See [Store.Warning].
func Clear() Protection { return Protection{} }

// Passphrase protects the identity by a passphrase of at least [MinPassphrase] characters, through scrypt.
func Passphrase(secret string) Protection {
	return Protection{secret: func() string { return secret }, workFactor: defaultWorkFactor}
}

// WithWorkFactor sets the base-2 logarithm of scrypt's cost, 10 to 20; the default is 18 (about a second and 256 MiB).
func (p Protection) WithWorkFactor(logN int) Protection {
	p.workFactor = logN
	return p
}

// String names the protection without its secret.
func (p Protection) String() string {
	if p.secret != nil {
		return "passphrase"
	}
	return "clear"
}

func (p Protection) check() error {
	if p.secret == nil {
		return nil
	}
	if utf8.RuneCountInString(p.secret()) < MinPassphrase {
		return fault.New(fault.Invalid, "keystore.passphrase-short",
			"The passphrase of the house keys needs at least %d characters; four or more random words are good.", MinPassphrase)
	}
	if p.workFactor < minWorkFactor || p.workFactor > maxWorkFactor {
		return fault.New(fault.Invalid, "keystore.work-factor",
			"The work factor %d is outside %d to %d.", p.workFactor, minWorkFactor, maxWorkFactor)
	}
	return nil
}

// Warning is what a person should know about an identity in clear. It is empty when a passphrase protects it.
func (s *Store) Warning() string {
	if s.Protected() {
		return ""
	}
	return "The CA keys are encrypted, but the identity that opens them lies beside them in " + identityFile +
		": whoever can read that file, or a backup of it, can issue certificates. Better: protect it with a passphrase (chancery protect), " +
		"or keep it on a disk that backups leave out. The root's private key can be moved to a medium in a safe; it is needed again to certify a new issuing CA, and once a year for the root's revocation list."
}

// Protected reports whether a passphrase is needed to open the store.
func (s *Store) Protected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.protected
}

// Protect changes how the identity is kept: a passphrase, another one, or none. The key files are not touched. Who had a
// copy of the identity before still has it; and a disk may keep the old blocks for a while.
func (s *Store) Protect(p Protection) error {
	if err := p.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.identity.(*age.X25519Identity)
	if ok {
		return s.writeIdentity(x.String(), p)
	}
	h, ok := s.identity.(*age.HybridIdentity)
	if ok {
		return s.writeIdentity(h.String(), p)
	}
	return fault.New(fault.Internal, "keystore.identity", "The house identity is of a kind that cannot be written.")
}

const identityHeader = "# The identity of this house. Whoever reads it can use every key in this folder.\n"

// writeIdentity replaces house.key in one step. The caller holds mu, or has the store for itself.
func (s *Store) writeIdentity(secret string, p Protection) error {
	content := []byte(identityHeader + secret + "\n")
	defer clear(content)
	if p.secret != nil {
		recipient, err := age.NewScryptRecipient(p.secret())
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "keystore.passphrase", "This passphrase cannot be used.")
		}
		recipient.SetWorkFactor(p.workFactor)
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, recipient)
		if err == nil {
			_, err = w.Write(content)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return fault.Wrap(err, fault.Internal, "keystore.encrypt", "The house identity could not be encrypted.")
		}
		content = sealed.Bytes()
	}
	if err := writeFile(s.dir, identityFile, content, 0o600); err != nil {
		return err
	}
	s.protected = p.secret != nil
	return nil
}

// ageMagic begins every age file.
const ageMagic = "age-encryption.org/v1\n"

// unlock reads house.key.
func (s *Store) unlock(passphrase func() (string, error)) error {
	if err := checkMode(s.dir); err != nil {
		return err
	}
	content, err := readFile(s.dir, identityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(err, fault.Unavailable, "keystore.identity-missing",
			"The house identity %s is missing from %s; without it no key can be opened. Put it back from the backup.", identityFile, s.dir)
	}
	if err != nil {
		return err
	}
	defer func() { clear(content) }()
	if s.protected = strings.HasPrefix(string(content), ageMagic); s.protected {
		if content, err = unseal(content, passphrase); err != nil {
			return err
		}
	}
	identities, err := age.ParseIdentities(bytes.NewReader(content))
	if err != nil || len(identities) != 1 {
		return fault.Wrap(err, fault.Unavailable, "keystore.damaged",
			"The house identity %s is damaged; put it back from the backup.", identityFile)
	}
	s.identity = identities[0]
	switch x := s.identity.(type) {
	case *age.X25519Identity:
		s.recipient = x.Recipient()
	case *age.HybridIdentity:
		s.recipient = x.Recipient()
	default:
		return fault.New(fault.Unavailable, "keystore.damaged", "The house identity %s is of a kind that the house cannot use.", identityFile)
	}
	return nil
}

// unseal opens an identity that a passphrase protects.
func unseal(content []byte, passphrase func() (string, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, fault.New(fault.Denied, "keystore.passphrase-needed",
			"A passphrase protects the keys of this house; give it by prompt, file or environment.")
	}
	secret, err := passphrase()
	if err != nil {
		return nil, err
	}
	wrong := fault.New(fault.Denied, "keystore.passphrase", "This passphrase does not open the keys of this house.")
	identity, err := age.NewScryptIdentity(secret)
	if err != nil {
		wrong.Cause = err
		return nil, wrong
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(bytes.NewReader(content), identity)
	if err != nil {
		wrong.Cause = err
		return nil, wrong
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "keystore.damaged",
			"The house identity %s is damaged; put it back from the backup.", identityFile)
	}
	return plain, nil
}

// checkMode refuses an identity that others on this machine can read.
func checkMode(dir string) error {
	path := filepath.Join(dir, identityFile)
	info, err := os.Stat(path)
	if err != nil {
		return nil // the reader says what is missing
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fault.New(fault.Refused, "keystore.permissions",
			"Others on this machine can reach the house identity %s (mode %04o). Run: chmod 600 %s", path, mode, path)
	}
	return nil
}
