package smime

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/testca"
	"chancery.example/trust"
)

// codes are all reasons of a report's signatures and of itself.
func codes(r *Report) []string {
	var all []string
	for _, reason := range r.Reasons {
		all = append(all, reason.Code)
	}
	for _, s := range r.Signatures {
		for _, reason := range s.Reasons {
			all = append(all, reason.Code)
		}
	}
	return all
}

// cut parts a mail into header and body.
func cut(mail string) (header, body string) {
	header, body, _ = strings.Cut(mail, "\r\n\r\n")
	return header + "\r\n", body
}

// contentFields are the Content-* lines of a header, with their folds.
func contentFields(header string) string {
	var kept strings.Builder
	keep := false
	for line := range strings.Lines(header) {
		if line[0] != ' ' {
			keep = strings.HasPrefix(line, "Content-")
		}
		if keep {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// asPart is a mail as a part of another: without the mail's own fields.
func asPart(mail string) string {
	header, body := cut(mail)
	return contentFields(header) + "\r\n" + body
}

// replace changes a mail and fails when there is nothing to change.
func replace(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q to change in:\n%.2000s", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

const fromAlice = "From: Alice <alice@example.com>\r\nMIME-Version: 1.0\r\n"

func TestSignatureSpoofing(t *testing.T) {
	c := newCast(t)
	other := c.root.Issuing()
	mallory := other.Leaf("mallory@example.net")
	stranger := testca.New(t).Root().Leaf("alice@example.com")
	mail := signed(t, letter, signer(c.alice))
	opaqueOpts := signer(c.alice)
	opaqueOpts.Opaque = true
	opaque := signed(t, letter, opaqueOpts)
	twice := signer(c.alice)
	twice.Signers = append(twice.Signers, cms.Signer{Certificate: mallory.Cert, Key: mallory.Key})
	twice.Certificates = append(twice.Certificates, mallory.Intermediates()...)
	by := func(leaf *testca.Leaf) string { return signed(t, letter, signer(leaf)) }
	from := func(line string) string {
		return replace(t, mail, "From: Alice <alice@example.com>\r\n", line)
	}
	mixed := func(parts ...string) string {
		return fromAlice + "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + strings.Join(parts, "\r\n--m\r\n") + "\r\n--m--\r\n"
	}
	text := "Content-Type: text/plain\r\n\r\npay to me\r\n"

	cases := []struct {
		name, mail string
		want       Verdict
		code       string // one that must be among the reasons
	}{
		{"the honest mail", mail, Valid, ""},
		{"the honest opaque mail", opaque, Valid, ""},
		{"the honest mail with line feeds only", strings.ReplaceAll(mail, "\r\n", "\n"), Valid, ""},
		{"the honest mail out of a mailbox file", "From alice@example.com Mon Jun  1 12:00:00 2026\n" + mail, Valid, ""},
		{"Outlook's names for it", replace(t, replace(t, mail, `protocol="application/pkcs7-signature"`, `protocol="application/x-pkcs7-signature"`),
			"Content-Type: application/pkcs7-signature", "Content-Type: application/x-pkcs7-signature"), Valid, ""},
		{"an opaque mail as x-pkcs7-mime without smime-type", replace(t, opaque, "application/pkcs7-mime; smime-type=signed-data;", "application/x-pkcs7-mime;"), Valid, ""},
		{"an opaque mail as octet-stream smime.p7m", replace(t, opaque, "application/pkcs7-mime; smime-type=signed-data;", "application/octet-stream;"), Valid, ""},
		{"another Sender is only reported", from("From: alice@example.com\r\nSender: list@example.org\r\n"), Valid, ""},
		{"an unsigned mail", letter, Unsigned, ""},

		{"signed by somebody else", replace(t, by(mallory), "From: Alice", "From: Alice"), Untrusted, SignerMismatch},
		{"two From addresses", from("From: alice@example.com, mallory@example.net\r\n"), Untrusted, AmbiguousFrom},
		{"two From fields", from("From: alice@example.com\r\nFrom: mallory@example.net\r\n"), Untrusted, AmbiguousFrom},
		{"no From", from(""), Untrusted, NoFrom},
		{"an empty From", from("From: \r\n"), Untrusted, NoFrom},
		{"a malformed From", from("From: alice@example.com <x\r\n"), Untrusted, AmbiguousFrom},
		{"another address as display name", from("From: \"bank@example.org\" <alice@example.com>\r\n"), Untrusted, AmbiguousFrom},
		{"the signer's address only as display name", from("From: \"alice@example.com\" <mallory@example.net>\r\n"), Untrusted, AmbiguousFrom},
		{"an unknown issuer", by(stranger), Untrusted, string(trust.UnknownIssuer)},
		{"an address in the common name", by(other.Leaf("mallory@example.net", testca.Name("alice@example.com"))), Untrusted, SignerMismatch},
		{"an address in the subject while the subjectAltName says otherwise", by(other.Leaf("mallory@example.net", testca.SubjectAddress("alice@example.com"))), Untrusted, SignerMismatch},
		{"an address in the subject and no subjectAltName", by(other.Leaf("", testca.SubjectAddress("alice@example.com"))), Valid, ""},
		{"a certificate for servers", by(other.Leaf("alice@example.com", testca.ExtUsage(x509.ExtKeyUsageServerAuth))), Untrusted, string(trust.WrongUsage)},
		{"a certificate for anything", by(other.Leaf("alice@example.com", testca.ExtUsage(x509.ExtKeyUsageAny))), Valid, ""},
		{"a certificate without extended key usage", by(other.Leaf("alice@example.com", testca.ExtUsage())), Valid, ""},
		{"a certificate that may only encrypt", by(other.Leaf("alice@example.com", testca.Usage(x509.KeyUsageKeyAgreement))), Untrusted, string(trust.WrongUsage)},
		{"an expired certificate, signed while it was valid", by(other.Leaf("alice@example.com", testca.Valid(testca.Start, now.Add(-time.Hour)))), Untrusted, string(trust.Expired)},

		{"altered text", replace(t, mail, "this is the letter", "this is no letter!"), Invalid, ContentAltered},
		{"an altered header under the signature", replace(t, mail, "text/plain; charset=utf-8", "text/html; charset=utf-8"), Invalid, ContentAltered},
		{"a damaged signature", replace(t, mail, "\r\n\r\nMII", "\r\n\r\nMIJ"), Invalid, MalformedSignature},
		{"a lost signature", replace(t, mail, "Content-Type: application/pkcs7-signature", "Content-Type: image/png"), Invalid, MalformedSignature},
		{"a signature cut short", mail[:len(mail)-900], Invalid, MalformedSignature},
		{"no boundary", replace(t, mail, "boundary=", "boundery="), Invalid, MalformedSignature},
		{"two boundaries", replace(t, mail, "boundary=", `boundary="x"; boundary=`), Invalid, MalformedSignature},

		{"a text before the signed part", mixed(text, asPart(mail)), Untrusted, PartlySigned},
		{"a footer behind the signed part, as of a mailing list", mixed(asPart(mail), text), Untrusted, PartlySigned},
		{"alone in a multipart", mixed(asPart(mail)), Untrusted, PartlySigned},
		{"an opaque signature as a part", mixed(text, asPart(opaque)), Untrusted, PartlySigned},
		{"a signed mail forwarded in an unsigned one", fromAlice + "Content-Type: message/rfc822\r\n\r\n" + mail, Untrusted, PartlySigned},
		{"a signed mail attached to an unsigned one", mixed(text, "Content-Type: message/rfc822\r\n\r\n"+mail), Untrusted, PartlySigned},
		{"a signed part deep inside", fromAlice + "Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n" +
			asPart(mail) + "\r\n--a--\r\n\r\n--r--\r\n", Untrusted, PartlySigned},
		{"a third part behind the signature", strings.TrimSuffix(mail, "--\r\n") + "\r\n" + text + "\r\n--" + boundaryOf(mail) + "--\r\n", Untrusted, PartlySigned},
		{"an altered part among others", mixed(text, replace(t, asPart(mail), "this is the letter", "pay")), Invalid, ContentAltered},

		{"two signers, the second is another", signed(t, letter, twice), Valid, SignerMismatch},
		{"two signers, and the text is altered", replace(t, signed(t, letter, twice), "this is the letter", "this is no letter!"), Invalid, ContentAltered},
		{"nobody signed", replaceSignature(t, mail, bundle(t, c)), Unsigned, NoSigner},
		{"the signature brings a text of its own", replaceSignature(t, mail, bareSigned(t, "another text", c.alice, true)), Invalid, TwoContents},
		{"a detached signature as the whole mail", fromAlice + asBase64("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", bareSigned(t, letter, c.alice, false)), Invalid, MissingContent},
		{"only certificates", fromAlice + asBase64("application/pkcs7-mime; smime-type=certs-only; name=smime.p7c", bundle(t, c)), Unsigned, NoSigner},
		{"claims to be signed and is nothing", fromAlice + asBase64("application/pkcs7-mime; smime-type=signed-data", []byte("nothing")), Invalid, MalformedSignature},
		{"wrong micalg, which hides no signature", replace(t, mail, "micalg=sha-256", "micalg=sha-512"), Valid, ""},
		{"micalg of old", replace(t, mail, "micalg=sha-256", "micalg=sha1"), Valid, ""},
		{"no micalg", replace(t, mail, "micalg=sha-256; ", ""), Valid, ""},
		{"an OpenPGP signature is none of ours", replace(t, mail, "application/pkcs7-signature", "application/pgp-signature"), Unsigned, ""},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(test.mail), io.MultiReader(strings.NewReader(test.mail))} { // a file, and a pipe
				report, err := Open(t.Context(), r, nil, c.reader())
				if err != nil {
					t.Fatal(err)
				}
				if report.Verdict != test.want || test.code != "" && !slices.Contains(codes(report), test.code) {
					t.Errorf("verdict %s, reasons %q; want %s with %q", report.Verdict, codes(report), test.want, test.code)
				}
				if (report.Verdict == Valid) != report.Authenticated {
					t.Errorf("authenticated %v", report.Authenticated)
				}
			}
		})
	}
}

func boundaryOf(mail string) string {
	header, _ := cut(mail)
	h := &Header{}
	h.add([]byte(header[strings.Index(header, "Content-Type"):]))
	return h.contentType().Params["boundary"]
}

// bareSigned is CMS over a text.
func bareSigned(t *testing.T, text string, leaf *testca.Leaf, opaque bool) []byte {
	t.Helper()
	opts := signer(leaf)
	opts.Opaque = opaque
	var out bytes.Buffer
	if err := SignCMS(t.Context(), strings.NewReader(text), &out, opts); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bundle is CMS that carries certificates and has no signer.
func bundle(t *testing.T, c *cast) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := cms.WriteBundle(&out, []*x509.Certificate{c.alice.Cert}, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asBase64(contentType string, data []byte) string {
	return "Content-Type: " + contentType + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(data) + "\r\n"
}

// replaceSignature puts another signature into a multipart/signed.
func replaceSignature(t *testing.T, mail string, signature []byte) string {
	t.Helper()
	start := strings.Index(mail, "Content-Type: application/pkcs7-signature")
	end := strings.LastIndex(mail, "\r\n--")
	if start < 0 || end < start {
		t.Fatal("no signature to replace")
	}
	return mail[:start] + asBase64("application/pkcs7-signature", signature) + mail[end:]
}

func TestFromThatTheCallerKnows(t *testing.T) {
	c := newCast(t)
	mail := strings.Replace(signed(t, letter, signer(c.alice)), "From: Alice <alice@example.com>\r\n", "", 1)
	for address, want := range map[string]Verdict{"alice@example.com": Valid, "Alice@Example.com": Valid, "mallory@example.net": Untrusted, "": Untrusted} {
		opts := c.reader()
		opts.From = address
		if got := open(t, mail, opts); got.Verdict != want || got.From != address {
			t.Errorf("%q: verdict %s, from %q; want %s", address, got.Verdict, got.From, want)
		}
	}
}

func TestRevocation(t *testing.T) {
	c := newCast(t)
	mail := signed(t, letter, signer(c.alice))
	crl := func(entries ...testca.Revoked) []*trust.CRL {
		var all []*trust.CRL
		for _, der := range [][]byte{c.alice.Issuer.CRL(now.Add(-time.Hour), entries...), c.root.CRL(now.Add(-time.Hour))} {
			parsed, err := trust.ParseCRL(der)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, parsed)
		}
		return all
	}
	cases := []struct {
		name string
		mode trust.RevocationMode
		crls []*trust.CRL
		want Verdict
		code string
	}{
		{"not asked", trust.Off, crl(testca.Revoked{Leaf: c.alice, At: now.Add(-2 * time.Hour)}), Valid, ""},
		{"asked and good", trust.Hard, crl(), Valid, ""},
		{"asked and nobody knows", trust.Hard, nil, Untrusted, string(trust.RevocationUnknown)},
		{"asked softly and nobody knows", trust.Soft, nil, Valid, ""},
		{"revoked", trust.Hard, crl(testca.Revoked{Leaf: c.alice, At: now.Add(-2 * time.Hour)}), Invalid, string(trust.RevokedCode)},
		{"revoked, asked softly", trust.Soft, crl(testca.Revoked{Leaf: c.alice, At: now.Add(-2 * time.Hour)}), Invalid, string(trust.RevokedCode)},
		{"revoked only later", trust.Hard, crl(testca.Revoked{Leaf: c.alice, At: now.Add(time.Hour)}), Valid, ""},
		{"key compromise found later", trust.Hard, crl(testca.Revoked{Leaf: c.alice, At: now.Add(time.Hour), Reason: 1}), Invalid, string(trust.RevokedCode)},
		{"somebody else is revoked", trust.Hard, crl(testca.Revoked{Leaf: c.bob, At: now.Add(-2 * time.Hour)}), Valid, ""},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			opts := c.reader()
			opts.Revocation, opts.CRLs = test.mode, test.crls
			report := open(t, mail, opts)
			if report.Verdict != test.want || test.code != "" && !slices.Contains(codes(report), test.code) {
				t.Errorf("verdict %s, reasons %q; want %s with %q", report.Verdict, codes(report), test.want, test.code)
			}
		})
	}
	t.Run("an anchor may be the signer", func(t *testing.T) {
		opts := c.reader()
		opts.Anchors = []*x509.Certificate{c.alice.Cert}
		if report := open(t, mail, opts); report.Verdict != Valid {
			t.Errorf("verdict %s, %v", report.Verdict, report.Reasons)
		}
	})
}

