package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"

	"chancery.example/fault"
)

// minRSA is the shortest modulus in bits that is written with: RFC 8551 4.2, SBR 6.1.5.
const minRSA = 2048

// preparedSigner is a Signer whose choices are made.
type preparedSigner struct {
	Signer
	public     any
	digest     digestFacts
	signature  Algorithm
	attributes [][]byte // without messageDigest
	bare       bool     // there are no signed attributes
}

// prepareSigner checks that key and certificate belong together and picks the algorithms.
func prepareSigner(s Signer) (*preparedSigner, error) {
	if s.Certificate == nil || s.Key == nil {
		return nil, refused("no-signer", "A signer needs a certificate and a private key.")
	}
	p := &preparedSigner{Signer: s}
	key := publicKeyOf(s.Certificate)
	p.public = key.key
	if same, ok := key.key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !same.Equal(s.Key.Public()) {
		return nil, refused("key-mismatch", "The private key is not that of the signer's certificate.")
	}
	if s.KeyIdentifier && len(s.Certificate.SubjectKeyId) == 0 {
		return nil, refused("no-key-identifier", "The signer's certificate has no subject key identifier to be named by.")
	}
	hash := s.Hash
	switch k := key.key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return nil, refused("weak-key", "The signer's RSA key has %d bits; %d are needed.", k.N.BitLen(), minRSA)
		}
	case *ecdsa.PublicKey:
		curve, ok := curveOf(k.Curve)
		if !ok {
			return nil, refused("unknown-key", "The signer's curve %s is not supported.", k.Curve.Params().Name)
		}
		if hash == 0 {
			hash = curve.hash
		}
	default:
		if _, ok := pureAlgorithm(k); !ok {
			return nil, refused("unknown-key", "Keys of the signer's kind cannot sign here.")
		}
		// RFC 8419 3 demands SHA-512, RFC 9882 3.3 demands it of every receiver.
		if hash != 0 && hash != crypto.SHA512 {
			return nil, refused("weak-digest", "Ed25519 and ML-DSA are used with SHA-512 here, not %s.", hash)
		}
		hash = crypto.SHA512
	}
	if hash == 0 {
		hash = crypto.SHA256
	}
	var ok bool
	if p.digest, ok = digestOf(hash); !ok || !p.digest.writable {
		return nil, refused("weak-digest", "Signatures are made with SHA-256, SHA-384 or SHA-512, not %s.", hash)
	}
	pure, isPure := pureAlgorithm(key.key)
	switch _, isRSA := key.key.(*rsa.PublicKey); {
	case isPure:
		p.signature = Algorithm{OID: pure}
	case !isRSA:
		p.signature = Algorithm{OID: p.digest.ecdsa}
	case key.only == oidPSS || s.PSS:
		p.PSS = true
		p.signature = pssAlgorithm(p.digest)
	default:
		// RFC 5754 3.2: every receiver must know rsaEncryption, whichever the digest.
		p.signature = Algorithm{OID: oidRSA, Parameters: derNull}
	}
	return p, nil
}

// prepareAttributes makes the signed attributes that are known before the content.
func (p *preparedSigner) prepareAttributes(contentType OID, o SignOptions) error {
	if o.NoAttributes {
		if !o.SigningTime.IsZero() || len(o.Capabilities) > 0 || len(o.Attributes) > 0 || contentType != TypeData { // RFC 5652 5.3
			return refused("attributes", "Without signed attributes only plain data can be signed, and nothing stated beside it.")
		}
		p.bare = true
		return nil
	}
	list := []Attribute{
		{Type: attrContentType, Values: [][]byte{derOID(contentType)}},
		protectionAttribute(Algorithm{OID: p.digest.oid}, p.signature),
	}
	if !o.SigningTime.IsZero() {
		list = append(list, Attribute{Type: attrSigningTime, Values: [][]byte{derTime(o.SigningTime)}})
	}
	if len(o.Capabilities) > 0 {
		list = append(list, capabilitiesAttribute(o.Capabilities))
	}
	seen := map[OID]bool{attrMessageDigest: true}
	for _, a := range append(list, o.Attributes...) {
		if seen[a.Type] || derOID(a.Type) == nil || len(a.Values) == 0 {
			return refused("attributes", "The signed attribute %s is malformed or given twice.", a.Type.Name())
		}
		seen[a.Type] = true
		p.attributes = append(p.attributes, a.der())
	}
	return nil
}

// signedAttributes returns the signed attributes with tag t, complete; nothing if there shall be none.
func (p *preparedSigner) signedAttributes(t tag, contentDigest []byte) []byte {
	if p.bare {
		return nil
	}
	digest := Attribute{Type: attrMessageDigest, Values: [][]byte{simple(tagOctetString, contentDigest)}}
	return setOf(t, append(p.attributes[:len(p.attributes):len(p.attributes)], digest.der()))
}

// coversContent tells that the signature is over the content itself.
func (p *preparedSigner) coversContent() bool { return p.bare && isPure(p.signature.OID) }

// sign signs the signed attributes, or the content if there are none: RFC 5652 5.4. whole is the content if coversContent.
func (p *preparedSigner) sign(contentDigest, whole []byte) ([]byte, error) {
	signature, err := p.rawSignature(contentDigest, whole)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cms.sign", "The signer's key did not sign.")
	}
	if n := p.signatureBytes(); n > 0 && n != len(signature) {
		return nil, fault.New(fault.Internal, "cms.sign", "The signer's key made a signature of %d bytes, not %d.", len(signature), n)
	}
	return signature, nil
}

func (p *preparedSigner) rawSignature(contentDigest, whole []byte) ([]byte, error) {
	if isPure(p.signature.OID) {
		if !p.bare {
			whole = p.signedAttributes(tagSet, contentDigest)
		}
		return signPure(p.Key, whole)
	}
	digest := contentDigest
	if !p.bare {
		h := p.digest.hash.New()
		h.Write(p.signedAttributes(tagSet, contentDigest))
		digest = h.Sum(nil)
	}
	var options crypto.SignerOpts = p.digest.hash
	if p.PSS {
		options = &rsa.PSSOptions{SaltLength: p.digest.hash.Size(), Hash: p.digest.hash}
	}
	return p.Key.Sign(rand.Reader, digest, options)
}

// signatureBytes is the size of a signature, 0 if it varies.
func (p *preparedSigner) signatureBytes() int {
	if k, ok := p.public.(*rsa.PublicKey); ok {
		return k.Size()
	}
	return pureSignatureBytes(p.public)
}

// signerInfo returns the SignerInfo: RFC 5652 5.3.
func (p *preparedSigner) signerInfo(contentDigest, signature []byte) []byte {
	version, id := int64(1), []byte(nil)
	if p.KeyIdentifier {
		version, id = 3, simple(context(0), p.Certificate.SubjectKeyId)
	} else {
		id = issuerAndSerial(p.Certificate)
	}
	return constructed(tagSequence, derInteger(version), id, Algorithm{OID: p.digest.oid}.der(),
		p.signedAttributes(context(0), contentDigest), p.signature.der(), simple(tagOctetString, signature))
}
