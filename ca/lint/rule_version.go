package lint

// ruleVersion is X.509 v3.
var ruleVersion = rule{
	id: "BR-008", citation: "SBR 7.1.1", kinds: every,
	check: func(v *view) {
		if v.version != 2 {
			v.fail("The version is v%d: certificates with extensions are v3.", v.version+1)
		}
	},
}