func TestLayers(t *testing.T) {
	c := newCast(t)
	cbc, gcm := recipients(c.bob), recipients(c.bobRSA)
	cbc.Cipher, gcm.Cipher = cms.AES256CBC, cms.AES256GCM
	sign := func(mail string) string { return signed(t, mail, signer(c.alice)) }
	opaque := func(mail string) string {
		opts := signer(c.alice)
		opts.Opaque = true
		return signed(t, mail, opts)
	}
	seal := func(mail string) string { return encrypted(t, mail, cbc) }
	sealAEAD := func(mail string) string { return encrypted(t, mail, gcm) }
	damaged := replace(t, sign(letter), "this is the letter", "pay")
	cases := []struct {
		name, mail    string
		want          Verdict
		authenticated bool
		layers        string
	}{
		{"encrypted with CBC", seal(letter), Unsigned, false, "enveloped-data"},
		{"encrypted with GCM", sealAEAD(letter), Unsigned, true, "auth-enveloped-data"},
		{"signed, then encrypted", seal(sign(letter)), Valid, true, "enveloped-data multipart/signed"},
		{"signed opaquely, then encrypted, as Outlook does", seal(opaque(letter)), Valid, true, "enveloped-data signed-data"},
		{"encrypted, then signed: the signer may not know what is inside", sign(seal(letter)), Valid, false, "multipart/signed enveloped-data"},
		{"triple wrapped", opaque(seal(sign(letter))), Valid, true, "signed-data enveloped-data multipart/signed"},
		{"encrypted twice", seal(sealAEAD(letter)), Unsigned, false, "enveloped-data auth-enveloped-data"},
		{"a broken signature inside", seal(damaged), Invalid, false, "enveloped-data multipart/signed"},
		{"a good signature around a broken one", sign(seal(damaged)), Invalid, false, "multipart/signed enveloped-data multipart/signed"},
		{"Outlook's p7m under octet-stream", replace(t, seal(opaque(letter)), "application/pkcs7-mime; smime-type=enveloped-data;", "application/octet-stream;"), Valid, true, "enveloped-data signed-data"},
		{"a false smime-type does not matter", replace(t, seal(sign(letter)), "smime-type=enveloped-data", "smime-type=signed-data"), Valid, true, "enveloped-data multipart/signed"},
		{"a part signed inside the encryption", seal(fromAlice + "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + asPart(sign(letter)) + "\r\n--m--\r\n"), Untrusted, false, "enveloped-data"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			report := open(t, test.mail, c.reader())
			var layers []string
			for _, layer := range report.Layers {
				layers = append(layers, layer.Type)
			}
			if report.Verdict != test.want || report.Authenticated != test.authenticated || strings.Join(layers, " ") != test.layers || !report.Encrypted {
				t.Errorf("verdict %s, authenticated %v, layers %q, encrypted %v, reasons %v", report.Verdict, report.Authenticated, layers, report.Encrypted, codes(report))
			}
			opts := c.reader()
			opts.Unwrap = Content
			var out bytes.Buffer
			if _, err := Open(t.Context(), strings.NewReader(test.mail), &out, opts); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(out.String(), "From: Alice") || !strings.Contains(out.String(), "\r\n\r\n") ||
				strings.Contains(test.name, "part") == strings.HasSuffix(out.String(), "\r\n\r\nDear Bob,\r\n\r\nthis is the letter.\r\n") && test.want != Invalid {
				t.Errorf("the content came out as:\n%s", out.String())
			}
		})
	}
}

