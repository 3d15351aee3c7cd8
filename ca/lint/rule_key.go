package lint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/ca/profile"
	"chancery.example/fault"
	"chancery.example/rules"
)

// ruleKeyKind lists the keys that are certified. That a point is on its curve, crypto/x509 has seen when it parsed.
var ruleKeyKind = rule{
	id: "BR-026", citation: "SBR 6.1.5", kinds: every,
	check: func(v *view) {
		switch k := v.cert.PublicKey.(type) {
		case *rsa.PublicKey:
			return
		case *ecdsa.PublicKey:
			if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
				return
			}
		}
		v.fail("A key of this kind is not certified: use RSA, P-256, P-384 or P-521.")
	},
}

// ruleRSASize is the least size, and its being whole octets.
var ruleRSASize = rule{
	id: "BR-027", citation: "SBR 6.1.5", kinds: every,
	check: func(v *view) {
		k, ok := v.cert.PublicKey.(*rsa.PublicKey)
		if !ok {
			return
		}
		bits, least := k.N.BitLen(), rules.Int(rules.LeafRSABits, v.context.At)
		if bits < least || bits%rules.Int(rules.RSABitsMultiple, v.context.At) != 0 {
			v.fail("The RSA key has %d bits: it needs at least %d, and a multiple of 8.", bits, least)
		}
	},
}

// ruleRSAExponent has a hard and a soft bound.
var ruleRSAExponent = rule{
	id: "BR-028", citation: "SBR 6.1.6", kinds: every,
	check: func(v *view) {
		k, ok := v.cert.PublicKey.(*rsa.PublicKey)
		switch {
		case !ok:
		case k.E < 3 || k.E%2 == 0:
			v.fail("The RSA exponent is %d: it must be odd and at least 3.", k.E)
		case k.E < 1<<16+1:
			v.warn("The RSA exponent is %d: 65537 is better.", k.E)
		}
	},
}

// ruleWeakKey is about keys that others can compute: small factors, ROCA, primes that lie close together.
var ruleWeakKey = rule{
	id: "BR-033", citation: "SBR 6.1.1.3, 6.1.6", kinds: every,
	check: func(v *view) {
		err := profile.CheckKey(v.cert.PublicKey, profile.Dual, v.context.At)
		switch fault.CodeOf(err) {
		case "profile.BR-028", "profile.BR-029", "profile.BR-033":
			v.fail("%s", fault.Sentence(err))
		}
	},
}

// ruleSPKI compares octets, since readers do.
var ruleSPKI = rule{
	id: "BR-030", citation: "SBR 7.1.3.1", kinds: every,
	check: func(v *view) {
		s := cryptobyte.String(v.spki)
		var inner, algorithm cryptobyte.String
		if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
			!slices.Contains(profile.SPKIAlgorithms(), hex.EncodeToString(algorithm)) {
			v.fail("The key's AlgorithmIdentifier is none of those allowed, octet for octet: encode it as the Baseline Requirements do.")
		}
	},
}

// ruleSignatureAlgorithm wants one of the house's, and the one that fits the issuer's key.
var ruleSignatureAlgorithm = rule{
	id: "BR-031", citation: "SBR 7.1.3.2", kinds: every,
	check: func(v *view) {
		if !slices.Contains(profile.SignatureAlgorithms(), hex.EncodeToString(v.algorithm)) {
			v.fail("The signature's AlgorithmIdentifier is none of those allowed, octet for octet: sign with another algorithm.")
			return
		}
		key := v.cert.PublicKey
		if v.context.Kind != Root {
			if v.context.Issuer == nil {
				return
			}
			key = v.context.Issuer.PublicKey
		}
		if want := signatureFor(key); want != hex.EncodeToString(v.algorithm) {
			v.fail("The signature algorithm does not fit the issuer's key: use the one that belongs to the key.")
		}
	},
}

// signatureFor is written out again on purpose, so that a slip in the profile shows here.
func signatureFor(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "300d06092a864886f70d01010b0500"
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "300a06082a8648ce3d040302"
		case elliptic.P384():
			return "300a06082a8648ce3d040303"
		case elliptic.P521():
			return "300a06082a8648ce3d040304"
		}
	}
	return ""
}
