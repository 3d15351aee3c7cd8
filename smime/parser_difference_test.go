package smime

import (
	"bytes"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

// A signature that is damaged, or is none, must not open what a part alone would not (EFAIL, direct exfiltration).
func TestAnEncryptedPartIsNotOpenedBesideADamagedSignature(t *testing.T) {
	c := newCast(t)
	gcm := recipients(c.bob)
	gcm.Cipher = cms.AES256GCM
	damaged := "Content-Type: application/pkcs7-signature\r\n\r\ngarbage\r\n"
	text := fromAlice + "Content-Type: text/html\r\n\r\ncaught secret\r\n"
	for how, opts := range map[string]EncryptOptions{"CBC": recipients(c.bob), "GCM": gcm} {
		caught := encrypted(t, text, opts)
		for name, mail := range map[string]string{
			"a text in the place of the signature":        nested(caught, evil),
			"a damaged signature and a third part":        nested(caught, damaged, evil),
			"a signature with a content of its own":       nested(caught, asBase64("application/pkcs7-signature", bareSigned(t, "x", c.alice, true)), evil),
			"the same inside compression":                 compressed(t, nested(caught, evil)),
			"a text in an encrypted mail of the attacker": encrypted(t, nested(caught, evil), recipients(c.bob)),
		} {
			for _, unwrap := range []Unwrap{Decrypted, Content} {
				t.Run(how+" "+name, func(t *testing.T) {
					o := c.reader()
					o.Unwrap = unwrap
					var out bytes.Buffer
					r, err := Open(t.Context(), strings.NewReader(mail), &out, o)
					if err == nil && (strings.Contains(out.String(), "caught secret") || len(r.Layers) > 0 && r.Authenticated) {
						t.Errorf("unwrap %d: opened, verdict %s, authenticated %v", unwrap, r.Verdict, r.Authenticated)
					}
					if err != nil && !fault.Is(err, fault.Invalid) {
						t.Error(err)
					}
				})
			}
		}
	}
}

// What we take for a preamble, an epilogue or a signature, another reader takes for a part, and shows it.
func TestADelimiterThatOnlyOthersSeeIsNotValid(t *testing.T) {
	c := newCast(t)
	genuine := signed(t, fromAlice+"Content-Type: text/plain\r\n\r\nhello\r\n", signer(c.alice))
	_, body := cut(genuine)
	build := func(boundary, mine, before, behind string) string {
		return fromAlice + "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; " + boundary + "\r\n\r\n" +
			before + strings.ReplaceAll(body, "--"+boundaryOf(genuine), "--"+mine) + behind
	}
	cases := map[string]string{
		"a boundary with a space at its end":   build(`boundary="x "`, "x ", "--x\r\n"+evil, ""),
		"a bare boundary with a space":         build(`boundary=x y`, "x y", "--x\r\n"+evil, ""),
		"a boundary with a comment":            build(`boundary=x(y)`, "x", "--x(y)\r\n"+evil, ""),
		"a boundary in a comment":              build(`x=(; boundary="evil"; y=); boundary="good"`, "good", "--evil\r\n"+evil, ""),
		"a boundary behind an escaped quote":   build(`x="\"; boundary=evil; z=\""; boundary="good"`, "good", "--evil\r\n"+evil, ""),
		"a boundary with a backslash":          build(`boundary="a\b"`, "ab", "--a\\b\r\n"+evil, ""),
		"a folded boundary":                    build("boundary=\"x\r\n y\"", "x y", "--x\r\n"+evil, ""),
		"more padding than we read":            build(`boundary="x"`, "x", "--x"+strings.Repeat(" ", 600)+"\r\n"+evil, ""),
		"a vertical tab behind the boundary":   build(`boundary="x"`, "x", "--x\v\r\n"+evil, ""),
		"a longer boundary before":             build(`boundary="x"`, "x", "--xy\r\n"+evil, ""),
		"a carriage return alone":              build(`boundary="x"`, "x", "\r--x\r"+evil, ""),
		"parts behind the closing delimiter":   build(`boundary="x"`, "x", "", "\r\n--x\r\n"+evil+"\r\n--x--\r\n"),
		"a type with a space before its colon": replace(t, build(`boundary="x"`, "x", "pay to me\r\n", ""), "Content-Type: multipart", "Content-Type : multipart"),
		"white space as the end of the header": replace(t, build(`boundary="x"`, "x", "", ""), "Content-Type: multipart", " \r\nPay: to me\r\nContent-Type: multipart"),
		"a signature with two types":           replace(t, genuine, "Content-Type: application/pkcs7-signature", "Content-Type: text/html\r\nX: y\r\nContent-Type: application/pkcs7-signature"),
		"a signature with another type behind": replace(t, genuine, "Content-Type: application/pkcs7-signature", "Content-Disposition: inline\r\nContent-Type: application/pkcs7-signature;\r\n x=y\r\nContent-Type: text/html"),
	}
	for name, mail := range cases {
		t.Run(name, func(t *testing.T) {
			if r := open(t, mail, c.reader()); r.Verdict == Valid || r.Authenticated {
				t.Errorf("the verdict is %s, authenticated %v", r.Verdict, r.Authenticated)
			}
		})
	}
	for name, text := range map[string]string{"words before and behind": "This is a signed message.\r\n", "an empty line": "\r\n"} {
		if r := open(t, build(`boundary="x"`, "x", text, text), c.reader()); r.Verdict != Valid {
			t.Errorf("%s: %s %v", name, r.Verdict, codes(r))
		}
	}
}

// Inside an encryption there is no From to doubt: the header of the opaque mail itself must be clear.
func TestAnOpaqueSignatureUnderAHeaderWithTwoTypesIsNotValid(t *testing.T) {
	c := newCast(t)
	opts := signer(c.alice)
	opts.Opaque = true
	header, body := cut(signed(t, fromAlice+"Content-Type: text/plain\r\n\r\nhello\r\n", opts))
	twice := contentFields(header) + "Content-Type: multipart/mixed; boundary=zz\r\n\r\n" + body + "\r\n--zz\r\n" + evil + "\r\n--zz--\r\n"
	var sealed bytes.Buffer
	if err := EncryptCMS(t.Context(), strings.NewReader(twice), &sealed, recipients(c.bob)); err != nil {
		t.Fatal(err)
	}
	named := c.reader()
	named.From = "alice@example.com"
	for name, o := range map[string]Options{"the From of the mail": c.reader(), "a From that was given": named} {
		for what, mail := range map[string]string{"encrypted": fromAlice + asBase64("application/pkcs7-mime; smime-type=enveloped-data", sealed.Bytes()),
			"compressed": compressed(t, fromAlice+twice), "plain": fromAlice + twice} {
			if r := open(t, mail, o); r.Verdict == Valid || r.Authenticated {
				t.Errorf("%s, %s: the verdict is %s, authenticated %v", what, name, r.Verdict, r.Authenticated)
			}
		}
	}
}

// A damaged encoded word is decoded by mail programs all the same, and so is a charset that is not ASCII's.
func TestAnAddressHiddenInADamagedEncodedWordIsNotValid(t *testing.T) {
	c := newCast(t)
	mail := signed(t, fromAlice+"Content-Type: text/plain\r\n\r\nhello\r\n", signer(c.alice))
	for _, display := range []string{"=?utf-8?b?bWFsbG9yeUBleGFtcGxlLm5ldA=?=", "=?utf-8?b?bWFsbG9yeUBleGFtcGxlLm5ldA?=", "=?ibm037?b?lIGTk5aZqHyFpYmTS5WFow==?="} {
		if r := open(t, replace(t, mail, "From: Alice", "From: "+display), c.reader()); r.Verdict == Valid {
			t.Errorf("%s: the mail is valid", display)
		}
	}
}
