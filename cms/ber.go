package cms

import (
	"bufio"
	"io"
)

// tag is the class and number of an element: class<<16 | number.
type tag uint32

const (
	tagInteger         tag = 2
	tagBitString       tag = 3
	tagOctetString     tag = 4
	tagNull            tag = 5
	tagOID             tag = 6
	tagUTCTime         tag = 23
	tagGeneralizedTime tag = 24
	tagSequence        tag = 16
	tagSet             tag = 17
)

// context is the context-specific tag [n].
func context(n int) tag { return 2<<16 | tag(n) }

// header is what stands before the contents of an element: X.690 8.1.
type header struct {
	tag         tag
	constructed bool
	length      int64 // -1: indefinite
}

// frame is a constructed element that was entered.
type frame struct {
	end   int64 // position of its end; -1: at its end-of-contents octets
	bound int64 // position that nothing within may pass; -1: none
}

// ber pulls elements one by one from a stream of BER (X.690). It never reads past the end of an element that it was
// asked for, save what bufio holds, and never keeps more than the caller asks for.
type ber struct {
	src    *bufio.Reader
	pos    int64
	frames []frame
	depth  int // most frames allowed
	ahead  header
	peeked bool
}

func newBER(r io.Reader, depth int) *ber {
	return &ber{src: bufio.NewReaderSize(r, readAhead), depth: depth}
}

func (b *ber) bound() int64 {
	if len(b.frames) == 0 {
		return -1
	}
	return b.frames[len(b.frames)-1].bound
}

// take counts n bytes as read, if the enclosing element has so many left.
func (b *ber) take(n int64) error {
	if bound := b.bound(); bound >= 0 && n > bound-b.pos {
		return malformed("an element at byte %d is longer than what holds it", b.pos)
	}
	b.pos += n
	return nil
}

func (b *ber) readByte() (byte, error) {
	if err := b.take(1); err != nil {
		return 0, err
	}
	c, err := b.src.ReadByte()
	if err != nil {
		return 0, readError(err)
	}
	return c, nil
}

// readFull fills p from the contents of the current element.
func (b *ber) readFull(p []byte) error {
	if err := b.take(int64(len(p))); err != nil {
		return err
	}
	if _, err := io.ReadFull(b.src, p); err != nil {
		return readError(err)
	}
	return nil
}

// peek returns the header of the next element, or false at the end of the entered one.
func (b *ber) peek() (header, bool, error) {
	if b.peeked {
		return b.ahead, true, nil
	}
	if len(b.frames) > 0 {
		if end := b.frames[len(b.frames)-1].end; end >= 0 && b.pos == end {
			return header{}, false, nil
		}
	}
	h, err := b.readHeader()
	if err != nil {
		return header{}, false, err
	}
	if h.tag == 0 { // end-of-contents
		if h.constructed || h.length != 0 || len(b.frames) == 0 || b.frames[len(b.frames)-1].end >= 0 {
			return header{}, false, malformed("end-of-contents octets at byte %d where nothing ends", b.pos)
		}
		f := &b.frames[len(b.frames)-1]
		f.end, f.bound = b.pos, b.pos
		return header{}, false, nil
	}
	b.ahead, b.peeked = h, true
	return h, true, nil
}

func (b *ber) readHeader() (header, error) {
	c, err := b.readByte()
	if err != nil {
		return header{}, err
	}
	h := header{constructed: c&0x20 != 0}
	number := int(c & 0x1f)
	if number == 0x1f {
		number = 0
		for {
			d, err := b.readByte()
			if err != nil {
				return header{}, err
			}
			number = number<<7 | int(d&0x7f)
			if number > maxTagNumber {
				return header{}, malformed("a tag number at byte %d is too large", b.pos)
			}
			if d&0x80 == 0 {
				break
			}
		}
	}
	h.tag = tag(c>>6)<<16 | tag(number)
	if h.length, err = b.readLength(); err != nil {
		return header{}, err
	}
	if h.length < 0 && !h.constructed {
		return header{}, malformed("a primitive element at byte %d has no length", b.pos)
	}
	if bound := b.bound(); h.length > 0 && bound >= 0 && h.length > bound-b.pos {
		return header{}, malformed("an element at byte %d is longer than what holds it", b.pos)
	}
	return h, nil
}

// readLength reads length octets, X.690 8.1.3; -1 is the indefinite form. Lengths in more octets than needed are BER
// and accepted.
func (b *ber) readLength() (int64, error) {
	c, err := b.readByte()
	switch {
	case err != nil:
		return 0, err
	case c < 0x80:
		return int64(c), nil
	case c == 0x80:
		return -1, nil
	case c&0x7f > 8:
		return 0, malformed("a length at byte %d is too large", b.pos)
	}
	var n uint64
	for range c & 0x7f {
		d, err := b.readByte()
		if err != nil {
			return 0, err
		}
		n = n<<8 | uint64(d)
	}
	if n > 1<<60 {
		return 0, malformed("a length at byte %d is too large", b.pos)
	}
	return int64(n), nil
}

// optional reports whether the next element has tag t. It does not consume it.
func (b *ber) optional(t tag) (bool, error) {
	h, ok, err := b.peek()
	return ok && h.tag == t, err
}

// enter goes into the next element, which must be constructed and have tag t.
func (b *ber) enter(t tag, what string) error {
	h, ok, err := b.peek()
	if err != nil {
		return err
	}
	if !ok || h.tag != t || !h.constructed {
		return malformed("%s is missing", what)
	}
	if len(b.frames) >= b.depth {
		return tooLarge("levels of nesting", int64(b.depth))
	}
	f := frame{end: -1, bound: b.bound()}
	if h.length >= 0 {
		f.end = b.pos + h.length
		f.bound = f.end
	}
	b.peeked = false
	b.frames = append(b.frames, f)
	return nil
}

