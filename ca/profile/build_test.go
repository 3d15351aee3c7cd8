package profile

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/rules"
)

const signing = x509.KeyUsageDigitalSignature

func TestWhatASubscriberCertificateContains(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mail := []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth}
	for _, c := range []struct {
		name     string
		profile  string
		rsa      bool
		use      Use
		mode     Mode
		usage    x509.KeyUsage
		purposes []x509.ExtKeyUsage
		policy   string
	}{
		{"strict EC for both", "mv-strict", false, Dual, Private, signing | x509.KeyUsageKeyAgreement, mail, ""},
		{"strict EC for signing", "mv-strict", false, Sign, Private, signing, mail, ""},
		{"strict EC for encryption", "mv-strict", false, Encrypt, Private, x509.KeyUsageKeyAgreement, mail, ""},
		{"strict RSA for both", "mv-strict", true, Dual, Private, signing | x509.KeyUsageKeyEncipherment, mail, ""},
		{"strict RSA for encryption, from a public CA", "mv-strict", true, Encrypt, Public, x509.KeyUsageKeyEncipherment, mail, "2.23.140.1.5.1.3"},
		{"multipurpose EC for both", "mv-multipurpose", false, Dual, Private, signing | x509.KeyUsageKeyAgreement, both, ""},
		{"multipurpose EC for signing, from a public CA", "mv-multipurpose", false, Sign, Public, signing, both, "2.23.140.1.5.1.2"},
		{"multipurpose RSA for encryption does not sign in", "mv-multipurpose", true, Encrypt, Private, x509.KeyUsageKeyEncipherment, mail, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := h.input(t)
			in.Use, in.Mode = c.use, c.mode
			if c.rsa {
				in.PublicKey = rsaKey.Public()
			}
			tbs, err := Build(find(t, c.profile), in)
			if err != nil {
				t.Fatal(err)
			}
			cert := sign(t, tbs, h.issuingKey)
			if err := cert.CheckSignatureFrom(h.issuing); err != nil {
				t.Error(err)
			}
			if cert.Version != 3 || cert.SerialNumber.Cmp(in.Serial) != 0 || !bytes.Equal(cert.RawIssuer, h.issuing.RawSubject) {
				t.Error("version, serial number or issuer is wrong")
			}
			if cert.KeyUsage != c.usage || !slices.Equal(cert.ExtKeyUsage, c.purposes) || len(cert.UnknownExtKeyUsage) > 0 {
				t.Errorf("usage %b, purposes %v", cert.KeyUsage, cert.ExtKeyUsage)
			}
			if cert.Subject.String() != "CN=alice@example.com" || !slices.Equal(cert.EmailAddresses, []string{"alice@example.com"}) {
				t.Errorf("subject %s, names %v", cert.Subject, cert.EmailAddresses)
			}
			if !slices.Equal(cert.CRLDistributionPoints, in.URLs.CRL) || !slices.Equal(cert.OCSPServer, in.URLs.OCSP) || !slices.Equal(cert.IssuingCertificateURL, in.URLs.Issuer) {
				t.Error("addresses are wrong")
			}
			if !bytes.Equal(cert.AuthorityKeyId, h.issuing.SubjectKeyId) || len(cert.SubjectKeyId) != 20 {
				t.Error("key identifiers are wrong")
			}
			var got string
			for _, p := range cert.PolicyIdentifiers {
				got += p.String()
			}
			if got != c.policy {
				t.Errorf("policies %q, want %q", got, c.policy)
			}
			if cert.IsCA || len(cert.UnhandledCriticalExtensions) > 0 {
				t.Error("a CA, or something critical that nobody knows")
			}
		})
	}
}

