package trust

import (
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxNames bounds the names in one extension.
const maxNames = 4096

// The kinds of GeneralName (RFC 5280 4.2.1.6), by their tag.
const (
	kindOther     = 0
	kindEmail     = 1
	kindDNS       = 2
	kindDirectory = 4
	kindURI       = 6
	kindIP        = 7
	// kindSmtpUTF8 is an otherName of SmtpUTF8Mailbox (RFC 9598 3), which we know.
	kindSmtpUTF8 = 100
)

var (
	errGeneralName  = errors.New("a name in an extension is malformed")
	oidSmtpUTF8Name = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}
)

// generalName is one GeneralName.
type generalName struct {
	kind int
	text string // of e-mail, DNS and URI names, and of SmtpUTF8Mailbox
	raw  []byte // content of all others
	dn   name   // of directory names
}

// same reports whether both are the same name, as distribution points are compared.
func (g generalName) same(o generalName) bool {
	if g.kind != o.kind {
		return false
	}
	if g.kind == kindDirectory {
		return g.dn.key() == o.dn.key()
	}
	return g.text == o.text && string(g.raw) == string(o.raw)
}

// readGeneralName reads the next GeneralName.
func readGeneralName(s *cryptobyte.String) (g generalName, err error) {
	var content cryptobyte.String
	var tag casn1.Tag
	if !s.ReadAnyASN1(&content, &tag) || tag&0xc0 != 0x80 {
		return g, errGeneralName
	}
	g.kind, g.raw = int(tag&0x1f), content
	switch g.kind {
	case kindEmail, kindDNS, kindURI:
		for _, b := range content {
			if b >= 0x80 {
				return g, errGeneralName // IA5String
			}
		}
		g.text, g.raw = string(content), nil
	case kindDirectory:
		var der cryptobyte.String
		if !content.ReadASN1Element(&der, casn1.SEQUENCE) || !content.Empty() {
			return g, errGeneralName
		}
		g.dn, err = parseName(der)
	case kindOther:
		var oid asn1.ObjectIdentifier
		var wrapped, text cryptobyte.String
		if !content.ReadASN1ObjectIdentifier(&oid) {
			return g, errGeneralName
		}
		if oid.Equal(oidSmtpUTF8Name) {
			if !content.ReadASN1(&wrapped, casn1.Tag(0).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&text, casn1.UTF8String) {
				return g, errGeneralName
			}
			g.kind, g.text, g.raw = kindSmtpUTF8, string(text), nil
		}
	}
	return g, err
}

// readGeneralNames reads the content of GeneralNames.
func readGeneralNames(s cryptobyte.String) ([]generalName, error) {
	var list []generalName
	for !s.Empty() {
		if len(list) == maxNames {
			return nil, errors.New("an extension has too many names")
		}
		g, err := readGeneralName(&s)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, nil
}
