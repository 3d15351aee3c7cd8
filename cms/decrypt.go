package cms

import (
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"slices"

	"chancery.example/fault"
)

// KeyAgreer is a private key for key agreement, *ecdh.PrivateKey or one in an HSM.
type KeyAgreer interface {
	// ECDH returns the shared secret with remote, which is on the key's curve: RFC 5753 3.
	ECDH(remote *ecdh.PublicKey) ([]byte, error)
}

// DecryptionKey is a private key to open messages with.
type DecryptionKey struct {
	// Certificate is how messages name the key; nil for a Passphrase or SharedKey.
	Certificate *x509.Certificate
	// Key is one of these: a crypto.Decrypter for RSA, such as *rsa.PrivateKey or one in an HSM (it must honour
	// rsa.PKCS1v15DecryptOptions.SessionKeyLen and rsa.OAEPOptions); an *ecdsa.PrivateKey; a KeyAgreer, as
	// *ecdh.PrivateKey is (P-256, P-384, P-521, X25519); a KeyDecapsulator, as
	// *mlkem.DecapsulationKey768 is; a Passphrase; a SharedKey.
	Key crypto.PrivateKey
}

// Opened is a message that was decrypted, wholly read, and, if the cipher can tell, found unaltered.
type Opened struct {
	// Plaintext is the content. Close it, even unread: it may hold a temporary file.
	Plaintext io.ReadCloser
	// Length is the size of the content in bytes.
	Length int64
	// Cipher is the content encryption algorithm.
	Cipher Cipher
	// DerivedKey tells that the content key is bound to the algorithm, which then cannot be changed unseen: RFC 9709.
	DerivedKey bool
	// Authenticated tells that the content is what was sealed. It is false for CBC: such plaintext may have been altered
	// on its way and must not be shown as trusted unless a signature inside covers all of it.
	Authenticated bool
	// ContentType is the type of the content.
	ContentType OID
	// Recipients are all recipients of the message, ours or not.
	Recipients []RecipientInfo
	// Weak tells that the cipher is only kept to read old mail.
	Weak bool
}

// NoKeyError is the private cause of a failed Decrypt when none of the recipients was among the keys. It tells the owner
// of the keys, and nobody else, whom the message is for.
type NoKeyError struct {
	Recipients []RecipientInfo
}

func (e *NoKeyError) Error() string { return "no key for any of the recipients" }

var errNotOpened = errors.New("wrong key or altered content")

// cannotDecrypt is the one outward answer to everything that may depend on a key.
func cannotDecrypt(cause error) error {
	return fault.Wrap(cause, fault.Refused, "cms.decrypt",
		"This message cannot be opened: either it is not for the keys at hand, or it was altered on its way.")
}

// Decrypt reads an EnvelopedData or AuthEnvelopedData to its end and opens it by whichever of the keys fits: RFC 5652 6,
// RFC 5083. Every failure that could depend on a key has the same code cms.decrypt and the same sentence, whatever
// went wrong. A cipher that is not supported has the code cms.cipher; what cannot be read at all is cms.malformed.
func Decrypt(r io.Reader, keys []DecryptionKey, l Limits) (*Opened, error) {
	reader, err := NewReader(r, l)
	if err != nil {
		return nil, err
	}
	return reader.Decrypt(keys)
}

// Decrypt continues as EnvelopedData or AuthEnvelopedData; see the function Decrypt.
func (r *Reader) Decrypt(keys []DecryptionKey) (*Opened, error) {
	return r.DecryptWith(func(info RecipientInfo) (fits []DecryptionKey) {
		for _, k := range keys {
			if info.fits(k) {
				fits = append(fits, k)
			}
		}
		return fits
	})
}

// DecryptWith is Decrypt for a house with more keys than it wants to hold at once: find is called for each recipient in the
// order of the message, and returns the keys that the recipient may be named by, none for strangers.
func (r *Reader) DecryptWith(find func(RecipientInfo) []DecryptionKey) (*Opened, error) {
	// Step 1: the recipients, of which those are kept that a key may open.
	var matches []match
	var recipients []RecipientInfo
	iterations := 0
	e, err := r.readEnvelope(func(t target) {
		recipients = append(recipients, t.RecipientInfo)
		if len(matches) == r.limits.Attempts {
			return
		}
		for _, k := range find(t.RecipientInfo) {
			if len(matches) == r.limits.Attempts || !t.fits(k) {
				continue
			}
			if t.password != nil {
				if iterations += t.password.iterations; iterations > r.limits.Iterations {
					continue
				}
			}
			matches = append(matches, match{t, k})
		}
	})
	if err != nil {
		return nil, err
	}
	if !e.known {
		return nil, refused("cipher", "This message is encrypted by %s, which cannot be opened here.", e.algorithm.Name())
	}
	if len(matches) == 0 {
		return nil, cannotDecrypt(&NoKeyError{recipients})
	}
	// Step 2: the content keys.
	attempts := unwrapAll(matches, e)
	if len(attempts) == 0 {
		return nil, cannotDecrypt(errNotOpened)
	}
	// Step 3: the ciphertext, kept and hashed, and everything after it.
	s := &spool{bound: r.limits.SpoolMemory, dir: r.limits.SpoolDir}
	opened, err := r.open(e, s, attempts)
	if err != nil {
		s.Close()
		return nil, err
	}
	opened.Recipients = recipients
	return opened, nil
}

