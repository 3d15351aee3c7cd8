package cms

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"

	"chancery.example/fault"
)

// oaepAlgorithm is RSAES-OAEP with the hash for digest and mask and an empty label: RFC 3560 3, RFC 4055 4.1. What is the
// default (SHA-1) is left out, as DER demands.
func oaepAlgorithm(d digestFacts) Algorithm {
	if d.hash == crypto.SHA1 {
		return Algorithm{OID: oidOAEP, Parameters: constructed(tagSequence)}
	}
	hash := Algorithm{OID: d.oid, Parameters: derNull}
	mask := Algorithm{OID: oidMGF1, Parameters: hash.der()}
	return Algorithm{OID: oidOAEP, Parameters: constructed(tagSequence,
		constructed(context(0), hash.der()), constructed(context(1), mask.der()))}
}

// parseOAEP reads RSAES-OAEP-params: RFC 4055 4.1. Whatever is malformed or unknown is refused; nothing falls back.
func parseOAEP(p []byte) (*rsa.OAEPOptions, bool) {
	sha1, _ := digestOf(crypto.SHA1)
	hash, mask, known := sha1, sha1, true
	rest := cursor(p)
	e, ok := rest.take(tagSequence)
	if !ok || len(rest) != 0 {
		return nil, false
	}
	fields := cursor(e.contents)
	if !hashAndMask(&fields, &hash, &mask, &known) || !known || hash.hash == crypto.MD5 || mask.hash == crypto.MD5 {
		return nil, false
	}
	options := &rsa.OAEPOptions{Hash: hash.hash, MGFHash: mask.hash}
	if e, found := fields.take(context(2)); found {
		inner := cursor(e.contents)
		source, ok := inner.algorithm(tagSequence)
		if !ok || len(inner) != 0 || source.OID != oidPSpecified {
			return nil, false
		}
		parameters := cursor(source.Parameters)
		label, ok := parameters.take(tagOctetString)
		if !ok || len(parameters) != 0 || label.constructed || len(label.contents) > maxLabel {
			return nil, false
		}
		options.Label = label.contents
	}
	return options, len(fields) == 0
}

// unwrapRSA decrypts a content key of the size given. Of PKCS #1 v1.5 it always returns a key: where the padding is wrong a
// random-looking one (implicit rejection), so that the failure shows nowhere but in the content, RFC 3218 2.3.2.
func unwrapRSA(key crypto.PrivateKey, alg Algorithm, encrypted []byte, keyBytes int) ([]byte, bool) {
	decrypter, ok := key.(crypto.Decrypter)
	if !ok {
		return nil, false
	}
	public, ok := decrypter.Public().(*rsa.PublicKey)
	if !ok {
		return nil, false
	}
	switch alg.OID {
	case oidOAEP:
		options, ok := parseOAEP(alg.Parameters)
		if !ok {
			return nil, false
		}
		out, err := decrypter.Decrypt(rand.Reader, encrypted, options)
		return out, err == nil && len(out) == keyBytes
	case oidRSA:
		if len(encrypted) != public.Size() {
			return nil, false
		}
		if k, ok := key.(*rsa.PrivateKey); ok {
			out := rejectionKey(k, encrypted, keyBytes)
			//lint:ignore SA1019 most mail still comes this way; the rejection key above is what keeps it safe
			if err := rsa.DecryptPKCS1v15SessionKey(rand.Reader, k, encrypted, out); err != nil {
				return nil, false // not about the padding: the key itself cannot be used
			}
			return out, true
		}
		out := make([]byte, keyBytes)
		rand.Read(out)
		//lint:ignore SA1019 as above
		opened, err := decrypter.Decrypt(rand.Reader, encrypted, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: keyBytes})
		if err == nil && len(opened) == keyBytes {
			copy(out, opened)
		}
		return out, true
	}
	return nil, false
}

// rejectionKey is the content key that stands for a wrong padding. It depends on nothing but the private key and the ciphertext,
// so that asking twice gives the same answer twice, as a right padding would.
func rejectionKey(key *rsa.PrivateKey, encrypted []byte, keyBytes int) []byte {
	secret := sha256.Sum256(key.D.Bytes())
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("implicit rejection"))
	mac.Write(encrypted)
	return mac.Sum(nil)[:keyBytes]
}

// transportRecipient returns a KeyTransRecipientInfo: RFC 5652 6.2.1.
func transportRecipient(r Recipient, key publicKey, public *rsa.PublicKey, contentKey []byte) ([]byte, error) {
	if n := public.N.BitLen(); n < minRSA {
		return nil, refused("recipient-key", "The recipient's RSA key has %d bits; %d are needed.", n, minRSA)
	}
	if key.only == oidPSS {
		return nil, refused("recipient-key", "The recipient's RSA key is for signatures only.")
	}
	alg := Algorithm{OID: oidRSA, Parameters: derNull}
	var encrypted []byte
	var err error
	if r.OAEP || key.only == oidOAEP {
		hash := r.OAEPHash
		if hash == 0 {
			hash = crypto.SHA256
		}
		d, ok := digestOf(hash)
		if !ok || (!d.writable && hash != crypto.SHA1) {
			return nil, refused("oaep-hash", "OAEP is written with SHA-1, SHA-256, SHA-384 or SHA-512.")
		}
		alg = oaepAlgorithm(d)
		encrypted, err = rsa.EncryptOAEP(hash.New(), rand.Reader, public, contentKey, nil)
	} else {
		//lint:ignore SA1019 RFC 8551 2.3: what every client reads; OAEP is the caller's choice
		encrypted, err = rsa.EncryptPKCS1v15(rand.Reader, public, contentKey)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Refused, "cms.recipient-key", "The recipient's RSA key cannot be encrypted to.")
	}
	version, id := int64(0), issuerAndSerial(r.Certificate)
	if r.KeyIdentifier {
		version, id = 2, simple(context(0), r.Certificate.SubjectKeyId)
	}
	return constructed(tagSequence, derInteger(version), id, alg.der(), simple(tagOctetString, encrypted)), nil
}

// equalKeys compares content keys in constant time.
func equalKeys(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
