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
		return nil, refused("unknown-key", "Keys of the signer's kind cannot sign here.")
	}
	if hash == 0 {
		hash = crypto.SHA256
	}
	var ok bool
	if p.digest, ok = digestOf(hash); !ok || !p.digest.writable {
		return nil, refused("weak-digest", "Signatures are made with SHA-256, SHA-384 or SHA-512, not %s.", hash)
	}
	switch _, isRSA := key.key.(*rsa.PublicKey); {
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

// signedAttributes returns the signed attributes with tag t, complete.
func (p *preparedSigner) signedAttributes(t tag, contentDigest []byte) []byte {
	digest := Attribute{Type: attrMessageDigest, Values: [][]byte{simple(tagOctetString, contentDigest)}}
	return setOf(t, append(p.attributes[:len(p.attributes):len(p.attributes)], digest.der()))
}

// sign signs the signed attributes: RFC 5652 5.4.
func (p *preparedSigner) sign(contentDigest []byte) ([]byte, error) {
	h := p.digest.hash.New()
	h.Write(p.signedAttributes(tagSet, contentDigest))
	var options crypto.SignerOpts = p.digest.hash
	if p.PSS {
		options = &rsa.PSSOptions{SaltLength: p.digest.hash.Size(), Hash: p.digest.hash}
	}
	signature, err := p.Key.Sign(rand.Reader, h.Sum(nil), options)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cms.sign", "The signer's key did not sign.")
	}
	if n := p.signatureBytes(); n > 0 && n != len(signature) {
		return nil, fault.New(fault.Internal, "cms.sign", "The signer's key made a signature of %d bytes, not %d.", len(signature), n)
	}
	return signature, nil
}

// signatureBytes is the size of a signature, 0 if it varies.
func (p *preparedSigner) signatureBytes() int {
	if k, ok := p.public.(*rsa.PublicKey); ok {
		return k.Size()
	}
	return 0
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