// match is a recipient that one of the keys is named by.
type match struct {
	target target
	key    DecryptionKey
}

// unwrap returns the content key. proven tells that the key encryption itself showed it to be right.
func (m match) unwrap(keyBytes int) (key []byte, proven, ok bool) {
	switch k := m.key.Key.(type) {
	case Passphrase:
		key, ok = m.target.password.unwrap(k, m.target.encryptedKey, keyBytes)
		return key, false, ok
	case SharedKey:
		key, ok = unwrapShared(k.Key, m.target.KeyEncryption, m.target.encryptedKey)
		return key, true, ok && len(key) == keyBytes
	}
	if m.target.Kind == KeyEncapsulation {
		key, ok = m.target.encapsulation.unwrap(m.key.Key, m.key.Certificate, m.target.KeyEncryption, m.target.encryptedKey)
		return key, true, ok && len(key) == keyBytes
	}
	if m.target.Kind == KeyAgreement {
		key, ok = m.target.agreement.unwrap(m.key.Key, m.key.Certificate, m.target.encryptedKey)
		return key, true, ok && len(key) == keyBytes
	}
	if only := publicKeyOf(m.key.Certificate).only; only == oidPSS || only == oidOAEP && m.target.KeyEncryption.OID != oidOAEP {
		return nil, false, false
	}
	key, ok = unwrapRSA(m.key.Key, m.target.KeyEncryption, m.target.encryptedKey, keyBytes)
	return key, m.target.KeyEncryption.OID == oidOAEP, ok
}

// unwrapAll decrypts the content key of every match and returns the ways to open the content with them.
//
// Keys from PKCS #1 v1.5 may be made up (implicit rejection), and nothing here may tell. Therefore all of them are tried
// on the content, none for the sake of another: a message with a forged encrypted key beside a true one opens
// whether or not the forged one has a right padding. Only where a key is proven by its own wrapping are the others dropped.
func unwrapAll(matches []match, e *envelope) []opener {
	var keys [][]byte
	proven := false
	for _, m := range matches {
		key, isProven, ok := m.unwrap(e.cipher.KeyBytes())
		switch {
		case !ok || proven && !isProven:
			continue
		case isProven && !proven:
			keys, proven = nil, true
		}
		if !isProven || !slices.ContainsFunc(keys, func(k []byte) bool { return equalKeys(k, key) }) {
			keys = append(keys, key)
		}
	}
	var openers []opener
	for _, key := range keys {
		if o, err := newOpener(e, key); err == nil {
			openers = append(openers, o)
		}
	}
	return openers
}

// open reads the ciphertext and all that follows it, and picks the way that opens it.
func (r *Reader) open(e *envelope, s *spool, openers []opener) (*Opened, error) {
	content, err := r.b.octets(context(0), "the encrypted content")
	if err != nil {
		return nil, err
	}
	bound := int64(math.MaxInt64)
	if r.limits.Content > 0 {
		bound = r.limits.Content
	}
	if most := e.cipher.maxContent(); most > 0 {
		bound = min(bound, most)
	}
	size := int64(copyBuffer)
	if content.simple {
		size = min(size, content.left+1) // one more, to see the end
	}
	buffer := make([]byte, size)
	for {
		n, err := io.ReadFull(content, buffer)
		for _, o := range openers {
			o.absorb(buffer[:n])
		}
		if int64(n) > bound-s.size {
			return nil, tooLarge("bytes of encrypted content", bound)
		}
		if _, err := s.Write(buffer[:n]); err != nil {
			return nil, err
		}
		if content.err == io.EOF {
			break
		}
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF || content.err != nil {
			return nil, content.err
		}
	}
	if err := r.readEnvelopeEnd(e); err != nil {
		return nil, err
	}
	for _, o := range openers {
		if plaintext, length, ok := o.open(e, s); ok {
			return &Opened{Plaintext: plaintext, Length: length, Cipher: e.cipher, Authenticated: e.cipher.AEAD(),
				DerivedKey: e.derive != nil, ContentType: e.contentType, Weak: e.cipher.Weak()}, nil
		}
	}
	return nil, cannotDecrypt(errNotOpened)
}
