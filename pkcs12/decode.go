package pkcs12

import (
	"crypto/x509"
	"errors"
)

// Decode opens a file. Each key becomes one Identity with the certificate that has its public key (or its
// localKeyId); certificates that belong to no identity's chain are returned in extra.
//
// A wrong password is a fault.Invalid with code "pkcs12.wrong-password", a file that is damaged one with
// "pkcs12.damaged", and one that breaks limits a fault.TooLarge with "pkcs12.limit".
func Decode(data []byte, password string, limits Limits) (identities []Identity, extra []*x509.Certificate, err error) {
	return nil, nil, errors.New("pkcs12: decode is being written")
}
