package smime

import "strings"

// mediaType is a Content-Type or Content-Disposition: a value and its parameters, all names in lower case.
type mediaType struct {
	Type   string // "multipart/signed", "attachment"; in lower case
	Params map[string]string
	// Malformed is true when readers may disagree about it: a parameter twice, an unclosed quote.
	Malformed bool
}

// parseMediaType reads RFC 2045 5.1 as mail writes it, which is not always as the RFC says: mime.ParseMediaType
// refuses the unquoted boundaries and names of many senders, and a signature must not get lost by that.
func parseMediaType(value string) mediaType {
	m := mediaType{Params: map[string]string{}}
	rest := value
	m.Type, rest = cutOutside(rest)
	m.Type = strings.ToLower(strings.TrimSpace(stripComments(m.Type)))
	if i := strings.IndexAny(m.Type, " \t"); i >= 0 {
		m.Type, m.Malformed = m.Type[:i], true
	}
	for rest != "" {
		var item string
		item, rest = cutOutside(rest)
		name, text, found := strings.Cut(item, "=")
		name = strings.ToLower(strings.TrimSpace(stripComments(name)))
		if !found || name == "" {
			m.Malformed = m.Malformed || strings.TrimSpace(stripComments(item)) != ""
			continue
		}
		// RFC 2231 lets a parameter stand in other forms too, and readers differ in which one wins.
		m.Malformed = m.Malformed || strings.HasPrefix(name, "boundary*")
		text, ok := parameterValue(text)
		if _, twice := m.Params[name]; twice || !ok {
			m.Malformed = true
			continue // the first stays
		}
		m.Params[name] = text
	}
	return m
}

// cutOutside cuts at the first semicolon outside quotes and comments.
func cutOutside(text string) (item, rest string) {
	quoted, depth := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && (quoted || depth > 0):
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ';' && depth == 0:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// parameterValue reads the value of a parameter, quoted or bare. It is not ok when a quote is not closed or something
// follows it.
func parameterValue(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, `"`) {
		return strings.TrimSpace(stripComments(text)), true
	}
	var value strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
			if i < len(text) {
				value.WriteByte(text[i])
			}
		case '"':
			return value.String(), strings.TrimSpace(stripComments(text[i+1:])) == ""
		default:
			value.WriteByte(text[i])
		}
	}
	return value.String(), false
}

// stripComments drops (comments), which RFC 2045 5.1 allows between tokens.
func stripComments(text string) string {
	if !strings.Contains(text, "(") {
		return text
	}
	var kept strings.Builder
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			kept.WriteByte(c)
		}
	}
	return kept.String()
}

// contentType is the type of an entity; text/plain where none is given (RFC 2045 5.2).
func (h *Header) contentType() mediaType {
	values := h.All("Content-Type")
	if len(values) == 0 {
		return mediaType{Type: "text/plain", Params: map[string]string{}}
	}
	m := parseMediaType(values[0])
	m.Malformed = m.Malformed || len(values) > 1 || h.Malformed
	return m
}

// encoding is the Content-Transfer-Encoding in lower case; "7bit" where none is given (RFC 2045 6.1).
func (h *Header) encoding() string {
	value := strings.ToLower(strings.TrimSpace(stripComments(h.Get("Content-Transfer-Encoding"))))
	if value == "" {
		return "7bit"
	}
	return value
}
