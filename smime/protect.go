package smime

import (
	"bytes"
	"regexp"
	"strings"

	"chancery.example/fault"
)

// HeaderProtection says whether the fields of a mail also stand under its signature or encryption (RFC 9788). Received
// lines and other traces, and Bcc, never do.
type HeaderProtection uint8

const (
	// HeadersOutside leaves the fields outside, where anybody can change them.
	HeadersOutside HeaderProtection = iota
	// HeadersSigned copies them under the signature (hp="clear") of a mail that is not going to be encrypted.
	HeadersSigned
	// HeadersHidden copies them inside what is, or is going to be, encrypted (hp="cipher"), and leaves outside what
	// hcp_baseline of RFC 9788 3.2.1 does: the Subject as "[...]", no Comments and no Keywords.
	HeadersHidden
)

// outside is what RFC 9788 3.2.1 (hcp_baseline) leaves of a field outside of the encryption.
func outside(field Field) (value string, stays bool) {
	switch strings.ToLower(field.Name) {
	case "subject":
		return "[...]", true
	case "comments", "keywords":
		return "", false
	}
	return field.Value(), true
}

// isTrace reports whether a field was added on the way, or is not for everybody's eyes: it is not the author's word
// and so not protected. Bcc stays out by RFC 9788 11.4.
func isTrace(name string) bool {
	switch name = strings.ToLower(name); name {
	case "mime-version", "hp-outer", "bcc", "resent-bcc", "return-path", "received", "delivered-to", "x-original-to",
		"authentication-results", "received-spf", "dkim-signature", "":
		return true
	}
	return strings.HasPrefix(name, "arc-")
}

// protectFields are the fields outside and those of the content after protection (RFC 9788 5.2.1).
func protectFields(how HeaderProtection, outer []Field, inner *Header) ([]Field, error) {
	if how == HeadersOutside {
		return outer, nil
	}
	if formOf(inner) != plainContent {
		return nil, fault.New(fault.Invalid, "mail.headers-too-late",
			"The mail is signed or encrypted already, so that its header can no longer be protected; do that when it is signed first.")
	}
	var kept, copies, record []Field
	for _, field := range outer {
		switch {
		case field.Is("HP-Outer"): // whatever it claims, this is not the place
			continue
		case isTrace(field.Name):
			kept = append(kept, field)
			continue
		}
		copies = append(copies, foldedField(field.Name, field.Value()))
		if how == HeadersSigned {
			kept = append(kept, field)
			continue
		}
		value, stays := outside(field)
		if !stays {
			continue
		}
		if value != field.Value() {
			field = newField(field.Name, value)
		}
		kept = append(kept, field)
		record = append(record, foldedField("HP-Outer", field.Name+": "+value))
	}
	claim := `hp="clear"`
	if how == HeadersHidden {
		claim = `hp="cipher"`
	}
	content := append(copies, record...)
	for _, field := range withoutClaim(inner.Fields) {
		if field.Is("Content-Type") {
			field = withParameter(field, claim)
		}
		content = append(content, field)
	}
	if !hasField(content, "Content-Type") {
		content = append(content, newField("Content-Type", "text/plain; charset=us-ascii; "+claim))
	}
	inner.Fields = content
	return kept, nil
}

// withParameter adds a parameter to a Content-Type.
func withParameter(field Field, parameter string) Field {
	raw := bytes.TrimRight(field.raw, "; \t\r\n")
	raw = append(raw[:len(raw):len(raw)], ";\r\n "+parameter+"\r\n"...)
	return Field{Name: field.Name, raw: raw, value: field.value}
}

// protectionClaim is the parameter of a Content-Type that says that header fields are protected.
var protectionClaim = regexp.MustCompile(`(?i);\s*(hp|protected-headers)\s*=\s*("[^"]*"|[^;"\s]*)`)

// withoutClaim drops what earlier protection left in the header of content.
func withoutClaim(fields []Field) []Field {
	var kept []Field
	for _, field := range fields {
		if field.Is("HP-Outer") {
			continue
		}
		if field.Is("Content-Type") {
			if head, tail := field.raw[:field.value], field.raw[field.value:]; protectionClaim.Match(tail) {
				raw := append(bytes.Clone(head), protectionClaim.ReplaceAll(tail, nil)...)
				field = Field{Name: field.Name, raw: canonicalLines(raw), value: field.value}
			}
		}
		kept = append(kept, field)
	}
	return kept
}

// foldedLine is how long lines of a header become at most, where white space allows (RFC 5322 2.1.1).
const foldedLine = 76

// foldedField writes a field in short lines without white space at their ends: it has to pass relays under a signature.
func foldedField(name, value string) Field {
	text := name + ":"
	column := len(text)
	for value = strings.TrimSpace(value); value != ""; {
		blank := len(value) - len(strings.TrimLeft(value, " \t"))
		end := strings.IndexAny(value[blank:], " \t")
		if end < 0 {
			end = len(value) - blank
		}
		space, word := value[:blank], value[blank:blank+end]
		value = value[blank+end:]
		if space == "" {
			space = " "
		}
		if column > len(name)+1 && column+len(space)+len(word) > foldedLine {
			text, column = text+"\r\n", 0
		}
		text, column = text+space+word, column+len(space)+len(word)
	}
	return Field{Name: name, raw: []byte(text + "\r\n"), value: len(name) + 1}
}
