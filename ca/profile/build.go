package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/rules"
)

// Bounds of what goes into one certificate.
const (
	MaxMailboxes  = 32
	maxCommonName = 64 // characters (RFC 5280 A.1 ub-common-name)
	maxURLs       = 4  // of each kind
	maxURL        = 512
	maxPolicies   = 8
)

// URLs are what a certificate says about where its issuer publishes. All are plain http (SBR 7.1.2.3.b and c).
type URLs struct {
	CRL    []string // of the issuer's CRL; at least one is needed
	Issuer []string // of the issuer's certificate, DER (caIssuers)
	OCSP   []string // of the issuer's responder
}

// Input is what one subscriber certificate says beyond its profile. Everything in it must have been approved.
type Input struct {
	Mode Mode
	Use  Use
	// Mailboxes are all addresses, the principal one first.
	Mailboxes []mailbox.Address
	PublicKey crypto.PublicKey
	Serial    *big.Int
	NotBefore time.Time
	// Validity counts both ends; zero takes the default of the rules. It is cut at the issuer's own end.
	Validity time.Duration
	Issuer   *x509.Certificate
	URLs     URLs
	// Policies are the house's own policy OIDs, named in its CPS. May be empty. The reserved one is not among them:
	// a public CA adds it, a private one never claims it.
	Policies []asn1.ObjectIdentifier
}

// Build returns the DER of the TBSCertificate.
//
// The subject is CN=the principal mailbox. Where that does not fit into a CN (more than 64 characters, or a local part that
// needs quotes), the subject is empty and the subjectAltName critical (SBR 7.1.4.2.2.a, RFC 5280 4.2.1.6).
func Build(p Profile, in Input) ([]byte, error) {
	if err := checkInput(p, in); err != nil {
		return nil, err
	}
	notBefore, notAfter, err := validity(in.NotBefore, in.Validity, rules.DefaultValidity, in.Issuer)
	if err != nil {
		return nil, err
	}
	subject, empty := subjectOf(in.Mailboxes[0])
	extensions := []extension{
		keyUsageExtension(usageOf(in.PublicKey, in.Use)),
		extendedKeyUsageExtension(purposesOf(p, in.Use)...),
		subjectAltNameExtension(in.Mailboxes, empty),
	}
	if policies := policiesOf(p, in); len(policies) > 0 {
		extensions = append(extensions, policiesExtension(policies...))
	}
	extensions = append(extensions, distributionPointsExtension(in.URLs.CRL))
	if len(in.URLs.Issuer)+len(in.URLs.OCSP) > 0 {
		extensions = append(extensions, authorityInfoAccessExtension(in.URLs))
	}
	if in.Use != Sign {
		extensions = append(extensions, capabilitiesExtension())
	}
	return issue(certificate{serial: in.Serial, subject: subject, notBefore: notBefore, notAfter: notAfter,
		extensions: extensions}, in.PublicKey, in.Issuer)
}

// checkInput refuses what no certificate of the profile may say.
func checkInput(p Profile, in Input) error {
	current, err := Find(p.Name, in.NotBefore)
	if err != nil {
		return err
	}
	if current != p || p.Type != MV {
		return fault.New(fault.Internal, "profile.altered", "The profile %q is not one that the house issues.", p.Name)
	}
	if in.Mode != Private && in.Mode != Public {
		return fault.New(fault.Internal, "profile.mode", "It is not said whether the CA is private or public.")
	}
	if len(in.Mailboxes) == 0 || len(in.Mailboxes) > MaxMailboxes {
		return refuse("BR-019", "A certificate needs 1 to %d mailboxes, and this one has %d (SBR 7.1.4.2.1, BR-019).", MaxMailboxes, len(in.Mailboxes))
	}
	for i, m := range in.Mailboxes {
		if m.IsZero() || slices.Contains(in.Mailboxes[:i], m) {
			return refuse("BR-020", "The mailbox %q is empty or named twice (SBR 7.1.4.2.1, BR-020).", m.String())
		}
	}
	if err := CheckKey(in.PublicKey, in.Use, in.NotBefore); err != nil {
		return err
	}
	if in.Issuer == nil || !in.Issuer.IsCA {
		return fault.New(fault.Internal, "profile.issuer", "There is no CA certificate to issue from.")
	}
	if err := checkIssuer(in.Issuer.PublicKey, in.NotBefore); err != nil {
		return err
	}
	if most := MaxValidity(p.Generation, in.NotBefore); in.Validity > most {
		return refuse("BR-006", "A validity of %d days is too long; %d days is the most (SBR 6.3.2, BR-006).",
			days(in.Validity), days(most))
	}
	if len(in.Policies) > maxPolicies {
		return refuse("BR-004", "A certificate can name %d policies at most (SBR 7.1.6.4, BR-004).", maxPolicies)
	}
	for i, o := range in.Policies {
		if slices.ContainsFunc(in.Policies[:i], o.Equal) || o.Equal(oidAnyPolicy) || within(o, oidReservedPolicies) {
			return refuse("BR-004", "%s is not a policy of the house's own (SBR 7.1.6.4, BR-003 and BR-004).", o)
		}
	}
	if err := checkSerial(in.Serial); err != nil {
		return err
	}
	return in.URLs.check()
}

