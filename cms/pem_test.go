package cms_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"chancery.example/cms"
)

func TestPEMGoesBothWays(t *testing.T) {
	id := someone(t, "p256")
	for _, n := range []int{0, 1, 47, 48, 49, 200_000} {
		message := signed(t, text(n), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
		var out bytes.Buffer
		w := cms.NewPEMWriter(&out)
		if _, err := w.Write(message); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for name, stream := range map[string]io.Reader{
			"as it is":              bytes.NewReader(out.Bytes()),
			"byte by byte":          iotest.OneByteReader(bytes.NewReader(out.Bytes())),
			"with CRLF and text":    strings.NewReader("From: somebody\r\n\r\n" + strings.ReplaceAll(out.String(), "\n", "\r\n") + "and more"),
			"with the label PKCS7":  strings.NewReader(strings.ReplaceAll(out.String(), " CMS-", " PKCS7-")),
			"after another block":   strings.NewReader("-----BEGIN X-----\nAAAA\n-----END X-----\n" + out.String()),
			"not PEM at all":        bytes.NewReader(message),
			"not PEM, byte by byte": iotest.OneByteReader(bytes.NewReader(message)),
		} {
			got, err := io.ReadAll(cms.PEMReader(stream))
			if err != nil || !bytes.Equal(got, message) {
				t.Errorf("%d bytes %s: %d came out, %v", n, name, len(got), err)
			}
		}
		if _, err := io.ReadAll(cms.PEMReader(bytes.NewReader(out.Bytes()[:out.Len()-30]))); err == nil {
			t.Errorf("a block without its end was read")
		}
		mustRun(t, out.Bytes(), "openssl", "cms", "-cmsout", "-inform", "PEM", "-outform", "DER")
	}
}