func TestCapabilitiesStandWhereMailIsEncrypted(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	for use, want := range map[Use]string{
		Sign: "",
		// SEQUENCE { SEQUENCE { aes256-CBC }, SEQUENCE { aes128-CBC } } as in RFC 4262 and RFC 3565
		Encrypt: "301a300b060960864801650304012a300b0609608648016503040102",
		Dual:    "301a300b060960864801650304012a300b0609608648016503040102",
	} {
		in := h.input(t)
		in.Use = use
		tbs, err := Build(find(t, "mv-strict"), in)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range sign(t, tbs, h.issuingKey).Extensions {
			if e.Id.Equal(oidSMIMECapabilities) {
				got = hex.EncodeToString(e.Value)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", use, got, want)
		}
	}
}

func TestSubjectsAndNames(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	at64, at65 := strings.Repeat("a", 52)+"@example.com", strings.Repeat("a", 53)+"@example.com"
	for _, c := range []struct {
		name      string
		addresses []string
		subject   string // "" is empty, with a critical alternative name
		openssl   []string
	}{
		{"one address", []string{"alice@example.com"}, "CN=alice@example.com", []string{"email:alice@example.com"}},
		{"the principal address first", []string{"b@example.com", "a@example.com"}, "CN=b@example.com", []string{"email:b@example.com, email:a@example.com"}},
		{"64 characters", []string{at64}, "CN=" + at64, []string{"email:" + at64}},
		{"65 characters", []string{at65}, "", []string{"critical", "email:" + at65}},
		{"a local part in quotes", []string{`"alice smith"@example.com`}, "", []string{"critical", `email:"alice smith"@example.com`}},
		{"an internationalised domain", []string{"alice@bücher.example"}, "CN=alice@xn--bcher-kva.example", []string{"email:alice@xn--bcher-kva.example"}},
		{"a local part beyond ASCII", []string{"jürgen@bücher.example"}, "CN=jürgen@xn--bcher-kva.example", []string{"SmtpUTF8Mailbox:", "rgen@xn--bcher-kva.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tbs, err := Build(find(t, "mv-strict"), h.input(t, c.addresses...))
			if err != nil {
				t.Fatal(err)
			}
			cert := sign(t, tbs, h.issuingKey)
			if got := cert.Subject.String(); got != c.subject {
				t.Errorf("subject %q, want %q", got, c.subject)
			}
			text := string(openssl(t, cert.Raw, "x509", "-inform", "der", "-noout", "-ext", "subjectAltName", "-nameopt", "utf8"))
			for _, want := range c.openssl {
				if !strings.Contains(text, want) {
					t.Errorf("openssl reads %q, where %q is missing", text, want)
				}
			}
			if c.subject != "" && strings.Contains(text, "critical") {
				t.Error("critical beside a subject")
			}
		})
	}
}

func TestValidityCountsBothEnds(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		ask  time.Duration
		want time.Duration
	}{
		{"by default two years", 0, 730 * day},
		{"one day", day, day},
		{"the maximum", 825 * day, 825 * day},
		{"parts of seconds are dropped", day + 999*time.Millisecond, day},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := h.input(t)
			in.Validity = c.ask
			tbs, err := Build(find(t, "mv-strict"), in)
			if err != nil {
				t.Fatal(err)
			}
			cert := sign(t, tbs, h.issuingKey)
			if got := cert.NotAfter.Sub(cert.NotBefore) + time.Second; got != c.want {
				t.Errorf("valid for %s, want %s", got, c.want)
			}
		})
	}
	t.Run("the default is below the maximum", func(t *testing.T) {
		if rules.Duration(rules.DefaultValidity, now) >= MaxValidity(Strict, now) {
			t.Error("BR-007")
		}
	})
	t.Run("nobody outlives the CA", func(t *testing.T) {
		in := h.input(t)
		in.NotBefore = h.issuing.NotAfter.Add(-10 * day)
		tbs, err := Build(find(t, "mv-strict"), in)
		if err != nil {
			t.Fatal(err)
		}
		if cert := sign(t, tbs, h.issuingKey); !cert.NotAfter.Equal(h.issuing.NotAfter) {
			t.Errorf("ends %s, the CA %s", cert.NotAfter, h.issuing.NotAfter)
		}
	})
	t.Run("years after 2049 are GeneralizedTime", func(t *testing.T) {
		a := rootOf(h.rootKey)
		a.Validity = 30 * 365 * day
		tbs, err := Root(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := sign(t, tbs, h.rootKey).NotAfter.Year(); got != 2056 || !bytes.Contains(tbs, []byte("\x18\x0f2056")) {
			t.Errorf("year %d", got)
		}
	})
}

