package mailbox

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"chancery.example/fault"
)

// profile is the look-up profile of UTS 46 without transitional mappings (so that "ß" stays), with the rules of
// RFC 5893 for right-to-left labels and letters, digits and hyphens only. Hyphens are checked by our own hand
// since old ASCII names with "--" in the third place exist (RFC 5891 4.2.3.1 is meant for new registrations).
var profile = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.BidiRule(),
	idna.CheckJoiners(true),
	idna.ValidateLabels(true),
	idna.StrictDomainName(true),
	idna.VerifyDNSLength(true),
	idna.CheckHyphens(false), // after ValidateLabels, which turns it on
)

// Parse reads one bare address as a person types it. White space around it is dropped; display names, angle
// brackets, comments and lists are refused. Every refusal is a fault.Invalid whose code begins with "mailbox." and
// whose sentence says what to do.
func Parse(text string) (Address, error) {
	s := strings.TrimSpace(text)
	if s == "" {
		return Address{}, invalid("empty", "Please enter a mail address, such as alice@example.com.")
	}
	if len(s) > maxInput {
		return Address{}, tooLong()
	}
	if !utf8.ValidString(s) {
		return Address{}, invalid("not-utf8", "This mail address is not valid Unicode text. Please type it again.")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return Address{}, invalid("control-character",
				"The mail address contains a line break or another control character. Please type it again by hand.")
		}
	}
	local, domain, err := split(s)
	if err != nil {
		return Address{}, err
	}
	if local, err = parseLocal(local); err != nil {
		return Address{}, err
	}
	if domain, err = parseDomain(domain); err != nil {
		return Address{}, err
	}
	a := Address{local: local, domain: domain}
	if len(a.local)+1+len(a.domain) > MaxAddress {
		return Address{}, tooLong()
	}
	return a, nil
}

func invalid(code, format string, args ...any) error {
	return fault.New(fault.Invalid, "mailbox."+code, format, args...)
}

func tooLong() error {
	return invalid("too-long", "This mail address is longer than the %d characters that mail systems carry. "+
		"Please check that nothing else was pasted with it.", MaxAddress)
}

// split finds the one @ that parts local part and domain, and says of the usual other things what they are.
func split(s string) (local, domain string, err error) {
	var end int
	if s[0] == '"' {
		end = quotedEnd(s)
		if end > 0 && (end == len(s) || s[end] != '@') {
			end = -1 // "Alice" <alice@example.com>, or a quote that never ends
		}
		if end < 0 {
			if strings.ContainsAny(s, "<>") {
				return "", "", displayName()
			}
			return "", "", invalid("local-invalid", "The quoted part of the mail address must end in a quote right before the @.")
		}
	} else {
		if strings.ContainsAny(s, "<>") {
			return "", "", displayName()
		}
		end = strings.IndexByte(s, '@')
		if end < 0 {
			return "", "", invalid("no-at", "This is not a mail address: the @ is missing. Please write it like alice@example.com.")
		}
	}
	local, domain = s[:end], s[end+1:]
	if strings.ContainsAny(domain, "@") && strings.ContainsAny(s, ",; \t") || strings.ContainsAny(domain, ",;") {
		return "", "", invalid("list", "Please enter one mail address only, not a list.")
	}
	if strings.ContainsAny(domain, "@") {
		return "", "", invalid("two-ats", "This mail address has more than one @. Please check it.")
	}
	return local, domain, nil
}

func displayName() error {
	return invalid("display-name", "Please enter the mail address alone, without a name and without angle brackets.")
}

