package cms

import (
	"crypto"
	"crypto/ecdh"
	"crypto/elliptic"
)

// curveFacts is what goes with an elliptic curve.
type curveFacts struct {
	curve elliptic.Curve
	ecdh  ecdh.Curve
	oid   OID
	hash  crypto.Hash // of the same strength
}

var curveTable = [...]curveFacts{
	{elliptic.P256(), ecdh.P256(), "1.2.840.10045.3.1.7", crypto.SHA256},
	{elliptic.P384(), ecdh.P384(), "1.3.132.0.34", crypto.SHA384},
	{elliptic.P521(), ecdh.P521(), "1.3.132.0.35", crypto.SHA512},
}

func curveOf(c elliptic.Curve) (curveFacts, bool) {
	for _, f := range curveTable {
		if f.curve == c {
			return f, true
		}
	}
	return curveFacts{}, false
}
