package smime

import (
	"bufio"
	"bytes"
	"io"
)

// parts splits the body of a multipart (RFC 2046 5.1) as a stream and byte for byte: what a part's reader gives is
// exactly what stands between two boundaries, so that it can be hashed. Nesting is splitting a part again.
type parts struct {
	r     *bufio.Reader
	delim []byte // "--" and the boundary
	look  int    // how much of the input must be seen to recognise a delimiter line

	atStart bool // at the beginning of a part, where a delimiter needs no line end before it
	ended   bool // the current part is read to its end
	closed  bool // the closing delimiter was read
	short   bool // the input ended before it

	outside dashes // what stands before the first and behind the last delimiter
	begun   bool   // the preamble was read
}

// newParts begins before the first boundary. The boundary must not be empty.
func newParts(r io.Reader, boundary string) *parts {
	p := &parts{delim: []byte("--" + boundary), atStart: true}
	p.look = len(p.delim) + maxPadding + 6 // CR LF before; "--", CR LF after
	p.r = bufio.NewReaderSize(r, max(bufferSize, 2*p.look))
	return p
}

// Next goes to the next part, whatever is left of the current one. Its reader holds until the following Next. After
// the last part the error is io.EOF.
func (p *parts) Next() (io.Reader, error) {
	rest := io.Discard
	if !p.begun { // before the first part: the preamble
		p.begun, rest = true, &p.outside
	}
	if _, err := io.Copy(rest, partReader{p}); err != nil {
		return nil, err
	}
	if p.closed || p.short {
		return nil, io.EOF
	}
	p.ended, p.atStart = false, true
	return partReader{p}, nil
}

// partReader reads the current part.
type partReader struct{ p *parts }

func (r partReader) Read(dst []byte) (int, error) {
	p := r.p
	if p.ended {
		return 0, io.EOF
	}
	if len(dst) == 0 {
		return 0, nil
	}
	n, err := p.content()
	if n == 0 {
		return 0, err
	}
	n, _ = p.r.Read(dst[:min(n, len(dst))]) // buffered by content; it cannot fail
	p.atStart = false
	return n, nil
}

// content returns how many of the next buffered bytes surely belong to the current part. With none it has reached
// the part's end, or an error.
func (p *parts) content() (int, error) {
	window, err := p.r.Peek(p.look)
	atEnd := err == io.EOF
	if err != nil && !atEnd {
		return 0, err
	}
	if !atEnd {
		window, _ = p.r.Peek(p.r.Buffered())
	}
	if len(window) == 0 {
		p.ended, p.short = true, true
		return 0, io.EOF
	}
	// A delimiter may stand at the very beginning, behind its line end or at the start of a part without one.
	from := lineEnd(window)
	if from > 0 || p.atStart {
		if n, last := p.delimiter(window[from:]); n > 0 {
			_, err := p.r.Discard(from + n)
			p.ended, p.closed = true, last
			return 0, orEOF(err)
		}
	}
	next := bytes.Index(window[from:], []byte("\n--"))
	switch {
	case next >= 0:
		next += from
		if next > from && window[next-1] == '\r' {
			next--
		}
		return max(next, 1), nil // never 0: at 0 it would have been the line end before "from"
	case atEnd:
		return len(window), nil
	}
	return len(window) - 3, nil // the last three may be the beginning of CR LF "--"
}

// delimiter recognises a delimiter line at the beginning of text. It returns its length with its line end, 0 when
// there is none, and whether it is the closing one.
func (p *parts) delimiter(text []byte) (n int, last bool) {
	if !bytes.HasPrefix(text, p.delim) {
		return 0, false
	}
	n = len(p.delim)
	if bytes.HasPrefix(text[n:], []byte("--")) {
		n, last = n+2, true
	}
	for padding := 0; n < len(text) && (text[n] == ' ' || text[n] == '\t') && padding < maxPadding; padding++ {
		n++
	}
	if n == len(text) { // the input ends here: the look-ahead holds more than the longest delimiter line
		return n, last
	}
	if end := lineEnd(text[n:]); end > 0 {
		return n + end, last
	}
	return 0, false
}

// lineEnd is the length of the line end at the beginning of text: 2, 1 or 0.
func lineEnd(text []byte) int {
	switch {
	case len(text) > 0 && text[0] == '\n':
		return 1
	case len(text) > 1 && text[0] == '\r' && text[1] == '\n':
		return 2
	}
	return 0
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// drain reads what follows the closing delimiter, the epilogue.
func (p *parts) drain() error {
	p.outside.middle = false
	_, err := io.Copy(&p.outside, p.r)
	return err
}

// dashes looks for lines that begin as a delimiter does. Nobody is shown a preamble or an epilogue, but a reader that
// understands the boundary in another way (white space, comments, escapes, prefixes) may take such a line for one.
type dashes struct {
	seen   bool
	middle bool // of a line
	one    bool // the line began with one hyphen
}

func (d *dashes) Write(text []byte) (int, error) {
	for _, c := range text {
		switch {
		case c == '\n' || c == '\r':
			d.middle, d.one = false, false
			continue
		case c == '-' && d.one:
			d.seen = true
		}
		d.one = c == '-' && !d.middle
		d.middle = true
	}
	return len(text), nil
}