// leave goes out of the entered element, which must have no more elements.
func (b *ber) leave() error {
	h, ok, err := b.peek()
	if err != nil {
		return err
	}
	if ok {
		return malformed("an unexpected element with tag %#x at byte %d", uint32(h.tag), b.pos)
	}
	b.frames = b.frames[:len(b.frames)-1]
	return nil
}

// primitive reads the contents of the next element, which must be primitive and have tag t.
func (b *ber) primitive(t tag, max int, what string) ([]byte, error) {
	h, ok, err := b.peek()
	if err != nil {
		return nil, err
	}
	if !ok || h.tag != t || h.constructed {
		return nil, malformed("%s is missing", what)
	}
	if h.length > int64(max) {
		return nil, tooLarge("bytes of "+what, int64(max))
	}
	b.peeked = false
	p := make([]byte, h.length)
	return p, b.readFull(p)
}

// integer reads a small INTEGER, such as a version.
func (b *ber) integer(what string) (int, error) {
	p, err := b.primitive(tagInteger, 4, what)
	if err != nil {
		return 0, err
	}
	if len(p) == 0 || p[0]&0x80 != 0 {
		return 0, malformed("%s is no number", what)
	}
	n := 0
	for _, c := range p {
		n = n<<8 | int(c)
	}
	return n, nil
}

// oid reads an OBJECT IDENTIFIER.
func (b *ber) oid(what string) (OID, error) {
	p, err := b.primitive(tagOID, maxOIDBytes, what)
	if err != nil {
		return "", err
	}
	o, ok := parseOID(p)
	if !ok {
		return "", malformed("%s is no object identifier", what)
	}
	return o, nil
}

// raw reads the next element with its header, as it came, end-of-contents octets included.
func (b *ber) raw(max int, what string) ([]byte, error) {
	h, ok, err := b.peek()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, malformed("%s is missing", what)
	}
	out := appendHeader(nil, h)
	if h.length >= 0 {
		if h.length > int64(max) {
			return nil, tooLarge("bytes of "+what, int64(max))
		}
		b.peeked = false
		start := len(out)
		out = append(out, make([]byte, h.length)...)
		return out, b.readFull(out[start:])
	}
	if err := b.enter(h.tag, what); err != nil {
		return nil, err
	}
	for {
		_, more, err := b.peek()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		child, err := b.raw(max-len(out), what)
		if err != nil {
			return nil, err
		}
		if out = append(out, child...); len(out) > max {
			return nil, tooLarge("bytes of "+what, int64(max))
		}
	}
	return append(out, 0, 0), b.leave()
}

// element reads the next element and turns it into DER lengths and string forms; sets keep their order.
func (b *ber) element(max int, what string) ([]byte, error) {
	p, err := b.raw(max, what)
	if err != nil {
		return nil, err
	}
	return normalize(p, b.depth)
}

// skip passes over the next element without keeping any of it.
func (b *ber) skip() error {
	h, ok, err := b.peek()
	if err != nil || !ok {
		return err
	}
	if h.length < 0 {
		if err := b.enter(h.tag, "an element"); err != nil {
			return err
		}
		for {
			if _, more, err := b.peek(); err != nil {
				return err
			} else if !more {
				return b.leave()
			}
			if err := b.skip(); err != nil {
				return err
			}
		}
	}
	b.peeked = false
	if err := b.take(h.length); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, b.src, h.length); err != nil {
		return readError(err)
	}
	return nil
}

// octets streams the contents of an OCTET STRING, in one piece or in pieces within pieces: X.690 8.7.
type octets struct {
	b      *ber
	left   int64 // of the current piece
	base   int   // frames around the string
	simple bool  // the string is one primitive piece
	err    error
	count  int64
}

// octets goes into the next element, an OCTET STRING by tag t, as a reader.
func (b *ber) octets(t tag, what string) (*octets, error) {
	h, ok, err := b.peek()
	if err != nil {
		return nil, err
	}
	if !ok || h.tag != t {
		return nil, malformed("%s is missing", what)
	}
	o := &octets{b: b, base: len(b.frames), simple: !h.constructed}
	if o.simple {
		b.peeked = false
		o.left = h.length
		return o, nil
	}
	return o, b.enter(t, what)
}

// Read implements io.Reader.
func (o *octets) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for o.err == nil && o.left == 0 {
		o.err = o.nextPiece()
	}
	if o.err != nil {
		return 0, o.err
	}
	if int64(len(p)) > o.left {
		p = p[:o.left]
	}
	n, err := o.b.src.Read(p)
	o.left -= int64(n)
	o.count += int64(n)
	if takeErr := o.b.take(int64(n)); takeErr != nil {
		o.err = takeErr
	} else if err != nil {
		o.err = readError(err)
	}
	return n, o.err
}

// nextPiece moves on to the next primitive piece; io.EOF is the end of the string.
func (o *octets) nextPiece() error {
	if o.simple || len(o.b.frames) == o.base {
		return io.EOF
	}
	h, more, err := o.b.peek()
	switch {
	case err != nil:
		return err
	case !more:
		return o.b.leave()
	case h.tag != tagOctetString:
		return malformed("an OCTET STRING has a piece that is none")
	case h.constructed:
		return o.b.enter(tagOctetString, "a piece of an OCTET STRING")
	}
	o.b.peeked = false
	o.left = h.length
	return nil
}
