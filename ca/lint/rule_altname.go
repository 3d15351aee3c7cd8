package lint

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidSmtpUTF8Mailbox = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}
)

// maxNames bounds the names that are looked at.
const maxNames = 256

// Tags of GeneralName (RFC 5280 4.2.1.6).
const (
	tagOtherName     = 0
	tagRFC822Name    = 1
	tagDirectoryName = 4
)

// generalName is one name of a subjectAltName.
type generalName struct {
	tag   uint8
	other asn1.ObjectIdentifier // of an otherName
	text  string                // of an rfc822Name or SmtpUTF8Mailbox
	value []byte
}

// names reads the subjectAltName; ok is false when it is malformed.
func (v *view) names() (names []generalName, ok bool) {
	e, found := v.extension(oidSubjectAltName)
	if !found {
		return nil, true
	}
	s := cryptobyte.String(e.value)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var value, wrapped, text cryptobyte.String
		var tag cbasn1.Tag
		if len(names) == maxNames || !list.ReadAnyASN1(&value, &tag) || tag&0x80 == 0 {
			return nil, false
		}
		n := generalName{tag: uint8(tag & 0x1f), value: value}
		switch n.tag {
		case tagRFC822Name:
			n.text = string(value)
		case tagOtherName:
			if !value.ReadASN1ObjectIdentifier(&n.other) || !value.ReadASN1(&wrapped, explicit0) || !value.Empty() {
				return nil, false
			}
			if n.other.Equal(oidSmtpUTF8Mailbox) {
				if !wrapped.ReadASN1(&text, cbasn1.UTF8String) || !wrapped.Empty() {
					return nil, false
				}
				n.text = string(text)
			}
		}
		names = append(names, n)
	}
	return names, true
}

// mailboxes are the addresses of the subjectAltName as they are written.
func (v *view) mailboxes() []string {
	names, _ := v.names()
	var found []string
	for _, n := range names {
		if n.text != "" {
			found = append(found, n.text)
		}
	}
	return found
}

// emptySubject reports whether the subject has no attribute at all.
func (v *view) emptySubject() bool { return len(v.subject) == 2 }

// ruleAltName wants at least one mailbox, and the extension critical exactly when nothing else names the subject.
var ruleAltName = rule{
	id: "BR-019", citation: "SBR 7.1.2.3.h", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		e, ok := v.extension(oidSubjectAltName)
		if !ok {
			v.fail("There is no subjectAltName: name the mailbox there.")
			return
		}
		if len(v.mailboxes()) == 0 {
			v.fail("The subjectAltName names no mailbox: add it.")
		}
		if v.emptySubject() && !e.critical {
			v.fail("The subject is empty, so the subjectAltName must be critical.")
		}
		if !v.emptySubject() && e.critical {
			v.warn("The subject is not empty, so the subjectAltName should not be critical.")
		}
	},
}

// ruleAltNameTypes keeps names of machines and of private meaning out.
var ruleAltNameTypes = rule{
	id: "BR-020", citation: "SBR 7.1.4.2.1", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		names, ok := v.names()
		if !ok {
			v.fail("The subjectAltName cannot be read: encode it again.")
			return
		}
		for _, n := range names {
			switch {
			case n.tag == tagRFC822Name:
			case n.tag == tagOtherName && n.other.Equal(oidSmtpUTF8Mailbox):
			case n.tag == tagOtherName:
				v.fail("The subjectAltName has an otherName of type %s, which this house does not validate: remove it.", n.other)
			case n.tag == tagDirectoryName:
				v.fail("The subjectAltName has a directoryName, which this house does not validate: remove it.")
			default:
				v.fail("The subjectAltName has a name of kind [%d] that is no mailbox: remove it.", n.tag)
			}
		}
	},
}
