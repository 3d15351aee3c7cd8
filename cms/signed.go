package cms

import (
	"crypto"
	"crypto/x509"
	"io"
)

// Reader reads one ContentInfo, RFC 5652 3, from a stream of BER.
type Reader struct {
	b           *ber
	limits      Limits
	contentType OID
	used        bool
	bare        bool // there is no ContentInfo around the content
}

// NewReader reads the beginning of a message and finds out its type. The stream is bare BER; see [PEMReader] for PEM.
// What follows the message in the stream is ignored, though some of it may have been read.
func NewReader(r io.Reader, l Limits) (*Reader, error) {
	l = l.withDefaults()
	out := &Reader{b: newBER(r, l.Depth), limits: l}
	if err := out.b.enter(tagSequence, "its outermost SEQUENCE"); err != nil {
		return nil, err
	}
	var err error
	if out.contentType, err = out.b.oid("its content type"); err != nil {
		return nil, err
	}
	return out, out.b.enter(context(0), "its content")
}

// Type is the content type of the message: TypeSignedData, TypeEnvelopedData, or any other.
func (r *Reader) Type() OID { return r.contentType }

// use claims the content, which can be read once.
func (r *Reader) use(types ...OID) error {
	if r.used {
		return refused("read-twice", "This message was read already.")
	}
	for _, t := range types {
		if r.contentType == t {
			r.used = true
			return nil
		}
	}
	return refused("other-type", "This message is of the type %s, not %s.", r.contentType.Name(), types[0].Name())
}

// end leaves the ContentInfo.
func (r *Reader) end() error {
	if r.bare {
		return nil
	}
	if err := r.b.leave(); err != nil {
		return err
	}
	return r.b.leave()
}

// Signed continues as SignedData, RFC 5652 5.1. It fails if Type is another, or if the content was read before.
func (r *Reader) Signed() (*SignedReader, error) {
	if err := r.use(TypeSignedData); err != nil {
		return nil, err
	}
	b := r.b
	if err := b.enter(tagSequence, "SignedData"); err != nil {
		return nil, err
	}
	s := &SignedReader{r: r, digester: &Digester{}}
	var err error
	if s.version, err = b.integer("the version"); err != nil {
		return nil, err
	}
	if err := s.readDigestAlgorithms(); err != nil {
		return nil, err
	}
	if err := b.enter(tagSequence, "encapContentInfo"); err != nil {
		return nil, err
	}
	if s.contentType, err = b.oid("the type of what is signed"); err != nil {
		return nil, err
	}
	found, err := b.optional(context(0))
	if err != nil {
		return nil, err
	}
	if !found {
		s.detached = true
		return s, nil
	}
	if err := b.enter(context(0), "the content"); err != nil {
		return nil, err
	}
	s.content, err = b.octets(tagOctetString, "the content as an OCTET STRING")
	return s, err
}

// SignedReader is a SignedData of which the content is still to be read.
type SignedReader struct {
	r           *Reader
	version     int
	contentType OID
	detached    bool
	announced   []Algorithm
	content     *octets
	digester    *Digester
	err         error // the first error of the content
}

func (s *SignedReader) readDigestAlgorithms() error {
	b, l := s.r.b, s.r.limits
	if err := b.enter(tagSet, "the set of digest algorithms"); err != nil {
		return err
	}
	for {
		_, more, err := b.peek()
		if err != nil {
			return err
		}
		if !more {
			return b.leave()
		}
		p, err := b.element(l.ParameterBytes, "a digest algorithm")
		if err != nil {
			return err
		}
		rest := cursor(p)
		a, ok := rest.algorithm(tagSequence)
		if !ok {
			return malformed("a digest algorithm cannot be read")
		}
		if s.announced = append(s.announced, a); len(s.announced) > l.DigestAlgorithms {
			return tooLarge("digest algorithms", int64(l.DigestAlgorithms))
		}
		if facts, known := a.digest(); known {
			s.digester.add(facts.hash)
			if facts.hash == crypto.SHA512 && !s.digester.kept { // RFC 8419 3, RFC 9882 3.3: it may be the content that is signed
				s.digester.keep(l.WholeContent)
			}
		}
	}
}

// ContentType is the type of what is signed.
func (s *SignedReader) ContentType() OID { return s.contentType }

// Detached tells that the message holds no content: it travels beside.
func (s *SignedReader) Detached() bool { return s.detached }

// DigestAlgorithms are the digest algorithms that the message announces before its content.
func (s *SignedReader) DigestAlgorithms() []Algorithm { return s.announced }

// Content reads the signed content. It is not yet checked: nobody knows before its end whether the signature holds.
// Of a detached message it is empty.
func (s *SignedReader) Content() io.Reader { return (*signedContent)(s) }

type signedContent SignedReader

