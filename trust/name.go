package trust

import (
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/unicode/norm"
)

// maxRDNs bounds the parts of one distinguished name. OpenSSL's tests have names of 1024.
const maxRDNs = 2048

var errName = errors.New("a distinguished name is malformed")

var oidEmailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

// name is a distinguished name in the form in which names are compared (RFC 5280 7.1): one string for every RDN,
// without regard to string types, case and runs of spaces.
type name struct {
	rdns   []string
	emails []string // emailAddress attributes, as they are written
}

// key is the name as a key of a map.
func (n name) key() string { return strings.Join(n.rdns, "\x00") }

// within reports whether n lies in the subtree below base (RFC 5280 4.2.1.10).
func (n name) within(base name) bool {
	return len(base.rdns) <= len(n.rdns) && slices.Equal(base.rdns, n.rdns[:len(base.rdns)])
}

// parseName reads a Name in DER.
func parseName(der []byte) (name, error) {
	s := cryptobyte.String(der)
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !s.Empty() {
		return name{}, errName
	}
	return parseRDNs(seq)
}

// parseRDNs reads the content of an RDNSequence.
func parseRDNs(seq cryptobyte.String) (n name, err error) {
	for !seq.Empty() {
		var set cryptobyte.String
		if len(n.rdns) == maxRDNs || !seq.ReadASN1(&set, casn1.SET) {
			return n, errName
		}
		rdn, err := n.readRDN(set)
		if err != nil {
			return n, err
		}
		n.rdns = append(n.rdns, rdn)
	}
	return n, nil
}

// readRDN gives the comparable form of one RelativeDistinguishedName.
func (n *name) readRDN(set cryptobyte.String) (string, error) {
	var parts []string
	for !set.Empty() {
		var attribute, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag casn1.Tag
		if !set.ReadASN1(&attribute, casn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() {
			return "", errName
		}
		text, ok := textOf(tag, value)
		if !ok {
			parts = append(parts, oid.String()+"=#"+string(rune(tag))+string(value))
			continue
		}
		if oid.Equal(oidEmailAddress) {
			n.emails = append(n.emails, text)
		}
		parts = append(parts, oid.String()+"="+fold(text))
	}
	slices.Sort(parts)
	return strings.Join(parts, "+"), nil
}

// textOf decodes the string types of DirectoryString and their older kin.
func textOf(tag casn1.Tag, value []byte) (string, bool) {
	switch tag {
	case casn1.UTF8String, casn1.PrintableString, casn1.IA5String, 18, 26: // also NumericString, VisibleString
		return string(value), true
	case casn1.T61String: // as Latin-1, which is what is meant in practice
		runes := make([]rune, len(value))
		for i, b := range value {
			runes[i] = rune(b)
		}
		return string(runes), true
	case 30: // BMPString
		if len(value)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(value)/2)
		for i := range units {
			units[i] = uint16(value[2*i])<<8 | uint16(value[2*i+1])
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// fold prepares a string for comparison, in the spirit of RFC 4518 2: compatibility forms, case and runs of white
// space do not count.
func fold(s string) string {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < 0x80
	}
	if !ascii {
		s = norm.NFKC.String(s)
	}
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}
