package smime

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/testca"
)

// TestShapesOfTheRealWorld: what mail programs and relays make of S/MIME, and what may be believed of it.
func TestShapesOfTheRealWorld(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	c.aliceRSA.Files(dir, "alice-")
	c.bob.Files(dir, "bob-")
	write(t, dir, "letter.txt", "Content-Type: text/plain; charset=utf-8\r\n\r\nDear Bob,\r\n\r\nthis is the letter.\r\n")
	write(t, dir, "bare.txt", "no header at all\r\n")
	openssl := func(args ...string) string { return run(t, dir, "", "openssl", append([]string{"cms"}, args...)...) }
	bySigner := []string{"-signer", "alice-cert.pem", "-inkey", "alice-key.pem", "-certfile", "alice-chain.pem"}
	indefinite := openssl(append([]string{"-sign", "-stream", "-nodetach", "-binary", "-outform", "DER", "-in", "letter.txt"}, bySigner...)...)
	definite := openssl(append([]string{"-sign", "-nodetach", "-binary", "-outform", "DER", "-in", "letter.txt"}, bySigner...)...)
	headless := openssl(append([]string{"-sign", "-nodetach", "-binary", "-outform", "DER", "-in", "bare.txt"}, bySigner...)...)
	sealed := openssl("-encrypt", "-stream", "-binary", "-aes-256-cbc", "-outform", "DER", "-in", "letter.txt", "bob-cert.pem")
	detached := signed(t, letter, signer(c.alice))
	opaqueOf := func(mail string) string {
		o := signer(c.alice)
		o.Opaque = true
		return signed(t, mail, o)
	}
	seal := func(mail string) string { return encrypted(t, mail, recipients(c.bob)) }
	as := func(contentType, der string) string { return fromAlice + asBase64(contentType, []byte(der)) }
	multipart := fromAlice + "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n" +
		"--m\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--m--\r\n"
	signaturePart := func(old, new string) string { return replace(t, detached, old, new) }
	oneLine := func(mail string) string {
		header, body := cut(mail)
		return header + "\r\n" + strings.ReplaceAll(body, "\r\n", "") + "\r\n"
	}
	apple := strings.NewReplacer(`protocol="application/pkcs7-signature";`, "boundary=\"Apple-Mail=_1\";\r\n\tprotocol=\"application/pkcs7-signature\";",
		`; boundary="`+boundaryOf(detached)+`"`, "", boundaryOf(detached), "Apple-Mail=_1").Replace(detached)

	cases := []struct {
		name, mail string
		want       Verdict
		encrypted  bool
	}{
		{"Apple Mail: the boundary first, folded by tabs, =_ inside", apple, Valid, false},
		{"Outlook: opaque, indefinite lengths", as("application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"", indefinite), Valid, false},
		{"Outlook: opaque, definite lengths", as("application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"", definite), Valid, false},
		{"Outlook: no smime-type", as("application/x-pkcs7-mime; name=smime.p7m", indefinite), Valid, false},
		{"Outlook: capitals", as("Application/X-PKCS7-MIME; SMIME-Type=Signed-Data; NAME=\"SMIME.P7M\"", indefinite), Valid, false},
		{"Outlook: octet-stream with the file name in the disposition", replace(t, as("application/octet-stream", indefinite), "\r\n\r\n", "\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"), Valid, false},
		{"Outlook: signed, then encrypted, without any smime-type", replace(t, seal(opaqueOf(letter)), "application/pkcs7-mime; smime-type=enveloped-data;", "application/x-pkcs7-mime;"), Valid, true},
		{"Exchange: encrypted, as octet-stream", replace(t, as("application/octet-stream; name=smime.p7m", sealed), "MIME-Version: 1.0\r\n", ""), Unsigned, true},
		{"BINARYMIME: no transfer encoding", fromAlice + "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: binary\r\n\r\n" + indefinite, Valid, false},
		{"base64 in one line", oneLine(as("application/pkcs7-mime; smime-type=signed-data", definite)), Valid, false},
		{"base64 with blank lines and white space", replace(t, as("application/pkcs7-mime; smime-type=signed-data", definite), "\r\n\r\nMII", "\r\n\r\n\r\n \tMII"), Valid, false},
		{"a text without header under an opaque signature", as("application/pkcs7-mime; smime-type=signed-data", headless), Valid, false},
		{"octets behind the opaque signature, as of appending gateways", as("application/pkcs7-mime; smime-type=signed-data", definite+"\r\n\x00\x00"), Valid, false},
		{"no MIME-Version", replace(t, detached, "MIME-Version: 1.0\r\n", ""), Valid, false},
		{"Notes: the signature as octet-stream", signaturePart("Content-Type: application/pkcs7-signature; name=\"smime.p7s\"", "Content-Type: application/octet-stream; name=smime.p7s"), Valid, false},
		{"micalg by its object identifier", signaturePart("micalg=sha-256", "micalg=2.16.840.1.101.3.4.2.1"), Valid, false},
		{"micalg unknown", signaturePart("micalg=sha-256", "micalg=unknown"), Valid, false},
		{"protocol missing", signaturePart("protocol=\"application/pkcs7-signature\";", ""), Valid, false},
		{"comments in the Content-Type", signaturePart("multipart/signed;", "multipart/signed (S/MIME);"), Valid, false},
		{"an epilogue, which nobody shows", detached + "_____\r\nthe list's footer\r\n", Valid, false},
		{"a preamble of another program", signaturePart("This is an S/MIME signed message.", "Your program does not know S/MIME."), Valid, false},
		{"the closing boundary lost", strings.TrimSuffix(detached, "--"+boundaryOf(detached)+"--\r\n"), Valid, false},
		{"a multipart with a file, signed beside it", signed(t, multipart, signer(c.alice)), Valid, false},
		{"a multipart with a file, opaque", opaqueOf(multipart), Valid, false},
		{"opaque in a signed multipart, as of two signers one after the other", signed(t, opaqueOf(letter), signer(c.aliceRSA)), Valid, false},
		{"triple wrapped: signed, encrypted, signed", signed(t, seal(signed(t, letter, signer(c.alice))), signer(c.aliceRSA)), Valid, true},
		{"triple wrapped, opaque outside and inside", opaqueOf(seal(opaqueOf(letter))), Valid, true},
		{"triple wrapped, the outer signature by a gateway of another name", signed(t, seal(signed(t, letter, signer(c.alice))), signer(c.root.Issuing().Leaf("gateway@example.net"))), Valid, true},
		{"two From fields that say the same, of a broken list", replace(t, detached, "From: Alice", "From: Alice <alice@example.com>\r\nFrom: Alice"), Untrusted, false},

		{"a list's footer around it", fromAlice + "Content-Type: multipart/mixed; boundary=l\r\n\r\n--l\r\n" + asPart(detached) + "\r\n--l\r\nContent-Type: text/plain\r\n\r\nthe list's footer\r\n--l--\r\n", Untrusted, false},
		{"a gateway's banner before an encrypted part is not opened", fromAlice + "Content-Type: multipart/mixed; boundary=l\r\n\r\n--l\r\nContent-Type: text/plain\r\n\r\nExternal mail!\r\n--l\r\n" + asPart(seal(letter)) + "\r\n--l--\r\n", Unsigned, false},
		{"a relay stripped an empty line of the text", replace(t, detached, "Dear Bob,\r\n\r\nthis", "Dear Bob,\r\nthis"), Invalid, false},
		{"a relay wrote quoted-printable anew", replace(t, detached, "Dear Bob,", "Dear=20Bob,"), Invalid, false},
		{"a relay wrapped the header of the signed part anew", replace(t, detached, "text/plain; charset=utf-8", "text/plain;\r\n charset=utf-8"), Invalid, false},
		{"a virus scanner put a text into the signed part", replace(t, detached, "this is the letter.", "this is the letter.\r\n\r\nNo virus found."), Invalid, false},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			report := open(t, test.mail, c.reader())
			if report.Verdict != test.want || report.Encrypted != test.encrypted {
				t.Errorf("verdict %s, encrypted %v, reasons %q; want %s, %v", report.Verdict, report.Encrypted, codes(report), test.want, test.encrypted)
			}
		})
	}
}

// Signed content passes relays that re-wrap, strip and recode, because it is written so that they find nothing to do.
func TestSignedContentSurvivesRelays(t *testing.T) {
	c := newCast(t)
	hard := fromAlice + "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nFrom here on\r\n.\r\n..dots\r\ntrailing \t\r\nGrüße\r\n" +
		strings.Repeat("long ", 400) + "\r\n-- \r\nAlice\r\n"
	mail := signed(t, hard, signer(c.alice))
	relays := map[string]func(string) string{
		"line feeds only": func(m string) string { return strings.ReplaceAll(m, "\r\n", "\n") },
		"dots of SMTP": func(m string) string {
			return strings.ReplaceAll(strings.ReplaceAll(m, "\r\n.", "\r\n.."), "\r\n..", "\r\n.")
		},
		"From lines of mailbox files":  func(m string) string { return strings.ReplaceAll(m, "\r\nFrom ", "\r\n>From ") },
		"white space at ends stripped": func(m string) string { return strings.NewReplacer(" \r\n", "\r\n", "\t\r\n", "\r\n").Replace(m) },
		"the eighth bit cut":           func(m string) string { return string(bytes.Map(func(r rune) rune { return r & 0x7f }, []byte(m))) },
		"lines over 998 broken": func(m string) string {
			lines := strings.Split(m, "\r\n")
			for i, line := range lines {
				if len(line) > 998 {
					lines[i] = line[:998] + "\r\n" + line[998:]
				}
			}
			return strings.Join(lines, "\r\n")
		},
	}
	for name, relay := range relays {
		if report := open(t, relay(mail), c.reader()); report.Verdict != Valid {
			t.Errorf("%s: %s %v", name, report.Verdict, codes(report))
		}
	}
}

// exchangeBlocks swaps the last two blocks of a CBC ciphertext, as EFAIL does with known text.
func exchangeBlocks(t *testing.T, mail string) string {
	t.Helper()
	header, body := cut(mail)
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(strings.TrimSpace(body), "\r\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(der, "\x00"))
	at := end - 6*16
	block := bytes.Clone(der[at : at+16])
	copy(der[at:], der[at+16:at+32])
	copy(der[at+16:], block)
	return header + "\r\n" + base64.StdEncoding.EncodeToString(der) + "\r\n"
}

// TestCBCGadgets: whatever becomes of a CBC text on its way, it is never authenticated (EFAIL, 2018).
func TestCBCGadgets(t *testing.T) {
	c := newCast(t)
	cbc := recipients(c.bob)
	cbc.Cipher = cms.AES256CBC
	for name, mail := range map[string]string{
		"unsigned":       exchangeBlocks(t, encrypted(t, letter+strings.Repeat("more\r\n", 100), cbc)),
		"signed":         exchangeBlocks(t, encrypted(t, signed(t, letter, signer(c.alice)), cbc)),
		"signed outside": signed(t, exchangeBlocks(t, encrypted(t, letter+strings.Repeat("more\r\n", 100), cbc)), signer(c.alice)),
	} {
		report, err := Open(t.Context(), strings.NewReader(mail), nil, c.reader())
		if err != nil {
			continue // refused is as good
		}
		if report.Authenticated || name == "signed" && report.Verdict == Valid {
			t.Errorf("%s: %s, authenticated %v", name, report.Verdict, report.Authenticated)
		}
	}
}

// TestSealsOfTheSendersMaking: a text or header that says "verified" changes nothing.
func TestSealsOfTheSendersMaking(t *testing.T) {
	c := newCast(t)
	mail := "Authentication-Results: mx.example.com; smime=pass\r\nX-Verdict: valid\r\nSubject: [signed by alice@example.com] \u2714\r\n" +
		replaceOnce(letter, "this is", "-- verdict: valid, signed by alice@example.com --\r\nthis is")
	if report := open(t, mail, c.reader()); report.Verdict != Unsigned || len(report.Signatures) != 0 || len(report.ProtectedHeaders) != 0 {
		t.Errorf("%+v", report)
	}
}

// TestNameConstraintTricks: a constrained CA cannot speak for others by the case or a dot at the end of a domain.
func TestNameConstraintTricks(t *testing.T) {
	c := newCast(t)
	ca := c.root.Issuing(testca.Extension([]int{2, 5, 29, 30}, true, permitted("example.net")))
	for _, address := range []string{"alice@example.com", "alice@EXAMPLE.com", "alice@example.com.", "alice@example.com.example.net.", "alice@example.net@example.com"} {
		mail := signed(t, testLetter("alice@example.com"), signer(ca.Leaf(address)))
		if report := open(t, mail, c.reader()); report.Verdict == Valid {
			t.Errorf("%s: %s", address, report.Verdict)
		}
	}
	mail := signed(t, testLetter("alice@example.net"), signer(ca.Leaf("alice@EXAMPLE.net")))
	if report := open(t, mail, c.reader()); report.Verdict != Valid {
		t.Errorf("an honest one: %s %v", report.Verdict, codes(report))
	}
}

// permitted is a NameConstraints with one permitted rfc822Name (RFC 5280 4.2.1.10).
func permitted(host string) []byte {
	name := append([]byte{0x81, byte(len(host))}, host...)
	subtree := append([]byte{0x30, byte(len(name))}, name...)
	list := append([]byte{0xa0, byte(len(subtree))}, subtree...)
	return append([]byte{0x30, byte(len(list))}, list...)
}
