package cms

import (
	"crypto"
	_ "crypto/md5"  // read as weak
	_ "crypto/sha1" // read as weak; OAEP and key derivation still use it
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
)

// digestFacts is what a digest algorithm is called in each place.
type digestFacts struct {
	hash     crypto.Hash
	oid      OID
	rsa      OID // with PKCS #1 v1.5
	ecdsa    OID
	weak     bool
	writable bool
}

var digestTable = [...]digestFacts{
	{crypto.SHA256, oidSHA256, oidSHA256RSA, oidECDSASHA256, false, true},
	{crypto.SHA384, oidSHA384, oidSHA384RSA, oidECDSASHA384, false, true},
	{crypto.SHA512, oidSHA512, oidSHA512RSA, oidECDSASHA512, false, true},
	{crypto.SHA224, oidSHA224, oidSHA224RSA, oidECDSASHA224, false, false},
	{crypto.SHA3_256, oidSHA3256, oidSHA3256RSA, oidECDSASHA3256, false, false}, // RFC 9688
	{crypto.SHA3_384, oidSHA3384, oidSHA3384RSA, oidECDSASHA3384, false, false},
	{crypto.SHA3_512, oidSHA3512, oidSHA3512RSA, oidECDSASHA3512, false, false},
	{crypto.SHA1, oidSHA1, oidSHA1RSA, oidECDSASHA1, true, false},
	{crypto.MD5, oidMD5, oidMD5RSA, "", true, false},
}

// digestBy returns the facts of the first digest that fits.
func digestBy(fits func(digestFacts) bool) (digestFacts, bool) {
	for _, d := range digestTable {
		if fits(d) {
			return d, true
		}
	}
	return digestFacts{}, false
}

func digestOf(h crypto.Hash) (digestFacts, bool) {
	return digestBy(func(d digestFacts) bool { return d.hash == h })
}

// digest returns the facts of a digest AlgorithmIdentifier, whose parameters are absent or NULL: RFC 5754 2.
func (a Algorithm) digest() (digestFacts, bool) {
	if a.Parameters != nil && string(a.Parameters) != string(derNull) {
		return digestFacts{}, false
	}
	return digestBy(func(d digestFacts) bool { return d.oid == a.OID })
}

// pssAlgorithm is RSASSA-PSS with the hash for digest and mask and a salt of its length: RFC 4056 3.
func pssAlgorithm(d digestFacts) Algorithm {
	hash := Algorithm{OID: d.oid, Parameters: derNull} // RFC 4055 2.1 wants the NULL here
	mask := Algorithm{OID: oidMGF1, Parameters: hash.der()}
	return Algorithm{OID: oidPSS, Parameters: constructed(tagSequence,
		constructed(context(0), hash.der()),
		constructed(context(1), mask.der()),
		constructed(context(2), derInteger(int64(d.hash.Size()))))}
}

// pssParameters are those of RSASSA-PSS: RFC 4055 3.1.
type pssParameters struct {
	hash, mask digestFacts
	salt       int
}

// parsePSS reads RSASSA-PSS-params. known is false if they are well-formed but name something that this package lacks.
func parsePSS(p []byte) (out pssParameters, known, ok bool) {
	sha1, _ := digestOf(crypto.SHA1)
	out = pssParameters{hash: sha1, mask: sha1, salt: 20}
	fields, rest := cursor(nil), cursor(p)
	if e, isSequence := rest.take(tagSequence); !isSequence || len(rest) != 0 {
		return out, false, false
	} else {
		fields = cursor(e.contents)
	}
	known = true
	if !hashAndMask(&fields, &out.hash, &out.mask, &known) {
		return out, false, false
	}
	if e, found := fields.take(context(2)); found {
		n, isNumber := smallInteger(e.contents)
		if !isNumber || n > 512 {
			return out, false, false
		}
		out.salt = n
	}
	if e, found := fields.take(context(3)); found {
		if n, isNumber := smallInteger(e.contents); !isNumber || n != 1 {
			return out, false, false
		}
	}
	return out, known, len(fields) == 0
}

// hashAndMask reads the fields [0] hash and [1] mask that PSS and OAEP have in common.
func hashAndMask(fields *cursor, hash, mask *digestFacts, known *bool) bool {
	if e, found := fields.take(context(0)); found {
		inner := cursor(e.contents)
		alg, ok := inner.algorithm(tagSequence)
		if !ok || len(inner) != 0 {
			return false
		}
		d, isKnown := alg.digest()
		*hash, *known = d, *known && isKnown
	}
	if e, found := fields.take(context(1)); found {
		inner := cursor(e.contents)
		alg, ok := inner.algorithm(tagSequence)
		if !ok || len(inner) != 0 {
			return false
		}
		parameters := cursor(alg.Parameters)
		maskHash, ok := parameters.algorithm(tagSequence)
		if !ok || len(parameters) != 0 {
			return false
		}
		d, isKnown := maskHash.digest()
		*mask, *known = d, *known && isKnown && alg.OID == oidMGF1
	}
	return true
}
