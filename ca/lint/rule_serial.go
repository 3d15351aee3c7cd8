package lint

import "chancery.example/rules"

// ruleSerial can see the range only; that the number is random and new is the issuer's to keep.
var ruleSerial = rule{
	id: "BR-009", citation: "SBR 7.1", kinds: every,
	check: func(v *view) {
		n := v.cert.SerialNumber
		switch {
		case n.Sign() <= 0:
			v.fail("The serial number is not positive: draw another.")
		case n.BitLen() > rules.Int(rules.SerialMostBits, v.context.At):
			v.fail("The serial number is longer than 20 octets: draw a shorter one.")
		case n.BitLen() < rules.Int(rules.SerialRandomBits, v.context.At):
			v.fail("The serial number has %d bits, too few to hold 64 random ones: draw another.", n.BitLen())
		}
	},
}