func (c *signedContent) Read(p []byte) (int, error) {
	if c.content == nil {
		return 0, io.EOF
	}
	n, err := c.content.Read(p)
	c.digester.Write(p[:n])
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// Finish reads what follows the content (and the content, so far as it was not read) and returns it. Signers of a
// detached message can only be checked through VerifyDetached or VerifyDigested.
func (s *SignedReader) Finish() (*Signed, error) {
	if _, err := io.CopyBuffer(io.Discard, onlyReader{s.Content()}, make([]byte, segment)); err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	b := s.r.b
	if !s.detached {
		if err := b.leave(); err != nil {
			return nil, err
		}
	}
	if err := b.leave(); err != nil { // encapContentInfo
		return nil, err
	}
	out := &Signed{ContentType: s.contentType, Detached: s.detached}
	if err := s.readCarried(out); err != nil {
		return nil, err
	}
	if err := s.readSigners(out); err != nil {
		return nil, err
	}
	if err := b.leave(); err != nil { // SignedData
		return nil, err
	}
	if err := s.r.end(); err != nil {
		return nil, err
	}
	if s.detached {
		s.digester = &Digester{} // that of nothing is not that of the content
	}
	s.digester.serve(out, s.announced)
	return out, nil
}

// readCarried reads certificates [0] and crls [1]: RFC 5652 10.2.
func (s *SignedReader) readCarried(out *Signed) error {
	l, total := s.r.limits, 0
	keep := func(list *[][]byte, max int, what string) func([]byte) error {
		return func(p []byte) error {
			if total += len(p); total > l.CarriedBytes {
				return tooLarge("bytes of certificates and revocation lists", int64(l.CarriedBytes))
			}
			if len(*list) == max {
				return tooLarge(what, int64(max))
			}
			*list = append(*list, p)
			return nil
		}
	}
	err := s.readChoices(context(0), l.CertificateBytes, l.Certificates, keep(&out.RawCertificates, l.Certificates, "certificates"))
	if err != nil {
		return err
	}
	for _, p := range out.RawCertificates {
		if c, err := x509.ParseCertificate(p); err == nil {
			out.Certificates = append(out.Certificates, c)
		}
	}
	return s.readChoices(context(1), l.CRLBytes, l.CRLs, keep(&out.CRLs, l.CRLs, "revocation lists"))
}

// readChoices reads an optional implicit SET and keeps the members that are a plain SEQUENCE. Others (attribute
// certificates and forms that nobody uses) are passed over, but count.
func (s *SignedReader) readChoices(t tag, size, count int, keep func([]byte) error) error {
	b := s.r.b
	found, err := b.optional(t)
	if err != nil || !found {
		return err
	}
	if err := b.enter(t, "a set"); err != nil {
		return err
	}
	for n := 0; ; n++ {
		h, more, err := b.peek()
		if err != nil {
			return err
		}
		if !more {
			return b.leave()
		}
		if n == count {
			return tooLarge("certificates or revocation lists", int64(count))
		}
		if h.tag != tagSequence {
			if err := b.skip(); err != nil {
				return err
			}
			continue
		}
		p, err := b.element(size, "one certificate or revocation list")
		if err != nil {
			return err
		}
		if err := keep(p); err != nil {
			return err
		}
	}
}

func (s *SignedReader) readSigners(out *Signed) error {
	b, l := s.r.b, s.r.limits
	if err := b.enter(tagSet, "the set of signers"); err != nil {
		return err
	}
	for {
		_, more, err := b.peek()
		if err != nil {
			return err
		}
		if !more {
			return b.leave()
		}
		if len(out.Signers) == l.Signers {
			return tooLarge("signers", int64(l.Signers))
		}
		p, err := b.element(l.SignerBytes, "one signer")
		if err != nil {
			return err
		}
		signer, err := parseSignerInfo(p, l)
		if err != nil {
			return err
		}
		out.Signers = append(out.Signers, signer)
	}
}

// Signed is a SignedData that was read to its end: RFC 5652 5.1.
type Signed struct {
	// ContentType is the type of what is signed.
	ContentType OID
	// Detached tells that the content was not inside.
	Detached bool
	// Certificates are those carried that could be parsed, in the order of the message. Nothing about them is checked.
	Certificates []*x509.Certificate
	// RawCertificates is the DER of every certificate carried, those that could not be parsed included.
	RawCertificates [][]byte
	// CRLs is the DER of every revocation list carried.
	CRLs [][]byte
	// Signers are those who signed; there may be none.
	Signers []*SignerInfo
}

// CertificateOf returns the first carried certificate that signer names, or nil.
func (s *Signed) CertificateOf(signer *SignerInfo) *x509.Certificate {
	for _, c := range s.Certificates {
		if signer.Matches(c) {
			return c
		}
	}
	return nil
}