// days counts a started day as a whole one (SBR 6.3.2).
func days(d time.Duration) int64 { return int64((d + 24*time.Hour - time.Second) / (24 * time.Hour)) }

func within(o, arc asn1.ObjectIdentifier) bool { return len(o) >= len(arc) && o[:len(arc)].Equal(arc) }

// checkSerial wants what NewSerial of ca/issuance makes. A number of fewer than 64 bits is no random one, but for a chance of 2^-64.
func checkSerial(n *big.Int) error {
	if n == nil || n.Sign() <= 0 || n.BitLen() > rules.Int(rules.SerialMostBits, time.Time{}) ||
		n.BitLen() < rules.Int(rules.SerialRandomBits, time.Time{}) {
		return refuse("BR-009", "The serial number is not a positive random number of 64 to 159 bits (SBR 7.1, BR-009).")
	}
	return nil
}

func (u URLs) check() error {
	if len(u.CRL) == 0 {
		return refuse("BR-010", "There is no address of a CRL; set the public base URL (SBR 7.1.2.3.b, BR-010).")
	}
	for _, list := range [][]string{u.CRL, u.Issuer, u.OCSP} {
		if len(list) > maxURLs {
			return refuse("BR-010", "A certificate can name %d addresses of one kind at most.", maxURLs)
		}
		for _, text := range list {
			parsed, err := url.Parse(text)
			if err != nil || parsed.Scheme != "http" || parsed.Host == "" || parsed.User != nil || len(text) > maxURL || !ascii(text) {
				return refuse("BR-010", "%q cannot stand in a certificate: it must be a plain http address (SBR 7.1.2.3.b and c, BR-010, BR-011).", text)
			}
		}
	}
	return nil
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// validity computes both ends. Both belong to it (SBR 6.3.2), so it ends one second early; and no certificate outlives its issuer.
func validity(start time.Time, length time.Duration, standard rules.Period, issuer *x509.Certificate) (notBefore, notAfter time.Time, err error) {
	notBefore = start.UTC().Truncate(time.Second)
	if length == 0 {
		length = rules.Duration(standard, start)
	}
	notAfter = notBefore.Add(length.Truncate(time.Second) - time.Second)
	if issuer != nil {
		if notBefore.Before(issuer.NotBefore) || !notBefore.Before(issuer.NotAfter) {
			return notBefore, notAfter, fault.New(fault.Refused, "profile.issuer-expired",
				"The CA %q is valid from %s to %s and cannot issue at %s.", issuer.Subject.CommonName,
				issuer.NotBefore.Format(time.RFC3339), issuer.NotAfter.Format(time.RFC3339), notBefore.Format(time.RFC3339))
		}
		if notAfter.After(issuer.NotAfter) {
			notAfter = issuer.NotAfter.UTC()
		}
	}
	if !notAfter.After(notBefore) {
		return notBefore, notAfter, fault.New(fault.Invalid, "profile.validity", "The validity must be longer than a second.")
	}
	return notBefore, notAfter, nil
}

// subjectOf is the subject of a mailbox-validated certificate, and whether it is empty.
func subjectOf(m mailbox.Address) ([]byte, bool) {
	text := m.String()
	if utf8.RuneCountInString(text) > maxCommonName || strings.HasPrefix(text, `"`) {
		return name(), true
	}
	return name(attribute{oidCommonName, cbasn1.UTF8String, text}), false
}

// usageOf is the table of SBR 7.1.2.3.e, without the optional bits (BR-013).
func usageOf(pub crypto.PublicKey, use Use) keyUsage {
	var management keyUsage
	switch pub.(type) {
	case *rsa.PublicKey:
		management = keyEncipherment
	case *ecdsa.PublicKey:
		management = keyAgreement
	}
	switch use {
	case Sign:
		return digitalSignature
	case Encrypt:
		return management
	}
	return digitalSignature | management
}

// purposesOf gives emailProtection, and clientAuth where the profile has it and the key may sign (BR-016, BR-017).
func purposesOf(p Profile, use Use) []asn1.ObjectIdentifier {
	if p.ClientAuth && p.Generation != Strict && use != Encrypt {
		return []asn1.ObjectIdentifier{oidEmailProtection, oidClientAuth}
	}
	return []asn1.ObjectIdentifier{oidEmailProtection}
}

// ReservedPolicy is the policy OID of a type and generation (SBR 7.1.6.1), and nil for none.
func ReservedPolicy(t Type, g Generation) asn1.ObjectIdentifier {
	if t < MV || t > IV || g < Legacy || g > Strict {
		return nil
	}
	return asn1.ObjectIdentifier{2, 23, 140, 1, 5, int(t), int(g)}
}

// policiesOf puts the reserved OID first, in a public CA only (BR-003; DESIGN rule 4).
func policiesOf(p Profile, in Input) []asn1.ObjectIdentifier {
	if in.Mode == Public {
		return append([]asn1.ObjectIdentifier{ReservedPolicy(p.Type, p.Generation)}, in.Policies...)
	}
	return in.Policies
}

// subjectAltNameExtension names every mailbox: an ASCII one as rfc822Name, one with letters beyond ASCII before the @ as
// SmtpUTF8Mailbox with its domain in A-labels (RFC 9598 3, BR-050).
func subjectAltNameExtension(mailboxes []mailbox.Address, critical bool) extension {
	const otherName, rfc822Name = 0, 1
	return extension{oidSubjectAltName, critical, sequence(func(b *cryptobyte.Builder) {
		for _, m := range mailboxes {
			if m.ASCII() {
				b.AddASN1(cbasn1.Tag(rfc822Name).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(m.String())) })
				continue
			}
			b.AddASN1(cbasn1.Tag(otherName).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidSmtpUTF8Mailbox)
				b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(m.String())) })
				})
			})
		}
	})}
}

