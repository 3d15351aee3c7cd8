package smime

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"

	"chancery.example/fault"
)

// decodeTransfer undoes a Content-Transfer-Encoding (RFC 2045 6).
func decodeTransfer(encoding string, r io.Reader) (io.Reader, error) {
	switch encoding {
	case "7bit", "8bit", "binary":
		return r, nil
	case "base64":
		return newBase64Reader(r), nil
	case "quoted-printable":
		return quotedprintable.NewReader(r), nil
	}
	return nil, fault.New(fault.Invalid, "mail.transfer-encoding",
		"The mail uses the transfer encoding %.40q, which is none of MIME's; it cannot be read.", encoding)
}

var errBase64 = fault.New(fault.Invalid, "mail.base64", "The mail's base64 text is damaged; ask for it to be sent again.")

// base64Reader decodes base64 in lines. White space is skipped anywhere; any other character is an error, because
// readers disagree about what to skip (RFC 4648 3.3).
type base64Reader struct {
	r       *bufio.Reader
	text    []byte // four characters each, not decoded yet
	data    []byte // decoded, not handed out yet
	store   []byte
	ended   bool // padding was read: only white space may follow
	lastErr error
}

func newBase64Reader(r io.Reader) *base64Reader {
	return &base64Reader{r: bufio.NewReaderSize(r, bufferSize), text: make([]byte, 0, bufferSize+4), store: make([]byte, bufferSize)}
}

func (b *base64Reader) Read(dst []byte) (int, error) {
	for len(b.data) == 0 {
		if b.lastErr != nil {
			return 0, b.lastErr
		}
		b.fill()
	}
	n := copy(dst, b.data)
	b.data = b.data[n:]
	return n, nil
}

// fill decodes what one buffer of input gives.
func (b *base64Reader) fill() {
	if _, err := b.r.Peek(1); err != nil {
		b.lastErr = err
		if len(b.text) > 0 && errors.Is(err, io.EOF) {
			b.lastErr = errBase64
		}
		return
	}
	window, _ := b.r.Peek(b.r.Buffered())
	for rest := window; len(rest) > 0; { // line by line: one search and one copy each
		end := bytes.IndexByte(rest, '\n')
		line := rest
		if end >= 0 {
			line, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		line = bytes.TrimRight(line, "\r \t")
		if bytes.IndexByte(line, ' ') >= 0 || bytes.IndexByte(line, '\t') >= 0 || bytes.IndexByte(line, '\r') >= 0 {
			line = bytes.Map(dropSpace, line)
		}
		b.text = append(b.text, line...)
	}
	b.r.Discard(len(window))
	if b.ended && len(b.text) > 0 {
		b.lastErr = errBase64
		return
	}
	whole := len(b.text) &^ 3
	if whole == 0 {
		return
	}
	b.ended = b.text[whole-1] == '='
	n, err := base64.StdEncoding.Decode(b.store, b.text[:whole])
	b.data = b.store[:n]
	b.text = append(b.text[:0], b.text[whole:]...)
	if err != nil || (b.ended && len(b.text) > 0) {
		b.lastErr = errBase64
	}
}

func dropSpace(r rune) rune {
	if r == ' ' || r == '\t' || r == '\r' {
		return -1
	}
	return r
}

// base64Line is how many octets one line of 76 characters carries (RFC 2045 6.8).
const base64Line = 57

// base64Writer writes base64 in lines of 76 characters that end with CR LF.
type base64Writer struct {
	w    io.Writer
	held []byte // less than a line
	out  []byte
}

func newBase64Writer(w io.Writer) *base64Writer {
	return &base64Writer{w: w, held: make([]byte, 0, base64Line)}
}

func (b *base64Writer) Write(p []byte) (int, error) {
	taken := len(p)
	b.out = b.out[:0]
	if len(b.held) > 0 {
		n := min(base64Line-len(b.held), len(p))
		b.held, p = append(b.held, p[:n]...), p[n:]
		if len(b.held) < base64Line {
			return taken, nil
		}
		b.line(b.held)
		b.held = b.held[:0]
	}
	for len(p) >= base64Line {
		b.line(p[:base64Line])
		p = p[base64Line:]
		if len(b.out) > bufferSize {
			if _, err := b.w.Write(b.out); err != nil {
				return 0, err
			}
			b.out = b.out[:0]
		}
	}
	b.held = append(b.held, p...)
	if len(b.out) == 0 {
		return taken, nil
	}
	if _, err := b.w.Write(b.out); err != nil {
		return 0, err
	}
	return taken, nil
}

func (b *base64Writer) line(data []byte) {
	b.out = base64.StdEncoding.AppendEncode(b.out, data)
	b.out = append(b.out, '\r', '\n')
}

// Close writes the last line. It does not close the writer beneath.
func (b *base64Writer) Close() error {
	if len(b.held) == 0 {
		return nil
	}
	b.out = b.out[:0]
	b.line(b.held)
	b.held = b.held[:0]
	_, err := b.w.Write(b.out)
	return err
}

// crlfReader gives its input with every line end as CR LF, the canonical form that is signed (RFC 8551 3.1.1). A
// bare carriage return is no line end and stays.
type crlfReader struct {
	r    *bufio.Reader
	held bool // the last octet was CR
	owed bool // a CR was given for a bare LF that is still to come
}

func newCRLFReader(r io.Reader) *crlfReader {
	return &crlfReader{r: bufio.NewReaderSize(r, bufferSize)}
}

func (c *crlfReader) Read(dst []byte) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	if _, err := c.r.Peek(1); err != nil {
		return 0, err
	}
	window, _ := c.r.Peek(c.r.Buffered())
	taken, n := 0, 0
	for taken < len(window) && n < len(dst) {
		rest := window[taken:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			k := copy(dst[n:], rest)
			taken, n = taken+k, n+k
			c.held = dst[n-1] == '\r'
			continue
		}
		k := copy(dst[n:], rest[:end])
		taken, n = taken+k, n+k
		if k > 0 {
			c.held = dst[n-1] == '\r'
		}
		if k < end || n == len(dst) {
			break
		}
		if !c.held && !c.owed {
			dst[n], c.owed = '\r', true
			n++
			continue // the LF itself in the next round, if there is room
		}
		dst[n], c.owed, c.held = '\n', false, false
		taken, n = taken+1, n+1
	}
	c.r.Discard(taken)
	return n, nil
}

