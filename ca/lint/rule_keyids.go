package lint

import (
	"bytes"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSubjectKeyIdentifier   = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidAuthorityKeyIdentifier = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// ruleKeyIdentifiers looks at both identifiers of keys, and that the authority's is the issuer's own.
var ruleKeyIdentifiers = rule{
	id: "BR-018", citation: "SBR 7.1.2.3.g and n, 7.1.2.2", kinds: every, from: compliance,
	check: func(v *view) {
		switch own, ok := v.extension(oidSubjectKeyIdentifier); {
		case !ok && v.cert.IsCA:
			v.fail("There is no subjectKeyIdentifier, which a CA must have: add it.")
		case !ok:
			v.warn("There is no subjectKeyIdentifier: add it.")
		case own.critical:
			v.fail("subjectKeyIdentifier is critical: make it non-critical.")
		}
		if v.context.Kind == Root {
			return // RFC 5280 4.2.1.1 leaves it to a root
		}
		e, ok := v.extension(oidAuthorityKeyIdentifier)
		if !ok {
			v.fail("There is no authorityKeyIdentifier: add it.")
			return
		}
		if e.critical {
			v.fail("authorityKeyIdentifier is critical: make it non-critical.")
		}
		s := cryptobyte.String(e.value)
		var inner, id cryptobyte.String
		if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1(&id, cbasn1.Tag(0).ContextSpecific()) || !inner.Empty() {
			v.fail("authorityKeyIdentifier must hold the keyIdentifier and nothing else.")
			return
		}
		if i := v.context.Issuer; i != nil && len(i.SubjectKeyId) > 0 && !bytes.Equal(i.SubjectKeyId, id) {
			v.fail("authorityKeyIdentifier names another key than the issuer's: take the issuer's subjectKeyIdentifier.")
		}
	},
}