func TestBuildRefuses(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	year := 365 * 24 * time.Hour
	many := make([]string, MaxMailboxes+1)
	for i := range many {
		many[i] = "a" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@example.com"
	}
	for _, c := range []struct {
		name  string
		spoil func(*Profile, *Input)
		kind  fault.Kind
		code  string
	}{
		{"a second more than the maximum", func(_ *Profile, in *Input) { in.Validity = 825*24*time.Hour + time.Second }, fault.Refused, "profile.BR-006"},
		{"a validity of a second", func(_ *Profile, in *Input) { in.Validity = time.Second }, fault.Invalid, "profile.validity"},
		{"a negative validity", func(_ *Profile, in *Input) { in.Validity = -time.Hour }, fault.Invalid, "profile.validity"},
		{"no mailbox", func(_ *Profile, in *Input) { in.Mailboxes = nil }, fault.Refused, "profile.BR-019"},
		{"too many mailboxes", func(_ *Profile, in *Input) { in.Mailboxes = h.input(t, many...).Mailboxes }, fault.Refused, "profile.BR-019"},
		{"a mailbox twice", func(_ *Profile, in *Input) { in.Mailboxes = append(in.Mailboxes, in.Mailboxes[0]) }, fault.Refused, "profile.BR-020"},
		{"the zero mailbox", func(_ *Profile, in *Input) { in.Mailboxes = make([]mailbox.Address, 1) }, fault.Refused, "profile.BR-020"},
		{"no serial number", func(_ *Profile, in *Input) { in.Serial = nil }, fault.Refused, "profile.BR-009"},
		{"a negative serial number", func(_ *Profile, in *Input) { in.Serial = new(big.Int).Neg(in.Serial) }, fault.Refused, "profile.BR-009"},
		{"a short serial number", func(_ *Profile, in *Input) { in.Serial = big.NewInt(1) }, fault.Refused, "profile.BR-009"},
		{"a serial number of 160 bits", func(_ *Profile, in *Input) { in.Serial = new(big.Int).Lsh(big.NewInt(1), 159) }, fault.Refused, "profile.BR-009"},
		{"no CRL", func(_ *Profile, in *Input) { in.URLs.CRL = nil }, fault.Refused, "profile.BR-010"},
		{"a CRL on https", func(_ *Profile, in *Input) { in.URLs.CRL[0] = "https://pki.example.com/a" }, fault.Refused, "profile.BR-010"},
		{"an OCSP address without host", func(_ *Profile, in *Input) { in.URLs.OCSP = []string{"http:///ocsp"} }, fault.Refused, "profile.BR-010"},
		{"an address with a line break", func(_ *Profile, in *Input) { in.URLs.Issuer = []string{"http://pki.example.com/\n"} }, fault.Refused, "profile.BR-010"},
		{"a reserved policy", func(_ *Profile, in *Input) { in.Policies = []asn1.ObjectIdentifier{ReservedPolicy(MV, Strict)} }, fault.Refused, "profile.BR-004"},
		{"anyPolicy", func(_ *Profile, in *Input) { in.Policies = []asn1.ObjectIdentifier{oidAnyPolicy} }, fault.Refused, "profile.BR-004"},
		{"no mode", func(_ *Profile, in *Input) { in.Mode = 0 }, fault.Internal, "profile.mode"},
		{"no use", func(_ *Profile, in *Input) { in.Use = 0 }, fault.Invalid, "profile.use"},
		{"no issuer", func(_ *Profile, in *Input) { in.Issuer = nil }, fault.Internal, "profile.issuer"},
		{"a subscriber as issuer", func(_ *Profile, in *Input) { in.Issuer = &x509.Certificate{} }, fault.Internal, "profile.issuer"},
		{"before the CA begins", func(_ *Profile, in *Input) { in.NotBefore = now.Add(-year) }, fault.Refused, "profile.issuer-expired"},
		{"after the CA ended", func(_ *Profile, in *Input) { in.NotBefore = now.Add(11 * year) }, fault.Refused, "profile.issuer-expired"},
		{"a weak key", func(_ *Profile, in *Input) { in.PublicKey = ecKey(t, elliptic.P224()).Public() }, fault.Refused, "profile.BR-026"},
		{"no profile", func(p *Profile, _ *Input) { *p = Profile{} }, fault.NotFound, "profile.unknown"},
		{"a profile that somebody changed", func(p *Profile, _ *Input) { p.ClientAuth = true }, fault.Internal, "profile.altered"},
		{"the legacy generation", func(p *Profile, _ *Input) { p.Name = "mv-legacy" }, fault.Refused, "profile.BR-002"},
		{"an RSA-2048 CA after its last day", func(_ *Profile, in *Input) {
			old := *in.Issuer
			old.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
			in.Issuer, in.NotBefore = &old, time.Date(2027, 9, 15, 0, 0, 0, 0, time.UTC)
		}, fault.Refused, "profile.BR-113"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, in := find(t, "mv-strict"), h.input(t)
			c.spoil(&p, &in)
			tbs, err := Build(p, in)
			if tbs != nil {
				t.Error("something was built")
			}
			mustBe(t, err, c.kind, c.code)
		})
	}
}

func TestOwnPoliciesStandInBothModes(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	own := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 1}
	for mode, want := range map[Mode][]asn1.ObjectIdentifier{
		Private: {own},
		Public:  {ReservedPolicy(MV, Strict), own},
	} {
		in := h.input(t)
		in.Mode, in.Policies = mode, []asn1.ObjectIdentifier{own}
		tbs, err := Build(find(t, "mv-strict"), in)
		if err != nil {
			t.Fatal(err)
		}
		if got := sign(t, tbs, h.issuingKey).PolicyIdentifiers; !slices.EqualFunc(got, want, asn1.ObjectIdentifier.Equal) {
			t.Errorf("%s: %v", mode, got)
		}
		if !slices.EqualFunc(in.Policies, []asn1.ObjectIdentifier{own}, asn1.ObjectIdentifier.Equal) {
			t.Error("the input was changed")
		}
	}
}

func TestTheSameInputGivesTheSameOctets(t *testing.T) {
	h := newHouse(t, ecKey(t, elliptic.P256()))
	in := h.input(t, "a@example.com", "jürgen@example.com")
	one, err := Build(find(t, "mv-multipurpose"), in)
	if err != nil {
		t.Fatal(err)
	}
	in.NotBefore = in.NotBefore.In(time.FixedZone("CET", 3600))
	two, err := Build(find(t, "mv-multipurpose"), in)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("differs: %v", err)
	}
}
