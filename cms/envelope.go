package cms

// envelope is an EnvelopedData or AuthEnvelopedData without recipients and content: RFC 5652 6.1, RFC 5083 2.1.
type envelope struct {
	version     int
	contentType OID
	algorithm   Algorithm
	derive      []byte // DER of algorithm if the content key is derived for it: RFC 9709; else nil
	cipher      Cipher
	known       bool   // cipher and its parameters can be used
	nonce       []byte // or IV
	tagBytes    int    // that the parameters promise; 0 if they promise none

	additional []byte // DER of authAttrs as a SET; nil if there are none
	tag        []byte
	attributes []Attribute // authAttrs
}

// readEnvelope reads everything before the encrypted content.
func (r *Reader) readEnvelope(keep func(target)) (*envelope, error) {
	if err := r.use(TypeEnvelopedData, TypeAuthEnvelopedData); err != nil {
		return nil, err
	}
	b := r.b
	if err := b.enter(tagSequence, "the enveloped data"); err != nil {
		return nil, err
	}
	e := &envelope{}
	var err error
	if e.version, err = b.integer("the version"); err != nil {
		return nil, err
	}
	if found, err := b.optional(context(0)); err != nil {
		return nil, err
	} else if found { // originatorInfo: certificates that no scheme here needs
		if err := r.skipBounded(r.limits.CarriedBytes); err != nil {
			return nil, err
		}
	}
	if err := r.readRecipients(keep); err != nil {
		return nil, err
	}
	if err := r.readEncryptedContentInfo(e); err != nil {
		return nil, err
	}
	return e, e.readCipher(r.contentType == TypeAuthEnvelopedData)
}

// readEncryptedContentInfo reads an EncryptedContentInfo up to the content: RFC 5652 6.1.
func (r *Reader) readEncryptedContentInfo(e *envelope) error {
	b := r.b
	if err := b.enter(tagSequence, "the encrypted content"); err != nil {
		return err
	}
	var err error
	if e.contentType, err = b.oid("the type of what is encrypted"); err != nil {
		return err
	}
	p, err := b.element(r.limits.ParameterBytes, "the content encryption algorithm")
	if err != nil {
		return err
	}
	rest, ok := cursor(p), false
	if e.algorithm, ok = rest.algorithm(tagSequence); !ok || len(rest) != 0 {
		return malformed("its content encryption algorithm cannot be read")
	}
	if e.algorithm.OID == oidDeriveContentKey {
		e.derive = e.algorithm.Parameters
		inner := cursor(e.derive)
		if e.algorithm, ok = inner.algorithm(tagSequence); !ok || len(inner) != 0 {
			return malformed("its content encryption algorithm cannot be read")
		}
	}
	return nil
}

// skipBounded passes over the next element, which must not be larger than max bytes.
func (r *Reader) skipBounded(max int) error {
	start := r.b.pos
	if h, _, err := r.b.peek(); err != nil {
		return err
	} else if h.length > int64(max) {
		return tooLarge("bytes of carried data", int64(max))
	}
	if err := r.b.skip(); err != nil {
		return err
	}
	if r.b.pos-start > int64(max) {
		return tooLarge("bytes of carried data", int64(max))
	}
	return nil
}

// readCipher reads the content encryption algorithm. A cipher with a tag belongs into AuthEnvelopedData and all others do
// not: taking one for the other is how an authenticated message is turned into one that can be altered.
func (e *envelope) readCipher(authenticated bool) error {
	c, ok := CipherOf(e.algorithm.OID)
	if !ok || c.AEAD() != authenticated {
		return nil
	}
	e.cipher = c
	bad := malformed("the parameters of its content encryption algorithm are wrong")
	rest := cursor(e.algorithm.Parameters)
	iv, ok := rest.take(tagOctetString)
	switch {
	case c == ChaCha20Poly1305:
		if !ok {
			return bad
		}
		e.tagBytes = chachaTag // RFC 8103 1.1
	case ok && c.AEAD():
		// QUIRK: some peers write the bare nonce in place of GCMParameters.
	case ok:
	case c.AEAD():
		parameters, isSequence := rest.take(tagSequence)
		fields := cursor(parameters.contents)
		iv, ok = fields.take(tagOctetString)
		if !isSequence || !ok {
			return bad
		}
		e.tagBytes = minGCMTag // RFC 5084 3.2: DEFAULT 12
		if len(fields) > 0 {
			if e.tagBytes, ok = smallInteger(fields); !ok || e.tagBytes < minGCMTag || e.tagBytes > gcmTag {
				return bad
			}
		}
	default:
		return bad
	}
	if len(rest) != 0 || iv.constructed || len(iv.contents) > maxNonce || len(iv.contents) != c.nonceBytes() {
		return bad
	}
	e.nonce, e.known = iv.contents, true
	return nil
}

// readEnvelopeEnd reads everything after the encrypted content.
func (r *Reader) readEnvelopeEnd(e *envelope) error {
	b, l := r.b, r.limits
	if err := b.leave(); err != nil { // EncryptedContentInfo
		return err
	}
	unprotected := context(1)
	if r.contentType == TypeAuthEnvelopedData {
		unprotected = context(2)
		if err := r.readTag(e); err != nil {
			return err
		}
	}
	if found, err := b.optional(unprotected); err != nil {
		return err
	} else if found {
		if err := r.skipBounded(l.AttributeBytes); err != nil {
			return err
		}
	}
	if err := b.leave(); err != nil {
		return err
	}
	return r.end()
}

// readTag reads authAttrs and mac: RFC 5083 2.1.
func (r *Reader) readTag(e *envelope) error {
	b, l := r.b, r.limits
	found, err := b.optional(context(1))
	if err != nil {
		return err
	}
	if found {
		p, err := b.element(l.AttributeBytes, "the authenticated attributes")
		if err != nil {
			return err
		}
		set, ok := parseElement(p)
		if !ok || !set.constructed {
			return malformed("its authenticated attributes cannot be read")
		}
		if e.attributes, ok = parseAttributes(set.contents); !ok {
			return malformed("its authenticated attributes cannot be read")
		}
		e.additional = setOf(tagSet, members(set.contents))
	}
	p, err := b.element(64, "the authentication tag")
	if err != nil {
		return err
	}
	tag, ok := parseElement(p)
	if !ok || tag.tag != tagOctetString {
		return malformed("it has no authentication tag")
	}
	e.tag = tag.contents
	return nil
}

// sound tells whether tag and authenticated attributes are as RFC 5083 2.1 and RFC 5084 3.2 want them.
func (e *envelope) sound() bool {
	// QUIRK: a full tag is taken where the parameters leave the length out, which means 12.
	if n := len(e.tag); n != gcmTag && n != minGCMTag || e.tagBytes > n {
		return false
	}
	if e.additional == nil {
		return true
	}
	value, ok := single(e.attributes, attrContentType)
	if !ok {
		return false
	}
	if value == nil {
		return e.contentType == TypeData
	}
	rest := cursor(value)
	o, ok := rest.oid()
	return ok && len(rest) == 0 && o == e.contentType
}
