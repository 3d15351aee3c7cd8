package smime

import (
	"bufio"
	"bytes"
	"errors"
	"html"
	"io"
	"mime"
	"strings"
)

// A legacy display element repeats the fields that are hidden outside at the top of the text, so that programs that
// open the mail and do not know RFC 9788 show them; those that do take it away (RFC 9788 5.2.2, 5.2.3).

// maxTag is how far into a text of HTML its body element is looked for, in octets.
const maxTag = 64 << 10

// withLegacyDisplay is a mail with its hidden fields repeated in each main part of its body. Close ends the work.
func withLegacyDisplay(mail io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeLegacyDisplay(w, mail)) }()
	return r
}

func writeLegacyDisplay(w io.Writer, mail io.Reader) error {
	body := bufio.NewReaderSize(mail, bufferSize)
	if err := skipEnvelopeLine(body); err != nil {
		return err
	}
	h, err := ReadHeader(body)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, bufferSize)
	subject := plainSpace(h.Get("Subject"))
	decoder := mime.WordDecoder{CharsetReader: asLatin1}
	if decoded, err := decoder.DecodeHeader(subject); err == nil {
		subject = plainSpace(decoded)
	}
	if h.Malformed || h.bare || subject == "" {
		err = writeHeader(out, h)
	} else {
		d := &displayer{text: "Subject: " + subject}
		return errors.Join(d.entity(out, h, body, 0), out.Flush())
	}
	if err == nil {
		_, err = io.Copy(out, body)
	}
	return errors.Join(err, out.Flush())
}

// displayer writes entities with the element where it belongs.
type displayer struct{ text string }

// entity writes a main part of the body, or what holds main parts: the first part of a multipart, and every part of an
// alternative (RFC 9787 7.1).
func (d *displayer) entity(out io.Writer, h *Header, body *bufio.Reader, depth int) error {
	ct := h.contentType()
	boundary := ct.Params["boundary"]
	attached := parseMediaType(h.Get("Content-Disposition")).Type == "attachment"
	isText := (ct.Type == "text/plain" || ct.Type == "text/html") && !attached && ct.Params["hp-legacy-display"] == "" && d.fits(ct)
	if isText && isTransferEncoding(h.encoding()) {
		return d.leaf(out, h, body)
	}
	isMultipart := strings.HasPrefix(ct.Type, "multipart/") && ct.Type != "multipart/signed" && boundary != "" && len(boundary) <= maxBoundary
	if !isMultipart || depth >= maxNesting {
		if err := writeHeader(out, h); err != nil {
			return err
		}
		_, err := io.Copy(out, body)
		return err
	}
	if err := writeHeader(out, h); err != nil {
		return err
	}
	split := newParts(body, boundary)
	for number := 0; ; number++ {
		part, err := split.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.WriteString(out, "--"+boundary+"--\r\n")
			return errors.Join(err, drain(body))
		}
		if err != nil {
			return err
		}
		if _, err := io.WriteString(out, "--"+boundary+"\r\n"); err != nil {
			return err
		}
		inner := bufio.NewReaderSize(part, bufferSize)
		if number == 0 || ct.Type == "multipart/alternative" {
			partHeader, err := ReadHeader(inner)
			if err != nil {
				return err
			}
			if err := d.entity(out, partHeader, inner, depth+1); err != nil {
				return err
			}
		} else if _, err := io.Copy(out, inner); err != nil {
			return err
		}
		if _, err := io.WriteString(out, "\r\n"); err != nil {
			return err
		}
	}
}

// fits reports whether a part can say the text in its own charset.
func (d *displayer) fits(ct mediaType) bool {
	charset := strings.ToLower(ct.Params["charset"])
	return charset == "utf-8" || isASCII(d.text) && !strings.HasPrefix(charset, "utf-")
}

func isTransferEncoding(name string) bool {
	switch name {
	case "7bit", "8bit", "binary", "base64", "quoted-printable":
		return true
	}
	return false
}

// leaf writes one text with the element on top, in the encoding that it has.
func (d *displayer) leaf(out io.Writer, h *Header, body *bufio.Reader) error {
	ct := h.contentType()
	encoding := h.encoding()
	if encoding == "7bit" && !isASCII(d.text) {
		encoding = "8bit"
	}
	var fields []Field
	for _, field := range withEncoding(h, encoding) {
		if field.Is("Content-Type") {
			field = withParameter(field, `hp-legacy-display="1"`)
		}
		fields = append(fields, field)
	}
	if !hasField(fields, "Content-Type") {
		fields = append(fields, newField("Content-Type", `text/plain; charset=us-ascii; hp-legacy-display="1"`))
	}
	if err := writeEntityHeader(out, fields); err != nil {
		return err
	}
	raw, err := decodeTransfer(h.encoding(), body)
	if err != nil {
		return err
	}
	text := io.MultiReader(strings.NewReader(d.text+"\r\n\r\n"), raw)
	if ct.Type == "text/html" {
		text = d.inHTML(raw)
	}
	switch encoding {
	case "base64":
		encoder := newBase64Writer(out)
		if _, err := io.Copy(encoder, text); err != nil {
			return err
		}
		return encoder.Close()
	case "quoted-printable":
		return copyQuotedPrintable(out, newCRLFReader(text))
	}
	_, err = io.Copy(out, text)
	return err
}

// inHTML puts the element behind the tag that begins the body, or on top where there is none (RFC 9788 5.2.3.1).
func (d *displayer) inHTML(r io.Reader) io.Reader {
	in := bufio.NewReaderSize(r, maxTag)
	start, _ := in.Peek(maxTag)
	at := 0
	if tag := bytes.Index(bytes.ToLower(start), []byte("<body")); tag >= 0 {
		if end := bytes.IndexByte(start[tag:], '>'); end >= 0 {
			at = tag + end + 1
		}
	}
	element := "\r\n<div class=\"header-protection-legacy-display\">\r\n<pre>" + html.EscapeString(d.text) + "</pre>\r\n</div>\r\n"
	return io.MultiReader(io.LimitReader(in, int64(at)), strings.NewReader(element), in)
}
