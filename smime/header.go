package smime

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"chancery.example/fault"
)

// Field is one header field as it came.
type Field struct {
	// Name is as written, without white space before the colon.
	Name string
	// raw is the whole field with its folds and line ends; only the input's last may lack the line end.
	raw []byte
	// value is where the value begins in raw, after the colon.
	value int
}

// Is reports whether the field has that name; case does not matter (RFC 5322 1.2.2).
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// Value is the unfolded value without white space around it (RFC 5322 2.2.3).
func (f Field) Value() string {
	value := f.raw[f.value:]
	if i := bytes.IndexAny(value, "\r\n"); i == len(bytes.TrimRight(value, "\r\n")) { // not folded: the usual case
		return strings.Trim(string(value), " \t\r\n")
	}
	unfolded := strings.NewReplacer("\r\n", "", "\n", "").Replace(string(value))
	return strings.Trim(unfolded, " \t\r\n")
}

// Header is the header block of a mail or a part, in its order.
type Header struct {
	Fields []Field
	// Malformed is true when readers may disagree about what the block says: a line that is no field, a NUL, a bare
	// carriage return. Such a mail is never valid.
	Malformed bool
	bare      bool   // there was no header at all, not even the empty line
	end       string // the empty line as it came; "" when the input ended before it
}

// Get is the value of the first field of that name, "" when there is none.
func (h *Header) Get(name string) string {
	for _, f := range h.Fields {
		if f.Is(name) {
			return f.Value()
		}
	}
	return ""
}

// All is the values of every field of that name, in order.
func (h *Header) All(name string) []string {
	var values []string
	for _, f := range h.Fields {
		if f.Is(name) {
			values = append(values, f.Value())
		}
	}
	return values
}

// isContent reports whether a field describes the entity and so belongs inside a signature or encryption
// (RFC 8551 3.1). MIME-Version describes the mail and stays outside.
func (f Field) isContent() bool {
	return len(f.Name) >= 8 && strings.EqualFold(f.Name[:8], "Content-")
}

// ReadHeader reads a header block up to and including the empty line that ends it. A reader that begins with
// something else than a field gets an empty Header and loses nothing. The error is a fault.TooLarge beyond the
// bounds, or one of reading.
func ReadHeader(r *bufio.Reader) (*Header, error) {
	h := &Header{}
	if !startsWithField(r) {
		h.bare = true
		return h, nil
	}
	for total := 0; ; {
		line, err := readLine(r, maxHeader-total)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		total += len(line)
		if len(bytes.TrimRight(line, "\r\n")) == 0 { // the empty line, or the end without one
			h.end = string(line)
			break
		}
		h.add(line)
		if len(h.Fields) > maxFields {
			return nil, tooLarge("mail.header-fields", "The mail has more than %d header fields.", maxFields)
		}
		if err != nil {
			break
		}
	}
	// Which of two a reader takes is anybody's guess.
	h.Malformed = h.Malformed || len(h.All("Content-Type")) > 1 || len(h.All("Content-Transfer-Encoding")) > 1
	return h, nil
}

// add takes one line, which begins a field, folds the last one, or is neither. The last is kept as a field without a
// name, so that nothing is lost when the block is written again.
func (h *Header) add(line []byte) {
	content := bytes.TrimRight(line, "\r\n")
	if bytes.IndexByte(content, 0) >= 0 || bytes.IndexByte(content, '\r') >= 0 {
		h.Malformed = true
	}
	if (line[0] == ' ' || line[0] == '\t') && len(h.Fields) > 0 {
		h.Malformed = h.Malformed || len(bytes.TrimSpace(content)) == 0 // some take it for the empty line
		last := &h.Fields[len(h.Fields)-1]
		last.raw = append(last.raw, line...)
		return
	}
	end := fieldName(content)
	if end < 0 {
		h.Malformed = true
		h.Fields = append(h.Fields, Field{raw: line})
		return
	}
	name := strings.TrimRight(string(content[:end]), " \t")
	// Some take white space before the colon for the end of the header, and then show a body of plain text.
	h.Malformed = h.Malformed || len(name) < end && strings.EqualFold(name, "Content-Type")
	h.Fields = append(h.Fields, Field{Name: name, raw: line, value: end + 1})
}

// fieldName returns where the colon after a field's name stands, -1 when the line does not begin a field. White space
// before the colon is obsolete syntax (RFC 5322 4.5.8) that some readers honour, so we have to see such fields.
func fieldName(line []byte) int {
	spaced := false
	for i, c := range line {
		switch {
		case c == ':':
			if i == 0 {
				return -1
			}
			return i
		case c == ' ' || c == '\t':
			if i == 0 {
				return -1
			}
			spaced = true
		case c < '!' || c > '~' || spaced:
			return -1
		}
	}
	return -1
}

// startsWithField tells a header block from bare content, which encrypted data may be.
func startsWithField(r *bufio.Reader) bool {
	start, _ := r.Peek(1024)
	if bytes.HasPrefix(start, []byte("\n")) || bytes.HasPrefix(start, []byte("\r\n")) {
		return true
	}
	return fieldName(start) > 0
}

// skipEnvelopeLine drops the "From " line that mailbox files put before a mail (RFC 4155).
func skipEnvelopeLine(r *bufio.Reader) error {
	start, _ := r.Peek(1024)
	end := bytes.IndexByte(start, '\n')
	if end < 0 || !bytes.HasPrefix(start, []byte("From ")) || fieldName(start) > 0 || fieldName(start[end+1:]) <= 0 {
		return nil
	}
	_, err := r.Discard(end + 1)
	return err
}

// readLine reads one line with its line end, or what is left before the end of the input together with io.EOF.
// The line is the caller's.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		chunk, err := r.ReadSlice('\n')
		if len(line)+len(chunk) > limit {
			return nil, tooLarge("mail.header", "A header of the mail is larger than %d KiB.", maxHeader>>10)
		}
		line = append(line, chunk...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func tooLarge(code, format string, args ...any) error {
	return fault.New(fault.TooLarge, code, format+" It is refused, because reading it could cost any amount.", args...)
}