func TestDecryptedKeepsTheSignatureInside(t *testing.T) {
	c := newCast(t)
	for how, wrap := range map[string]func(string) string{
		"encrypted":             func(m string) string { return encrypted(t, m, recipients(c.bob)) },
		"encrypted twice":       func(m string) string { return encrypted(t, encrypted(t, m, recipients(c.bobRSA)), recipients(c.bob)) },
		"encrypted, and signed": func(m string) string { return signed(t, encrypted(t, m, recipients(c.bob)), signer(c.alice)) },
	} {
		t.Run(how, func(t *testing.T) {
			mail := signed(t, letter, signer(c.alice))
			var out bytes.Buffer
			if _, err := Open(t.Context(), strings.NewReader(wrap(mail)), &out, c.reader()); err != nil {
				t.Fatal(err)
			}
			if out.String() != mail {
				t.Errorf("came out as\n%s\nwant\n%s", out.String(), mail)
			}
		})
	}
}

func TestWhatIsNotOpened(t *testing.T) {
	c := newCast(t)
	sealed := encrypted(t, letter, recipients(c.bob))
	gcm := recipients(c.bob)
	gcm.Cipher = cms.AES256GCM
	part := fromAlice + "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n<img src=\"http://example.net/\r\n--m\r\n" +
		asPart(sealed) + "\r\n--m\r\nContent-Type: text/html\r\n\r\n\">\r\n--m--\r\n"
	bob := c.reader()
	nobody, stranger := bob, bob
	nobody.Keys, stranger.Keys = nil, keysOf(c.alice)
	cases := []struct {
		name, mail string
		opts       Options
		code       string
	}{
		{"an encrypted part between others is not opened (EFAIL)", part, bob, "mail.partly-encrypted"},
		{"a mail that is not encrypted", letter, bob, "mail.not-encrypted"},
		{"a signed mail that is not encrypted", signed(t, letter, signer(c.alice)), bob, "mail.not-encrypted"},
		{"no key", sealed, nobody, "mail.encrypted"},
		{"a key of somebody else", sealed, stranger, "cms.decrypt"},
		{"an altered text looks like a wrong key", corrupt(encrypted(t, letter, gcm)), bob, "cms.decrypt"},
		{"an encryption of unknown transfer encoding", replace(t, sealed, "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: x-none"), bob, "mail.transfer-encoding"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := Open(t.Context(), strings.NewReader(test.mail), &out, test.opts)
			if fault.CodeOf(err) != test.code || out.Len() > 0 {
				t.Errorf("error %v (%s), %d octets written; want %s and none", err, fault.CodeOf(err), out.Len(), test.code)
			}
		})
	}
	t.Run("the signature around what nobody here can open is still checked", func(t *testing.T) {
		report := open(t, signed(t, sealed, signer(c.alice)), nobody)
		if report.Verdict != Valid || !report.Encrypted || report.Layers[1].Opened {
			t.Errorf("report %+v", report)
		}
	})
}

