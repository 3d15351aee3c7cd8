package cms

// Cipher is a content encryption algorithm.
type Cipher uint8

// The content encryption algorithms: AES-GCM of RFC 5084 and ChaCha20-Poly1305 of RFC 8103 (AuthEnvelopedData), AES-CBC of
// RFC 3565 and Triple DES of RFC 3370 (EnvelopedData). Triple DES is read, with Opened.Weak set, and never written.
const (
	UnknownCipher Cipher = iota
	AES256GCM
	AES192GCM
	AES128GCM
	AES256CBC
	AES192CBC
	AES128CBC
	TripleDESCBC
	ChaCha20Poly1305
)

type cipherFacts struct {
	name     string
	oid      OID
	keyBytes int
	aead     bool
}

var cipherTable = [...]cipherFacts{
	UnknownCipher: {name: "unknown"},
	AES256GCM:     {"aes-256-gcm", oidAES256GCM, 32, true},
	AES192GCM:     {"aes-192-gcm", oidAES192GCM, 24, true},
	AES128GCM:     {"aes-128-gcm", oidAES128GCM, 16, true},
	AES256CBC:     {"aes-256-cbc", oidAES256CBC, 32, false},
	AES192CBC:     {"aes-192-cbc", oidAES192CBC, 24, false},
	AES128CBC:     {"aes-128-cbc", oidAES128CBC, 16, false},
	TripleDESCBC:  {"3des-cbc", oidDESEDE3, 24, false},

	ChaCha20Poly1305: {"chacha20-poly1305", oidChaCha20Poly1305, 32, true},
}

func (c Cipher) facts() cipherFacts {
	if int(c) < len(cipherTable) {
		return cipherTable[c]
	}
	return cipherTable[UnknownCipher]
}

// String is the name as the command line spells it: "aes-256-gcm", "3des-cbc".
func (c Cipher) String() string { return c.facts().name }

// OID is the identifier of the algorithm, empty for UnknownCipher.
func (c Cipher) OID() OID { return c.facts().oid }

// KeyBytes is the size of the content encryption key.
func (c Cipher) KeyBytes() int { return c.facts().keyBytes }

// AEAD tells whether the cipher proves that the content is as it was sealed (RFC 5083).
func (c Cipher) AEAD() bool { return c.facts().aead }

// maxContent is the largest content in bytes that may be encrypted under one key; 0 if there is no such bound.
func (c Cipher) maxContent() int64 {
	switch {
	case c == ChaCha20Poly1305:
		return maxChaChaContent
	case c.AEAD():
		return maxGCMContent
	}
	return 0
}

// Weak tells whether the cipher is only kept to read old mail.
func (c Cipher) Weak() bool { return c == TripleDESCBC }

// Capability is the entry of an SMIMECapabilities attribute that says "I can read this": RFC 8551 2.5.2, RFC 5084 3.
func (c Cipher) Capability() Algorithm { return Algorithm{OID: c.OID()} }

// ParseCipher returns the cipher of a name as String spells it; false if there is none.
func ParseCipher(name string) (Cipher, bool) {
	for i, f := range cipherTable {
		if i != int(UnknownCipher) && f.name == name {
			return Cipher(i), true
		}
	}
	return UnknownCipher, false
}

// CipherOf returns the cipher of an identifier, such as one in a signer's capabilities; false if this package has none.
func CipherOf(o OID) (Cipher, bool) {
	for i, f := range cipherTable {
		if i != int(UnknownCipher) && f.oid == o {
			return Cipher(i), true
		}
	}
	return UnknownCipher, false
}

// DefaultCapabilities are the content encryption algorithms that this package reads well, best first, for
// SignOptions.Capabilities. A signer who owns clients that cannot read AES-GCM should leave those out.
func DefaultCapabilities() []Algorithm {
	var list []Algorithm
	for _, c := range []Cipher{AES256GCM, AES192GCM, AES128GCM, ChaCha20Poly1305, AES256CBC, AES192CBC, AES128CBC} {
		list = append(list, c.Capability())
	}
	return list
}
