package smime

import (
	"strings"
	"testing"

	"chancery.example/fault"
)

// nested wraps a genuine mail as the first part of a multipart/signed of an attacker's, with more parts after it.
func nested(genuine string, parts ...string) string {
	header, _ := cut(genuine)
	var b strings.Builder
	for line := range strings.Lines(header) {
		if !strings.HasPrefix(line, "Content-") && line[0] != ' ' && line[0] != '\t' {
			b.WriteString(line)
		}
	}
	b.WriteString("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=\"outer\"\r\n\r\n--outer\r\n")
	b.WriteString(asPart(genuine))
	for _, p := range parts {
		b.WriteString("\r\n--outer\r\n" + p)
	}
	b.WriteString("\r\n--outer--\r\n")
	return b.String()
}

const evil = "Content-Type: text/html\r\n\r\n<h1>Pay to the new account</h1>\r\n"

// A signature inside covers what is inside, and nothing of what an outer multipart/signed puts beside it.
func TestASignatureInsideDoesNotCoverWhatStandsBeside(t *testing.T) {
	c := newCast(t)
	genuine := signed(t, fromAlice+"Content-Type: text/plain\r\n\r\nhello\r\n", signer(c.alice))
	opaque := signer(c.alice)
	opaque.Opaque = true
	inside := signed(t, fromAlice+"Content-Type: text/plain\r\n\r\nhello\r\n", opaque)
	mallory := asBase64("application/pkcs7-signature; name=smime.p7s", bareSigned(t, "anything", c.root.Issuing().Leaf("mallory@example.net"), false))
	carrier := asBase64("application/pkcs7-signature; name=smime.p7s", bundle(t, c))
	attachment := asBase64("application/octet-stream; name=invoice.html", bundle(t, c))
	for name, mail := range map[string]string{
		"a third part beside the attacker's own signature":        nested(genuine, mallory, evil),
		"a third part beside certificates without a signer":       nested(genuine, carrier, evil),
		"the same around an opaque signature":                     nested(inside, carrier, evil),
		"an attachment in the place of the signature":             nested(genuine, attachment),
		"an attachment and a third part":                          nested(genuine, attachment, evil),
		"the same once more inside the attacker's encrypted mail": encrypted(t, nested(genuine, carrier, evil), recipients(c.bob)),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, mail, c.reader())
			if r.Verdict == Valid || !strings.Contains(strings.Join(codes(r), " "), string(PartlySigned)) {
				t.Errorf("the verdict is %s because of %v", r.Verdict, codes(r))
			}
			if r.Encrypted && r.Authenticated {
				t.Error("what the attacker encrypted counts as authenticated")
			}
		})
	}
}

// A mail that was caught on its way is not opened when something stands beside it.
func TestAnEncryptedMailIsNotOpenedInsideASignedOne(t *testing.T) {
	c := newCast(t)
	caught := encrypted(t, fromAlice+"Content-Type: text/plain\r\n\r\nsecret\r\n", recipients(c.bob))
	var out strings.Builder
	_, err := Open(t.Context(), strings.NewReader(nested(caught, asBase64("application/pkcs7-signature; name=smime.p7s", bundle(t, c)), evil)), &out, c.reader())
	if fault.CodeOf(err) != "mail.encrypted-part" {
		t.Errorf("got %v", err)
	}
}

// Two readers must not see two different mails behind one signature.
func TestABoundaryThatReadersUnderstandDifferentlyIsRefused(t *testing.T) {
	c := newCast(t)
	genuine := signed(t, fromAlice+"Content-Type: text/plain\r\n\r\nhello\r\n", signer(c.alice))
	for name, mail := range map[string]string{
		"a boundary in the form of RFC 2231 beside a plain one": replace(t, genuine, `boundary="`, `boundary*=us-ascii''XX; boundary="`),
		"a boundary in pieces beside a plain one":               replace(t, genuine, `boundary="`, `boundary*0="X"; boundary*1="X"; boundary="`),
		"a transfer encoding of the whole":                      replace(t, genuine, "Content-Type: multipart/signed", "Content-Transfer-Encoding: base64\r\nContent-Type: multipart/signed"),
	} {
		t.Run(name, func(t *testing.T) {
			if r := open(t, mail, c.reader()); r.Verdict == Valid {
				t.Error("the mail is valid")
			}
		})
	}
}

func TestAnAddressInTheDisplayNameIsSeenThroughItsDisguises(t *testing.T) {
	for _, display := range []string{"alice @example.com", `a "alice" "@" "example.com"`, "alice@example。com", "alice@ example.com", "'alice'@'example.com'", "alice＠example．com"} {
		if got := foreignAddress(display, "mallory@example.net"); got != "alice@example.com" {
			t.Errorf("%q hides %q", display, got)
		}
	}
	if got := foreignAddress("Alice @ Example", "alice@example.com"); got != "" {
		t.Errorf("a name with an at sign is taken for the address %q", got)
	}
}
