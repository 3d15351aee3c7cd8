package smime

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
)

// Signed content must pass every relay unaltered: only 7-bit octets, lines of at most 998, no white space at their
// ends, no "From " at their beginnings, no bare carriage returns (RFC 8551 3.1.2, 3.1.3; RFC 1847 2.1). What is not
// so is transfer-encoded before it is signed. Which leaf of a multipart needs that can only be told at the leaf's end,
// but has to be said in its header: so the mail is read twice, first to survey it and then to write it.

// survey is what the first reading found.
type survey struct {
	leaves  []leaf // in the order of the mail
	rewrite bool   // something has to be encoded; else the body is copied as it is
}

// leaf is what one part that is no multipart needs.
type leaf struct {
	unsafe bool // some octet could be altered on the way
	binary bool // no text: bare carriage returns, NULs, or declared so
	octets int64
	eight  int64 // octets beyond ASCII
	utf8   bool  // and they are UTF-8
}

// maxLine is RFC 5322 2.1.1.
const maxLine = 998

// walker goes through the leaves of an entity in order; the same way when surveying and when writing.
type walker struct {
	found   survey
	writing bool
	next    int // the next leaf when writing
	parts   int
}

// surveyEntity reads an entity's body to its end.
func surveyEntity(h *Header, body *bufio.Reader) (survey, error) {
	w := &walker{}
	err := w.walk(h, body, nil, 0)
	return w.found, err
}

// writeSafe writes an entity as the survey says: header, empty line and body.
func writeSafe(out io.Writer, h *Header, body *bufio.Reader, found survey) error {
	if !found.rewrite {
		if err := writeEntityHeader(out, h.Fields); err != nil {
			return err
		}
		_, err := io.Copy(out, newCRLFReader(body))
		return err
	}
	w := &walker{found: found, writing: true}
	return w.walk(h, body, out, 0)
}

// walk surveys, or writes, one entity with its header.
func (w *walker) walk(h *Header, body *bufio.Reader, out io.Writer, depth int) error {
	ct := h.contentType()
	boundary := ct.Params["boundary"]
	wide := h.encoding() == "8bit" || h.encoding() == "binary"
	identity := wide || h.encoding() == "7bit"
	if wide && !w.writing { // the label alone makes relays convert (RFC 6152 3)
		w.found.rewrite = true
	}
	switch {
	case depth >= maxNesting:
		return tooLarge("mail.nesting", "The mail has parts in parts deeper than %d.", maxNesting)
	case ct.Type == "multipart/signed" || !identity:
		// Encoded already, or signed by somebody whose signature must stay whole.
	case strings.HasPrefix(ct.Type, "multipart/") && boundary != "" && len(boundary) <= maxBoundary:
		return w.multipart(h, body, boundary, out, depth)
	case ct.Type == "message/rfc822" || ct.Type == "message/global":
		if w.writing {
			if err := writeEntityHeader(out, withEncoding(h, "7bit")); err != nil {
				return err
			}
		}
		inner, err := ReadHeader(body)
		if err != nil {
			return err
		}
		return w.walk(inner, body, out, depth+1)
	default:
		return w.leaf(h, body, out)
	}
	if !w.writing {
		return drain(body)
	}
	if err := writeEntityHeader(out, h.Fields); err != nil {
		return err
	}
	_, err := io.Copy(out, newCRLFReader(body))
	return err
}

// multipart goes through the parts. A preamble or epilogue is not kept when something has to be encoded anyway: no
// reader shows them.
func (w *walker) multipart(h *Header, body *bufio.Reader, boundary string, out io.Writer, depth int) error {
	if w.writing {
		if err := writeEntityHeader(out, withEncoding(h, "7bit")); err != nil {
			return err
		}
	}
	split := newParts(body, boundary)
	for {
		part, err := split.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if w.parts++; w.parts > maxParts {
			return tooLarge("mail.parts", "The mail has more than %d parts.", maxParts)
		}
		if w.writing {
			if _, err := io.WriteString(out, "--"+boundary+"\r\n"); err != nil {
				return err
			}
		}
		inner := bufio.NewReaderSize(part, bufferSize)
		partHeader, err := ReadHeader(inner)
		if err != nil {
			return err
		}
		if err := w.walk(partHeader, inner, out, depth+1); err != nil {
			return err
		}
		if w.writing {
			if _, err := io.WriteString(out, "\r\n"); err != nil {
				return err
			}
		}
	}
	if w.writing {
		if _, err := io.WriteString(out, "--"+boundary+"--\r\n"); err != nil {
			return err
		}
	}
	return drain(body)
}

