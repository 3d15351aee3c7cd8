package cms

import (
	"bytes"
	"crypto/x509"
	"time"
)

// SignerInfo is one signature: RFC 5652 5.3.
type SignerInfo struct {
	// Signer names the signer's certificate.
	Signer EntityIdentifier
	// DigestAlgorithm is that of the content and of the signed attributes.
	DigestAlgorithm Algorithm
	// SignatureAlgorithm is that of the signature.
	SignatureAlgorithm Algorithm
	// SigningTime is when the signer says to have signed; zero if they do not. It is shown, never believed.
	SigningTime time.Time
	// Capabilities are what the signer says to be able to read, best first.
	Capabilities []Algorithm
	// EncryptionKey names the certificate that the signer would like mail to be encrypted to; zero if they name none.
	EncryptionKey EntityIdentifier
	// SignedAttributes are all the attributes under the signature, as they came.
	SignedAttributes []Attribute
	// UnsignedAttributes are attributes beside it: nothing protects them.
	UnsignedAttributes []Attribute
	// CounterSignatures are signatures over this one's value. Check works on each with its own signer's certificate, and says
	// nothing about the signature that it stands on.
	CounterSignatures []*SignerInfo

	signature []byte
	// attributes is the contents of the signed attributes as they came, in DER lengths; nil if there are none.
	attributes []byte
	// wrong is what can be said without certificate or content; its Reason is empty if there is nothing.
	wrong SignatureResult
	// content is what became of the content.
	content contentFacts
}

// contentFacts is what a signature is checked against.
type contentFacts struct {
	contentType OID
	announced   bool   // digestAlgorithms names the signer's
	digest      []byte // nil if it was not taken
	ambiguous   bool   // the content begins as signed attributes do
	counter     bool   // the content is the value of another signature
	kept        bool   // whole holds the content
	whole       []byte // of a signature over the content itself
}

// coversContent tells that the signature is over the content itself, not over attributes or a digest.
func (s *SignerInfo) coversContent() bool {
	return s.attributes == nil && isPure(s.SignatureAlgorithm.OID)
}

// Matches tells whether cert is the certificate that the signer names.
func (s *SignerInfo) Matches(cert *x509.Certificate) bool { return s.Signer.Matches(cert) }

// parseSignerInfo reads a SignerInfo in DER.
func parseSignerInfo(p []byte, l Limits) (*SignerInfo, error) { return parseSigner(p, l, 0) }

// parseSigner reads a SignerInfo; depth counts the signatures that it is a counter-signature of.
func parseSigner(p []byte, l Limits, depth int) (*SignerInfo, error) {
	rest := cursor(p)
	outer, ok := rest.take(tagSequence)
	if !ok || len(rest) != 0 {
		return nil, malformed("a signer cannot be read")
	}
	fields := cursor(outer.contents)
	s := &SignerInfo{}
	if version, ok := fields.take(tagInteger); !ok || len(version.contents) != 1 {
		return nil, malformed("a signer has no version")
	}
	if s.Signer, ok = parseIdentifier(&fields); !ok {
		return nil, malformed("a signer has no name")
	}
	if s.DigestAlgorithm, ok = fields.algorithm(tagSequence); !ok {
		return nil, malformed("a signer has no digest algorithm")
	}
	if e, found := fields.take(context(0)); found {
		if !e.constructed {
			return nil, malformed("a signer's attributes cannot be read")
		}
		s.attributes = e.contents
	}
	if s.SignatureAlgorithm, ok = fields.algorithm(tagSequence); !ok {
		return nil, malformed("a signer has no signature algorithm")
	}
	signature, ok := fields.take(tagOctetString)
	if !ok || signature.constructed {
		return nil, malformed("a signer has no signature")
	}
	s.signature = signature.contents
	unsigned, found := fields.take(context(1))
	if len(fields) != 0 {
		return nil, malformed("a signer has fields too many")
	}
	for _, size := range []int{len(s.DigestAlgorithm.Parameters), len(s.SignatureAlgorithm.Parameters)} {
		if size > l.ParameterBytes {
			return nil, tooLarge("bytes of algorithm parameters", int64(l.ParameterBytes))
		}
	}
	if len(s.attributes) > l.AttributeBytes || found && len(unsigned.contents) > l.AttributeBytes {
		return nil, tooLarge("bytes of attributes", int64(l.AttributeBytes))
	}
	if found {
		// Nothing protects them, so that a malformed set says nothing about the signature.
		s.UnsignedAttributes, _ = parseAttributes(unsigned.contents)
	}
	s.readCounterSignatures(l, depth)
	if s.wrong = s.readAttributes(depth > 0); s.wrong.Reason == ReasonNone {
		s.wrong = s.misplaced()
	}
	return s, nil
}

