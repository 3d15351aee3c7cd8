package trust

import (
	"crypto/x509"
	"slices"
)

// validate judges one path by RFC 5280 6.1. chain begins with the end certificate and ends with the anchor; the
// signatures were checked when the path was built. It returns every reason against the path, and the
// user-constrained-policy-set.
func validate(chain []*certificate, o *Options, comparisons *int) (reasons []Reason, set []x509.OID) {
	v := &validation{options: o, comparisons: comparisons}
	anchor := chain[len(chain)-1]
	v.window(anchor)
	v.add(anchor.strength(true))
	if len(chain) == 1 {
		v.readable(anchor)
		v.usage(anchor)
		return v.reasons, nil
	}
	v.policies = newPolicies(o, len(chain)-1)
	v.maxPath = len(chain)
	v.anchor(anchor)
	for i := len(chain) - 2; i >= 0; i-- {
		c, last := chain[i], i == 0
		v.window(c)
		v.add(c.strength(false))
		v.readable(c)
		v.names(c, last)
		if !v.policies.process(c, last) && !v.policyFailed {
			v.policyFailed = true
			v.add(c.reason(Policy, "is not covered by any certificate policy that holds on the whole path"))
		}
		if !last {
			v.issuer(c)
		}
	}
	v.usage(chain[0])
	set, ok := v.policies.finish(chain[0], o.Policies)
	if !ok && !v.policyFailed {
		v.add(chain[0].reason(Policy, "is not valid under any of the certificate policies that were asked for"))
	}
	return v.reasons, set
}

// validation is the state of RFC 5280 6.1.2.
type validation struct {
	options      *Options
	reasons      []Reason
	policies     *policies
	policyFailed bool
	maxPath      int
	constraints  []*constraints
	comparisons  *int // still allowed in this evaluation
}

func (v *validation) add(r *Reason) {
	if r != nil {
		v.reasons = append(v.reasons, *r)
	}
}

// window holds the validity against the time (RFC 5280 6.1.3 a 2).
func (v *validation) window(c *certificate) {
	const day = "2006-01-02 15:04 MST"
	switch {
	case v.options.At.Before(c.NotBefore):
		v.add(c.reason(NotYetValid, "is valid from %s only", c.NotBefore.UTC().Format(day)))
	case v.options.At.After(c.NotAfter):
		v.add(c.reason(Expired, "expired on %s", c.NotAfter.UTC().Format(day)))
	}
}

// readable refuses what must not be passed over: critical extensions that we do not know (RFC 5280 4.2), and
// extensions that cannot be read.
func (v *validation) readable(c *certificate) {
	if c.broken != nil {
		v.add(c.reason(Malformed, "is malformed: %v", c.broken))
	}
	if c.unknown != nil {
		v.add(c.reason(UnknownCriticalExtension, "has the critical extension %s, which is not known here", c.unknown))
	}
}

// anchor takes in what an anchor states of itself. RFC 5280 does not ask for it, RFC 5937 does.
func (v *validation) anchor(c *certificate) {
	if c.Version == 3 && !c.isCA() {
		v.add(c.reason(NotACA, "is trusted, but does not state that it may certify others"))
	}
	if !c.may(x509.KeyUsageCertSign) {
		v.add(c.reason(NotACA, "is trusted, but its key may not sign certificates"))
	}
	v.limit(c)
	if c.constraints != nil {
		v.constraints = append(v.constraints, c.constraints)
	}
}

// limit lowers the number of certificates that may follow (RFC 5280 6.1.4 m).
func (v *validation) limit(c *certificate) {
	if c.isCA() && (c.MaxPathLen > 0 || c.MaxPathLenZero) {
		v.maxPath = min(v.maxPath, c.MaxPathLen)
	}
}

// names holds a certificate's names against all constraints above it (RFC 5280 6.1.3 b and c).
func (v *validation) names(c *certificate, last bool) {
	if c.selfIssued() && !last {
		return
	}
	for _, constraint := range v.constraints {
		why, err := constraint.allow(c.names, v.comparisons)
		switch {
		case err == errTooManyComparisons:
			v.add(c.reason(TooComplex, "has more names or constraints above it than can be looked at"))
			return
		case err != nil:
			v.add(c.reason(NameConstraints, "cannot be held against the name constraints above it: %v", err))
			return
		case why != "":
			v.add(c.reason(NameConstraints, "breaks a name constraint: %s", why))
			return
		}
	}
}

// issuer checks that a certificate on the way may certify the next (RFC 5280 6.1.4).
func (v *validation) issuer(c *certificate) {
	if !v.policies.prepare(c) {
		v.policyFailed = true
		v.add(c.reason(Policy, "maps anyPolicy, which RFC 5280 forbids"))
	}
	if c.constraints != nil {
		v.constraints = append(v.constraints, c.constraints)
	}
	if !c.isCA() {
		v.add(c.reason(NotACA, "does not state that it may certify others"))
	} else if !c.may(x509.KeyUsageCertSign) {
		v.add(c.reason(NotACA, "has a key that may not sign certificates"))
	}
	if !c.selfIssued() {
		if v.maxPath <= 0 {
			v.add(c.reason(PathLength, "stands where an issuer above it allows no further issuer"))
		}
		v.maxPath--
	}
	v.limit(c)
	if v.options.Usage != AnyUsage && !mayMail(c.Certificate) {
		v.add(c.reason(WrongUsage, "is of an issuer for other purposes than mail"))
	}
}

// usage checks that the end certificate may be used for what is asked (RFC 8550 4.4.2, 4.4.4).
func (v *validation) usage(c *certificate) {
	if v.options.Usage == AnyUsage {
		return
	}
	if !mayMail(c.Certificate) {
		v.add(c.reason(WrongUsage, "is for other purposes than mail: its extended key usage names neither emailProtection nor any"))
	}
	switch {
	case v.options.Usage == MailSigning && !c.may(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment):
		v.add(c.reason(WrongUsage, "is not for signatures"))
	case v.options.Usage == MailEncryption && !c.may(x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement):
		v.add(c.reason(WrongUsage, "is not for encryption"))
	}
}

// mayMail reports whether an extended key usage that is present names emailProtection or any. Of issuers RFC 5280
// does not ask it; the mail programs in use do, and SBR 7.1.2.2 relies on it.
func mayMail(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}
