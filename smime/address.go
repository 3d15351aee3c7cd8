package smime

import (
	"mime"
	"regexp"
	"strings"
	"unicode"

	"chancery.example/mailbox"
	"golang.org/x/text/unicode/norm"
)

// namedAddress is one mailbox of an address field (RFC 5322 3.4).
type namedAddress struct {
	// Display is what a reader may see beside or in place of the address: the display name and all comments, decoded.
	Display string
	// Address is the addr-spec as it is written.
	Address string
}

// parseAddresses reads the value of From or Sender. It is not ok for anything on which readers could disagree, obsolete
// syntax and groups included: whoever checks a signer has to know for sure whose name is shown.
func parseAddresses(value string) (list []namedAddress, ok bool) {
	s := addressScanner{rest: value}
	for {
		one, ok := s.address()
		if !ok || len(list) == maxMailboxes {
			return list, false
		}
		list = append(list, one)
		switch s.peek() {
		case 0:
			return list, true
		case ',':
			s.rest = s.rest[1:]
		default:
			return list, false
		}
	}
}

// addressScanner reads the tokens of RFC 5322 3.2 from the front of rest.
type addressScanner struct {
	rest     string
	comments []string
	broken   bool // a comment or quote that is not closed
}

// address reads one mailbox: "word word <addr-spec>" or a bare addr-spec.
func (s *addressScanner) address() (namedAddress, bool) {
	s.comments = nil
	var words []string
	for {
		switch c := s.peek(); {
		case s.broken:
			return namedAddress{}, false
		case c == '<':
			s.rest = s.rest[1:]
			spec, ok := s.spec("")
			if !ok || s.peek() != '>' {
				return namedAddress{}, false
			}
			s.rest = s.rest[1:]
			s.peek() // comments behind it belong to the name
			one := namedAddress{Display: s.display(words), Address: spec}
			return one, !s.broken
		case c == '"' || c == '.' || isAtomText(c):
			before := len(s.rest)
			word := s.word()
			if len(words) == 0 && strings.HasPrefix(s.rest, "@") {
				spec, ok := s.spec(word)
				s.peek()
				one := namedAddress{Display: s.display(nil), Address: spec}
				return one, ok && !s.broken
			}
			if len(s.rest) == before {
				return namedAddress{}, false
			}
			words = append(words, word)
		default:
			return namedAddress{}, false
		}
	}
}

// spec reads local-part "@" domain; the local part may have been read already. White space and comments inside it are
// obsolete syntax and refused, as are address literals, source routes and encoded words, which RFC 2047 5 forbids
// there because some readers decode them.
func (s *addressScanner) spec(local string) (string, bool) {
	if local == "" {
		s.rest = strings.TrimLeft(s.rest, " \t")
		local = s.word()
	}
	if local == "" || s.broken || strings.Contains(local, "=?") || !strings.HasPrefix(s.rest, "@") {
		return "", false
	}
	s.rest = s.rest[1:]
	end := 0
	for end < len(s.rest) && (s.rest[end] == '.' || isAtomText(s.rest[end])) {
		end++
	}
	domain := s.rest[:end]
	s.rest = s.rest[end:]
	if domain == "" || strings.Contains(domain, "=?") {
		return "", false
	}
	return local + "@" + domain, true
}

// word reads a quoted string with its quotes, or a run of atom characters and dots.
func (s *addressScanner) word() string {
	if strings.HasPrefix(s.rest, `"`) {
		for i := 1; i < len(s.rest); i++ {
			switch s.rest[i] {
			case '\\':
				i++
			case '"':
				word := s.rest[:i+1]
				s.rest = s.rest[i+1:]
				return word
			}
		}
		s.broken = true
		return ""
	}
	end := 0
	for end < len(s.rest) && (s.rest[end] == '.' || isAtomText(s.rest[end])) {
		end++
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return word
}

// peek skips white space and comments and returns the next octet, 0 at the end.
func (s *addressScanner) peek() byte {
	for {
		s.rest = strings.TrimLeft(s.rest, " \t")
		if s.rest == "" {
			return 0
		}
		if s.rest[0] == 0 { // not to be taken for the end
			s.broken = true
			return 1
		}
		if s.rest[0] != '(' {
			return s.rest[0]
		}
		end, depth := -1, 0
		for i := 0; i < len(s.rest) && end < 0; i++ {
			switch s.rest[i] {
			case '\\':
				i++
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 {
					end = i
				}
			}
		}
		if end < 0 {
			s.broken = true
			return 1
		}
		s.comments = append(s.comments, s.rest[1:end])
		s.rest = s.rest[end+1:]
	}
}

// display joins the words of a name and the comments, with quotes undone and encoded words decoded, as readers do.
func (s *addressScanner) display(words []string) string {
	var shown []string
	for _, word := range words {
		if strings.HasPrefix(word, `"`) {
			word = unquote(word)
		}
		shown = append(shown, word)
	}
	shown = append(shown, s.comments...)
	text := strings.Join(shown, " ")
	decoder := mime.WordDecoder{CharsetReader: asLatin1}
	decoded, err := decoder.DecodeHeader(text)
	if err != nil || undecoded.MatchString(decoded) { // a charset that hides what it says, base64 that others still decode
		s.broken = true
	}
	return decoded
}

// undecoded is an encoded word in base64 that is damaged; mail programs decode it all the same.
var undecoded = regexp.MustCompile(`=\?[^? ]+\?[bB]\?[^? ]*\?=`)

// unquote undoes a quoted string of RFC 5322 3.2.4.
func unquote(word string) string {
	var text strings.Builder
	for i := 1; i < len(word)-1; i++ {
		if word[i] == '\\' && i+1 < len(word)-1 {
			i++
		}
		text.WriteByte(word[i])
	}
	return text.String()
}

// isAtomText is RFC 5322 3.2.3 with RFC 6532 3.2: UTF-8 is part of atoms.
func isAtomText(c byte) bool {
	return c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// sameMailbox compares an address of a field with one of a certificate or another field. Addresses that the mailbox
// package refuses (those at localhost, say) are compared as text.
func sameMailbox(a, b string) bool {
	left, errLeft := mailbox.Parse(a)
	right, errRight := mailbox.Parse(b)
	if errLeft == nil && errRight == nil {
		return left.EqualFold(right)
	}
	return errLeft != nil && errRight != nil && a != "" && strings.EqualFold(a, b) && isASCII(a) && isASCII(b)
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}

// aroundAt is what may stand around an at sign to break an address up that a person still reads as one.
var aroundAt = regexp.MustCompile(`[\s"']*@[\s"']*`)

// foreignAddress returns an address in a display name that is not the given one, "" when there is none. Look-alikes of
// the at sign and invisible characters are undone first, as an attacker would use them.
func foreignAddress(display, address string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r) || r == 0:
			return -1
		case r == '。' || r == '｡': // dots of IDNA (RFC 3490 3.1)
			return '.'
		}
		return r
	}, norm.NFKC.String(display))
	plain = aroundAt.ReplaceAllString(plain, "@")
	separator := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`<>()[]",;:'`, r)
	}
	for _, word := range strings.FieldsFunc(plain, separator) {
		local, domain, found := strings.Cut(word, "@")
		domain = strings.TrimRight(domain, ".!?")
		if !found || local == "" || !strings.Contains(domain, ".") {
			continue
		}
		if candidate := local + "@" + domain; !sameMailbox(candidate, address) {
			return candidate
		}
	}
	return ""
}
