package lint

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/ca/profile"
)

// must encodes what the standard library can.
func must(t *testing.T, v any, params ...string) []byte {
	t.Helper()
	der, err := asn1.MarshalWithParams(v, strings.Join(params, ","))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Ways to spoil a certificate.
func drop(oid asn1.ObjectIdentifier) func(*testing.T, *parts, *Context) {
	return func(_ *testing.T, p *parts, _ *Context) {
		p.extensions = slices.DeleteFunc(p.extensions, func(e extension) bool { return e.oid.Equal(oid) })
	}
}

func put(oid asn1.ObjectIdentifier, critical bool, value any, params ...string) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, c *Context) {
		drop(oid)(t, p, c)
		der, ok := value.([]byte)
		if !ok {
			der = must(t, value, params...)
		}
		p.extensions = append(p.extensions, extension{oid, critical, der})
	}
}

func flip(oid asn1.ObjectIdentifier) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, _ *Context) {
		for i := range p.extensions {
			if p.extensions[i].oid.Equal(oid) {
				p.extensions[i].critical = !p.extensions[i].critical
				return
			}
		}
		t.Fatalf("no extension %s to flip", oid)
	}
}

func subject(n pkix.Name) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, _ *Context) { p.subject = must(t, n.ToRDNSequence()) }
}

func lasting(d time.Duration) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, c *Context) {
		p.validity = must(t, struct{ NotBefore, NotAfter time.Time }{now, now.Add(d - time.Second)})
	}
}

func keyed(kind string) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, _ *Context) {
		der, err := x509.MarshalPKIXPublicKey(makeKey(t, kind).Public())
		if err != nil {
			t.Fatal(err)
		}
		p.spki = der
	}
}

// number puts an RSA key of any numbers in place.
func number(n func(*testing.T) *big.Int, e int) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, _ *Context) {
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n(t), E: e})
		if err != nil {
			t.Fatal(err)
		}
		p.spki = der
	}
}

func serialOf(n *big.Int) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, _ *Context) { p.serial = must(t, n) }
}

func then(steps ...func(*testing.T, *parts, *Context)) func(*testing.T, *parts, *Context) {
	return func(t *testing.T, p *parts, c *Context) {
		for _, s := range steps {
			s(t, p, c)
		}
	}
}

func context(f func(*Context)) func(*testing.T, *parts, *Context) {
	return func(_ *testing.T, _ *parts, c *Context) { f(c) }
}

// policies encodes certificatePolicies without qualifiers.
func policies(oids ...asn1.ObjectIdentifier) []struct{ ID asn1.ObjectIdentifier } {
	var list []struct{ ID asn1.ObjectIdentifier }
	for _, o := range oids {
		list = append(list, struct{ ID asn1.ObjectIdentifier }{o})
	}
	return list
}

// uri is a distribution point with one address.
func point(u string) any {
	type name struct {
		FullName []asn1.RawValue `asn1:"optional,tag:0"`
	}
	type dp struct {
		Name name `asn1:"optional,tag:0"`
	}
	return []dp{{name{[]asn1.RawValue{{Class: 2, Tag: 6, Bytes: []byte(u)}}}}}
}

func access(u string) any {
	type description struct {
		Method   asn1.ObjectIdentifier
		Location asn1.RawValue
	}
	return []description{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}, asn1.RawValue{Class: 2, Tag: 6, Bytes: []byte(u)}}}
}

func altNames(names ...asn1.RawValue) []asn1.RawValue { return names }

func rfc822(text string) asn1.RawValue {
	return asn1.RawValue{Class: 2, Tag: 1, Bytes: []byte(text)}
}

// bits is a keyUsage.
func bits(positions ...int) asn1.BitString {
	b := asn1.BitString{Bytes: make([]byte, 2)}
	for _, p := range positions {
		b.Bytes[p/8] |= 0x80 >> (p % 8)
		b.BitLength = max(b.BitLength, p+1)
	}
	b.Bytes = b.Bytes[:(b.BitLength+7)/8]
	return b
}

var (
	cn         = func(s string) pkix.Name { return pkix.Name{CommonName: s} }
	oids       = func(o ...asn1.ObjectIdentifier) []asn1.ObjectIdentifier { return o }
	email      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	serverAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	clientAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	null       = []byte{5, 0}
	strictMV   = profile.ReservedPolicy(profile.MV, profile.Strict)
	house1     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 1} // the arc for examples (RFC 5612)
)

