package lint

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"

	"chancery.example/rules"
)

// ruleCAKey is the size of a CA's own RSA key.
var ruleCAKey = rule{
	id: "BR-112", citation: "SBR 6.1.5 (1.0.15)", kinds: authority,
	check: func(v *view) {
		least := rules.Int(rules.CARSABits, v.context.At)
		if k, ok := v.cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < least {
			v.fail("The CA's RSA key has %d bits: a CA certificate signed now needs %d.", k.N.BitLen(), least)
		}
	},
}

// ruleIssuerKey is the size of the RSA key that signs a subscriber certificate.
var ruleIssuerKey = rule{
	id: "BR-113", citation: "SBR 6.1.5 (1.0.15)", kinds: Subscriber,
	check: func(v *view) {
		if v.context.Issuer == nil {
			return
		}
		least := rules.Int(rules.LeafIssuerRSABits, v.context.At)
		if k, ok := v.context.Issuer.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < least {
			v.fail("The issuing CA's RSA key has %d bits: subscriber certificates signed now need a CA key of %d.", k.N.BitLen(), least)
		}
	},
}

// ruleAuthority is the table of CA certificates.
var ruleAuthority = rule{
	id: "BR-114", citation: "SBR 7.1.2.1, 7.1.2.2", kinds: authority,
	check: func(v *view) {
		e, ok := v.extension(oidBasicConstraints)
		if !ok || !e.critical || !v.cert.IsCA {
			v.fail("basicConstraints must be there, critical, and say cA.")
		}
		usage, ok := v.extension(oidKeyUsage)
		if !ok || !usage.critical || v.cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			v.fail("keyUsage must be there, critical, and say keyCertSign and cRLSign and nothing else.")
		}
		if v.context.Kind == Issuing {
			return
		}
		if v.cert.MaxPathLen > 0 || v.cert.MaxPathLenZero {
			v.warn("A root should have no pathLenConstraint: leave it out.")
		}
		if _, ok := v.extension(oidExtendedKeyUsage); ok {
			v.fail("A root must not have an extended key usage: leave it out.")
		}
		if _, ok := v.extension(oidCertificatePolicies); ok {
			v.warn("A root should have no certificatePolicies: leave them out.")
		}
	},
}

// ruleAuthoritySubject is about the names of CAs.
var ruleAuthoritySubject = rule{
	id: "BR-115", citation: "SBR 7.1.4.3", kinds: authority,
	check: func(v *view) {
		for _, a := range []struct {
			oid  asn1.ObjectIdentifier
			name string
		}{{oidCommonName, "commonName"}, {asn1.ObjectIdentifier{2, 5, 4, 10}, "organizationName"}, {asn1.ObjectIdentifier{2, 5, 4, 6}, "countryName"}} {
			if len(v.values(a.oid)) != 1 {
				v.fail("The subject of a CA must have one %s.", a.name)
			}
		}
	},
}

// ruleChain ties a certificate to its issuer.
var ruleChain = rule{
	id: "chain", citation: "SBR 7.1.4.1, BR-115", kinds: every,
	check: func(v *view) {
		i := v.context.Issuer
		if v.context.Kind == Root {
			if !bytes.Equal(v.issuer, v.subject) {
				v.fail("A root's issuer must be its subject, octet for octet.")
			}
			return
		}
		if i == nil {
			return
		}
		if !bytes.Equal(v.issuer, i.RawSubject) {
			v.fail("The issuer's name is not the CA's subject, octet for octet: copy it.")
		}
		if v.cert.NotBefore.Before(i.NotBefore) || v.cert.NotAfter.After(i.NotAfter) {
			v.fail("The certificate is valid while its CA is not: keep within %s to %s.", i.NotBefore.Format("2006-01-02"), i.NotAfter.Format("2006-01-02"))
		}
	},
}

// ruleAnyPolicy is about issuing CAs, all of which are affiliates of their root in this house.
var ruleAnyPolicy = rule{
	id: "BR-116", citation: "SBR 7.1.2.2.a, 7.1.6.3", kinds: Issuing,
	check: func(v *view) {
		any, reserved := false, false
		for _, o := range v.cert.PolicyIdentifiers {
			any = any || o.Equal(oidAnyPolicy)
			reserved = reserved || within(o, arcSMIME)
		}
		if any == reserved {
			v.fail("An issuing CA names either anyPolicy or reserved policies in certificatePolicies.")
		}
	},
}