// leaf surveys or writes what has no parts.
func (w *walker) leaf(h *Header, body *bufio.Reader, out io.Writer) error {
	if !w.writing {
		found, err := inspectLines(body)
		found.binary = found.binary || h.encoding() == "binary"
		found.unsafe = found.unsafe || found.binary
		w.found.leaves = append(w.found.leaves, found)
		w.found.rewrite = w.found.rewrite || found.unsafe
		return err
	}
	var found leaf
	if w.next < len(w.found.leaves) {
		found = w.found.leaves[w.next]
		w.next++
	}
	text := strings.HasPrefix(h.contentType().Type, "text/") && !found.binary
	var err error
	switch {
	case !found.unsafe:
		if err = writeEntityHeader(out, withEncoding(h, "7bit")); err == nil {
			_, err = io.Copy(out, newCRLFReader(body))
		}
	case text && found.eight*4 < found.octets: // readable as it is, and shorter than base64
		if err = writeEntityHeader(out, withEncoding(h, "quoted-printable")); err == nil {
			err = copyQuotedPrintable(out, newCRLFReader(body))
		}
	default:
		err = w.base64(h, body, out, text)
	}
	return err
}

func (w *walker) base64(h *Header, body *bufio.Reader, out io.Writer, text bool) error {
	if err := writeEntityHeader(out, withEncoding(h, "base64")); err != nil {
		return err
	}
	var in io.Reader = body
	if text {
		in = newCRLFReader(body)
	}
	encoder := newBase64Writer(out)
	if _, err := io.Copy(encoder, in); err != nil {
		return err
	}
	return encoder.Close()
}

// inspectLines surveys a leaf.
func inspectLines(r *bufio.Reader) (leaf, error) {
	found := leaf{utf8: true}
	var checker utf8Checker
	for length := 0; ; { // octets of the line so far; lines may come in pieces
		line, err := r.ReadSlice('\n')
		found.octets += int64(len(line))
		for _, c := range line {
			if c >= 0x80 {
				found.eight++
			}
		}
		checker.add(line)
		content := line
		if n := len(line); n > 0 && line[n-1] == '\n' {
			content = bytes.TrimSuffix(line[:n-1], []byte("\r"))
		}
		if bytes.IndexByte(content, 0) >= 0 || bytes.IndexByte(content, '\r') >= 0 {
			found.binary = true
		}
		last := len(content) - 1
		if length == 0 && bytes.HasPrefix(content, []byte("From ")) || length+len(content) > maxLine ||
			last >= 0 && (content[last] == ' ' || content[last] == '\t') {
			found.unsafe = true
		}
		length += len(content)
		if len(line) > 0 && line[len(line)-1] == '\n' {
			length = 0
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			found.utf8 = checker.valid()
			found.unsafe = found.unsafe || found.eight > 0 || found.binary
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return found, err
		}
	}
}

// copyQuotedPrintable encodes text with canonical line ends (RFC 2045 6.7). Beyond what the RFC demands it encodes
// what relays or splitters could take for something else at the beginning of a line: "From ", a dot, a dash.
func copyQuotedPrintable(out io.Writer, in io.Reader) error {
	r := bufio.NewReaderSize(in, bufferSize)
	var line []byte
	column := 0
	put := func(c byte, literal bool) {
		if column == 0 && (c == '.' || c == '-' || c == 'F') {
			literal = false
		}
		width := 1
		if !literal {
			width = 3
		}
		if column+width > 75 { // one column is for the soft break
			line = append(line, '=', '\r', '\n')
			column = 0
			if c == '.' || c == '-' || c == 'F' {
				literal, width = false, 3
			}
		}
		if literal {
			line = append(line, c)
		} else {
			line = append(line, '=', upperHex[c>>4], upperHex[c&15])
		}
		column += width
	}
	for {
		piece, err := r.ReadSlice('\n')
		content, ended := bytes.CutSuffix(piece, []byte("\r\n"))
		line = line[:0]
		for i, c := range content {
			blank := c == ' ' || c == '\t'
			put(c, c != '=' && c >= '!' && c <= '~' || blank && i < len(content)-1)
		}
		if ended {
			line, column = append(line, '\r', '\n'), 0
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

const upperHex = "0123456789ABCDEF"

// withEncoding is the fields of a header with another Content-Transfer-Encoding; "7bit" is left unsaid.
func withEncoding(h *Header, encoding string) []Field {
	var fields []Field
	for _, field := range h.Fields {
		if !field.Is("Content-Transfer-Encoding") {
			fields = append(fields, field)
		}
	}
	if encoding == "7bit" {
		return fields
	}
	return append(fields, newField("Content-Transfer-Encoding", encoding))
}

func newField(name, value string) Field {
	return Field{Name: name, raw: []byte(name + ": " + value + "\r\n"), value: len(name) + 1}
}

// writeEntityHeader writes fields with canonical line ends, and the empty line.
func writeEntityHeader(out io.Writer, fields []Field) error {
	for _, field := range fields {
		if _, err := out.Write(canonicalLines(field.raw)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, "\r\n")
	return err
}

// newBoundary makes a boundary that no text can contain but by a chance of 2^-128: it is made after the text is there.
func newBoundary() string { return "=_" + rand.Text() }
