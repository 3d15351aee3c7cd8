package cms

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// deriveSalt is the salt of every key derivation of RFC 9709 2.
const deriveSalt = "The Cryptographic Message Syntax"

// deriveContentKey returns the key that encrypts the content in the place of the one that recipients got: it depends on the
// algorithm, so that a message whose algorithm was changed on its way opens to nothing. algorithm is the DER of the content
// encryption algorithm: RFC 9709 2.
func deriveContentKey(key, algorithm []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, key, []byte(deriveSalt), string(algorithm), len(key))
}
