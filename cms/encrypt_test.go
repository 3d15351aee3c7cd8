package cms_test

import (
	"bytes"
	"crypto"
	"io"
	"slices"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

func encrypted(t testing.TB, content []byte, o cms.EncryptOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := cms.NewEncrypter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 10007)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decrypted(t testing.TB, message []byte, keys ...cms.DecryptionKey) ([]byte, *cms.Opened) {
	t.Helper()
	o, err := cms.Decrypt(bytes.NewReader(message), keys, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Plaintext.Close()
	content, err := io.ReadAll(o.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(content)) != o.Length {
		t.Errorf("%d bytes, but Length is %d", len(content), o.Length)
	}
	return content, o
}

var recipients = map[string]struct {
	who       string
	recipient cms.Recipient
}{
	"RSA by PKCS #1 v1.5":             {"rsa", cms.Recipient{}},
	"RSA by key identifier":           {"rsa", cms.Recipient{KeyIdentifier: true}},
	"RSA by OAEP with SHA-1":          {"rsa", cms.Recipient{OAEP: true, OAEPHash: crypto.SHA1}},
	"RSA by OAEP":                     {"rsa", cms.Recipient{OAEP: true}},
	"RSA by OAEP with SHA-384":        {"rsa", cms.Recipient{OAEP: true, OAEPHash: crypto.SHA384}},
	"RSA by OAEP with SHA-512":        {"rsa", cms.Recipient{OAEP: true, OAEPHash: crypto.SHA512}},
	"ECDH on P-256":                   {"p256", cms.Recipient{}},
	"ECDH on P-384":                   {"p384", cms.Recipient{}},
	"ECDH on P-521":                   {"p521", cms.Recipient{}},
	"ECDH on P-256 by key identifier": {"p256", cms.Recipient{KeyIdentifier: true}},
}

var ciphers = []cms.Cipher{cms.AES256GCM, cms.AES192GCM, cms.AES128GCM, cms.AES256CBC, cms.AES192CBC, cms.AES128CBC}

func TestEncryptedMessagesOpenHereAndInOpenSSL(t *testing.T) {
	dir := t.TempDir()
	for name, who := range recipients {
		for _, c := range ciphers {
			for size, length := range lengths {
				if size != "a short content" && name != "ECDH on P-256" {
					continue // sizes are all the same to every kind of recipient
				}
				t.Run(name+" "+c.String()+" "+size, func(t *testing.T) {
					id := someone(t, who.who)
					content := text(length.content)
					o := cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{who.recipient}}
					o.Recipients[0].Certificate = id.cert
					if length.announced {
						o.ContentLength = int64(len(content))
					}
					message := encrypted(t, content, o)
					got, opened := decrypted(t, message, id.decryptionKey())
					if !bytes.Equal(got, content) {
						t.Fatal("the content came out different")
					}
					if opened.Cipher != c || opened.Authenticated != c.AEAD() || opened.Weak || len(opened.Recipients) != 1 ||
						!opened.Recipients[0].Matches(id.cert) || opened.ContentType != cms.TypeData {
						t.Errorf("%+v", opened)
					}
					if !strings.HasPrefix(size, "a short") && !strings.HasPrefix(size, "a long content") {
						return
					}
					cert, key := id.files(t, dir)
					back := mustRun(t, nil, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key, "-in", write(t, dir, "message", message))
					if !bytes.Equal(back, content) {
						t.Error("OpenSSL read another content")
					}
				})
			}
		}
	}
}

func TestMessagesOfOpenSSLOpenHere(t *testing.T) {
	dir := t.TempDir()
	content := text(70_000)
	in := write(t, dir, "content", content)
	for name, c := range map[string]struct {
		who  string
		args []string
		want cms.Cipher
	}{
		"RSA, AES-256-CBC":                     {"rsa", []string{"-aes256"}, cms.AES256CBC},
		"RSA, AES-192-CBC, streamed":           {"rsa", []string{"-aes192", "-stream"}, cms.AES192CBC},
		"RSA, AES-128-CBC, by key id":          {"rsa", []string{"-aes128", "-keyid"}, cms.AES128CBC},
		"RSA, Triple DES":                      {"rsa", []string{"-des3"}, cms.TripleDESCBC},
		"RSA, AES-256-GCM":                     {"rsa", []string{"-aes-256-gcm"}, cms.AES256GCM},
		"RSA, AES-192-GCM, streamed":           {"rsa", []string{"-aes-192-gcm", "-stream"}, cms.AES192GCM},
		"RSA-OAEP with SHA-1, AES-128-GCM":     {"rsa", []string{"-aes-128-gcm", "-keyopt", "rsa_padding_mode:oaep"}, cms.AES128GCM},
		"RSA-OAEP with SHA-256":                {"rsa", []string{"-aes256", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"}, cms.AES256CBC},
		"RSA-OAEP with two hashes and a label": {"rsa", []string{"-aes256", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha512", "-keyopt", "rsa_mgf1_md:sha1", "-keyopt", "rsa_oaep_label:0badcafe"}, cms.AES256CBC},
		"P-256, AES-256-CBC":                   {"p256", []string{"-aes256"}, cms.AES256CBC},
		"P-256, AES-128-GCM, streamed":         {"p256", []string{"-aes-128-gcm", "-stream"}, cms.AES128GCM},
		"P-256 with SHA-256":                   {"p256", []string{"-aes128", "-keyopt", "ecdh_kdf_md:sha256"}, cms.AES128CBC},
		"P-256 with the cofactor":              {"p256", []string{"-aes128", "-keyopt", "ecdh_cofactor_mode:1"}, cms.AES128CBC},
		"P-384 with SHA-384, by key id":        {"p384", []string{"-aes192", "-keyid", "-keyopt", "ecdh_kdf_md:sha384"}, cms.AES192CBC},
		"P-521 with SHA-512":                   {"p521", []string{"-aes-256-gcm", "-keyopt", "ecdh_kdf_md:sha512"}, cms.AES256GCM},
	} {
		t.Run(name, func(t *testing.T) {
			id := someone(t, c.who)
			cert, _ := id.files(t, dir)
			args := []string{"cms", "-encrypt", "-binary", "-outform", "DER", "-in", in}
			// OpenSSL takes -keyopt for the recipient that stands before it.
			options := max(slices.Index(c.args, "-keyopt"), 0)
			if options == 0 {
				options = len(c.args)
			}
			args = append(append(args, c.args[:options]...), "-recip", cert)
			args = append(args, c.args[options:]...)
			message := mustRun(t, nil, "openssl", args...)
			got, opened := decrypted(t, message, id.decryptionKey())
			if !bytes.Equal(got, content) || opened.Cipher != c.want || opened.Weak != (c.want == cms.TripleDESCBC) {
				t.Errorf("%+v", opened)
			}
		})
	}
}

func TestEveryRecipientOpensTheSameMessage(t *testing.T) {
	dir := t.TempDir()
	content := text(5000)
	names := []string{"rsa", "rsa-other", "p256", "p384", "p521"}
	for _, c := range []cms.Cipher{cms.AES256GCM, cms.AES128CBC} {
		var o cms.EncryptOptions
		o.Cipher = c
		var all []cms.DecryptionKey
		for i, n := range names {
			id := someone(t, n)
			o.Recipients = append(o.Recipients, cms.Recipient{Certificate: id.cert, OAEP: i == 1, KeyIdentifier: i == 3})
			all = append(all, id.decryptionKey())
		}
		message := encrypted(t, content, o)
		for _, n := range names {
			id := someone(t, n)
			got, opened := decrypted(t, message, id.decryptionKey())
			if !bytes.Equal(got, content) || len(opened.Recipients) != len(names) {
				t.Errorf("%s: %+v", n, opened)
			}
			cert, key := id.files(t, dir)
			back := mustRun(t, message, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key)
			if !bytes.Equal(back, content) {
				t.Errorf("%s: OpenSSL read another content", n)
			}
		}
		if got, _ := decrypted(t, message, all...); !bytes.Equal(got, content) {
			t.Error("all keys at once did not open it")
		}
	}
}

func TestTypesOtherThanDataAreAuthenticated(t *testing.T) {
	id := someone(t, "p256")
	content := text(100)
	message := encrypted(t, content, cms.EncryptOptions{ContentType: cms.TypeSignedData, Recipients: []cms.Recipient{{Certificate: id.cert}}})
	got, opened := decrypted(t, message, id.decryptionKey())
	if !bytes.Equal(got, content) || opened.ContentType != cms.TypeSignedData {
		t.Errorf("%+v", opened)
	}
}

func TestWhatCannotBeEncryptedToIsRefused(t *testing.T) {
	rsa := someone(t, "rsa")
	for name, o := range map[string]cms.EncryptOptions{
		"nobody":           {},
		"no certificate":   {Recipients: []cms.Recipient{{}}},
		"RSA of 1024 bits": {Recipients: []cms.Recipient{{Certificate: someone(t, "rsa-1024").cert}}},
		"P-224":            {Recipients: []cms.Recipient{{Certificate: someone(t, "p224").cert}}},
		"Triple DES":       {Cipher: cms.TripleDESCBC, Recipients: []cms.Recipient{{Certificate: rsa.cert}}},
		"OAEP with MD5":    {Recipients: []cms.Recipient{{Certificate: rsa.cert, OAEP: true, OAEPHash: crypto.MD5}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cms.NewEncrypter(io.Discard, o); !fault.Is(err, fault.Refused) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestCiphersWithoutPeer: no peer here reads ChaCha20-Poly1305 (RFC 8103) or derived content keys (RFC 9709) in CMS; the cipher
// is held against the AEAD, and the derivation against the example of its RFC.
func TestCiphersWithoutPeer(t *testing.T) {
	for _, who := range []string{"rsa", "p256", "x25519"} {
		id := someone(t, who)
		for _, c := range append(ciphers, cms.ChaCha20Poly1305) {
			for size, length := range lengths {
				for _, contentType := range []cms.OID{cms.TypeData, cms.TypeSignedData} {
					for _, derive := range []bool{true, false} {
						if !derive && c != cms.ChaCha20Poly1305 || who != "x25519" && size != "a short content" {
							continue
						}
						o := cms.EncryptOptions{Cipher: c, ContentType: contentType, DeriveKey: derive, Recipients: []cms.Recipient{{Certificate: id.cert}}}
						content := text(length.content)
						if length.announced {
							o.ContentLength = int64(len(content))
						}
						got, opened := decrypted(t, encrypted(t, content, o), id.decryptionKey())
						if !bytes.Equal(got, content) || opened.Cipher != c || opened.Authenticated != c.AEAD() || opened.DerivedKey != derive || opened.ContentType != contentType {
							t.Errorf("%s %s %s %s: %+v", who, c, size, contentType.Name(), opened)
						}
					}
				}
			}
		}
	}
}

// TestEveryAlteredByteOfModernMessages flips each byte: it opens to the same content or not at all.
func TestEveryAlteredByteOfModernMessages(t *testing.T) {
	id := someone(t, "x25519")
	content := text(60)
	for _, contentType := range []cms.OID{cms.TypeData, cms.TypeSignedData} {
		sealed := encrypted(t, content, cms.EncryptOptions{Cipher: cms.ChaCha20Poly1305, DeriveKey: true, ContentType: contentType, Recipients: []cms.Recipient{{Certificate: id.cert}}})
		for i := range sealed {
			for _, mask := range []byte{1, 0x80, 0xff} {
				m := bytes.Clone(sealed)
				m[i] ^= mask
				o, err := cms.Decrypt(bytes.NewReader(m), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{})
				if err != nil {
					continue
				}
				if got, err := io.ReadAll(o.Plaintext); err != nil || !bytes.Equal(got, content) || !o.Authenticated {
					t.Fatalf("byte %d by %#x: opened as something else", i, mask)
				}
			}
		}
	}
}

// TestADerivedKeyBindsTheAlgorithm: the same recipient's key under another algorithm opens nothing, which it does without
// derivation (see TestRelabelledMessagesAreRefused).
func TestADerivedKeyBindsTheAlgorithm(t *testing.T) {
	id := someone(t, "p256")
	message := encrypted(t, text(512), cms.EncryptOptions{DeriveKey: true, Recipients: []cms.Recipient{{Certificate: id.cert}}})
	d, err := cms.Describe(bytes.NewReader(message), cms.Limits{})
	if err != nil || !d.DerivedKey || d.Cipher.OID != cms.AES256GCM.OID() {
		t.Errorf("%+v, %v", d, err)
	}
	for name, change := range map[string]func(alg *cms.Node){
		"without derivation":      func(alg *cms.Node) { *alg = *alg.Children[1] },
		"with another nonce":      func(alg *cms.Node) { alg.Children[1].Children[1].Children[0].Contents[0] ^= 1 },
		"derived twice":           func(alg *cms.Node) { inner := *alg; alg.Children = []*cms.Node{alg.Children[0], &inner} },
		"without inner algorithm": func(alg *cms.Node) { alg.Children = alg.Children[:1] },
	} {
		n := cms.ParseNode(message)
		change(contentOf(n).Children[1])
		if _, err := cms.Decrypt(bytes.NewReader(n.DER()), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{}); err == nil {
			t.Errorf("%s it was opened", name)
		}
	}
}
