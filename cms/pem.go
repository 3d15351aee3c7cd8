package cms

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"strings"
)

const (
	pemBegin  = "-----BEGIN "
	pemDashes = "-----"
	// pemPreamble is how many bytes of text may stand before a PEM block.
	pemPreamble = 64 << 10
	pemLine     = 64 // characters: RFC 7468 2
)

// pemLabels are the labels of CMS messages: RFC 7468 8 and 9, and what old OpenSSL wrote.
var pemLabels = []string{"CMS", "PKCS7", "PKCS #7 SIGNED DATA"}

// PEMReader returns the bytes of the first CMS or PKCS7 block of a PEM stream (RFC 7468 8 and 9), or of the stream itself
// where there is none: so that PEM and DER can both be given wherever one is wanted. Text may stand before and after.
func PEMReader(r io.Reader) io.Reader {
	src := bufio.NewReaderSize(r, pemPreamble)
	if looksLikeContentInfo(src) {
		return src
	}
	start, _ := src.Peek(pemPreamble)
	for offset := 0; ; {
		i := bytes.Index(start[offset:], []byte(pemBegin))
		if i < 0 {
			return src
		}
		offset += i + len(pemBegin)
		line, _, complete := bytes.Cut(start[offset:], []byte("\n"))
		label := strings.TrimRight(string(line), " \t\r")
		for _, l := range pemLabels {
			if complete && label == l+pemDashes {
				src.Discard(offset + len(line) + 1)
				return base64.NewDecoder(base64.StdEncoding, &pemBody{src: src})
			}
		}
	}
}

// looksLikeContentInfo tells whether a stream begins with a SEQUENCE that begins with an OBJECT IDENTIFIER.
func looksLikeContentInfo(src *bufio.Reader) bool {
	start, _ := src.Peek(16)
	h, n, ok := memoryHeader(start)
	return ok && h.tag == tagSequence && h.constructed && len(start) > n && start[n] == byte(tagOID)
}

// pemBody passes on the base64 of a block without white space, up to the line that ends it.
type pemBody struct {
	src   *bufio.Reader
	ended bool
}

func (b *pemBody) Read(p []byte) (int, error) {
	for !b.ended {
		raw := p
		n, err := b.src.Read(raw)
		kept := 0
		for _, c := range raw[:n] {
			switch c {
			case ' ', '\t', '\r', '\n':
				continue
			case '-':
				b.ended = true
			}
			if b.ended {
				break
			}
			p[kept] = c
			kept++
		}
		if err == io.EOF && !b.ended {
			err = io.ErrUnexpectedEOF
		}
		if kept > 0 || err != nil && !b.ended {
			return kept, err
		}
	}
	return 0, io.EOF
}

// NewPEMWriter writes what is written to it as a PEM block with the label CMS: RFC 7468 9. Close ends the block and does
// not close out.
func NewPEMWriter(out io.Writer) io.WriteCloser {
	lines := &lineWriter{out: bufio.NewWriter(out)}
	lines.out.WriteString(pemBegin + pemLabels[0] + pemDashes + "\n")
	return &pemWriter{lines: lines, encoder: base64.NewEncoder(base64.StdEncoding, lines)}
}

type pemWriter struct {
	lines   *lineWriter
	encoder io.WriteCloser
}

func (w *pemWriter) Write(p []byte) (int, error) { return w.encoder.Write(p) }

func (w *pemWriter) Close() error {
	if err := w.encoder.Close(); err != nil {
		return err
	}
	if w.lines.column > 0 {
		w.lines.out.WriteByte('\n')
	}
	w.lines.out.WriteString("-----END " + pemLabels[0] + pemDashes + "\n")
	return w.lines.out.Flush()
}

// lineWriter breaks text into lines of pemLine characters.
type lineWriter struct {
	out    *bufio.Writer
	column int
}

func (l *lineWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(pemLine-l.column, len(p))
		if _, err := l.out.Write(p[:n]); err != nil {
			return 0, err
		}
		p = p[n:]
		if l.column += n; l.column == pemLine {
			l.out.WriteByte('\n')
			l.column = 0
		}
	}
	return total, nil
}
