package lint

import (
	"encoding/asn1"
	"net/url"
)

var oidCRLDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}

func isHTTP(text string) bool  { return hasScheme(text, "http") }
func isHTTPS(text string) bool { return hasScheme(text, "https") }

func hasScheme(text, scheme string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == scheme && u.Host != ""
}

// ruleDistributionPoints wants a CRL that anybody can fetch.
var ruleDistributionPoints = rule{
	id: "BR-010", citation: "SBR 7.1.2.3.b, 7.1.2.2.b", kinds: Subscriber | Issuing, from: compliance,
	check: func(v *view) {
		e, ok := v.extension(oidCRLDistributionPoints)
		if !ok || len(v.cert.CRLDistributionPoints) == 0 {
			v.fail("There is no cRLDistributionPoints with an address: name where the CRL is published.")
			return
		}
		if e.critical {
			v.warn("cRLDistributionPoints is critical: make it non-critical.")
		}
		some := false
		for _, u := range v.cert.CRLDistributionPoints {
			some = some || isHTTP(u)
			if !isHTTP(u) && !v.legacy() {
				v.fail("The CRL address %q is not plain http: use http.", u)
			}
		}
		if !some && v.legacy() {
			v.fail("No CRL address is plain http: add one.")
		}
	},
}
