package lint

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"strings"
)

var oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}

// Bits with short names, as in the table of SBR 7.1.2.3.e.
const (
	dS = x509.KeyUsageDigitalSignature
	nR = x509.KeyUsageContentCommitment
	kE = x509.KeyUsageKeyEncipherment
	dE = x509.KeyUsageDataEncipherment
	kA = x509.KeyUsageKeyAgreement
	eO = x509.KeyUsageEncipherOnly
	dO = x509.KeyUsageDecipherOnly
)

// ruleKeyUsage is the table of SBR 7.1.2.3.e.
var ruleKeyUsage = rule{
	id: "BR-013", citation: "SBR 7.1.2.3.e", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		e, ok := v.extension(oidKeyUsage)
		if !ok {
			v.fail("There is no keyUsage: say what the key may do.")
			return
		}
		if !e.critical {
			v.warn("keyUsage is not critical: make it critical.")
		}
		u := v.cert.KeyUsage
		var allowed, management x509.KeyUsage
		switch v.cert.PublicKey.(type) {
		case *rsa.PublicKey:
			management, allowed = kE, dS|nR|kE
			if !v.strict() {
				allowed |= dE
			}
		case *ecdsa.PublicKey:
			management, allowed = kA, dS|nR|kA|eO|dO
		default:
			return // ruleKeyKind speaks
		}
		switch {
		case u&^allowed != 0:
			v.fail("keyUsage has bits that this kind of key may not have in this generation: remove %s.", bitNames(u&^allowed))
		case u&(dS|management) == 0:
			v.fail("keyUsage allows neither signing nor encryption: set digitalSignature, or the bit for key management.")
		case u&nR != 0 && u&dS == 0:
			v.fail("keyUsage has nonRepudiation without digitalSignature: set both or neither.")
		case u&dE != 0 && u&kE == 0:
			v.fail("keyUsage has dataEncipherment without keyEncipherment: set both or neither.")
		}
	},
}

// bitNames lists the bits of a usage by name.
func bitNames(u x509.KeyUsage) string {
	var names []string
	for bit := x509.KeyUsageDigitalSignature; bit <= x509.KeyUsageDecipherOnly; bit <<= 1 {
		if u&bit != 0 {
			names = append(names, bit.String())
		}
	}
	return strings.Join(names, ", ")
}

// ruleCipherOnly is about the two bits that mean nothing alone.
var ruleCipherOnly = rule{
	id: "BR-014", citation: "SBR 7.1.2.3.e", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		u := v.cert.KeyUsage
		if u&(eO|dO) != 0 && u&kA == 0 || u&eO != 0 && u&dO != 0 {
			v.fail("encipherOnly or decipherOnly stands without keyAgreement, or both stand: remove them.")
		}
	},
}
