package pkcs12

import "errors"

// Encode writes identities into one file sealed with password.
func Encode(identities []Identity, password string, encoding Encoding) ([]byte, error) {
	return nil, errors.New("pkcs12: encode is being written")
}
