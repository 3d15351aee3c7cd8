// Package mailbox answers: is this a mail address, and the same one as that?
//
// An [Address] is one mailbox in the syntax of RFC 5321 4.1.2 as RFC 6531 3.3 extends it to UTF-8. It has exactly
// one spelling per mailbox as far as the standards let anybody but the receiving host decide that: the domain is
// kept in lower case and in A-labels (RFC 5890 2.3.2.1), needless quotes of the local part are gone, and the local
// part is in Unicode normalisation form C (RFC 6532 3.1). Addresses can therefore be compared with == and used as
// keys of a map.
//
// What Parse refuses although the grammar would allow it, and why:
//
//   - address literals such as user@[192.0.2.1]: no certificate can be issued for them (SBR 7.1.4.2.1), and a
//     host address is nobody's mailbox for long;
//   - domains of a single label, "localhost" included: nobody outside the local network can tell whose they are;
//   - a domain with a trailing dot, which SMTP does not know;
//   - invisible characters (Unicode categories Cc, Cf, Co, Z) in the local part, since two addresses that differ
//     only in them look the same to every reader;
//   - quoted local parts with control characters. Other quoted local parts are accepted.
package mailbox

import (
	"strings"
)

// Limits of an address, in octets of its UTF-8 form with the domain in A-labels.
const (
	MaxLocal   = 64  // RFC 5321 4.5.3.1.1
	MaxAddress = 254 // RFC 5321 4.5.3.1.3: a path of 256 without its angle brackets
	// maxInput bounds what Parse looks at. U-labels are at most four octets a character.
	maxInput = 4 * MaxAddress
)

// Address is one mailbox. The zero value is none; equal mailboxes are equal values.
type Address struct {
	local  string // as it is written before the @, quoted only where it must be
	domain string // lower case, A-labels
}

// Local is the part before the @ as it is written in a message: in quotes where its characters need them.
func (a Address) Local() string { return a.local }

// Domain is the part after the @ in lower-case A-labels: "xn--bcher-kva.example".
func (a Address) Domain() string { return a.domain }

// UnicodeDomain is the domain in U-labels, for display: "bücher.example".
func (a Address) UnicodeDomain() string {
	u, err := profile.ToUnicode(a.domain)
	if err != nil {
		return a.domain
	}
	return u
}

// String is the address as protocols and certificates carry it, with the domain in A-labels. It is empty for the
// zero value.
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	return a.local + "@" + a.domain
}

// Unicode is the address as a person reads it, with the domain in U-labels. It is empty for the zero value.
func (a Address) Unicode() string {
	if a.IsZero() {
		return ""
	}
	return a.local + "@" + a.UnicodeDomain()
}

// IsZero reports whether a is no address at all.
func (a Address) IsZero() bool { return a == Address{} }

// ASCII reports whether the local part is ASCII, so that the address fits an rfc822Name (RFC 5280 4.2.1.6) and
// needs no SMTPUTF8 on its way (RFC 6531). An address that is not fits a SmtpUTF8Mailbox (RFC 9598) only.
func (a Address) ASCII() bool {
	for i := 0; i < len(a.local); i++ {
		if a.local[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Equal reports whether a and b are the same mailbox: local parts octet by octet, since only the receiving host
// may fold them (RFC 5321 2.4), and domains without regard to case. It is the same as a == b.
func (a Address) Equal(b Address) bool { return a == b }

// EqualFold is Equal with the ASCII letters of the local parts compared without regard to case. It is meant for
// the comparison of a From field with a signer's certificate only: no host in use gives Alice@ and alice@ to
// different people, and senders write both. Letters outside ASCII are not folded.
func (a Address) EqualFold(b Address) bool {
	return a.domain == b.domain && lowerASCII(a.local) == lowerASCII(b.local)
}

// MarshalText gives [Address.String]; encoding/json and friends use it.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what Parse accepts. Empty text gives the zero Address.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// Fold is one name for all spellings of an address that most mail systems deliver to the same person: ASCII letters in lower
// case and without a "+tag". It is for counting, as of mails that a mailbox got; never for deciding whose a mailbox is.
func (a Address) Fold() string {
	local, _, _ := strings.Cut(lowerASCII(a.local), "+")
	return local + "@" + a.domain
}
