package trust

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"chancery.example/testca"
)

var (
	now  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	hour = time.Hour
)

func crl(t testing.TB, der []byte) *CRL {
	t.Helper()
	c, err := ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check evaluates and compares: no code means trusted.
func check(t *testing.T, cert *x509.Certificate, o Options, codes ...Code) Result {
	t.Helper()
	if o.At.IsZero() {
		o.At = now
	}
	r := Evaluate(context.Background(), cert, o)
	if r.Trusted != (len(codes) == 0) || r.Trusted != (len(r.Reasons) == 0) {
		t.Errorf("trusted %v with %v, want %v", r.Trusted, r.Reasons, codes)
	}
	for _, code := range codes {
		if !r.Has(code) {
			t.Errorf("got %v, want %s", r.Reasons, code)
		}
	}
	for _, reason := range r.Reasons {
		if !strings.HasSuffix(reason.Text, ".") || strings.Contains(reason.Text, "%!") {
			t.Errorf("%q is no sentence", reason.Text)
		}
	}
	if len(r.Chain) == 0 || !r.Chain[0].Equal(cert) {
		t.Error("the chain does not begin with the certificate")
	}
	return r
}

func certs(list ...*x509.Certificate) []*x509.Certificate { return list }

func TestPaths(t *testing.T) {
	root := testca.New(t).Root()
	issuing := root.Issuing()
	alice := issuing.Leaf("alice@example.com")
	other := testca.New(t).Root()
	up := alice.Intermediates()
	anchors := certs(root.Cert)

	t.Run("a path to the root is trusted", func(t *testing.T) {
		r := check(t, alice.Cert, Options{Anchors: anchors, Intermediates: up})
		if len(r.Chain) != 3 || !r.Chain[2].Equal(root.Cert) || r.Revocation.Status != NotChecked {
			t.Errorf("got %d certificates, %+v", len(r.Chain), r.Revocation)
		}
	})
	t.Run("an anchor need not be self-signed", func(t *testing.T) {
		check(t, alice.Cert, Options{Anchors: certs(issuing.Cert)})
	})
	t.Run("an anchor may be the certificate itself", func(t *testing.T) {
		check(t, alice.Cert, Options{Anchors: certs(alice.Cert)})
	})
	t.Run("nobody is trusted without anchors", func(t *testing.T) {
		check(t, alice.Cert, Options{Intermediates: append(up, root.Cert)}, UnknownIssuer)
	})
	t.Run("a missing intermediate is named", func(t *testing.T) {
		r := check(t, alice.Cert, Options{Anchors: anchors}, UnknownIssuer)
		if !strings.Contains(r.Reasons[0].Text, "Test Issuing CA") {
			t.Errorf("%q does not name the issuer", r.Reasons[0].Text)
		}
	})
	t.Run("another root of the same name is another root", func(t *testing.T) {
		r := check(t, alice.Cert, Options{Anchors: certs(other.Cert), Intermediates: up}, UnknownIssuer)
		if !strings.Contains(r.Reasons[0].Text, "another key") {
			t.Errorf("%q does not say what differs", r.Reasons[0].Text)
		}
	})
	t.Run("a self-signed stranger is not trusted", func(t *testing.T) {
		check(t, other.Cert, Options{Anchors: anchors, Usage: AnyUsage}, UnknownIssuer)
	})
	t.Run("before its time", func(t *testing.T) {
		check(t, alice.Cert, Options{Anchors: anchors, Intermediates: up, At: testca.Start.Add(-hour)}, NotYetValid)
	})
	t.Run("after its time", func(t *testing.T) {
		check(t, alice.Cert, Options{Anchors: anchors, Intermediates: up, At: testca.End.Add(hour)}, Expired)
	})
	t.Run("an expired anchor ends the trust in it", func(t *testing.T) {
		old := testca.New(t).Root(testca.Valid(testca.Start, now.Add(-hour)))
		check(t, old.Leaf("alice@example.com").Cert, Options{Anchors: certs(old.Cert)}, Expired)
	})
	t.Run("of two issuers with one key the one in time is taken", func(t *testing.T) {
		old := root.Issuing(testca.Key(issuing.Key), testca.Valid(testca.Start, now.Add(-hour)))
		r := check(t, alice.Cert, Options{Anchors: anchors, Intermediates: certs(old.Cert, issuing.Cert)})
		if !r.Chain[1].Equal(issuing.Cert) {
			t.Error("the path goes through the expired one")
		}
	})
	t.Run("a cross-certificate leads to the other root", func(t *testing.T) {
		cross := other.Issuing(testca.Key(issuing.Key))
		r := check(t, alice.Cert, Options{Anchors: certs(other.Cert), Intermediates: append(up, cross.Cert)})
		if !r.Chain[1].Equal(cross.Cert) {
			t.Error("the path does not go through the cross-certificate")
		}
	})
	t.Run("two roots that certify each other are no endless way", func(t *testing.T) {
		a, b := testca.New(t).Root(testca.Name("A")), testca.New(t).Root(testca.Name("B"))
		ab := a.Issuing(testca.Name("B"), testca.Key(b.Key))
		ba := b.Issuing(testca.Name("A"), testca.Key(a.Key))
		check(t, a.Leaf("alice@example.com").Cert, Options{Anchors: anchors, Intermediates: certs(ab.Cert, ba.Cert, a.Cert, b.Cert)}, UnknownIssuer)
	})
	t.Run("an altered certificate", func(t *testing.T) {
		forged := *alice.Cert
		forged.RawTBSCertificate = append([]byte(nil), forged.RawTBSCertificate...)
		forged.RawTBSCertificate[len(forged.RawTBSCertificate)-1] ^= 1
		check(t, &forged, Options{Anchors: anchors, Intermediates: up}, BadSignature)
	})
	t.Run("a leaf is no issuer", func(t *testing.T) {
		fake := &testca.CA{Cert: alice.Cert, Key: alice.Key, Parent: issuing}
		mallory := fakeLeaf(t, fake)
		check(t, mallory, Options{Anchors: anchors, Intermediates: append(up, alice.Cert)}, NotACA)
	})
	t.Run("a stopped context stops", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r := Evaluate(ctx, alice.Cert, Options{Anchors: anchors, Intermediates: up, At: now})
		if r.Trusted || !r.Has(Cancelled) {
			t.Errorf("got %v", r.Reasons)
		}
	})
}

