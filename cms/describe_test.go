package cms_test

import (
	"bytes"
	"testing"

	"chancery.example/cms"
)

func TestDescribe(t *testing.T) {
	rsa, p256 := someone(t, "rsa"), someone(t, "p256")
	describe := func(message []byte) *cms.Description {
		t.Helper()
		d, err := cms.Describe(bytes.NewReader(message), cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	sign := cms.SignOptions{Signers: []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer(), PSS: true}, {Certificate: p256.cert, Key: p256.signer()}}}
	t.Run("a signed message", func(t *testing.T) {
		d := describe(signed(t, text(100_000), sign))
		if d.Type != cms.TypeSignedData || d.Version != 1 || d.ContentType != cms.TypeData || d.ContentBytes != 100_000 || d.Detached ||
			len(d.Signers) != 2 || len(d.Certificates) != 2 || len(d.DigestAlgorithms) != 1 || d.DigestAlgorithms[0].Name() != "sha256" {
			t.Errorf("%+v", d)
		}
	})
	t.Run("a detached signature", func(t *testing.T) {
		o := sign
		o.Detached = true
		if d := describe(signed(t, text(100), o)); !d.Detached || d.ContentBytes != 0 {
			t.Errorf("%+v", d)
		}
	})
	for _, c := range ciphers {
		t.Run("a message sealed by "+c.String(), func(t *testing.T) {
			d := describe(encrypted(t, text(100), cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{
				{Certificate: rsa.cert, OAEP: true}, {Certificate: p256.cert, KeyIdentifier: true}}}))
			if d.Cipher == nil || d.Cipher.OID != c.OID() || len(d.Recipients) != 2 || d.ContentType != cms.TypeData || d.ContentBytes < 100 {
				t.Fatalf("%+v", d)
			}
			kinds := map[cms.RecipientKind]string{}
			for _, r := range d.Recipients {
				kinds[r.Kind] = r.KeyEncryption.Name()
			}
			if kinds[cms.KeyTransport] != "RSAES-OAEP" || kinds[cms.KeyAgreement] != "dhSinglePass-stdDH-sha256kdf-scheme" {
				t.Errorf("%v", kinds)
			}
		})
	}
	t.Run("a signature around a signature", func(t *testing.T) {
		// The inner type stands without its ContentInfo: RFC 5652 4.
		inner := cms.ParseNode(signed(t, text(100), sign)).Children[1].Children[0].DER()
		outer := sign
		outer.ContentType = cms.TypeSignedData
		d := describe(signed(t, inner, outer))
		if d.Version != 3 || d.Content == nil || d.Content.Type != cms.TypeSignedData || d.Content.ContentBytes != 100 || d.ContentBytes != int64(len(inner)) {
			t.Errorf("%+v", d)
		}
	})
	t.Run("bare data and other types", func(t *testing.T) {
		data := node(16, &cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")}, node(contextZero, &cms.Node{Tag: 4, Contents: text(9)}))
		if d := describe(data.DER()); d.Type != cms.TypeData || d.ContentBytes != 9 {
			t.Errorf("%+v", d)
		}
		data.Children[0].Contents = []byte{0x2a, 3, 4}
		if d := describe(data.BER(func(*cms.Node) bool { return false })); d.Type != "1.2.3.4" || d.Type.Name() != "1.2.3.4" {
			t.Errorf("%+v", d)
		}
	})
}
