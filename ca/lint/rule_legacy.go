package lint

import (
	"time"

	"chancery.example/ca/profile"
	"chancery.example/rules"
)

// ruleLegacy ends the Legacy generation.
var ruleLegacy = rule{
	id: "BR-002", citation: "SBR 7.1.6.1", kinds: Subscriber,
	from: rules.Number(rules.LegacyIssuance, time.Time{}).Until,
	check: func(v *view) {
		if v.legacy() {
			v.fail("The Legacy generation is not issued any more: use strict or multipurpose.")
			return
		}
		for t := profile.MV; t <= profile.IV; t++ {
			for _, o := range v.cert.PolicyIdentifiers {
				if o.Equal(profile.ReservedPolicy(t, profile.Legacy)) {
					v.fail("The policy %s is of the Legacy generation: use that of strict or multipurpose.", o)
				}
			}
		}
	},
}
