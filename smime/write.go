package smime

import (
	"bytes"
	"io"

	"chancery.example/fault"
)

// mergeHeaders is the header of a mail after its encryption or signature was taken off: the fields of the mail
// without those that describe the wrapping, then those of what was inside. A field that the mail itself has stays as
// the mail has it, since that is what verdicts are about. A mail that had nothing of its own gives what was inside
// exactly as it was.
func mergeHeaders(outer, inner *Header) *Header {
	if outer == nil || outer == inner {
		return inner
	}
	if formOf(inner) == plainContent && protectionOf(inner) != "" {
		return mergeProtected(outer, inner)
	}
	merged := &Header{end: "\r\n"}
	for _, field := range outer.Fields {
		if !field.isContent() {
			merged.Fields = append(merged.Fields, field)
		}
	}
	if len(merged.Fields) == 0 || len(merged.Fields) == 1 && merged.Fields[0].Is("MIME-Version") {
		return inner
	}
	own := merged.Fields
	for _, field := range inner.Fields {
		if !hasField(own, field.Name) {
			merged.Fields = append(merged.Fields, field)
		}
	}
	for i := range merged.Fields {
		merged.Fields[i].raw = canonicalLines(merged.Fields[i].raw)
	}
	return merged
}

// canonicalLines gives every line of a field CR LF as its end, the last one too.
func canonicalLines(raw []byte) []byte {
	lines := bytes.ReplaceAll(bytes.TrimRight(raw, "\r\n"), []byte("\r\n"), []byte("\n"))
	return append(bytes.ReplaceAll(lines, []byte("\n"), []byte("\r\n")), '\r', '\n')
}

func hasField(fields []Field, name string) bool {
	for _, field := range fields {
		if field.Is(name) {
			return true
		}
	}
	return false
}

// writeHeader writes the fields as they came and the empty line. What was cut short, or was no header at all, stays so.
func writeHeader(w io.Writer, h *Header) error {
	for _, field := range h.Fields {
		if _, err := w.Write(field.raw); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, h.end)
	return err
}

// nothingOpened is the error of a mail that was to be decrypted and is not encrypted.
func (o *opener) nothingOpened() error {
	if o.out == nil || o.opts.Unwrap != Decrypted || o.encryptions > 0 {
		return nil
	}
	if o.partEncrypted {
		return fault.New(fault.Invalid, "mail.partly-encrypted",
			"Only a part of the mail is encrypted. It is not opened, because what stands around it could carry its text away.")
	}
	return fault.New(fault.Invalid, "mail.not-encrypted", "The mail is not encrypted; there is nothing to open.")
}
