package smime

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"chancery.example/fault"
	"chancery.example/testca"
)

// protectedSigner signs for Alice with her fields under the signature.
func protectedSigner(c *cast, how HeaderProtection, legacy bool) SignOptions {
	opts := signer(c.alice)
	opts.Headers, opts.LegacyDisplay = how, legacy
	return opts
}

func TestProtectedHeadersAreWrittenAndRead(t *testing.T) {
	c := newCast(t)
	hide := recipients(c.bob)
	hide.ProtectHeaders = true
	cases := []struct {
		name, mail string
		verdict    Verdict
		subject    ProtectedHeader
		outer      string
	}{
		{"signed", signed(t, letter, protectedSigner(c, HeadersSigned, false)), Valid, ProtectedHeader{Value: "A letter", Signed: true}, "A letter"},
		{"signed opaquely", signed(t, letter, func() SignOptions {
			o := protectedSigner(c, HeadersSigned, false)
			o.Opaque = true
			return o
		}()), Valid, ProtectedHeader{Value: "A letter", Signed: true}, "A letter"},
		{"signed, then changed outside", replaceOnce(signed(t, letter, protectedSigner(c, HeadersSigned, false)), "Subject: A letter\r\nDate", "Subject: [list] A letter\r\nDate"),
			Valid, ProtectedHeader{Value: "A letter", Signed: true, Differs: true, Altered: true}, "[list] A letter"},
		{"signed, then encrypted", encrypted(t, signed(t, letter, protectedSigner(c, HeadersHidden, false)), recipients(c.bob)),
			Valid, ProtectedHeader{Value: "A letter", Signed: true, Encrypted: true, Differs: true}, "[...]"},
		{"only encrypted", encrypted(t, letter, hide), Unsigned, ProtectedHeader{Value: "A letter", Encrypted: true, Differs: true}, "[...]"},
		{"encrypted, then changed outside", replaceOnce(encrypted(t, letter, hide), "Subject: [...]", "Subject: A bill"),
			Unsigned, ProtectedHeader{Value: "A letter", Encrypted: true, Differs: true, Altered: true}, "A bill"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			header, _ := cut(test.mail)
			if hidden := strings.Contains(header, "[...]"); hidden && strings.Contains(header, "A letter") {
				t.Errorf("the subject stands outside:\n%s", header)
			}
			report := open(t, test.mail, c.reader())
			got := report.ProtectedHeaders["subject"]
			if got.Outer == nil || *got.Outer != test.outer {
				t.Fatalf("outside %v in %+v", got.Outer, got)
			}
			got.Outer = nil
			if report.Verdict != test.verdict || got != test.subject {
				t.Errorf("verdict %s %v, subject %+v, want %+v", report.Verdict, codes(report), got, test.subject)
			}
			if to := report.ProtectedHeaders["to"]; to.Value != "bob@example.com" || to.Encrypted || to.Differs || to.Altered {
				t.Errorf("to: %+v", to)
			}
			opts := c.reader()
			opts.Unwrap = Content
			var out bytes.Buffer
			if _, err := Open(t.Context(), strings.NewReader(test.mail), &out, opts); err != nil {
				t.Fatal(err)
			}
			header, body := cut(out.String())
			if strings.Count(header, "Subject: ") != 1 || !strings.Contains(header, "Subject: A letter\r\n") ||
				strings.Contains(header, "HP-Outer") || strings.Contains(header, "hp=") || body != "Dear Bob,\r\n\r\nthis is the letter.\r\n" {
				t.Errorf("opened:\n%s", out.String())
			}
		})
	}
}