// spoilt is one broken certificate: what is done to a clean one, and what must be found.
type spoilt struct {
	name     string
	base     string // "" a private subscriber's, "public" a public one's, "rsa" one with an RSA key, or "root", "issuing", "responder"
	spoil    func(*testing.T, *parts, *Context)
	rule     string
	severity Severity
}

var failing = []spoilt{
	{"legacy generation", "", context(func(c *Context) { c.Generation = profile.Legacy }), "BR-002", Error},
	{"a legacy policy", "public", put(oidCertificatePolicies, false, policies(profile.ReservedPolicy(profile.MV, profile.Legacy))), "BR-002", Error},
	{"a private CA that claims a reserved policy", "", put(oidCertificatePolicies, false, policies(strictMV)), "BR-003", Error},
	{"two reserved policies", "public", put(oidCertificatePolicies, false, policies(strictMV, profile.ReservedPolicy(profile.MV, profile.Multipurpose))), "BR-003", Error},
	{"the policy of another type", "public", put(oidCertificatePolicies, false, policies(profile.ReservedPolicy(profile.OV, profile.Strict))), "BR-003", Error},
	{"no reserved policy in a public CA", "public", drop(oidCertificatePolicies), "BR-003", Error},
	{"anyPolicy", "", put(oidCertificatePolicies, false, policies(oidAnyPolicy)), "BR-004", Error},
	{"a policy of TLS certificates", "", put(oidCertificatePolicies, false, policies(asn1.ObjectIdentifier{2, 23, 140, 1, 2, 1})), "BR-004", Error},
	{"critical policies", "public", flip(oidCertificatePolicies), "BR-005", Warning},
	{"a CPS on ftp", "", put(oidCertificatePolicies, false, []struct {
		ID         asn1.ObjectIdentifier
		Qualifiers []struct {
			ID  asn1.ObjectIdentifier
			URI string `asn1:"ia5"`
		}
	}{{house1, []struct {
		ID  asn1.ObjectIdentifier
		URI string `asn1:"ia5"`
	}{{oidCPS, "ftp://example.com/cps"}}}}), "BR-005", Error},
	{"a second too long", "", lasting(825*24*time.Hour + time.Second), "BR-006", Error},
	{"an end before the beginning", "", lasting(-time.Hour), "BR-006", Error},
	{"the maximum to the second", "", lasting(825 * 24 * time.Hour), "BR-007", Warning},
	{"version 2", "", func(_ *testing.T, p *parts, _ *Context) { p.version = 1 }, "BR-008", Error},
	{"a counted serial number", "", serialOf(big.NewInt(4711)), "BR-009", Error},
	{"a serial number of 160 bits", "", serialOf(new(big.Int).Lsh(big.NewInt(1), 159)), "BR-009", Error},
	{"a serial number of zero", "", serialOf(new(big.Int)), "BR-009", Error},
	{"no CRL", "", drop(oidCRLDistributionPoints), "BR-010", Error},
	{"a CRL on https", "", put(oidCRLDistributionPoints, false, point("https://pki.example.com/a.crl")), "BR-010", Error},
	{"critical distribution points", "", flip(oidCRLDistributionPoints), "BR-010", Warning},
	{"no address of the issuer", "", drop(oidAuthorityInfoAccess), "BR-011", Warning},
	{"an issuer on ldap", "", put(oidAuthorityInfoAccess, false, access("ldap://pki.example.com/cn=ca")), "BR-011", Error},
	{"critical access information", "", flip(oidAuthorityInfoAccess), "parse", Error},
	{"a subscriber that is a CA", "", put(oidBasicConstraints, true, struct{ CA bool }{true}), "BR-012", Error},
	{"no key usage", "", drop(oidKeyUsage), "BR-013", Error},
	{"key usage not critical", "", flip(oidKeyUsage), "BR-013", Warning},
	{"keyCertSign in a subscriber's", "", put(oidKeyUsage, true, bits(0, 5)), "BR-013", Error},
	{"an EC key that enciphers keys", "", put(oidKeyUsage, true, bits(0, 2)), "BR-013", Error},
	{"an RSA key that enciphers data, in strict", "rsa", put(oidKeyUsage, true, bits(0, 2, 3)), "BR-013", Error},
	{"a usage that is none", "", put(oidKeyUsage, true, bits(7)), "BR-013", Error},
	{"nonRepudiation alone", "", put(oidKeyUsage, true, bits(1, 4)), "BR-013", Error},
	{"encipherOnly without keyAgreement", "", put(oidKeyUsage, true, bits(0, 7)), "BR-014", Error},
	{"clientAuth in strict", "", put(oidExtendedKeyUsage, false, oids(email, clientAuth)), "BR-016", Error},
	{"no purpose", "", drop(oidExtendedKeyUsage), "BR-017", Error},
	{"serverAuth in multipurpose", "", then(put(oidExtendedKeyUsage, false, oids(email, serverAuth)),
		context(func(c *Context) { c.Generation = profile.Multipurpose })), "BR-017", Error},
	{"critical purposes", "", flip(oidExtendedKeyUsage), "BR-017", Warning},
	{"an issuing CA for TLS servers", "issuing", put(oidExtendedKeyUsage, false, oids(email, serverAuth)), "BR-017", Error},
	{"no authority key identifier", "", drop(oidAuthorityKeyIdentifier), "BR-018", Error},
	{"another authority's key", "", put(oidAuthorityKeyIdentifier, false, struct {
		ID []byte `asn1:"tag:0"`
	}{[]byte("12345678901234567890")}), "BR-018", Error},
	{"a critical subject key identifier", "", flip(oidSubjectKeyIdentifier), "parse", Error},
	{"a CA without subject key identifier", "issuing", drop(oidSubjectKeyIdentifier), "BR-018", Error},
	{"no alternative name", "", drop(oidSubjectAltName), "BR-019", Error},
	{"an empty subject, and its alternative name not critical", "", subject(pkix.Name{}), "BR-019", Error},
	{"a critical alternative name beside a subject", "", flip(oidSubjectAltName), "BR-019", Warning},
	{"a DNS name", "", put(oidSubjectAltName, false, altNames(rfc822("alice@example.com"), asn1.RawValue{Class: 2, Tag: 2, Bytes: []byte("example.com")})), "BR-020", Error},
	{"a user principal name", "", put(oidSubjectAltName, false, altNames(rfc822("alice@example.com"), asn1.RawValue{Class: 2, Tag: 0, IsCompound: true,
		Bytes: []byte("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03\xa0\x07\x0c\x05a@b.c")})), "BR-020", Error},
	{"a birthday", "", put(oidDirectoryAttributes, false, []asn1.RawValue{}), "BR-021", Error},
	{"critical capabilities", "", flip(oidSMIMECapabilities), "BR-022", Error},
	{"an LEI in mv", "", put(oidLEI, false, "529900T8BM49AURSDO55", "printable"), "BR-023", Error},
	{"an Adobe extension in strict", "", put(oidAdobeTimestamp, false, null), "BR-024", Error},
	{"an extension that nobody knows", "", put(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 9}, false, null), "BR-025", Error},
	{"nocheck in a subscriber's", "", put(oidOCSPNoCheck, false, null), "BR-025", Error},
	{"an Ed25519 key", "", func(_ *testing.T, p *parts, _ *Context) {
		p.spki = append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, make([]byte, 32)...)
	}, "BR-026", Error},
	{"an RSA key of 1024 bits", "rsa", keyed("RSA-1024"), "BR-027", Error},
	{"an RSA key of 2049 bits", "rsa", number(longer, 65537), "BR-027", Error},
	{"an even exponent", "rsa", number(good, 65536), "BR-028", Error},
	{"the exponent 3", "rsa", number(good, 3), "BR-028", Warning},
	{"a modulus with a small factor", "rsa", number(factored, 65537), "BR-033", Error},
	{"primes that lie close together", "rsa", number(closeFactors, 65537), "BR-033", Error},
	{"an RSA key without NULL", "rsa", func(t *testing.T, p *parts, _ *Context) {
		var k struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		if _, err := asn1.Unmarshal(p.spki, &k); err != nil {
			t.Fatal(err)
		}
		k.Algorithm.Parameters = asn1.RawValue{}
		p.spki = must(t, k)
	}, "parse", Error}, // crypto/x509 refuses it before BR-030 can
	{"the PSS identifier in a key", "rsa", func(t *testing.T, p *parts, _ *Context) {
		p.spki = []byte(strings.Replace(string(p.spki), "\x0d\x01\x01\x01", "\x0d\x01\x01\x0a", 1))
	}, "BR-030", Error},
	{"SHA-1", "", func(_ *testing.T, p *parts, _ *Context) {
		p.algorithm = []byte{0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01}
	}, "BR-031", Error},
	{"the hash of another curve", "", func(_ *testing.T, p *parts, _ *Context) {
		p.algorithm = []byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}
	}, "BR-031", Error},
	{"an organisation in mv", "", subject(pkix.Name{CommonName: "alice@example.com", Organization: []string{"Example GmbH"}}), "BR-035", Error},
	{"an attribute that nobody knows", "", subject(pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 13}, Value: "text"}}}), "BR-035", Error},
	{"ov without an organisation", "", context(func(c *Context) { c.Type = profile.OV }), "BR-035", Error},
	{"a person's name in mv", "", subject(cn("Alice Smith")), "BR-037", Error},
	{"another mailbox in the common name", "", subject(cn("bob@example.com")), "BR-037", Error},
	{"a common name of 65 characters", "", subject(cn(strings.Repeat("a", 53) + "@example.com")), "BR-039", Error},
	{"an emailAddress that is no alternative name", "", subject(pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: oidEmailAddress, Value: "bob@example.com"}}}), "BR-046", Error},
	{"a placeholder", "", subject(pkix.Name{CommonName: "alice@example.com", SerialNumber: "-"}), "BR-048", Error},
	{"a display name in the alternative name", "", put(oidSubjectAltName, false, altNames(rfc822("Alice <alice@example.com>"))), "BR-050", Error},
	{"an IP literal", "", put(oidSubjectAltName, false, altNames(rfc822("alice@[192.0.2.1]"))), "BR-050", Error},
	{"a CA with RSA-3072", "issuing", keyed("RSA-3072"), "BR-112", Error},
	{"a subscriber of an RSA-2048 CA after its last day", "", func(t *testing.T, _ *parts, c *Context) {
		c.At = time.Date(2027, 9, 15, 0, 0, 0, 0, time.UTC)
		i := *c.Issuer
		i.PublicKey = makeKey(t, "RSA-2048").Public()
		c.Issuer = &i
	}, "BR-113", Error},
	{"a root with a purpose", "root", put(oidExtendedKeyUsage, false, oids(email)), "BR-114", Error},
	{"a root with a path length", "root", put(oidBasicConstraints, true, struct {
		CA  bool
		Len int
	}{true, 1}), "BR-114", Warning},
	{"a CA that signs mail itself", "issuing", put(oidKeyUsage, true, bits(0, 5, 6)), "BR-114", Error},
	{"a CA without country", "issuing", subject(pkix.Name{CommonName: "CA", Organization: []string{"Example GmbH"}}), "BR-115", Error},
	{"an issuer's name that is another", "", func(t *testing.T, p *parts, _ *Context) { p.issuer = must(t, cn("Other CA").ToRDNSequence()) }, "chain", Error},
	{"a certificate that outlives its CA", "issuing", lasting(40 * 365 * 24 * time.Hour), "chain", Error},
	{"an issuing CA without policies", "issuing", drop(oidCertificatePolicies), "BR-116", Error},
	{"a responder without nocheck", "responder", drop(oidOCSPNoCheck), "BR-131", Error},
	{"a responder that signs mail", "responder", put(oidExtendedKeyUsage, false, oids(email)), "BR-131", Error},
	{"a responder for ten years", "responder", lasting(9 * 365 * 24 * time.Hour), "BR-131", Warning},
	{"an extension twice", "", func(_ *testing.T, p *parts, _ *Context) { p.extensions = append(p.extensions, p.extensions[0]) }, "parse", Error},
	{"nothing said", "", context(func(c *Context) { *c = Context{} }), "context", Error},
}

