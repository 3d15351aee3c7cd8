package cms

import (
	"crypto"
	"crypto/mlkem"
	"crypto/x509"

	"filippo.io/mldsa"

	"chancery.example/fault"
)

// ParsePrivateKey reads a PKCS #8 private key in DER of any kind that this package works with: those of crypto/x509, and
// ML-KEM-768 and 1024 (RFC 9935) and ML-DSA (RFC 9881), whose file must hold the seed; an expanded key alone is refused.
func ParsePrivateKey(der []byte) (crypto.PrivateKey, error) {
	alg, inner, ok := privateKeyInfo(der)
	if !ok {
		return nil, fault.New(fault.Invalid, "cms.private-key", "This is not a private key in PKCS #8.")
	}
	var key crypto.PrivateKey
	var err error
	parameters, isMLDSA := mldsaParameters(alg.OID)
	switch seed, hasSeed := seedOf(inner); {
	case !isMLDSA && alg.OID != oidMLKEM768 && alg.OID != oidMLKEM1024:
		key, err = x509.ParsePKCS8PrivateKey(der)
	case alg.Parameters != nil:
		return nil, fault.New(fault.Invalid, "cms.private-key", "This private key has parameters where none belong.")
	case !hasSeed:
		return nil, refused("private-key", "This private key comes without its seed; export it again with the seed.")
	case isMLDSA:
		key, err = mldsa.NewPrivateKey(parameters, seed)
	case alg.OID == oidMLKEM768:
		key, err = mlkem.NewDecapsulationKey768(seed)
	default:
		key, err = mlkem.NewDecapsulationKey1024(seed)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "cms.private-key", "This private key cannot be read.")
	}
	return key, nil
}

// privateKeyInfo returns algorithm and private key of a PrivateKeyInfo: RFC 5958 2.
func privateKeyInfo(der []byte) (Algorithm, cursor, bool) {
	rest := cursor(der)
	e, ok := rest.take(tagSequence)
	if !ok || len(rest) != 0 {
		return Algorithm{}, nil, false
	}
	fields := cursor(e.contents)
	if _, ok = fields.take(tagInteger); !ok {
		return Algorithm{}, nil, false
	}
	alg, ok := fields.algorithm(tagSequence)
	if !ok {
		return Algorithm{}, nil, false
	}
	key, ok := fields.take(tagOctetString)
	return alg, cursor(key.contents), ok
}

// seedOf returns the seed of a choice of seed [0], expanded key, or both: RFC 9881 6, RFC 9935 6.
func seedOf(choice cursor) ([]byte, bool) {
	if e, ok := choice.take(context(0)); ok {
		return e.contents, len(choice) == 0
	}
	both, ok := choice.take(tagSequence)
	if !ok || len(choice) != 0 {
		return nil, false
	}
	fields := cursor(both.contents)
	seed, ok := fields.take(tagOctetString)
	return seed.contents, ok
}