func TestWhoIsMeantByProtectedFrom(t *testing.T) {
	c := newCast(t)
	mail := signed(t, letter, protectedSigner(c, HeadersSigned, false))
	outside := "From: Alice <alice@example.com>\r\nTo"
	other := protectedSigner(c, HeadersSigned, false)
	mallory := testLetter("mallory@example.net")
	cases := []struct {
		name, mail string
		want       Verdict
		code, from string
	}{
		{"the same outside", mail, Valid, "", "alice@example.com"},
		{"another name and domain in capitals outside", replaceOnce(mail, outside, "From: A. <alice@EXAMPLE.com>\r\nTo"), Valid, "", "alice@example.com"},
		{"none outside", replaceOnce(mail, outside, "To"), Untrusted, NoFrom, ""},
		{"an empty one outside", replaceOnce(mail, outside, "From:\r\nTo"), Untrusted, NoFrom, ""},
		{"none outside, and a line that some take for one", replaceOnce(mail, outside, "Cc: carol@example.com\r\nFrom\x00: boss@example.com\r\nTo"), Invalid, MalformedSignature, ""},
		{"somebody else outside", replaceOnce(mail, outside, "From: boss@example.com\r\nTo"), Untrusted, ProtectedFromDiffers, "alice@example.com"},
		{"two outside", replaceOnce(mail, outside, "From: boss@example.com\r\n"+outside), Untrusted, AmbiguousFrom, ""},
		{"the signer only outside", replaceOnce(signed(t, mallory, other), "From: mallory@example.net\r\nTo", outside), Untrusted, ProtectedFromDiffers, "mallory@example.net"},
		{"two inside", signed(t, replaceOnce(letter, "To:", "From: boss@example.com\r\nTo:"), other), Untrusted, AmbiguousFrom, ""},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			report := open(t, test.mail, c.reader())
			if report.Verdict != test.want || test.code != "" && !slices.Contains(codes(report), test.code) || report.From != test.from {
				t.Errorf("verdict %s %v, from %q", report.Verdict, codes(report), report.From)
			}
		})
	}
}

func testLetter(from string) string {
	return strings.Replace(letter, "Alice <alice@example.com>", from, 1)
}

func TestClaimsOfProtectionThatProtectNothing(t *testing.T) {
	c := newCast(t)
	for name, mail := range map[string]string{
		"an unsigned mail":              replaceOnce(letter, "charset=utf-8", `charset=utf-8; hp="cipher"`),
		"a part of a signed multipart":  signed(t, fromAlice+"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nSubject: x\r\nContent-Type: text/plain; hp=\"clear\"\r\n\r\nx\r\n--m--\r\n", signer(c.alice)),
		"a signed mail without a claim": signed(t, letter, signer(c.alice)),
	} {
		if report := open(t, mail, c.reader()); len(report.ProtectedHeaders) != 0 {
			t.Errorf("%s: %+v", name, report.ProtectedHeaders)
		}
	}
	// What nobody encrypted is not hidden, whatever it says of itself.
	report := open(t, signed(t, letter, protectedSigner(c, HeadersHidden, false)), c.reader())
	if subject := report.ProtectedHeaders["subject"]; subject.Encrypted || !subject.Signed {
		t.Errorf("%+v", subject)
	}
	// The scheme before RFC 9788 does not say what was left outside.
	old := replaceOnce(letter, "charset=utf-8", `charset=utf-8; protected-headers="v1"`)
	var sealed bytes.Buffer
	if err := EncryptCMS(t.Context(), strings.NewReader(old), &sealed, recipients(c.bob)); err != nil {
		t.Fatal(err)
	}
	report = open(t, "From: alice@example.com\r\nSubject: ...\r\n"+asBase64("application/pkcs7-mime; smime-type=enveloped-data", sealed.Bytes()), c.reader())
	if subject := report.ProtectedHeaders["subject"]; !subject.Encrypted || subject.Value != "A letter" || !subject.Differs || subject.Altered {
		t.Errorf("%+v", subject)
	}
}

func TestHeadersOfASignedMailAreTooLateToProtect(t *testing.T) {
	c := newCast(t)
	opts := recipients(c.bob)
	opts.ProtectHeaders = true
	err := Encrypt(t.Context(), strings.NewReader(signed(t, letter, signer(c.alice))), io.Discard, opts)
	if fault.CodeOf(err) != "mail.headers-too-late" {
		t.Errorf("%v", err)
	}
}

