package smime

import (
	"bytes"
	"compress/zlib"
	"encoding/asn1"
	"strings"
	"testing"
)

// compressed packs an entity as RFC 3274 has it.
func compressed(t *testing.T, mail string) string {
	t.Helper()
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, body := cut(mail)
	header, _ := cut(mail)
	if _, err := w.Write([]byte(contentFields(header) + "\r\n" + body)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	type algorithm struct{ ID asn1.ObjectIdentifier }
	type encapsulated struct {
		Type    asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
	type data struct {
		Version   int
		Algorithm algorithm
		Content   encapsulated
	}
	der, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content data `asn1:"explicit,tag:0"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 9}, data{0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 3, 8}},
		encapsulated{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, packed.Bytes()}}})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(header, contentFields(header), "", 1) + asBase64("application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z", der)
}

func TestCompressedMailIsReadInEveryOrder(t *testing.T) {
	c := newCast(t)
	for name, test := range map[string]struct {
		mail string
		want Verdict
	}{
		"compressed":                     {compressed(t, letter), Unsigned},
		"compressed, then signed":        {signed(t, compressed(t, letter), signer(c.alice)), Valid},
		"signed, then compressed":        {compressed(t, signed(t, letter, signer(c.alice))), Valid},
		"compressed, signed and sealed":  {encrypted(t, signed(t, compressed(t, letter), signer(c.alice)), recipients(c.bob)), Valid},
		"altered under the compression":  {compressed(t, replace(t, signed(t, letter, signer(c.alice)), "this is the", "this is no")), Invalid},
		"compressed and partly signed":   {compressed(t, fromAlice+"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"+asPart(signed(t, letter, signer(c.alice)))+"\r\n--m--\r\n"), Untrusted},
		"compressed twice, signed twice": {signed(t, compressed(t, signed(t, compressed(t, letter), signer(c.alice))), signer(c.aliceRSA)), Valid},
	} {
		t.Run(name, func(t *testing.T) {
			opts := c.reader()
			opts.Unwrap = Content
			var out bytes.Buffer
			report, err := Open(t.Context(), strings.NewReader(test.mail), &out, opts)
			if err != nil || report.Verdict != test.want {
				t.Fatalf("%+v, error %v", report, err)
			}
			if test.want == Valid && !strings.HasSuffix(out.String(), "\r\n\r\nDear Bob,\r\n\r\nthis is the letter.\r\n") {
				t.Errorf("came out as\n%s", out.String())
			}
		})
	}
}