// good is the modulus of a good key.
func good(t *testing.T) *big.Int { return makeKey(t, "RSA-2048").(*rsa.PrivateKey).N }

// longer has a bit more than a good one.
func longer(t *testing.T) *big.Int { n := new(big.Int).Lsh(good(t), 1); return n.SetBit(n, 0, 1) }

// factored is a modulus of 2048 bits with a small factor.
func factored(t *testing.T) *big.Int {
	n := new(big.Int).Rsh(good(t), 9)
	return n.Mul(n.SetBit(n, 0, 1), big.NewInt(509))
}

// closeFactors is the product of two numbers that lie close together, neither with a small factor.
func closeFactors(t *testing.T) *big.Int {
	p := makeKey(t, "RSA-2048").(*rsa.PrivateKey).Primes[0]
	q := new(big.Int).Set(p)
	small := new(big.Int).MulRange(2, 751)
	for next := true; next; next = new(big.Int).GCD(nil, nil, q, small).Cmp(big.NewInt(1)) != 0 {
		q.Add(q, big.NewInt(2))
	}
	return q.Mul(q, p)
}

// baseOf gives a clean certificate in pieces.
func baseOf(t *testing.T, h house, base string) (parts, Context) {
	t.Helper()
	var tbs []byte
	c := Context{Mode: profile.Private, At: now}
	switch base {
	case "root":
		tbs, c.Kind = h.rootTBS, Root
	case "issuing":
		tbs, c.Kind, c.Issuer = h.issuingTBS, Issuing, h.root
	case "responder":
		tbs, c.Kind, c.Issuer = h.responder(t, "P-256"), Responder, h.issuing
	case "public":
		tbs, c = h.subscriber(t, "mv-strict", "P-256", profile.Dual, profile.Public), h.contextOf(t, "mv-strict", profile.Public)
	case "rsa":
		tbs, c = h.subscriber(t, "mv-strict", "RSA-2048", profile.Dual, profile.Private), h.contextOf(t, "mv-strict", profile.Private)
	default:
		tbs, c = h.subscriber(t, "mv-strict", "P-256", profile.Dual, profile.Private), h.contextOf(t, "mv-strict", profile.Private)
	}
	p, ok := parse(tbs)
	if !ok {
		t.Fatal("a clean certificate does not parse")
	}
	return p, c
}