func TestLegacyDisplay(t *testing.T) {
	c := newCast(t)
	head := "From: alice@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= & <more>\r\nMIME-Version: 1.0\r\n"
	cases := []struct{ name, mail, want string }{
		{"a text", head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nHallo\r\n", "Subject: Grüße & <more>\r\n\r\nHallo\r\n"},
		{"a text in base64", head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nSGFsbG8NCg==\r\n", "Subject: Grüße & <more>\r\n\r\nHallo\r\n"},
		{"HTML with a body", head + "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><BODY class=3Dx>Hallo</BODY></html>\r\n",
			"<html><BODY class=x>\r\n<div class=\"header-protection-legacy-display\">\r\n<pre>Subject: Grüße &amp; &lt;more&gt;</pre>\r\n</div>\r\nHallo</BODY></html>\r\n"},
		{"another charset, which cannot say it", head + "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nHallo\r\n", "Hallo\r\n"},
		{"an attachment alone", head + "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: attachment\r\n\r\nHallo\r\n", "Hallo\r\n"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			mail := encrypted(t, signed(t, test.mail, protectedSigner(c, HeadersHidden, true)), recipients(c.bob))
			opts := c.reader()
			opts.Unwrap = Content
			var out bytes.Buffer
			report, err := Open(t.Context(), strings.NewReader(mail), &out, opts)
			if err != nil || report.Verdict != Valid {
				t.Fatalf("%+v %v", report, err)
			}
			if leaves := leavesOf(t, out.String()); len(leaves) != 1 || leaves[0] != test.want {
				t.Errorf("shown %q, want %q", leaves, test.want)
			}
			if _, body := cut(out.String()); strings.Contains(out.String(), "hp-legacy-display=\"1\"") == (test.want == "Hallo\r\n") {
				t.Errorf("marked wrongly: %s", body)
			}
		})
	}
	t.Run("every alternative and no attachment", func(t *testing.T) {
		mail := head + "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n" +
			"--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\none\r\n--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\ntwo\r\n--a--\r\n" +
			"--m\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthree\r\n--m--\r\n"
		var out bytes.Buffer
		if err := writeLegacyDisplay(&out, strings.NewReader(mail)); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "hp-legacy-display") != 2 || strings.Count(out.String(), "Subject: Gr\u00fc") != 2 {
			t.Errorf("%s", out.String())
		}
	})
}

// Protected fields must not spoil the signature for programs that do not know them, or for relays.
func TestOpenSSLReadsProtectedHeaders(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	write(t, dir, "root-cert.pem", string(testca.CertPEM(c.root.Cert)))
	long := replaceOnce(letter, "Subject: A letter", "Subject: "+strings.Repeat("very ", 60)+"long \r\n and folded")
	mail := signed(t, long, protectedSigner(c, HeadersHidden, true))
	_, body := cut(mail)
	for _, line := range strings.Split(body, "\r\n") {
		if len(line) > 998 || strings.HasSuffix(line, " ") {
			t.Errorf("a line that relays change: %q", line)
		}
	}
	write(t, dir, "mail.eml", mail)
	run(t, dir, "", "openssl", "cms", "-verify", "-in", "mail.eml", "-CAfile", "root-cert.pem", "-purpose", "smimesign", "-no_check_time")
}

func FuzzLegacyDisplay(f *testing.F) {
	f.Add(letter)
	f.Add("Subject: x\r\nContent-Type: text/html\r\n\r\n<body")
	f.Add("Subject: x\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\nx\r\n--m--\r\n")
	f.Fuzz(func(t *testing.T, mail string) {
		var out bytes.Buffer
		if err := writeLegacyDisplay(&out, strings.NewReader(mail)); err != nil {
			return
		}
		if out.Len() > 12*len(mail)+1<<20 {
			t.Errorf("%d octets became %d", len(mail), out.Len())
		}
	})
}
