package cms_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chancery.example/cms"
)

// nss makes a database of NSS that holds the identities and trusts them.
func nss(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	mustRun(t, nil, "certutil", "-N", "-d", "sql:"+dir, "--empty-password")
	ca, _ := someone(t, "ca").files(t, dir)
	mustRun(t, nil, "certutil", "-A", "-n", "ca", "-t", "CT,CT,CT", "-d", "sql:"+dir, "-a", "-i", ca)
	for _, n := range names {
		id := someone(t, n)
		cert, key := id.files(t, dir)
		p12 := filepath.Join(dir, n+".p12")
		mustRun(t, nil, "openssl", "pkcs12", "-export", "-in", cert, "-inkey", key, "-name", n, "-passout", "pass:secret", "-out", p12)
		mustRun(t, nil, "pk12util", "-i", p12, "-d", "sql:"+dir, "-W", "secret", "-K", "")
	}
	return dir
}

func cmsutil(t *testing.T, dir string, input []byte, args ...string) ([]byte, error) {
	t.Helper()
	in, out := write(t, dir, "in", input), filepath.Join(dir, "out")
	os.Remove(out)
	if _, err := run(t, nil, "cmsutil", append(args, "-d", "sql:"+dir, "-i", in, "-o", out)...); err != nil {
		return nil, err
	}
	p, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return p, nil
}

func TestNSSReadsWhatIsWritten(t *testing.T) {
	dir := nss(t, "rsa", "p256", "p384", "p521")
	content := text(70_000)
	for name, who := range signers {
		t.Run("signed by "+name, func(t *testing.T) {
			id := someone(t, who.who)
			for _, detached := range []bool{false, true} {
				s := who.signer
				s.Certificate, s.Key = id.cert, id.signer()
				message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{s}, Detached: detached, SigningTime: time.Now(), Capabilities: cms.DefaultCapabilities()})
				args := []string{"-D", "-u", "4"}
				if detached {
					args = append(args, "-c", write(t, dir, "content", content))
				}
				if got, err := cmsutil(t, dir, message, args...); err != nil || !bytes.Equal(got, content) {
					t.Errorf("detached %t: %v, %d bytes", detached, err, len(got))
				}
			}
		})
	}
	for name, who := range recipients {
		if who.who != "rsa" || who.recipient.OAEP {
			// NSS 3.87 of Debian 12 has neither key agreement nor OAEP in CMS: it refuses those of OpenSSL just the same.
			continue
		}
		for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES192CBC, cms.AES128CBC} {
			t.Run("sealed for "+name+" by "+c.String(), func(t *testing.T) {
				r := who.recipient
				r.Certificate = someone(t, who.who).cert
				message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{r}})
				if got, err := cmsutil(t, dir, message, "-D"); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%v, %d bytes", err, len(got))
				}
			})
		}
	}
}

func TestWhatNSSWritesIsRead(t *testing.T) {
	names := []string{"rsa", "p256", "p384", "p521"}
	dir := nss(t, names...)
	content := text(70_000)
	hashes := map[string][]string{"rsa": {"SHA256", "SHA384", "SHA512"}, "p256": {"SHA256"}, "p384": {"SHA384"}, "p521": {"SHA512"}}
	for _, n := range names {
		id := someone(t, n)
		for _, hash := range hashes[n] {
			t.Run("signed by "+n+" with "+hash, func(t *testing.T) {
				message, err := cmsutil(t, dir, content, "-S", "-N", n, "-H", hash, "-G", "-P", "-Y", n)
				if err != nil {
					t.Fatal(err)
				}
				got, s := readSigned(t, message)
				if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact || !bytes.Equal(got, content) || s.Signers[0].SigningTime.IsZero() || len(s.Signers[0].Capabilities) == 0 {
					t.Errorf("%+v", r)
				}
				message, err = cmsutil(t, dir, content, "-S", "-T", "-N", n, "-H", hash)
				if err != nil {
					t.Fatal(err)
				}
				if s, err = cms.VerifyDetached(bytes.NewReader(message), bytes.NewReader(content), cms.Limits{}); err != nil {
					t.Fatal(err)
				}
				if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact {
					t.Errorf("detached: %+v", r)
				}
			})
		}
		if n != "rsa" {
			continue
		}
		t.Run("sealed for "+n, func(t *testing.T) {
			message, err := cmsutil(t, dir, content, "-E", "-r", n+"@example.com")
			if err != nil {
				t.Fatal(err)
			}
			got, o := decrypted(t, message, id.decryptionKey())
			if !bytes.Equal(got, content) {
				t.Errorf("%+v", o)
			}
			t.Log(o.Cipher, o.Recipients[0].KeyEncryption.Name())
		})
	}
}
