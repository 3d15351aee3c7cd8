package cms

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/mlkem"
	"crypto/rsa"
	"crypto/x509"

	"filippo.io/mldsa"
)

// publicKey is a certificate's key and what the certificate lets it be used for.
type publicKey struct {
	// key is *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, *ecdh.PublicKey (X25519), *mldsa.PublicKey,
	// *mlkem.EncapsulationKey768 or 1024, or what else crypto/x509 made of it; nil if unknown.
	key any
	// only is the one RSA algorithm that a key of type id-RSASSA-PSS or id-RSAES-OAEP may serve, RFC 4055 1.2.
	only OID
}

// publicKeyOf reads the key of a certificate, also of those types that crypto/x509 leaves alone.
func publicKeyOf(cert *x509.Certificate) publicKey {
	if cert.PublicKey != nil {
		return publicKey{key: cert.PublicKey}
	}
	spki := cursor(cert.RawSubjectPublicKeyInfo)
	info, ok := spki.take(tagSequence)
	if !ok {
		return publicKey{}
	}
	fields := cursor(info.contents)
	alg, ok := fields.algorithm(tagSequence)
	if !ok {
		return publicKey{}
	}
	bits, ok := fields.take(tagBitString)
	if !ok || len(bits.contents) < 2 || bits.contents[0] != 0 {
		return publicKey{}
	}
	raw := bits.contents[1:]
	switch alg.OID {
	case oidPSS, oidOAEP:
		if key, err := x509.ParsePKCS1PublicKey(raw); err == nil {
			return publicKey{key: key, only: alg.OID}
		}
		return publicKey{}
	}
	if alg.Parameters != nil { // RFC 8410 3, RFC 9881 2, RFC 9935 3: absent for all of these
		return publicKey{}
	}
	return publicKey{key: modernKey(alg.OID, raw)}
}

// modernKey reads a public key of a type without parameters; nil if it is malformed or of another type.
func modernKey(o OID, raw []byte) any {
	switch o {
	case oidX25519:
		if key, err := ecdh.X25519().NewPublicKey(raw); err == nil {
			return key
		}
	case oidMLKEM768:
		if key, err := mlkem.NewEncapsulationKey768(raw); err == nil {
			return key
		}
	case oidMLKEM1024:
		if key, err := mlkem.NewEncapsulationKey1024(raw); err == nil {
			return key
		}
	}
	if parameters, ok := mldsaParameters(o); ok {
		if key, err := mldsa.NewPublicKey(parameters, raw); err == nil {
			return key
		}
	}
	return nil
}

// weakKey tells that a key no longer proves anything: RFC 8551 4, SBR 6.1.5.
func weakKey(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() < 2048
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize < 256
	}
	return false
}
