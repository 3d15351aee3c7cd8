package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
)

// Status is what became of a signature.
type Status uint8

// The results of checking a signature.
const (
	// Unknown: it could not be checked; it is neither good nor broken.
	Unknown Status = iota
	// Intact: the content is what the holder of the certificate's key signed.
	Intact
	// Weak: as Intact, but by an algorithm or key that no longer proves anything (MD5, SHA-1, RSA under 2048 bits). RSA
	// under 1024 bits is Weak without being computed.
	Weak
	// Broken: the signature does not hold, or breaks a rule that must hold.
	Broken
)

// String is "unknown", "intact", "weak" or "broken".
func (s Status) String() string {
	return [...]string{"unknown", "intact", "weak", "broken"}[s&3]
}

// Reasons of a SignatureResult.
const (
	ReasonNone               = ""
	ReasonUnknownDigest      = "unknown-digest"       // Unknown: a digest algorithm that this package does not have
	ReasonUnknownSignature   = "unknown-signature"    // Unknown: a signature algorithm that this package does not have
	ReasonUnknownKey         = "unknown-key"          // Unknown: a public key that this package cannot use
	ReasonTooLong            = "too-long"             // Unknown: Ed25519 or ML-DSA without signed attributes, over content beyond Limits.WholeContent
	ReasonNoContent          = "no-content"           // Unknown: the content was not there, or not digested by this algorithm
	ReasonWeakDigest         = "weak-digest"          // Weak: MD5 or SHA-1
	ReasonWeakKey            = "weak-key"             // Weak: RSA under 2048 bits, or a curve under 256
	ReasonWrongCertificate   = "wrong-certificate"    // Broken: the signer names another certificate
	ReasonDigestNotAnnounced = "digest-not-announced" // Broken: digestAlgorithms lacks the signer's: RFC 5652 5.1
	ReasonBadAttributes      = "bad-attributes"       // Broken: a required signed attribute is missing, repeated or malformed
	ReasonContentType        = "content-type"         // Broken: the contentType attribute does not name the content's type
	ReasonContentChanged     = "content-changed"      // Broken: messageDigest is not the content's
	ReasonAlgorithmMismatch  = "algorithm-mismatch"   // Broken: the algorithms do not agree with each other or with the key
	ReasonSignature          = "signature"            // Broken: the signature is not by this certificate's key
	ReasonAmbiguousContent   = "ambiguous-content"    // Broken: content without signed attributes that looks like signed attributes
)

// SignatureResult is what became of a signature, with a reason for programs and a sentence for people.
type SignatureResult struct {
	Status Status
	Reason string
	Text   string
}

func broken(reason, text string) SignatureResult  { return SignatureResult{Broken, reason, text} }
func unknown(reason, text string) SignatureResult { return SignatureResult{Unknown, reason, text} }

// Check tells whether the signature is intact under cert's public key: RFC 5652 5.4 and 5.6. It judges neither cert itself
// nor the time. What is broken for any reason is Broken, even where an algorithm is weak or unknown as well.
func (s *SignerInfo) Check(cert *x509.Certificate) SignatureResult {
	if s.wrong.Reason != ReasonNone {
		return s.wrong
	}
	if !s.Matches(cert) {
		return broken(ReasonWrongCertificate, "The signature names another certificate.")
	}
	digest, known := s.DigestAlgorithm.digest()
	if !known {
		return unknown(ReasonUnknownDigest, "The digest algorithm "+s.DigestAlgorithm.Name()+" is not known here.")
	}
	if !s.content.announced {
		return broken(ReasonDigestNotAnnounced, "The message does not announce the digest algorithm of its signer.")
	}
	if s.content.digest == nil {
		return unknown(ReasonNoContent, "The signed content was not there to be checked, or not by "+s.DigestAlgorithm.Name()+".")
	}
	if r := s.checkContent(); r.Reason != ReasonNone {
		return r
	}
	r := s.checkSignature(publicKeyOf(cert), digest)
	if r.Status == Intact && digest.weak {
		return SignatureResult{Weak, ReasonWeakDigest, "The signature uses " + s.DigestAlgorithm.Name() + ", which can be forged today."}
	}
	return r
}

// checkContent compares the signed attributes with the content.
func (s *SignerInfo) checkContent() SignatureResult {
	if s.attributes == nil {
		if s.content.contentType != TypeData {
			return broken(ReasonBadAttributes, "Content of this type must be signed with attributes.") // RFC 5652 5.3
		}
		if s.content.ambiguous {
			return broken(ReasonAmbiguousContent, "The content is itself a set of signed attributes, taken from another signature.")
		}
		return SignatureResult{}
	}
	value, _ := single(s.SignedAttributes, attrContentType)
	rest := cursor(value)
	if o, ok := rest.oid(); !s.content.counter && (!ok || len(rest) != 0 || o != s.content.contentType) {
		return broken(ReasonContentType, "The signature is for content of another type.")
	}
	value, _ = single(s.SignedAttributes, attrMessageDigest)
	rest = cursor(value)
	if e, ok := rest.take(tagOctetString); !ok || len(rest) != 0 || !bytes.Equal(e.contents, s.content.digest) {
		return broken(ReasonContentChanged, "The content is not what was signed.")
	}
	return SignatureResult{}
}