func TestEveryRuleBites(t *testing.T) {
	h := newHouse(t, "P-384", "P-256")
	for _, s := range failing {
		t.Run(s.name, func(t *testing.T) {
			p, c := baseOf(t, h, s.base)
			s.spoil(t, &p, &c)
			findings := Check(p.tbs(), c)
			i := slices.IndexFunc(findings, func(f Finding) bool {
				return f.Source == SourceHouse && f.Rule == s.rule && f.Severity == s.severity
			})
			if i < 0 {
				t.Fatalf("%s did not find it; found: %v", s.rule, findings)
			}
			if f := findings[i]; f.Citation == "" || len(f.Text) < 20 || strings.Contains(f.Text, "%!") {
				t.Errorf("a finding that helps nobody: %+v", f)
			}
			if s.severity == Error && !Blocks(findings) {
				t.Error("it does not stand in the way of signing")
			}
		})
	}
}

// Every rule that stands in the list has an example that fails by it.
func TestEveryRuleHasAFailingExample(t *testing.T) {
	// These two are shadowed by crypto/x509, which refuses such certificates first; view.add is tried on them directly below.
	shadowed := []string{"duplicate-extension"}
	for _, r := range own {
		if !slices.ContainsFunc(failing, func(s spoilt) bool { return s.rule == r.id }) && !slices.Contains(shadowed, r.id) {
			t.Errorf("no example fails by %s", r.id)
		}
		if r.citation == "" || r.kinds == 0 || r.check == nil {
			t.Errorf("%s is not complete", r.id)
		}
	}
	t.Run("duplicate-extension", func(t *testing.T) {
		h := newHouse(t, "P-384", "P-256")
		p, c := baseOf(t, h, "")
		cert, err := x509.ParseCertificate(p.certificate())
		if err != nil {
			t.Fatal(err)
		}
		p.extensions = append(p.extensions, p.extensions[0])
		if f := checkOwn(p, cert, c); len(f) != 1 || f[0].Rule != "duplicate-extension" {
			t.Errorf("found %v", f)
		}
	})
}