// quotedEnd returns the index after the closing quote of the quoted string that s begins with, or -1.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// parseLocal checks a dot-string or quoted string (RFC 5321 4.1.2, RFC 6531 3.3) and gives its one spelling.
func parseLocal(s string) (string, error) {
	if s == "" {
		return "", invalid("local-empty", "The part before the @ is missing. Please write the whole address, such as alice@example.com.")
	}
	content := s
	quoted := s[0] == '"'
	if quoted {
		content = unquote(s[1 : len(s)-1])
	}
	if content = norm.NFC.String(content); content == "" { // the grammar allows "", no mail system delivers to it
		return "", invalid("local-empty", "The part before the @ is empty. Please write the whole address, such as alice@example.com.")
	}
	for _, r := range content {
		if r >= utf8.RuneSelf && (r == utf8.RuneError || unicode.In(r, unicode.Cf, unicode.Co, unicode.Z, unicode.Noncharacter_Code_Point)) {
			return "", invalid("local-invisible",
				"The part before the @ contains the invisible or undefined character U+%04X. Please type it again by hand.", r)
		}
	}
	switch {
	case isDotString(content):
		s = content
	case quoted:
		s = quote(content)
	default:
		return "", localFault(content)
	}
	if len(s) > MaxLocal {
		return "", invalid("local-too-long", "The part before the @ is %d characters long; mail systems carry %d at most. "+
			"Please check the address.", len(s), MaxLocal)
	}
	return s, nil
}

// localFault says why an unquoted local part is none.
func localFault(s string) error {
	if strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return invalid("local-dots", "The part before the @ may not begin or end with a dot, nor have two dots in a row.")
	}
	if strings.ContainsAny(s, ",;") {
		return invalid("list", "Please enter one mail address only, not a list.")
	}
	for _, r := range s {
		if r == ' ' {
			return invalid("local-invalid", "The part before the @ contains a space. Please remove it.")
		}
		if !isAtext(r) && r != '.' {
			return invalid("local-invalid", "The part before the @ may not contain the character %q.", string(r))
		}
	}
	return invalid("local-invalid", "The part before the @ is not valid.")
}

func isDotString(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if !isAtext(r) {
				return false
			}
		}
	}
	return true
}

// isAtext is atext of RFC 5322 3.2.3 with UTF8-non-ascii of RFC 6532 3.1.
func isAtext(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r >= utf8.RuneSelf:
		return true
	}
	return strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// parseDomain gives the domain in lower-case A-labels.
func parseDomain(s string) (string, error) {
	switch {
	case s == "":
		return "", invalid("domain-empty", "The part after the @ is missing. Please write the whole address, such as alice@example.com.")
	case strings.HasPrefix(s, "["):
		return "", addressLiteral()
	case strings.ContainsFunc(s, unicode.IsSpace):
		return "", invalid("domain-invalid", "The part after the @ contains a space. Please enter one mail address only.")
	}
	ascii, err := profile.ToASCII(s)
	if err != nil {
		return "", domainFault(s, err)
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if label == "" {
			return "", emptyLabel()
		}
		if label[0] == '-' || label[len(label)-1] == '-' {
			return "", invalid("domain-invalid", "In the part after the @, %q may not begin or end with a hyphen.", label)
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", addressLiteral()
	}
	if len(labels) < 2 {
		return "", invalid("domain-single-label", "The part after the @ must be a full domain with a dot, such as example.com.")
	}
	return ascii, nil
}

func addressLiteral() error {
	return invalid("address-literal", "Addresses at a numeric host cannot have a certificate. "+
		"Please use an address at a domain, such as alice@example.com.")
}

func emptyLabel() error {
	return invalid("domain-empty-label", "The part after the @ may not begin or end with a dot, nor have two dots in a row.")
}

// domainFault finds the plainest true sentence for a domain that the profile refused.
func domainFault(s string, cause error) error {
	if strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return emptyLabel()
	}
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 || strings.Contains(strings.ToLower(s), "xn--") {
		return fault.Wrap(cause, fault.Invalid, "mailbox.idn-invalid",
			"The part after the @ is not a valid internationalised domain name. Please check its spelling.")
	}
	return fault.Wrap(cause, fault.Invalid, "mailbox.domain-invalid",
		"The part after the @ is not a valid domain name: letters, digits and hyphens, parted by dots, "+
			"at most 63 characters between two dots.")
}
