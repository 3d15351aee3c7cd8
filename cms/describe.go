package cms

import (
	"crypto/x509"
	"io"
)

// Description is what a message is made of, without any key: one level of content types.
type Description struct {
	// Type is the content type of this level.
	Type OID
	// Version is the version number of the syntax.
	Version int
	// ContentType is the type of what is inside.
	ContentType OID
	// Detached tells that a SignedData holds no content.
	Detached bool
	// ContentBytes is the size of the content (unpacked, if it is compressed), or of its ciphertext.
	ContentBytes int64
	// Cipher is the content encryption algorithm of an encrypted level.
	Cipher *Algorithm
	// DerivedKey tells that the content key is bound to Cipher: RFC 9709.
	DerivedKey bool
	// Recipients are those of an encrypted level.
	Recipients []RecipientInfo
	// DigestAlgorithms, Certificates, CRLs and Signers are those of a SignedData.
	DigestAlgorithms []Algorithm
	Certificates     []*x509.Certificate
	CRLs             [][]byte
	Signers          []*SignerInfo
	// Content describes the content if it is CMS itself and readable without a key.
	Content *Description
}

// Describe reads a message to its end and tells what it is made of. It checks no signature and opens nothing. Of content
// types that this package does not read, only Type is told.
func Describe(r io.Reader, l Limits) (*Description, error) {
	reader, err := NewReader(r, l)
	if err != nil {
		return nil, err
	}
	return reader.describe(1)
}

// describe reads the content. level counts the content types around it.
func (r *Reader) describe(level int) (*Description, error) {
	d := &Description{Type: r.contentType}
	switch r.contentType {
	case TypeSignedData:
		return d, r.describeSigned(d, level)
	case TypeEnvelopedData, TypeAuthEnvelopedData:
		return d, r.describeEnvelope(d)
	case TypeEncryptedData:
		return d, r.describeEncrypted(d)
	case TypeCompressedData:
		return d, r.describeCompressed(d)
	case TypeData:
		d.ContentType = TypeData
		content, err := r.b.octets(tagOctetString, "the content")
		if err != nil {
			return nil, err
		}
		if d.ContentBytes, err = count(content); err != nil {
			return nil, err
		}
		return d, r.end()
	}
	for {
		if _, more, err := r.b.peek(); err != nil {
			return nil, err
		} else if !more {
			return d, r.end()
		}
		if err := r.b.skip(); err != nil {
			return nil, err
		}
	}
}

// count reads to the end and returns how much there was.
func count(r io.Reader) (int64, error) {
	return io.CopyBuffer(io.Discard, r, make([]byte, segment))
}

func (r *Reader) describeSigned(d *Description, level int) error {
	s, err := r.Signed()
	if err != nil {
		return err
	}
	d.Version, d.ContentType, d.Detached, d.DigestAlgorithms = s.version, s.contentType, s.detached, s.announced
	if !s.detached && level < maxDescription {
		switch s.contentType {
		case TypeSignedData, TypeEnvelopedData, TypeAuthEnvelopedData, TypeEncryptedData:
			// The content is the inner type itself, without a ContentInfo: RFC 5652 4.
			inner := &Reader{b: newBER(s.Content(), r.limits.Depth), limits: r.limits, contentType: s.contentType, bare: true}
			if d.Content, err = inner.describe(level + 1); err != nil {
				return err
			}
		}
	}
	if _, err := count(s.Content()); err != nil {
		return err
	}
	signed, err := s.Finish()
	if err != nil {
		return err
	}
	if s.content != nil {
		d.ContentBytes = s.content.count
	}
	d.Certificates, d.CRLs, d.Signers = signed.Certificates, signed.CRLs, signed.Signers
	return nil
}

func (r *Reader) describeEnvelope(d *Description) error {
	e, err := r.readEnvelope(func(t target) { d.Recipients = append(d.Recipients, t.RecipientInfo) })
	if err != nil {
		return err
	}
	d.Version, d.ContentType, d.Cipher, d.DerivedKey = e.version, e.contentType, &e.algorithm, e.derive != nil
	if err := r.countContent(d); err != nil {
		return err
	}
	return r.readEnvelopeEnd(e)
}

// countContent passes over encryptedContent [0], which may be absent.
func (r *Reader) countContent(d *Description) error {
	found, err := r.b.optional(context(0))
	if err != nil || !found {
		d.Detached = !found
		return err
	}
	content, err := r.b.octets(context(0), "the encrypted content")
	if err != nil {
		return err
	}
	d.ContentBytes, err = count(content)
	return err
}

// describeEncrypted reads an EncryptedData: RFC 5652 8.
func (r *Reader) describeEncrypted(d *Description) error {
	e, err := r.readEncryptedData()
	if err != nil {
		return err
	}
	d.Version = e.version
	d.ContentType, d.Cipher, d.DerivedKey = e.contentType, &e.algorithm, e.derive != nil
	if err := r.countContent(d); err != nil {
		return err
	}
	return r.readEnvelopeEnd(e)
}

// describeCompressed reads a CompressedData without unpacking more than its bounds let it.
func (r *Reader) describeCompressed(d *Description) error {
	c, err := r.Compressed()
	if err != nil {
		return err
	}
	d.ContentType = c.ContentType()
	d.ContentBytes, err = count(c)
	return err
}