// The proof that zlint's S/MIME rules look at private certificates: they find what is wrong with the twin.
func TestZlintBitesOnTheTwin(t *testing.T) {
	h := newHouse(t, "P-384", "P-256")
	for _, c := range []struct {
		name  string
		spoil func(*testing.T, *parts, *Context)
		rule  string
	}{
		{"no CRL", drop(oidCRLDistributionPoints), "e_subscribers_shall_have_crl_distribution_points"},
		{"a purpose too many", put(oidExtendedKeyUsage, false, oids(email, clientAuth)), "e_smime_strict_eku_check"},
		{"a second reserved policy beside the twin's", put(oidCertificatePolicies, false, policies(profile.ReservedPolicy(profile.OV, profile.Strict))), "e_exactly_one_smime_policy"},
		{"an EC key that enciphers keys", put(oidKeyUsage, true, bits(0, 2)), "e_ecpublickey_key_usages"},
		{"a common name that is no mailbox", subject(cn("Alice Smith")), "e_commonname_mailbox_validated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, context := baseOf(t, h, "")
			c.spoil(t, &p, &context)
			findings := Check(p.tbs(), context)
			if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Source == SourceZlint && f.Rule == c.rule }) {
				t.Errorf("zlint's %s did not bite; found: %v", c.rule, findings)
			}
			if !Blocks(findings) {
				t.Error("it does not stand in the way of signing")
			}
		})
	}
	t.Run("and without the twin they are silent", func(t *testing.T) {
		p, _ := baseOf(t, h, "")
		drop(oidCRLDistributionPoints)(t, &p, nil)
		for _, f := range checkZlint(p.certificate(), Subscriber) {
			if f.Rule == "e_subscribers_shall_have_crl_distribution_points" {
				t.Error("the twin is not needed")
			}
		}
	})
}

