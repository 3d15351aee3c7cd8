package lint

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

var oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// forbiddenPurposes never stand beside emailProtection (SBR 7.1.2.3.f, 7.1.2.2.g).
var forbiddenPurposes = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageCodeSigning,
	x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageAny, x509.ExtKeyUsageOCSPSigning}

// ruleStrictPurposes wants emailProtection and nothing else.
var ruleStrictPurposes = rule{
	id: "BR-016", citation: "SBR 7.1.2.3.f", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		if v.strict() && (len(v.cert.UnknownExtKeyUsage) > 0 || !slices.Equal(v.cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection})) {
			v.fail("A strict certificate has the one extended key usage emailProtection: remove the others.")
		}
	},
}

// rulePurposes holds for all generations and for issuing CAs.
var rulePurposes = rule{
	id: "BR-017", citation: "SBR 7.1.2.3.f, 7.1.2.2.g", kinds: Subscriber | Issuing, from: compliance,
	check: func(v *view) {
		e, ok := v.extension(oidExtendedKeyUsage)
		if !ok || !slices.Contains(v.cert.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) {
			v.fail("The extended key usage emailProtection is missing: add it.")
			return
		}
		if e.critical {
			v.warn("extKeyUsage is critical: make it non-critical.")
		}
		for _, u := range forbiddenPurposes {
			if slices.Contains(v.cert.ExtKeyUsage, u) {
				v.fail("The extended key usage %s must never stand beside emailProtection: remove it.", u)
			}
		}
		if len(v.cert.UnknownExtKeyUsage) > 0 && v.context.Kind == Subscriber {
			v.warn("The extended key usage %s is none that this house can give a reason for: remove it.", v.cert.UnknownExtKeyUsage[0])
		}
	},
}
