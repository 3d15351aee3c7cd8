package cms

import (
	"bufio"
	"compress/zlib"
	"io"
)

// CompressedReader reads the content of a CompressedData: RFC 3274.
type CompressedReader struct {
	r           *Reader
	contentType OID
	packed      *octets
	source      *bufio.Reader
	zlib        io.ReadCloser
	count       int64
	err         error
}

// Compressed continues as CompressedData. The content is read from what is returned, to its end: io.EOF comes when the whole
// message was well-formed and the content as it was packed, which proves nothing about who packed it. What unpacks to more
// than Limits.Unpacked, or grows more than Limits.Ratio says, is refused with the code cms.limit.
func (r *Reader) Compressed() (*CompressedReader, error) {
	if err := r.use(TypeCompressedData); err != nil {
		return nil, err
	}
	b := r.b
	if err := b.enter(tagSequence, "the compressed data"); err != nil {
		return nil, err
	}
	if _, err := b.integer("the version"); err != nil {
		return nil, err
	}
	p, err := b.element(r.limits.ParameterBytes, "the compression algorithm")
	if err != nil {
		return nil, err
	}
	rest := cursor(p)
	alg, ok := rest.algorithm(tagSequence)
	if !ok || len(rest) != 0 {
		return nil, malformed("its compression algorithm cannot be read")
	}
	if alg.OID != oidZlib {
		return nil, refused("compression", "This message is compressed by %s, which cannot be unpacked here.", alg.Name())
	}
	if err := b.enter(tagSequence, "the compressed content"); err != nil {
		return nil, err
	}
	c := &CompressedReader{r: r}
	if c.contentType, err = b.oid("the type of what is compressed"); err != nil {
		return nil, err
	}
	if err := b.enter(context(0), "the compressed content"); err != nil {
		return nil, err
	}
	if c.packed, err = b.octets(tagOctetString, "the compressed content"); err != nil {
		return nil, err
	}
	c.source = bufio.NewReaderSize(c.packed, segment) // a ByteReader, so that zlib takes no more than it needs
	return c, nil
}

// ContentType is the type of the content.
func (c *CompressedReader) ContentType() OID { return c.contentType }

// Read implements io.Reader.
func (c *CompressedReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.zlib == nil {
		if c.zlib, c.err = zlib.NewReader(c.source); c.err != nil {
			c.err = c.streamError()
			return 0, c.err
		}
	}
	n, err := c.zlib.Read(p)
	c.count += int64(n)
	switch l := c.r.limits; {
	case c.count > l.Unpacked:
		c.err = tooLarge("bytes of unpacked content", l.Unpacked)
	case c.count > freeUnpacked && c.count/max(c.packed.count, 1) > int64(l.Ratio):
		c.err = tooLarge("bytes of unpacked content for one packed", int64(l.Ratio))
	case err == io.EOF:
		c.err = c.finish()
	case err != nil:
		c.err = c.streamError()
	}
	if c.err != nil && c.err != io.EOF {
		return 0, c.err
	}
	return n, c.err
}

// streamError is the error of the message that c is read from, if it has one, and else says that the packing is wrong.
func (c *CompressedReader) streamError() error {
	if c.packed.err != nil && c.packed.err != io.EOF {
		return c.packed.err
	}
	return malformed("its compressed content cannot be unpacked")
}

// finish reads the end of the message; io.EOF if all is well.
func (c *CompressedReader) finish() error {
	if _, err := c.source.ReadByte(); err == nil {
		return malformed("something follows its compressed content")
	} else if err != io.EOF {
		return err
	}
	for range 3 { // [0], EncapsulatedContentInfo, CompressedData
		if err := c.r.b.leave(); err != nil {
			return err
		}
	}
	if err := c.r.end(); err != nil {
		return err
	}
	return io.EOF
}