// fakeLeaf makes a certificate by the key of somebody who is no authority.
func fakeLeaf(t *testing.T, ca *testca.CA) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: testca.Start, NotAfter: testca.End, EmailAddresses: []string{"mallory@example.com"}}
	key := testca.NewKey(t, testca.P256)
	der, err := x509.CreateCertificate(nil, template, ca.Cert, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestUsageAndStrength(t *testing.T) {
	root := testca.New(t).Root()
	anchors := certs(root.Cert)
	for _, c := range []struct {
		name    string
		options []testca.Option
		usage   Usage
		codes   []Code
	}{
		{"for mail", nil, Mail, nil},
		{"for mail signing", nil, MailSigning, nil},
		{"for mail encryption", nil, MailEncryption, nil},
		{"without extended key usage", []testca.Option{testca.ExtUsage()}, MailSigning, nil},
		{"for any use", []testca.Option{testca.ExtUsage(x509.ExtKeyUsageAny)}, MailSigning, nil},
		{"for TLS servers only", []testca.Option{testca.ExtUsage(x509.ExtKeyUsageServerAuth)}, Mail, []Code{WrongUsage}},
		{"for TLS servers only, and nothing is asked", []testca.Option{testca.ExtUsage(x509.ExtKeyUsageServerAuth)}, AnyUsage, nil},
		{"for encryption only, to sign", []testca.Option{testca.Usage(x509.KeyUsageKeyEncipherment)}, MailSigning, []Code{WrongUsage}},
		{"for signatures only, to encrypt", []testca.Option{testca.Usage(x509.KeyUsageDigitalSignature)}, MailEncryption, []Code{WrongUsage}},
		{"for non-repudiation, to sign", []testca.Option{testca.Usage(x509.KeyUsageContentCommitment)}, MailSigning, nil},
		{"with RSA-2048", []testca.Option{testca.RSA2048}, Mail, nil},
		{"with Ed25519", []testca.Option{testca.Ed25519}, Mail, nil},
		{"with an unknown critical extension", []testca.Option{testca.Extension(asn1.ObjectIdentifier{1, 2, 3}, true, asn1.NullBytes)}, Mail, []Code{UnknownCriticalExtension}},
		{"with an unknown extension", []testca.Option{testca.Extension(asn1.ObjectIdentifier{1, 2, 3}, false, asn1.NullBytes)}, Mail, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaf := root.Leaf("alice@example.com", c.options...)
			check(t, leaf.Cert, Options{Anchors: anchors, Usage: c.usage}, c.codes...)
			check(t, leaf.Cert, Options{Anchors: certs(leaf.Cert), Usage: c.usage}, c.codes...) // as its own anchor
		})
	}
	t.Run("an issuer for TLS only issues no mail certificates", func(t *testing.T) {
		tls := root.Issuing(testca.ExtUsage(x509.ExtKeyUsageServerAuth))
		leaf := tls.Leaf("alice@example.com")
		check(t, leaf.Cert, Options{Anchors: anchors, Intermediates: certs(tls.Cert)}, WrongUsage)
		check(t, leaf.Cert, Options{Anchors: anchors, Intermediates: certs(tls.Cert), Usage: AnyUsage})
	})
}

