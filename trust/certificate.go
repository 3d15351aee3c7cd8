package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The sizes in bits between which RSA keys are taken: weaker ones are refused (RFC 8550 4.3, SBR 6.1.5), larger ones
// cost too much.
const (
	minRSA = 2048
	maxRSA = 8192
)

var (
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidCRLDistribution  = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidCertPolicies     = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidPolicyMappings   = asn1.ObjectIdentifier{2, 5, 29, 33}
	oidFreshestCRL      = asn1.ObjectIdentifier{2, 5, 29, 46}
	oidInhibitAnyPolicy = asn1.ObjectIdentifier{2, 5, 29, 54}

	// understood are the extensions that may be critical because they are acted upon here.
	understood = []asn1.ObjectIdentifier{
		{2, 5, 29, 15}, {2, 5, 29, 19}, {2, 5, 29, 37}, {2, 5, 29, 36}, // key usage, basic constraints, extended key usage, policy constraints
		{2, 5, 29, 14}, {2, 5, 29, 35}, {2, 5, 29, 18}, // key identifiers and issuer names: nothing hangs on them
		{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, // id-pkix-ocsp-nocheck
		oidSubjectAltName, oidNameConstraints, oidCRLDistribution, oidCertPolicies, oidPolicyMappings, oidInhibitAnyPolicy, oidFreshestCRL,
	}
)

// certificate is an x509.Certificate with what crypto/x509 does not read, read once.
type certificate struct {
	*x509.Certificate
	subject, issuer name
	names           []generalName // all names that name constraints govern, the subject first when there is one
	constraints     *constraints
	points          []distributionPoint
	freshest        []distributionPoint
	unknown         asn1.ObjectIdentifier // a critical extension that is not understood
	broken          error                 // an extension that cannot be read
	pss             *rsa.PublicKey        // of an RSASSA-PSS key, which crypto/x509 does not read
	pssHash         crypto.Hash           // the only hash that such a key may use; 0: any
}

// read looks through a certificate. What cannot be read is kept as broken, so that the path can say so.
func read(x *x509.Certificate) *certificate {
	c := &certificate{Certificate: x}
	var err error
	if c.subject, err = parseName(x.RawSubject); err != nil {
		c.broken = err
	}
	if c.issuer, err = parseName(x.RawIssuer); err != nil {
		c.broken = err
	} else if len(c.issuer.rdns) == 0 {
		c.broken = errors.New("it names no issuer") // RFC 5280 4.1.2.4
	}
	if len(c.subject.rdns) > 0 {
		c.names = append(c.names, generalName{kind: kindDirectory, dn: c.subject})
	}
	for _, mail := range c.subject.emails { // RFC 5280 4.2.1.10, and readers of mail look at it beside other names too
		c.names = append(c.names, generalName{kind: kindEmail, text: mail})
	}
	if x.PublicKey == nil {
		c.pss, c.pssHash = readPSSKey(x.RawSubjectPublicKeyInfo)
	}
	seen := map[string]bool{}
	for _, e := range x.Extensions {
		if id := e.Id.String(); seen[id] {
			c.broken = errors.New("an extension occurs twice")
		} else {
			seen[id] = true
		}
		if err := c.readExtension(e.Id, e.Value); err != nil {
			c.broken = err
		}
		if e.Critical && !slices.ContainsFunc(understood, e.Id.Equal) {
			c.unknown = e.Id
		}
	}
	return c
}

func (c *certificate) readExtension(id asn1.ObjectIdentifier, value []byte) (err error) {
	switch {
	case id.Equal(oidSubjectAltName):
		s := cryptobyte.String(value)
		var seq cryptobyte.String
		if !s.ReadASN1(&seq, casn1.SEQUENCE) || !s.Empty() {
			return errGeneralName
		}
		names, err := readGeneralNames(seq)
		if err == nil && len(names) == 0 {
			err = errors.New("its subject alternative name is empty") // RFC 5280 4.2.1.6
		}
		c.names = append(c.names, names...)
		return err
	case id.Equal(oidNameConstraints):
		c.constraints, err = parseConstraints(value)
	case id.Equal(oidCRLDistribution):
		c.points, err = parseDistributionPoints(value)
	case id.Equal(oidFreshestCRL):
		c.freshest, err = parseDistributionPoints(value)
	}
	return err
}

// selfIssued reports whether subject and issuer are the same name (RFC 5280 6.1).
func (c *certificate) selfIssued() bool { return c.subject.key() == c.issuer.key() }

// isCA reports whether the certificate states that its subject may certify others (RFC 5280 4.2.1.9). Certificates
// of versions 1 and 2 cannot.
func (c *certificate) isCA() bool { return c.Version == 3 && c.BasicConstraintsValid && c.IsCA }

// may reports whether the key usage, where there is one, has one of these bits.
func (c *certificate) may(usage x509.KeyUsage) bool { return c.KeyUsage == 0 || c.KeyUsage&usage != 0 }

// title is the name by which reasons speak of a certificate.
func (c *certificate) title() string { return Title(c.Certificate) }

// Title is a short name for a certificate, for people: an address, common name or organisation, else the serial
// number.
func Title(c *x509.Certificate) string {
	switch {
	case len(c.EmailAddresses) > 0 && !c.IsCA:
		return c.EmailAddresses[0]
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.Subject.OrganizationalUnit) > 0:
		return c.Subject.OrganizationalUnit[0]
	case len(c.Subject.Organization) > 0:
		return c.Subject.Organization[0]
	}
	return fmt.Sprintf("serial number %x", c.SerialNumber)
}

