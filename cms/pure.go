package cms

import (
	"crypto"
	"crypto/ed25519"

	"filippo.io/mldsa"
)

// Some signature algorithms sign a message itself and not its digest: Ed25519 (RFC 8419) and ML-DSA (RFC 9882). With signed
// attributes that message is the attributes; without, the whole content, which must then be kept in memory: its beginning
// cannot be checked before its end is known.

// wholeContent is the default of Limits.WholeContent.
const wholeContent = 1 << 20

// mldsaParameters returns the parameter set of an ML-DSA identifier: RFC 9882 2.
func mldsaParameters(o OID) (mldsa.Parameters, bool) {
	switch o {
	case oidMLDSA44:
		return mldsa.MLDSA44(), true
	case oidMLDSA65:
		return mldsa.MLDSA65(), true
	case oidMLDSA87:
		return mldsa.MLDSA87(), true
	}
	return mldsa.Parameters{}, false
}

func mldsaOID(p mldsa.Parameters) OID {
	for _, o := range []OID{oidMLDSA44, oidMLDSA65, oidMLDSA87} {
		if known, _ := mldsaParameters(o); known == p {
			return o
		}
	}
	return ""
}

// pureAlgorithm returns the identifier of the algorithm that a public key signs messages by; false for keys that sign digests.
func pureAlgorithm(key any) (OID, bool) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return oidEd25519, true
	case *mldsa.PublicKey:
		return mldsaOID(k.Parameters()), true
	}
	return "", false
}

// isPure tells whether a signature algorithm signs messages and not digests.
func isPure(o OID) bool {
	_, isMLDSA := mldsaParameters(o)
	return o == oidEd25519 || isMLDSA
}

// pureSignatureBytes is the size of a signature by key; 0 for keys that sign digests.
func pureSignatureBytes(key any) int {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return ed25519.SignatureSize
	case *mldsa.PublicKey:
		return k.Parameters().SignatureSize()
	}
	return 0
}

// pureVerifier returns how key verifies a message.
func pureVerifier(key any, signature []byte) func(message []byte) bool {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return func(message []byte) bool {
			return len(k) == ed25519.PublicKeySize && ed25519.Verify(k, message, signature)
		}
	case *mldsa.PublicKey:
		// RFC 9882 3.2: pure ML-DSA with an empty context.
		return func(message []byte) bool { return mldsa.Verify(k, message, signature, nil) == nil }
	}
	return nil
}

// checkPure verifies a signature over the signed attributes or, where there are none, over the whole content.
//
// QUIRK: RFC 8419 3 wants SHA-512 beside Ed25519; any other digest that is not weak proves the content as well.
func (s *SignerInfo) checkPure(key any, want OID) SignatureResult {
	if s.SignatureAlgorithm.OID != want {
		return s.otherAlgorithm()
	}
	if s.SignatureAlgorithm.Parameters != nil {
		return broken(ReasonAlgorithmMismatch, mismatchText)
	}
	forms := [][]byte{s.content.whole}
	if s.attributes != nil {
		forms = s.signedForms()
	} else if !s.content.kept {
		return unknown(ReasonTooLong, "The content is too long to be checked: this signature has no signed attributes and covers the content itself.")
	}
	verify := pureVerifier(key, s.signature)
	for _, form := range forms {
		if verify(form) {
			return SignatureResult{Status: Intact, Text: intactText}
		}
	}
	return broken(ReasonSignature, alteredText)
}

// signPure signs a message by a key of one of these algorithms.
func signPure(key crypto.Signer, message []byte) ([]byte, error) {
	return key.Sign(nil, message, crypto.Hash(0))
}