func TestNameConstraints(t *testing.T) {
	root := testca.New(t).Root()
	limited := func(change func(*x509.Certificate)) *testca.CA { return root.Issuing(testca.With(change)) }
	permitted := limited(func(c *x509.Certificate) {
		c.PermittedEmailAddresses = []string{"example.com", ".dept.example.com", "bob@example.org", "xn--bcher-kva.example"}
	})
	excluded := limited(func(c *x509.Certificate) { c.ExcludedEmailAddresses = []string{"example.com"} })
	for _, c := range []struct {
		name, address string
		ca            *testca.CA
		ok            bool
	}{
		{"a mailbox of the host", "alice@example.com", permitted, true},
		{"a mailbox of the host in capitals", "alice@EXAMPLE.com", permitted, true},
		{"a mailbox of a host below the host", "alice@mail.example.com", permitted, false},
		{"a mailbox in the domain", "alice@mail.dept.example.com", permitted, true},
		{"a mailbox at the domain itself", "alice@dept.example.com", permitted, false},
		{"the very mailbox", "bob@example.org", permitted, true},
		{"another mailbox there", "alice@example.org", permitted, false},
		{"a name that only ends alike", "alice@badexample.com", permitted, false},
		{"a mailbox of the excluded host", "alice@example.com", excluded, false},
		{"a mailbox elsewhere", "alice@example.org", excluded, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var codes []Code
			if !c.ok {
				codes = []Code{NameConstraints}
			}
			o := Options{Anchors: certs(root.Cert), Intermediates: certs(c.ca.Cert)}
			check(t, c.ca.Leaf(c.address).Cert, o, codes...)
			if c.address != "alice@EXAMPLE.com" {
				check(t, c.ca.Leaf("", testca.SubjectAddress(c.address)).Cert, o, codes...)
			}
			check(t, c.ca.Leaf("", smtpUTF8(t, c.address)).Cert, o, codes...)
		})
	}
	t.Run("an internationalised mailbox is held against the A-label", func(t *testing.T) {
		o := Options{Anchors: certs(root.Cert), Intermediates: certs(permitted.Cert)}
		check(t, permitted.Leaf("", smtpUTF8(t, "jürgen@bücher.example")).Cert, o)
		check(t, permitted.Leaf("", smtpUTF8(t, "jürgen@büchse.example")).Cert, o, NameConstraints)
	})
	t.Run("addresses and hosts", func(t *testing.T) {
		_, network, _ := net.ParseCIDR("192.0.2.0/24")
		ca := limited(func(c *x509.Certificate) {
			c.PermittedIPRanges, c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []*net.IPNet{network}, []string{"example.com"}, true
		})
		o := Options{Anchors: certs(root.Cert), Intermediates: certs(ca.Cert)}
		check(t, ca.Leaf("a@example.com", testca.With(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(192, 0, 2, 9).To4()}, []string{"mail.example.com"}
		})).Cert, o)
		check(t, ca.Leaf("a@example.com", testca.With(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 3, 9).To4()} })).Cert, o, NameConstraints)
		check(t, ca.Leaf("a@example.com", testca.With(func(c *x509.Certificate) { c.DNSNames = []string{"badexample.com"} })).Cert, o, NameConstraints)
	})
}

