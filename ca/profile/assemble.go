package profile

import (
	"bytes"
	"crypto"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// Digest returns what has to be signed for a TBSCertificate: the digest and its hash, by the algorithm it names.
// Hand both to crypto.Signer.Sign of the issuing key.
func Digest(tbs []byte) ([]byte, crypto.Hash, error) {
	identifier, err := algorithmIn(tbs)
	if err != nil {
		return nil, 0, err
	}
	for _, a := range []algorithm{ecdsaSHA256, rsaSHA256, ecdsaSHA384, ecdsaSHA512} {
		if bytes.Equal(a.identifier, identifier) {
			h := a.hash.New()
			h.Write(tbs)
			return h.Sum(nil), a.hash, nil
		}
	}
	return nil, 0, refuse("BR-031", "The house does not sign with the algorithm that this certificate names (SBR 7.1.3.2, BR-031).")
}

// Assemble joins a TBSCertificate and the signature over it to a certificate. The outer algorithm is the one that
// the TBSCertificate names, as RFC 5280 4.1.1.2 demands.
func Assemble(tbs, signature []byte) ([]byte, error) {
	identifier, err := algorithmIn(tbs)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(identifier)
		b.AddASN1BitString(signature)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "profile.encode", "The certificate could not be encoded.")
	}
	return der, nil
}

// algorithmIn finds the DER of the signature AlgorithmIdentifier in a TBSCertificate.
func algorithmIn(tbs []byte) ([]byte, error) {
	s := cryptobyte.String(tbs)
	var inner, identifier cryptobyte.String
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !s.Empty() ||
		!inner.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!inner.SkipASN1(cbasn1.INTEGER) || !inner.ReadASN1Element(&identifier, cbasn1.SEQUENCE) {
		return nil, fault.New(fault.Invalid, "profile.tbs", "This is no TBSCertificate.")
	}
	return identifier, nil
}
