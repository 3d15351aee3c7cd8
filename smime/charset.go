package smime

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// asLatin1 lets an encoded word of any charset be searched for addresses: octets become characters, since the ASCII
// part is the same in every charset that mail uses. UTF-7 is the exception and is refused; it exists only in attacks.
func asLatin1(charset string, r io.Reader) (io.Reader, error) {
	name := strings.ToLower(charset)
	if strings.Contains(name, "utf-7") || strings.Contains(name, "ebcdic") || strings.HasPrefix(name, "ibm") || strings.HasPrefix(name, "cp") && !strings.HasPrefix(name, "cp125") {
		return nil, fmt.Errorf("charset %q", charset)
	}
	octets, err := io.ReadAll(r) // a part of a header, which is bounded
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, octet := range octets {
		text.WriteRune(rune(octet))
	}
	return strings.NewReader(text.String()), nil
}

// utf8Checker tells whether a stream is UTF-8; a character may be cut between two pieces.
type utf8Checker struct {
	rest []byte
	bad  bool
}

func (u *utf8Checker) add(piece []byte) {
	if len(u.rest) > 0 {
		piece = append(u.rest, piece...)
		u.rest = nil
	}
	for end := max(0, len(piece)-utf8.UTFMax); end < len(piece); end++ {
		if utf8.RuneStart(piece[end]) && !utf8.FullRune(piece[end:]) {
			u.rest = append([]byte(nil), piece[end:]...)
			piece = piece[:end]
		}
	}
	u.bad = u.bad || !utf8.Valid(piece)
}

func (u *utf8Checker) valid() bool { return !u.bad && len(u.rest) == 0 }