// strength says why the certificate's signature algorithm or key is not accepted, or nothing.
func (c *certificate) strength(anchor bool) *Reason {
	if !anchor {
		switch {
		case accepted(c.SignatureAlgorithm):
		case c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
			return c.reason(UnknownAlgorithm, "is signed with an algorithm that is not known here")
		default:
			return c.reason(WeakAlgorithm, "is signed with %s, which is not safe any more", c.SignatureAlgorithm)
		}
	}
	switch k := c.key().(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return c.reason(WeakAlgorithm, "has an RSA key of %d bits only", k.N.BitLen())
		}
		if k.N.BitLen() > maxRSA {
			return c.reason(TooComplex, "has an RSA key of %d bits, more than is looked at", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			return c.reason(WeakAlgorithm, "has a key on the curve P-224")
		}
	default:
		if c.PublicKeyAlgorithm == x509.DSA {
			return c.reason(WeakAlgorithm, "has a DSA key")
		}
	}
	return nil
}

// accepted reports whether a signature algorithm is safe enough (RFC 8550 4.3).
func accepted(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return true
	}
	return false
}

// reason speaks of this certificate.
func (c *certificate) reason(code Code, format string, args ...any) *Reason {
	return &Reason{code, fmt.Sprintf("The certificate of %s ", c.title()) + fmt.Sprintf(format, args...) + "."}
}

// signedBy tells how the signature of c fares under the key of issuer.
func (c *certificate) signedBy(issuer *certificate, memory *Memory) signature {
	switch c.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return uncheckable
	}
	if k, ok := issuer.key().(*rsa.PublicKey); ok && (k.N.BitLen() < 1024 || k.N.BitLen() > maxRSA) {
		return uncheckable // crypto/rsa does not verify with such a small key
	}
	if err := memory.check(issuer, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return broken
	}
	return holds
}

type signature uint8

const (
	broken signature = iota
	holds
	uncheckable // such a path is never trusted, because strength refuses the algorithm or key
)

// check verifies a signature under the key of c.
func (c *certificate) check(algorithm x509.SignatureAlgorithm, signed, signature []byte) error {
	if c.pss == nil {
		return c.CheckSignature(algorithm, signed, signature)
	}
	switch algorithm {
	case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		if c.pssHash == 0 || c.pssHash == pssHashOf(algorithm) {
			return (&x509.Certificate{PublicKey: c.pss, PublicKeyAlgorithm: x509.RSA}).CheckSignature(algorithm, signed, signature)
		}
	}
	return errors.New("the key makes PSS signatures only, or with another hash")
}

// key is the public key, RSASSA-PSS keys included.
func (c *certificate) key() crypto.PublicKey {
	if c.pss != nil {
		return c.pss
	}
	return c.PublicKey
}

// keyIDsDiffer reports whether the key identifiers say that issuer did not sign c (RFC 5280 4.2.1.1). They only
// order the search.
func (c *certificate) keyIDsDiffer(issuer *certificate) bool {
	return len(c.AuthorityKeyId) > 0 && len(issuer.SubjectKeyId) > 0 && !bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId)
}
