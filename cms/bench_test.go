package cms_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"chancery.example/cms"
)

// BenchmarkMessages is the work of one mail in process: 10 KB, 1 MB and 16 MB, by each operation.
func BenchmarkMessages(b *testing.B) {
	rsa, p256 := someone(b, "rsa"), someone(b, "p256")
	for _, size := range []int{10 << 10, 1 << 20, 16 << 20} {
		content := text(size)
		bench := func(name string, work func() error) {
			b.Run(fmt.Sprintf("%s/%dKB", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := work(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for _, id := range []*identity{rsa, p256} {
			sign := cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}}
			bench("sign/"+id.name, func() error {
				w, err := cms.NewSigner(io.Discard, sign)
				if err != nil {
					return err
				}
				w.Write(content)
				return w.Close()
			})
			message := signed(b, content, sign)
			bench("verify/"+id.name, func() error {
				r, err := cms.NewReader(bytes.NewReader(message), cms.Limits{})
				if err != nil {
					return err
				}
				s, err := r.Signed()
				if err != nil {
					return err
				}
				got, err := s.Finish()
				if err == nil && got.Signers[0].Check(id.cert).Status != cms.Intact {
					err = io.ErrUnexpectedEOF
				}
				return err
			})
			for _, c := range []cms.Cipher{cms.AES256GCM, cms.ChaCha20Poly1305, cms.AES256CBC, cms.AES128CBC} {
				encrypt := cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Certificate: id.cert}}}
				bench("encrypt/"+id.name+"/"+c.String(), func() error {
					w, err := cms.NewEncrypter(io.Discard, encrypt)
					if err != nil {
						return err
					}
					w.Write(content)
					return w.Close()
				})
				sealed := encrypted(b, content, encrypt)
				bench("decrypt/"+id.name+"/"+c.String(), func() error {
					o, err := cms.Decrypt(bytes.NewReader(sealed), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{})
					if err != nil {
						return err
					}
					_, err = io.Copy(io.Discard, o.Plaintext)
					o.Plaintext.Close()
					return err
				})
			}
		}
	}
}
