package lint

import (
	"encoding/asn1"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"chancery.example/ca/profile"
)

// presence is what one cell of the matrix says, for Multipurpose and Strict, which differ nowhere that matters here but
// in street and postal code.
type presence uint8

const (
	forbidden presence = iota
	allowed
	required
)

// attribute is one row of the matrix.
type attribute struct {
	oid            asn1.ObjectIdentifier
	name           string
	mv, ov, sv, iv presence
	notStrict      bool // forbidden in strict, whatever the type says
	bound          int  // characters; 0 is no bound
}

// attributes is the matrix of SBR 7.1.4.2.3 to .6 with the upper bounds of RFC 5280 A.1.
var attributes = []attribute{
	{asn1.ObjectIdentifier{2, 5, 4, 3}, "commonName", allowed, allowed, allowed, allowed, false, 64},
	{asn1.ObjectIdentifier{2, 5, 4, 10}, "organizationName", forbidden, required, required, forbidden, false, 64},
	{asn1.ObjectIdentifier{2, 5, 4, 11}, "organizationalUnitName", forbidden, allowed, allowed, forbidden, false, 64},
	{asn1.ObjectIdentifier{2, 5, 4, 97}, "organizationIdentifier", forbidden, required, required, forbidden, false, 0},
	{asn1.ObjectIdentifier{2, 5, 4, 42}, "givenName", forbidden, forbidden, allowed, allowed, false, 64},
	{asn1.ObjectIdentifier{2, 5, 4, 4}, "surname", forbidden, forbidden, allowed, allowed, false, 64},
	{asn1.ObjectIdentifier{2, 5, 4, 65}, "pseudonym", forbidden, forbidden, allowed, allowed, false, 128},
	{asn1.ObjectIdentifier{2, 5, 4, 5}, "serialNumber", allowed, allowed, allowed, allowed, false, 64},
	{oidEmailAddress, "emailAddress", allowed, allowed, allowed, allowed, false, 255},
	{asn1.ObjectIdentifier{2, 5, 4, 12}, "title", forbidden, forbidden, allowed, allowed, false, 64},
	{asn1.ObjectIdentifier{2, 5, 4, 9}, "streetAddress", forbidden, allowed, allowed, allowed, true, 128},
	{asn1.ObjectIdentifier{2, 5, 4, 7}, "localityName", forbidden, allowed, allowed, allowed, false, 128},
	{asn1.ObjectIdentifier{2, 5, 4, 8}, "stateOrProvinceName", forbidden, allowed, allowed, allowed, false, 128},
	{asn1.ObjectIdentifier{2, 5, 4, 17}, "postalCode", forbidden, allowed, allowed, allowed, true, 40},
	{asn1.ObjectIdentifier{2, 5, 4, 6}, "countryName", forbidden, allowed, allowed, allowed, false, 2},
}

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidEmailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
)

// values returns the texts of one attribute of the subject.
func (v *view) values(oid asn1.ObjectIdentifier) []string {
	var found []string
	for _, a := range v.cert.Subject.Names {
		if text, ok := a.Value.(string); ok && a.Type.Equal(oid) {
			found = append(found, text)
		}
	}
	return found
}

// ruleSubject is the matrix of attributes.
var ruleSubject = rule{
	id: "BR-035", citation: "SBR 7.1.4.2.3 to 7.1.4.2.6", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		if v.legacy() {
			return // its matrix differs, and ruleLegacy refuses it
		}
		for _, a := range attributes {
			cell := [...]presence{profile.MV: a.mv, profile.OV: a.ov, profile.SV: a.sv, profile.IV: a.iv}[v.context.Type]
			if a.notStrict && v.strict() {
				cell = forbidden
			}
			switch n := len(v.values(a.oid)); {
			case n > 0 && cell == forbidden:
				v.fail("The subject has a %s, which a %s %s certificate may not have: remove it.", a.name, v.context.Generation, v.context.Type)
			case n == 0 && cell == required:
				v.fail("The subject lacks its %s: add it.", a.name)
			case n > 1 && a.name != "organizationalUnitName" && a.name != "givenName" && a.name != "surname" && a.name != "streetAddress":
				v.fail("The subject has %d values of %s: keep one.", n, a.name)
			}
		}
		for _, n := range v.cert.Subject.Names {
			if !slices.ContainsFunc(attributes, func(a attribute) bool { return a.oid.Equal(n.Type) }) {
				v.fail("The subject has the attribute %s, which is none that may stand there: remove it.", n.Type)
			}
		}
	},
}

// ruleCommonName is about what a CN may say. Whether a person's or organisation's name is the verified one, the evidence tells.
var ruleCommonName = rule{
	id: "BR-037", citation: "SBR 7.1.4.2.2.a, 7.1.4.2.1", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		for _, cn := range v.values(oidCommonName) {
			if (v.context.Type == profile.MV || strings.Contains(cn, "@")) && !slices.Contains(v.mailboxes(), cn) {
				v.fail("The common name %q is no mailbox of the subjectAltName: repeat it there, letter by letter, or leave it out.", cn)
			}
		}
	},
}

// ruleBounds is the upper bounds of attributes.
var ruleBounds = rule{
	id: "BR-039", citation: "SBR 7.1.4.2.2, RFC 5280 A.1", kinds: every,
	check: func(v *view) {
		for _, a := range attributes {
			for _, text := range v.values(a.oid) {
				if n := utf8.RuneCountInString(text); a.bound > 0 && n > a.bound || n == 0 {
					v.fail("The %s has %d characters where 1 to %d are allowed: shorten it.", a.name, n, a.bound)
				}
			}
		}
	},
}

// ruleEmailAddress is about addresses in the subject.
var ruleEmailAddress = rule{
	id: "BR-046", citation: "SBR 7.1.4.2.2.h", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		for _, text := range v.values(oidEmailAddress) {
			if !slices.Contains(v.mailboxes(), text) {
				v.fail("The emailAddress %q of the subject is not in the subjectAltName: repeat it there.", text)
			}
		}
	},
}

// rulePlaceholders refuses values that say nothing.
var rulePlaceholders = rule{
	id: "BR-048", citation: "SBR 7.1.4.2", kinds: every,
	check: func(v *view) {
		for _, a := range v.cert.Subject.Names {
			text, ok := a.Value.(string)
			if !ok {
				v.fail("The attribute %s of the subject is no text: encode it as UTF8String.", a.Type)
				continue
			}
			says := strings.IndexFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) >= 0
			if !says || slices.Contains([]string{"n/a", "na", "none", "null", "unknown"}, strings.ToLower(text)) || text != strings.TrimSpace(text) {
				v.fail("The value %q of the subject says nothing, or begins or ends with a space: leave it out or mend it.", text)
			}
		}
	},
}
