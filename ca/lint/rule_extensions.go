package lint

import (
	"encoding/asn1"
	"slices"

	"chancery.example/ca/profile"
)

var (
	oidDirectoryAttributes = asn1.ObjectIdentifier{2, 5, 29, 9}
	oidBasicConstraints    = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints     = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidQCStatements        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidSMIMECapabilities   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}
	oidOCSPNoCheck         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidLEI                 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 52266, 1}
	oidLEIRole             = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 52266, 2}
	oidAdobeTimestamp      = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 9, 1}
	oidAdobeArchive        = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 9, 2}
)

// ruleDirectoryAttributes ends a way to put birthdays into certificates.
var ruleDirectoryAttributes = rule{
	id: "BR-021", citation: "SBR 7.1.2.3.j", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		if _, ok := v.extension(oidDirectoryAttributes); ok && !v.legacy() {
			v.fail("subjectDirectoryAttributes is forbidden in this generation: remove it.")
		}
	},
}

// ruleNonCritical is about extensions that a reader may pass over.
var ruleNonCritical = rule{
	id: "BR-022", citation: "SBR 7.1.2.3.i and k", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		for _, o := range []asn1.ObjectIdentifier{oidQCStatements, oidSMIMECapabilities} {
			if e, ok := v.extension(o); ok && e.critical {
				v.fail("The extension %s is critical: make it non-critical.", o)
			}
		}
	},
}

// ruleLEI says in which types a legal entity identifier may stand.
var ruleLEI = rule{
	id: "BR-023", citation: "SBR 7.1.2.3.l", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		t := v.context.Type
		if e, ok := v.extension(oidLEI); ok && (e.critical || t != profile.OV && t != profile.SV) {
			v.fail("The LEI extension stands in ov and sv certificates only, and non-critical: remove it.")
		}
		if e, ok := v.extension(oidLEIRole); ok && (e.critical || t != profile.SV) {
			v.fail("The LEI role extension stands in sv certificates only, and non-critical: remove it.")
		}
	},
}

// ruleAdobe is about two extensions for signing documents.
var ruleAdobe = rule{
	id: "BR-024", citation: "SBR 7.1.2.3.m", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		for _, o := range []asn1.ObjectIdentifier{oidAdobeTimestamp, oidAdobeArchive} {
			if e, ok := v.extension(o); ok && (v.strict() || e.critical) {
				v.fail("The Adobe extension %s is forbidden in strict, and never critical: remove it.", o)
			}
		}
	},
}

// reason says which kinds of certificates may carry an extension.
type reason struct {
	oid   asn1.ObjectIdentifier
	kinds Kind
}

// known are the extensions for which the house has a reason.
var known = []reason{
	{oidSubjectKeyIdentifier, every}, {oidAuthorityKeyIdentifier, every}, {oidKeyUsage, every},
	{oidExtendedKeyUsage, Subscriber | Issuing | Responder}, {oidBasicConstraints, every},
	{oidCertificatePolicies, Subscriber | Issuing}, {oidCRLDistributionPoints, Subscriber | Issuing | Responder},
	{oidAuthorityInfoAccess, Subscriber | Issuing | Responder}, {oidSubjectAltName, Subscriber},
	{oidSMIMECapabilities, Subscriber}, {oidQCStatements, Subscriber}, {oidNameConstraints, Issuing}, {oidOCSPNoCheck, Responder},
	{oidDirectoryAttributes, Subscriber}, {oidLEI, Subscriber}, {oidLEIRole, Subscriber}, {oidAdobeTimestamp, Subscriber}, {oidAdobeArchive, Subscriber},
}

// ruleUnknownExtensions refuses what nobody has given a reason for.
var ruleUnknownExtensions = rule{
	id: "BR-025", citation: "SBR 7.1.2.4", kinds: every, from: compliance,
	check: func(v *view) {
		for _, e := range v.extensions {
			i := slices.IndexFunc(known, func(k reason) bool { return k.oid.Equal(e.oid) })
			if i < 0 || known[i].kinds&v.context.Kind == 0 {
				v.fail("The extension %s has no documented reason in this kind of certificate: remove it.", e.oid)
			}
		}
	},
}

// ruleDuplicates is older than the Baseline Requirements.
var ruleDuplicates = rule{
	id: "duplicate-extension", citation: "RFC 5280 4.2", kinds: every,
	check: func(v *view) {
		for i, e := range v.extensions {
			if slices.ContainsFunc(v.extensions[:i], func(o extension) bool { return o.oid.Equal(e.oid) }) {
				v.fail("The extension %s stands here twice: keep one.", e.oid)
			}
		}
	},
}
