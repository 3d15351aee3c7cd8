package pkcs12

import (
	"crypto"
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"chancery.example/fault"
)

// DecryptKey opens one EncryptedPrivateKeyInfo in DER (RFC 5208 6, the PEM label ENCRYPTED PRIVATE KEY), which is
// sealed as the keys in a PKCS#12 file are. Errors are those of Decode.
func DecryptKey(der []byte, password string, limits Limits) (crypto.PrivateKey, error) {
	limits = limits.orDefaults()
	if len(der) > limits.Size {
		return nil, fault.New(fault.TooLarge, "pkcs12.limit", "This file is larger than the %d octets that a key may have here.", limits.Size)
	}
	rounds := &budget{limits.Iterations}
	var err error
	for _, pw := range secrets(password) {
		var found contents
		var plain []byte
		if plain, err = found.openKey(cryptobyte.String(der), pw, rounds); err != nil {
			if errors.Is(err, errPadding) {
				continue
			}
			break
		}
		if err = found.addKey(plain, attributeSet{}); err == nil {
			return found.keys[0].key, nil
		}
	}
	return nil, explain(err)
}