func TestTheSetOfZlint(t *testing.T) {
	set := zlints()
	names := make(map[string]bool)
	smime := 0
	for _, l := range set.rules {
		names[l.Name] = true
		if l.Source == "CABF_SMIME_BR" {
			smime++
		}
	}
	if smime != 36 || len(set.rules) < 150 {
		t.Errorf("%d rules, %d of them for S/MIME", len(set.rules), smime)
	}
	for name := range overruled {
		if names[name] {
			t.Errorf("%s is overruled and runs", name)
		}
	}
}

func TestASignatureThatDoesNotHoldIsFound(t *testing.T) {
	h := newHouse(t, "P-384", "P-256")
	tbs := h.subscriber(t, "mv-strict", "P-256", profile.Dual, profile.Private)
	c := h.contextOf(t, "mv-strict", profile.Private)
	cert := sign(t, tbs, makeKey(t, "P-521")) // not the CA's key
	findings := Certificate(cert.Raw, c)
	if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == "signature" && f.Severity == Error }) {
		t.Errorf("found %v", findings)
	}
}

func TestAStrangersCertificateCanBeLooked(t *testing.T) {
	h := newHouse(t, "P-384", "P-256")
	tbs := h.subscriber(t, "mv-multipurpose", "P-256", profile.Dual, profile.Public)
	clean(t, Certificate(sign(t, tbs, h.issuingKey).Raw, Context{}))
	for _, junk := range [][]byte{nil, {0x30}, []byte("no certificate"), make([]byte, MaxCertificate+1)} {
		if f := Certificate(junk, Context{}); !Blocks(f) {
			t.Errorf("%.10x… passes", junk)
		}
		if f := Check(junk, h.contextOf(t, "mv-strict", profile.Private)); !Blocks(f) {
			t.Errorf("%.10x… passes", junk)
		}
	}
	if _, ok := h.issuingKey.Public().(*ecdsa.PublicKey); !ok {
		t.Error("the house is not what the test thinks")
	}
}

func FuzzCheck(f *testing.F) {
	h := newHouse(f, "P-384", "P-256")
	f.Add(h.subscriber(f, "mv-strict", "P-256", profile.Dual, profile.Private))
	f.Add(h.rootTBS)
	f.Add(h.issuingTBS)
	f.Add(h.responder(f, "P-256"))
	c := h.contextOf(f, "mv-strict", profile.Private)
	f.Fuzz(func(t *testing.T, tbs []byte) {
		Check(tbs, c)
		Certificate(tbs, Context{})
		if p, ok := parse(tbs); ok {
			if again, ok := parse(p.tbs()); !ok || len(again.extensions) != len(p.extensions) {
				t.Error("what was read and written does not read the same")
			}
			p.twin(profile.MV, profile.Strict).certificate()
		}
	})
}
