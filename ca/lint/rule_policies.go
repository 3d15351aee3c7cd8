package lint

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/ca/profile"
)

var (
	arcSMIME       = asn1.ObjectIdentifier{2, 23, 140, 1, 5} // the reserved policies of SBR 7.1.6.1
	arcForum       = asn1.ObjectIdentifier{2, 23, 140}
	oidAnyPolicy   = asn1.ObjectIdentifier{2, 5, 29, 32, 0}
	oidCPS         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidUserNotice  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
	maxPolicyCount = 32
)

func within(o, arc asn1.ObjectIdentifier) bool { return len(o) >= len(arc) && o[:len(arc)].Equal(arc) }

// ruleReservedPolicy wants exactly the OID of the type and generation in a public CA, and none in a private one.
var ruleReservedPolicy = rule{
	id: "BR-003", citation: "SBR 7.1.2.3.a, 7.1.6.1", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		var reserved []asn1.ObjectIdentifier
		for _, o := range v.cert.PolicyIdentifiers {
			if within(o, arcSMIME) {
				reserved = append(reserved, o)
			}
		}
		want := profile.ReservedPolicy(v.context.Type, v.context.Generation)
		switch {
		case v.context.Mode == profile.Private && len(reserved) > 0:
			v.fail("A private CA claims the reserved policy %s: leave it out.", reserved[0])
		case v.context.Mode == profile.Public && len(reserved) != 1:
			v.fail("There are %d reserved policies where exactly one belongs: name %s only.", len(reserved), want)
		case v.context.Mode == profile.Public && !reserved[0].Equal(want):
			v.fail("The policy %s is that of another type or generation: name %s.", reserved[0], want)
		}
	},
}

// ruleOwnPolicies keeps foreign meanings out.
var ruleOwnPolicies = rule{
	id: "BR-004", citation: "SBR 7.1.6.4", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		for _, o := range v.cert.PolicyIdentifiers {
			if o.Equal(oidAnyPolicy) || within(o, arcForum) && !within(o, arcSMIME) {
				v.fail("The policy %s does not belong into a subscriber's certificate: name the house's own only.", o)
			}
		}
	},
}

// rulePolicyQualifiers looks at what stands beside the policies.
var rulePolicyQualifiers = rule{
	id: "BR-005", citation: "SBR 7.1.2.3.a", kinds: Subscriber | Issuing, from: compliance,
	check: func(v *view) {
		e, ok := v.extension(oidCertificatePolicies)
		if !ok {
			return
		}
		if e.critical {
			v.warn("certificatePolicies is critical: readers that do not know the policies must refuse. Make it non-critical.")
		}
		s := cryptobyte.String(e.value)
		var list cryptobyte.String
		if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
			v.fail("certificatePolicies cannot be read: encode it again.")
			return
		}
		for n := 0; !list.Empty(); n++ {
			var info, qualifiers cryptobyte.String
			var id asn1.ObjectIdentifier
			var has bool
			if n == maxPolicyCount || !list.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&id) ||
				!info.ReadOptionalASN1(&qualifiers, &has, cbasn1.SEQUENCE) {
				v.fail("certificatePolicies cannot be read: encode it again.")
				return
			}
			v.checkQualifiers(qualifiers)
		}
	},
}

func (v *view) checkQualifiers(list cryptobyte.String) {
	for !list.Empty() {
		var one, uri, notice cryptobyte.String
		var id asn1.ObjectIdentifier
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&id) {
			v.fail("A policy qualifier cannot be read: encode it again.")
			return
		}
		switch {
		case id.Equal(oidCPS):
			if !one.ReadASN1(&uri, cbasn1.IA5String) || !isHTTP(string(uri)) && !isHTTPS(string(uri)) {
				v.fail("The address of the CPS must be http or https.")
			}
		case id.Equal(oidUserNotice):
			if !one.ReadASN1(&notice, cbasn1.SEQUENCE) || notice.Empty() || notice.PeekASN1Tag(cbasn1.SEQUENCE) {
				v.fail("A user notice needs its text and no noticeRef.")
			}
		default:
			v.fail("The policy qualifier %s is none that may be used: leave it out.", id)
		}
	}
}