// readAttributes reads the signed attributes and says what is wrong with them alone: RFC 5652 5.3 and 11. A counter-signature
// must have no contentType: RFC 5652 11.4.
func (s *SignerInfo) readAttributes(counter bool) SignatureResult {
	if s.attributes == nil {
		return SignatureResult{}
	}
	bad := func(text string) SignatureResult { return broken(ReasonBadAttributes, text) }
	var ok bool
	if s.SignedAttributes, ok = parseAttributes(s.attributes); !ok {
		return bad("The signed attributes cannot be read.")
	}
	for _, required := range []OID{attrContentType, attrMessageDigest} {
		v, ok := single(s.SignedAttributes, required)
		if counter && required == attrContentType {
			if !ok || v != nil {
				return bad("A counter-signature states a content type, and must not.")
			}
			continue
		}
		if !ok || v == nil {
			return bad("The signed attribute " + required.Name() + " is missing or not single.")
		}
	}
	when, ok := single(s.SignedAttributes, attrSigningTime)
	if ok && when != nil {
		s.SigningTime, ok = parseTime(when)
	}
	if !ok {
		return bad("The signing time is malformed or not single.")
	}
	if protection, ok := single(s.SignedAttributes, attrAlgorithmProtection); !ok {
		return bad("The algorithm protection is not single.")
	} else if protection != nil && !protects(protection, s.DigestAlgorithm, s.SignatureAlgorithm) {
		return broken(ReasonAlgorithmMismatch, "The signed attributes name other algorithms than the signature uses.")
	}
	if capabilities, ok := single(s.SignedAttributes, attrCapabilities); !ok {
		return bad("The capabilities are not single.")
	} else if capabilities != nil {
		// A malformed list of capabilities is of no use, but does not unsay the signature.
		s.Capabilities, _ = parseCapabilities(capabilities)
	}
	s.EncryptionKey = preferredKey(s.SignedAttributes)
	return SignatureResult{}
}

// misplaced says which attribute stands where RFC 5652 11 forbids it.
func (s *SignerInfo) misplaced() SignatureResult {
	for _, a := range s.UnsignedAttributes {
		switch a.Type {
		case attrContentType, attrMessageDigest, attrSigningTime:
			return broken(ReasonBadAttributes, "The attribute "+a.Type.Name()+" is not signed, and must be.")
		}
	}
	for _, a := range s.SignedAttributes {
		if a.Type == attrCounterSignature {
			return broken(ReasonBadAttributes, "The attribute "+a.Type.Name()+" is signed, and must not be.")
		}
	}
	return SignatureResult{}
}

// signedForms are the bytes that the signature may cover if there are signed attributes: an explicit SET OF, RFC 5652 5.4.
// It is signed in DER; QUIRK: some signers sign the set in the order in which they send it, as OpenSSL's verifier
// tolerates, so that both orders are tried where they differ.
func (s *SignerInfo) signedForms() [][]byte {
	received := constructed(tagSet, s.attributes)
	sorted := setOf(tagSet, members(s.attributes))
	if bytes.Equal(received, sorted) {
		return [][]byte{received}
	}
	return [][]byte{sorted, received}
}