// corrupt alters the tag of an AEAD.
func corrupt(mail string) string {
	header, body := cut(mail)
	der, _ := base64.StdEncoding.DecodeString(strings.ReplaceAll(strings.TrimSpace(body), "\r\n", ""))
	for i := len(der) - 12; i < len(der)-8; i++ { // zero octets may end the encoding
		der[i] ^= 0x55
	}
	return header + "\r\n" + base64.StdEncoding.EncodeToString(der) + "\r\n"
}

func TestBoundsOfAMail(t *testing.T) {
	c := newCast(t)
	var deep strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	forwards := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000)
	layers := letter
	for range maxLayers + 2 {
		opts := signer(c.alice)
		opts.Opaque = true
		layers = signed(t, layers, opts)
	}
	part := asPart(signed(t, letter, signer(c.alice)))
	for name, mail := range map[string]string{
		"2,500 parts in parts":   fromAlice + deep.String(),
		"1,000 forwards":         fromAlice + forwards,
		"too many parts":         fromAlice + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", maxParts+2),
		"too many layers":        layers,
		"too many signed parts":  fromAlice + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n"+part+"\r\n", maxSignatures+1),
		"a header of a megabyte": "From: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
		"a signature of 8 MiB":   replaceSignature(t, signed(t, letter, signer(c.alice)), bytes.Repeat([]byte{4}, 8<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(t.Context(), strings.NewReader(mail), nil, c.reader()); !fault.Is(err, fault.TooLarge) {
				t.Errorf("error %v, want too large", err)
			}
		})
	}
}

func TestProtectedHeaders(t *testing.T) {
	c := newCast(t)
	wrap := func(fields string) string {
		entity := "Content-Type: text/plain; hp=\"clear\"\r\n" + fields + "\r\nhello\r\n"
		var out bytes.Buffer
		if err := SignCMS(t.Context(), strings.NewReader(entity), &out, func() SignOptions { o := signer(c.alice); o.Opaque = true; return o }()); err != nil {
			t.Fatal(err)
		}
		return fromAlice + asBase64("application/pkcs7-mime; smime-type=signed-data", out.Bytes())
	}
	report := open(t, wrap("From: alice@example.com\r\nSubject: inner\r\n"), c.reader())
	if report.Verdict != Valid || report.ProtectedHeaders["subject"].Value != "inner" {
		t.Errorf("report %+v", report)
	}
	report = open(t, wrap("From: mallory@example.net\r\nSubject: inner\r\n"), c.reader())
	if report.Verdict != Untrusted || !slices.Contains(codes(report), ProtectedFromDiffers) {
		t.Errorf("report %+v", report)
	}
}
