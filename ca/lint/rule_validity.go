package lint

import (
	"time"

	"chancery.example/ca/profile"
)

// length counts both ends (SBR 6.3.2).
func (v *view) length() time.Duration { return v.cert.NotAfter.Sub(v.cert.NotBefore) + time.Second }

// ruleValidity is the maximum.
var ruleValidity = rule{
	id: "BR-006", citation: "SBR 6.3.2", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		most := profile.MaxValidity(v.context.Generation, v.context.At)
		if v.length() > most {
			v.fail("The validity is %s too long: both ends counted, %d days are the most.", v.length()-most, most/(24*time.Hour))
		}
		if v.length() <= time.Second {
			v.fail("The certificate ends before it begins: mend notAfter.")
		}
	},
}

// ruleValidityDefault asks for a margin.
var ruleValidityDefault = rule{
	id: "BR-007", citation: "SBR 6.3.2", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		if v.length() == profile.MaxValidity(v.context.Generation, v.context.At) {
			v.warn("The validity is the maximum to the second, where a clock that counts otherwise finds it too long: take a day off.")
		}
	},
}
