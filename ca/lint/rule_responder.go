package lint

import (
	"crypto/x509"
	"slices"

	"chancery.example/rules"
)

// ruleResponder is the profile of a delegated OCSP responder.
var ruleResponder = rule{
	id: "BR-131", citation: "SBR 4.9.9, RFC 6960 4.2.2.2", kinds: Responder,
	check: func(v *view) {
		if len(v.cert.UnknownExtKeyUsage) > 0 || !slices.Equal(v.cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}) {
			v.fail("A responder has the one extended key usage OCSPSigning.")
		}
		if e, ok := v.extension(oidKeyUsage); !ok || !e.critical || v.cert.KeyUsage != x509.KeyUsageDigitalSignature {
			v.fail("A responder's keyUsage is critical and says digitalSignature and nothing else.")
		}
		if e, ok := v.extension(oidOCSPNoCheck); !ok || e.critical {
			v.fail("A responder needs id-pkix-ocsp-nocheck, non-critical.")
		}
		if most := 12 * rules.Duration(rules.ResponderValidity, v.context.At); v.length() > most {
			v.warn("A responder that cannot be revoked should live for less than %d days.", int(most.Hours()/24))
		}
	},
}