// checkSignature verifies the signature itself.
func (s *SignerInfo) checkSignature(key publicKey, digest digestFacts) SignatureResult {
	var verify func(digest []byte) bool
	var r SignatureResult
	switch k := key.key.(type) {
	case *rsa.PublicKey:
		verify, r = s.rsaVerifier(k, key.only, digest)
	case *ecdsa.PublicKey:
		verify, r = s.ecdsaVerifier(k, digest)
	default:
		if algorithm, ok := pureAlgorithm(key.key); ok {
			return s.checkPure(key.key, algorithm)
		}
		return unknown(ReasonUnknownKey, "The signer's public key is of a kind that is not known here.")
	}
	if verify == nil {
		return r
	}
	if s.verifies(verify, digest.hash) {
		if weakKey(key.key) {
			return SignatureResult{Weak, ReasonWeakKey, "The signer's key is too short to prove anything today."}
		}
		return SignatureResult{Status: Intact, Text: intactText}
	}
	return broken(ReasonSignature, alteredText)
}

// verifies tries each form of what may be signed.
func (s *SignerInfo) verifies(verify func([]byte) bool, hash crypto.Hash) bool {
	if s.attributes == nil {
		return verify(s.content.digest)
	}
	for _, form := range s.signedForms() {
		h := hash.New()
		h.Write(form)
		if verify(h.Sum(nil)) {
			return true
		}
	}
	return false
}

const (
	intactText   = "The signature is intact."
	alteredText  = "The signature was not made by the key of this certificate, or was altered."
	mismatchText = "The algorithms of the signature do not agree with each other, or with the key."
	// smallestRSA is the shortest modulus in bits that crypto/rsa still computes with.
	smallestRSA = 1024
)

func (s *SignerInfo) rsaVerifier(key *rsa.PublicKey, only OID, digest digestFacts) (func([]byte) bool, SignatureResult) {
	mismatch := broken(ReasonAlgorithmMismatch, mismatchText)
	if key.N.BitLen() < smallestRSA {
		return nil, SignatureResult{Weak, ReasonWeakKey, "The signer's key is too short to prove anything today."}
	}
	switch s.SignatureAlgorithm.OID {
	case oidRSA, digest.rsa:
		if only != "" {
			return nil, mismatch
		}
		return func(sum []byte) bool { return rsa.VerifyPKCS1v15(key, digest.hash, sum, s.signature) == nil }, SignatureResult{}
	case oidPSS:
		p, known, ok := parsePSS(s.SignatureAlgorithm.Parameters)
		if !ok || only == oidOAEP {
			return nil, mismatch
		}
		if !known || p.hash.hash != p.mask.hash {
			return nil, unknown(ReasonUnknownSignature, "The signature uses parameters of RSASSA-PSS that are not known here.")
		}
		if p.hash.hash != digest.hash {
			return nil, mismatch // RFC 4056 3
		}
		options := &rsa.PSSOptions{SaltLength: p.salt, Hash: digest.hash}
		if p.salt == 0 {
			// crypto/rsa reads 0 as "any length", which is no weaker: the salt is not secret.
			options.SaltLength = rsa.PSSSaltLengthAuto
		}
		return func(sum []byte) bool { return rsa.VerifyPSS(key, digest.hash, sum, s.signature, options) == nil }, SignatureResult{}
	}
	return nil, s.otherAlgorithm()
}

func (s *SignerInfo) ecdsaVerifier(key *ecdsa.PublicKey, digest digestFacts) (func([]byte) bool, SignatureResult) {
	switch o := s.SignatureAlgorithm.OID; {
	case o == digest.ecdsa && o != "", o == oidECPublicKey: // QUIRK: old clients name the key's type here
		return func(sum []byte) bool { return ecdsa.VerifyASN1(key, sum, s.signature) }, SignatureResult{}
	}
	return nil, s.otherAlgorithm()
}

// otherAlgorithm is the result for a signature algorithm that does not fit key and digest: a contradiction if this package
// knows it, and else unknown.
func (s *SignerInfo) otherAlgorithm() SignatureResult {
	o := s.SignatureAlgorithm.OID
	_, known := digestBy(func(d digestFacts) bool { return o == d.rsa || o == d.ecdsa })
	if known || o == oidRSA || o == oidPSS || o == oidECPublicKey || isPure(o) {
		return broken(ReasonAlgorithmMismatch, mismatchText)
	}
	return unknown(ReasonUnknownSignature, "The signature algorithm "+o.Name()+" is not known here.")
}