// issue adds what every certificate has in the same way: the algorithm and name of its issuer, the key, and both key
// identifiers. A nil issuer makes it self-issued.
func issue(c certificate, pub crypto.PublicKey, issuer *x509.Certificate) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "profile.encode", "The public key could not be encoded.")
	}
	own, ok := keyIdentifier(spki)
	if !ok {
		return nil, fault.New(fault.Internal, "profile.encode", "The public key could not be encoded.")
	}
	c.spki = spki
	signer := pub
	c.issuer = c.subject
	head := []extension{subjectKeyIdentifierExtension(own)}
	if issuer != nil {
		signer, c.issuer = issuer.PublicKey, issuer.RawSubject
		authority := issuer.SubjectKeyId
		if len(authority) == 0 {
			if authority, ok = keyIdentifier(issuer.RawSubjectPublicKeyInfo); !ok {
				return nil, fault.New(fault.Internal, "profile.issuer", "The issuer's certificate cannot be read.")
			}
		}
		head = []extension{authorityKeyIdentifierExtension(authority), subjectKeyIdentifierExtension(own)}
	}
	algorithm, err := signatureOf(signer)
	if err != nil {
		return nil, err
	}
	c.algorithm = algorithm.identifier
	c.extensions = append(head, c.extensions...)
	der, err := c.marshal()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "profile.encode", "The certificate could not be encoded.")
	}
	return der, nil
}
