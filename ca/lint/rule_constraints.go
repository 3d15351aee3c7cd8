package lint

// ruleBasicConstraints keeps subscribers from being CAs.
var ruleBasicConstraints = rule{
	id: "BR-012", citation: "SBR 7.1.2.3.d", kinds: Subscriber | Responder,
	check: func(v *view) {
		if v.cert.IsCA {
			v.fail("basicConstraints makes this a CA: leave the extension out.")
		}
		if v.cert.MaxPathLen > 0 || v.cert.MaxPathLenZero {
			v.fail("basicConstraints has a pathLenConstraint, which only CAs may have: leave it out.")
		}
	},
}