// smtpUTF8 adds a subjectAltName with a SmtpUTF8Mailbox (RFC 9598).
func smtpUTF8(t *testing.T, address string) testca.Option {
	t.Helper()
	text, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(address)})
	if err != nil {
		t.Fatal(err)
	}
	other, err := asn1.Marshal(struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue
	}{oidSmtpUTF8Name, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: text}})
	if err != nil {
		t.Fatal(err)
	}
	other[0] = 0xa0
	names, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: other})
	if err != nil {
		t.Fatal(err)
	}
	return testca.Extension(oidSubjectAltName, false, names)
}

func TestRevocationByCRL(t *testing.T) {
	root := testca.New(t).Root()
	issuing := root.Issuing()
	alice := issuing.Leaf("alice@example.com")
	base := Options{Anchors: certs(root.Cert), Intermediates: alice.Intermediates(), Revocation: Hard}
	rootList := root.CRL(now.Add(-hour))
	revoked := func(at time.Time, reason int) []byte {
		return issuing.CRL(now.Add(-hour), testca.Revoked{Leaf: alice, At: at, Reason: reason})
	}
	const superseded, keyCompromise = 4, 1
	for _, c := range []struct {
		name  string
		mode  RevocationMode
		lists [][]byte
		codes []Code
		want  RevocationStatus
	}{
		{"good", Hard, [][]byte{rootList, issuing.CRL(now.Add(-hour))}, nil, StatusGood},
		{"no list, hard", Hard, nil, []Code{RevocationUnknown}, StatusUnknown},
		{"no list, soft", Soft, nil, nil, StatusUnknown},
		{"no list of the root, hard", Hard, [][]byte{issuing.CRL(now.Add(-hour))}, []Code{RevocationUnknown}, StatusUnknown},
		{"revoked before", Hard, [][]byte{rootList, revoked(now.Add(-2*hour), superseded)}, []Code{RevokedCode}, StatusRevoked},
		{"revoked at that very moment", Hard, [][]byte{rootList, revoked(now, superseded)}, []Code{RevokedCode}, StatusRevoked},
		{"revoked later", Hard, [][]byte{rootList, revoked(now.Add(hour), superseded)}, nil, StatusGood},
		{"revoked later for a compromised key", Hard, [][]byte{rootList, revoked(now.Add(hour), keyCompromise)}, []Code{RevokedCode}, StatusRevoked},
		{"revoked, soft", Soft, [][]byte{rootList, revoked(now.Add(-2*hour), superseded)}, []Code{RevokedCode}, StatusRevoked},
		{"revoked, off", Off, [][]byte{rootList, revoked(now.Add(-2*hour), superseded)}, nil, NotChecked},
		{"an old list", Hard, [][]byte{rootList, issuing.CRL(now.Add(-8 * 24 * hour))}, []Code{RevocationUnknown}, StatusUnknown},
		{"an old list beside a new one that revokes", Hard, [][]byte{rootList, issuing.CRL(now.Add(-2 * hour)), revoked(now.Add(-2*hour), superseded)}, []Code{RevokedCode}, StatusRevoked},
		{"a list that was made later", Hard, [][]byte{rootList, issuing.CRL(now.Add(24 * hour))}, nil, StatusGood},
		{"another authority's list", Hard, [][]byte{rootList, testca.New(t).Root(testca.Name("Test Issuing CA")).CRL(now.Add(-hour))}, []Code{RevocationUnknown}, StatusUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := base
			o.Revocation = c.mode
			for _, der := range c.lists {
				o.CRLs = append(o.CRLs, crl(t, der))
			}
			r := check(t, alice.Cert, o, c.codes...)
			if r.Revocation.Status != c.want {
				t.Errorf("the status is %s, want %s", r.Revocation.Status, c.want)
			}
			if c.want == StatusRevoked && (r.Revocation.Certificate != alice.Cert || r.Revocation.Source != "crl" || r.Revocation.RevokedAt.IsZero()) {
				t.Errorf("got %+v", r.Revocation)
			}
		})
	}
	t.Run("a revoked issuer", func(t *testing.T) {
		o := base
		asLeaf := &testca.Leaf{Cert: issuing.Cert}
		o.CRLs = []*CRL{crl(t, root.CRL(now, testca.Revoked{Leaf: asLeaf, At: now.Add(-hour), Reason: 2})), crl(t, issuing.CRL(now))}
		r := check(t, alice.Cert, o, RevokedCode)
		if r.Revocation.Certificate != issuing.Cert {
			t.Error("another certificate is named")
		}
	})
	t.Run("an anchor that is revoked by its issuer at hand", func(t *testing.T) {
		o := base
		o.Anchors = certs(alice.Cert)
		check(t, alice.Cert, o)
		o.CRLs = []*CRL{crl(t, revoked(now.Add(-2*hour), superseded))}
		check(t, alice.Cert, o, RevokedCode)
	})
	t.Run("a separate key for lists", func(t *testing.T) {
		signer := issuing.Leaf("", testca.Usage(x509.KeyUsageCRLSign), testca.ExtUsage(), testca.With(func(c *x509.Certificate) { c.Subject = issuing.Cert.Subject }))
		byIssuing := issuing.CRL(now.Add(-2*hour), testca.Revoked{Leaf: signer, At: now.Add(-2 * hour), Reason: keyCompromise}, testca.Revoked{Leaf: alice, At: now.Add(-2 * hour), Reason: keyCompromise})
		o := base
		o.Intermediates = append(certs(signer.Cert), alice.Intermediates()...)
		bySigner := crl(t, listBy(t, signer.Cert, &testca.CA{Key: signer.Key}))

		o.CRLs = []*CRL{crl(t, rootList), bySigner}
		check(t, alice.Cert, o, RevocationUnknown) // nobody but itself vouches for the signer
		o.CRLs = []*CRL{crl(t, rootList), bySigner, crl(t, byIssuing)}
		check(t, alice.Cert, o, RevokedCode) // a newer list by a revoked signer hides nothing
		o.CRLs = []*CRL{crl(t, rootList), bySigner, crl(t, issuing.CRL(now.Add(-2*hour)))}
		check(t, alice.Cert, o)
	})
	t.Run("a list that its issuer may not sign", func(t *testing.T) {
		mute := root.Issuing(testca.Usage(x509.KeyUsageCertSign))
		bob := mute.Leaf("bob@example.com")
		o := base
		o.Intermediates = certs(mute.Cert)
		signer := *mute.Cert
		signer.KeyUsage |= x509.KeyUsageCRLSign // CreateRevocationList looks
		o.CRLs = []*CRL{crl(t, rootList), crl(t, listBy(t, &signer, mute))}
		check(t, bob.Cert, o, RevocationUnknown)
	})
}

func TestALabyrinthHasAnEnd(t *testing.T) {
	// Ten names, each certified by each other: a naive search walks through ten factorial ways.
	const n = 10
	var pool []*x509.Certificate
	var cas []*testca.CA
	for i := range n {
		cas = append(cas, testca.New(t).Root(testca.Name(strings.Repeat("X", i+1))))
	}
	for i, a := range cas {
		for j, b := range cas {
			if i != j {
				pool = append(pool, a.Issuing(testca.Name(strings.Repeat("X", j+1)), testca.Key(b.Key)).Cert)
			}
		}
	}
	leaf := cas[0].Leaf("alice@example.com")
	begun := time.Now()
	r := Evaluate(context.Background(), leaf.Cert, Options{Anchors: certs(testca.New(t).Root().Cert), Intermediates: pool, At: now})
	if r.Trusted || !r.Has(TooComplex) {
		t.Errorf("got %v", r.Reasons)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// listBy signs an empty list in the name of a certificate that CreateRevocationList accepts.
func listBy(t *testing.T, signer *x509.Certificate, ca *testca.CA) []byte {
	t.Helper()
	der, err := x509.CreateRevocationList(nil, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-hour), NextUpdate: now.Add(hour)}, signer, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