// WriteTo hands whole buffers on where nothing has to change, which is the usual case.
func (c *crlfReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	var changed []byte
	for {
		if _, err := c.r.Peek(1); errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
		window, _ := c.r.Peek(c.r.Buffered())
		text := window
		if c.owed || hasBareLF(window, c.held) {
			if changed == nil {
				changed = make([]byte, bufferSize)
			}
			n, err := c.Read(changed)
			if err != nil {
				return total, err
			}
			text, window = changed[:n], nil
		} else {
			c.held = window[len(window)-1] == '\r'
		}
		n, err := w.Write(text)
		total += int64(n)
		if err != nil {
			return total, err
		}
		c.r.Discard(len(window))
	}
}

// hasBareLF reports whether a line ends without CR; held tells whether a CR stands before the text.
func hasBareLF(text []byte, held bool) bool {
	for at := 0; ; {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			return false
		}
		at += next
		if at == 0 && !held || at > 0 && text[at-1] != '\r' {
			return true
		}
		at++
	}
}

// crlfWriter is crlfReader for what is written.
type crlfWriter struct {
	w    io.Writer
	held bool
	out  []byte
}

func (c *crlfWriter) Write(p []byte) (int, error) {
	c.out = c.out[:0]
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			c.out = append(c.out, rest...)
			c.held = rest[len(rest)-1] == '\r'
			break
		}
		c.out = append(c.out, rest[:end]...)
		if end > 0 {
			c.held = rest[end-1] == '\r'
		}
		if !c.held {
			c.out = append(c.out, '\r')
		}
		c.out, c.held = append(c.out, '\n'), false
		rest = rest[end+1:]
	}
	if _, err := c.w.Write(c.out); err != nil {
		return 0, err
	}
	return len(p), nil
}
