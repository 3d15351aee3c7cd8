package trust

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var oidRSASSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}

// readPSSKey reads a SubjectPublicKeyInfo of id-RSASSA-PSS (RFC 4055 3.1): an RSA key that may make PSS signatures
// only, with one hash when it has parameters. It is nil for every other key, and for a hash that we do not know.
func readPSSKey(spki []byte) (*rsa.PublicKey, crypto.Hash) {
	s := cryptobyte.String(spki)
	var seq, algorithm, params, wrapped, hash cryptobyte.String
	var oid, hashOID asn1.ObjectIdentifier
	var bits asn1.BitString
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1(&algorithm, casn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(oidRSASSAPSS) || !seq.ReadASN1BitString(&bits) {
		return nil, 0
	}
	key, err := x509.ParsePKCS1PublicKey(bits.RightAlign())
	if err != nil {
		return nil, 0
	}
	if algorithm.Empty() {
		return key, 0
	}
	if !algorithm.ReadASN1(&params, casn1.SEQUENCE) || !params.ReadASN1(&wrapped, casn1.Tag(0).ContextSpecific().Constructed()) ||
		!wrapped.ReadASN1(&hash, casn1.SEQUENCE) || !hash.ReadASN1ObjectIdentifier(&hashOID) {
		return nil, 0 // without a hash the parameters mean SHA-1
	}
	switch hashOID.String() {
	case "2.16.840.1.101.3.4.2.1":
		return key, crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return key, crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return key, crypto.SHA512
	}
	return nil, 0
}

func pssHashOf(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.SHA256WithRSAPSS:
		return crypto.SHA256
	case x509.SHA384WithRSAPSS:
		return crypto.SHA384
	}
	return crypto.SHA512
}
