package lint

import (
	"encoding/asn1"
	"slices"
)

var oidAuthorityInfoAccess = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}

// ruleInfoAccess wants the issuer's certificate and responder at plain http addresses.
var ruleInfoAccess = rule{
	id: "BR-011", citation: "SBR 7.1.2.3.c, 7.1.2.2.c", kinds: Subscriber | Issuing, from: compliance,
	check: func(v *view) {
		e, ok := v.extension(oidAuthorityInfoAccess)
		if !ok || len(v.cert.IssuingCertificateURL) == 0 {
			v.warn("No address of the issuer's certificate: name it, so that readers can build the chain.")
		}
		if ok && e.critical {
			v.fail("authorityInfoAccess is critical: make it non-critical.")
		}
		for _, u := range slices.Concat(v.cert.IssuingCertificateURL, v.cert.OCSPServer) {
			if !isHTTP(u) && !v.legacy() {
				v.fail("The address %q is not plain http: use http.", u)
			}
		}
	},
}
