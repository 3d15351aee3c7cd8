package cms_test

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

func TestPasswordRecipientsGoBothWaysWithOpenSSL(t *testing.T) {
	dir := t.TempDir()
	content := text(5000)
	const password = "correct horse battery"
	key := cms.DecryptionKey{Key: cms.Passphrase(password)}
	id := someone(t, "p256")
	for _, c := range ciphers {
		t.Run("written by "+c.String(), func(t *testing.T) {
			message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Password: password, Iterations: 10_000}, {Certificate: id.cert}}})
			got, opened := decrypted(t, message, key)
			iterations := 0
			for _, r := range opened.Recipients {
				iterations += r.Iterations
			}
			if !bytes.Equal(got, content) || len(opened.Recipients) != 2 || iterations != 10_000 {
				t.Errorf("%+v", opened)
			}
			if got, _ := decrypted(t, message, id.decryptionKey()); !bytes.Equal(got, content) {
				t.Error("the other recipient read another content")
			}
			_, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{{Key: cms.Passphrase("wrong")}}, cms.Limits{})
			if fault.CodeOf(err) != "cms.decrypt" {
				t.Errorf("with another password: %v", err)
			}
			back := mustRun(t, nil, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-pwri_password", password, "-in", write(t, dir, "message", message))
			if !bytes.Equal(back, content) {
				t.Error("OpenSSL read another content")
			}
		})
	}
	for _, alg := range []string{"-aes256", "-aes192", "-aes128", "-des3", "-aes-256-gcm"} {
		t.Run("of OpenSSL by "+alg, func(t *testing.T) {
			message, err := run(t, content, "openssl", "cms", "-encrypt", "-binary", "-outform", "DER", alg, "-pwri_password", password)
			if err != nil {
				if alg == "-aes-256-gcm" {
					return // OpenSSL 3.0 cannot wrap by a password what it encrypts by GCM, and says so
				}
				t.Fatal(err)
			}
			if got, o := decrypted(t, message, key); !bytes.Equal(got, content) || o.Recipients[0].Kind != cms.Password {
				t.Errorf("%+v", o)
			}
		})
	}
	for name, r := range map[string]cms.Recipient{"too few iterations": {Password: "x", Iterations: 9999}, "too many": {Password: "x", Iterations: 1 << 30}, "both": {Password: "x", Certificate: id.cert}} {
		if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{r}}); !fault.Is(err, fault.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	message := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Password: password, Iterations: 10_000}}})
	if _, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{key}, cms.Limits{Iterations: 9999}); fault.CodeOf(err) != "cms.decrypt" {
		t.Errorf("beyond the bound: %v", err)
	}
}

func TestSharedKeysOfOpenSSL(t *testing.T) {
	content := text(5000)
	for _, size := range []int{16, 24, 32} {
		key := text(size)
		id := []byte("the key of the year")
		message := mustRun(t, content, "openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes128", "-secretkey", hex.EncodeToString(key), "-secretkeyid", hex.EncodeToString(id))
		for name, k := range map[string]cms.SharedKey{"by its name": {ID: id, Key: key}, "by no name": {Key: key}} {
			got, o := decrypted(t, message, cms.DecryptionKey{Key: k})
			if !bytes.Equal(got, content) || o.Recipients[0].Kind != cms.KeyEncryptionKey || !bytes.Equal(o.Recipients[0].SharedKeyID, id) {
				t.Errorf("%s: %+v", name, o)
			}
		}
		for name, k := range map[string]cms.SharedKey{"another name": {ID: []byte("x"), Key: key}, "another key": {Key: text(size + 1)[1:]}, "another size": {Key: text(8)}} {
			if _, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{{Key: k}}, cms.Limits{}); fault.CodeOf(err) != "cms.decrypt" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestEncryptedDataOfOpenSSL(t *testing.T) {
	content := text(70_000)
	for alg, size := range map[string]int{"-aes256": 32, "-aes192": 24, "-aes128": 16, "-des3": 24} {
		key := text(size)
		message := mustRun(t, content, "openssl", "cms", "-EncryptedData_encrypt", "-binary", "-outform", "DER", alg, "-secretkey", hex.EncodeToString(key))
		open := func(key []byte) (*cms.Opened, error) {
			r, err := cms.NewReader(bytes.NewReader(message), cms.Limits{SpoolMemory: 1000})
			if err != nil {
				t.Fatal(err)
			}
			return r.DecryptData(key)
		}
		o, err := open(key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(o.Plaintext); err != nil || !bytes.Equal(got, content) || o.Authenticated || o.Weak != (alg == "-des3") {
			t.Errorf("%s: %+v, %v", alg, o, err)
		}
		o.Plaintext.Close()
		if _, err := open(key[1:]); fault.CodeOf(err) != "cms.key-size" {
			t.Errorf("%v", err)
		}
		// A wrong key is only seen in the padding: one in 256 gives garbage.
		if o, err := open(text(size + 1)[1:]); err != nil && fault.CodeOf(err) != "cms.decrypt" || err == nil && o.Authenticated {
			t.Errorf("%v", err)
		}
	}
}

// compressed makes a CompressedData as RFC 3274 says; OpenSSL here is built without zlib.
func compressed(t testing.TB, content []byte) *cms.Node {
	t.Helper()
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	smime := "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10"
	return node(16, &cms.Node{Tag: 6, Contents: []byte(smime + "\x01\x09")}, node(contextZero, node(16, &cms.Node{Tag: 2, Contents: []byte{0}},
		node(16, &cms.Node{Tag: 6, Contents: []byte(smime + "\x03\x08")}),
		node(16, &cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")}, node(contextZero, &cms.Node{Tag: 4, Contents: packed.Bytes()})))))
}

func unpack(message []byte, l cms.Limits) ([]byte, error) {
	r, err := cms.NewReader(bytes.NewReader(message), l)
	if err != nil {
		return nil, err
	}
	c, err := r.Compressed()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

func TestCompressedData(t *testing.T) {
	random := make([]byte, 300_000)
	rand.Read(random)
	for name, content := range map[string][]byte{"nothing": {}, "text": text(100_000), "what does not shrink": random} {
		n := compressed(t, content)
		for form, message := range map[string][]byte{"DER": n.DER(), "BER": n.BER(func(n *cms.Node) bool { return len(n.Contents) > 60_000 })} {
			if got, err := unpack(message, cms.Limits{}); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s in %s: %d bytes, %v", name, form, len(got), err)
			}
			d, err := cms.Describe(bytes.NewReader(message), cms.Limits{})
			if err != nil || d.Type != cms.TypeCompressedData || d.ContentType != cms.TypeData || d.ContentBytes != int64(len(content)) {
				t.Errorf("%s in %s: %+v, %v", name, form, d, err)
			}
		}
	}
	good := compressed(t, text(1000))
	message := good.DER()
	for n := range message {
		if _, err := unpack(message[:n], cms.Limits{}); err == nil {
			t.Fatalf("%d of %d bytes were unpacked", n, len(message))
		}
	}
	packed := func(n *cms.Node) *cms.Node { return n.Children[1].Children[0].Children[2].Children[1].Children[0] }
	bomb := compressed(t, make([]byte, 8<<20))
	for name, c := range map[string]struct {
		change func(n *cms.Node)
		from   *cms.Node
		limits cms.Limits
		code   string
	}{
		"a bomb":            {func(*cms.Node) {}, bomb, cms.Limits{}, "cms.limit"},
		"too large":         {func(*cms.Node) {}, compressed(t, text(2000)), cms.Limits{Unpacked: 1999}, "cms.limit"},
		"an altered byte":   {func(n *cms.Node) { packed(n).Contents = flip(packed(n).Contents, 30) }, compressed(t, text(1000)), cms.Limits{}, "cms.malformed"},
		"an altered sum":    {func(n *cms.Node) { packed(n).Contents = flip(packed(n).Contents, -1) }, compressed(t, text(1000)), cms.Limits{}, "cms.malformed"},
		"something behind":  {func(n *cms.Node) { packed(n).Contents = append(packed(n).Contents, 0) }, compressed(t, text(1000)), cms.Limits{}, "cms.malformed"},
		"another algorithm": {func(n *cms.Node) { n.Children[1].Children[0].Children[1].Children[0].Contents = []byte{0x2a, 3} }, compressed(t, text(10)), cms.Limits{}, "cms.compression"},
	} {
		c.change(c.from)
		if got, err := unpack(c.from.DER(), c.limits); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if got, err := unpack(bomb.DER(), cms.Limits{Ratio: 2000}); err != nil || len(got) != 8<<20 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// counterSigned adds a counter-signature without attributes: the signature of id over the value of the first signature.
func counterSigned(t *testing.T, signer *cms.Node, id *identity) *cms.Node {
	t.Helper()
	value := signer.Children[len(signer.Children)-1].Contents
	counter := signerOf(cms.ParseNode(signed(t, value, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, NoAttributes: true, Detached: true})))
	counterOID := &cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x06")}
	signer.Children = append(signer.Children, node(2<<16|1, node(16, counterOID, node(17, counter))))
	return counter
}

func TestCounterSignatures(t *testing.T) {
	id := someone(t, "rsa")
	for _, who := range []string{"rsa", "p256", "ed25519", "ml-dsa-65"} {
		other := someone(t, who)
		n := cms.ParseNode(signed(t, text(100), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, Certificates: nil}))
		counter := counterSigned(t, signerOf(n), other)
		check := func() cms.SignatureResult {
			t.Helper()
			_, s := readSigned(t, n.DER())
			if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact {
				t.Errorf("the signature below: %+v", r)
			}
			if len(s.Signers[0].CounterSignatures) != 1 {
				t.Fatalf("%d counter-signatures", len(s.Signers[0].CounterSignatures))
			}
			return s.Signers[0].CounterSignatures[0].Check(other.cert)
		}
		if r := check(); r.Status != cms.Intact {
			t.Errorf("%s: %+v", who, r)
		}
		value := counter.Children[len(counter.Children)-1]
		value.Contents = flip(value.Contents, 12)
		if r := check(); r.Status != cms.Broken {
			t.Errorf("%s, altered: %+v", who, r)
		}
	}
}

// TestCounterSignaturesWithAttributes: messageDigest is of the signature below, and contentType must not be there: RFC 5652 11.4.
func TestCounterSignaturesWithAttributes(t *testing.T) {
	id := someone(t, "p256")
	n := cms.ParseNode(signed(t, text(100), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}}))
	signer := signerOf(n)
	counter := counterSigned(t, signer, id)
	h := crypto.SHA256.New()
	h.Write(signer.Children[len(signer.Children)-2].Contents)
	digest := node(16, &cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04")}, node(17, &cms.Node{Tag: 4, Contents: h.Sum(nil)}))
	contentType := node(16, &cms.Node{Tag: 6, Contents: []byte(oidContentType)}, node(17, &cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")}))
	bare := counter.Children
	for name, c := range map[string]struct {
		attributes []*cms.Node
		want       cms.Status
	}{"a digest": {[]*cms.Node{digest}, cms.Intact}, "a digest and a content type": {[]*cms.Node{contentType, digest}, cms.Broken}, "no digest": {[]*cms.Node{contentType}, cms.Broken}} {
		h := crypto.SHA256.New()
		h.Write(node(17, c.attributes...).DER())
		signature, err := id.signer().Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		counter.Children = []*cms.Node{bare[0], bare[1], bare[2], node(contextZero, c.attributes...), bare[3], {Tag: 4, Contents: signature}}
		_, s := readSigned(t, n.DER())
		if r := s.Signers[0].CounterSignatures[0].Check(id.cert); r.Status != c.want {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestMalformedCounterSignaturesSayNothing(t *testing.T) {
	id := someone(t, "p256")
	n := cms.ParseNode(signed(t, text(100), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}}))
	signer := signerOf(n)
	below := signer
	for range 6 { // counter-signatures upon each other, deeper than they are read
		below = counterSigned(t, below, id)
	}
	_, s := readSigned(t, n.DER())
	depth := 0
	for at := s.Signers[0]; len(at.CounterSignatures) > 0; at = at.CounterSignatures[0] {
		depth++
	}
	if depth != 3 || s.Signers[0].Check(id.cert).Status != cms.Intact {
		t.Errorf("%d counter-signatures upon each other", depth)
	}
	set := signer.Children[len(signer.Children)-1].Children[0].Children[1]
	set.Children = []*cms.Node{{Tag: 4, Contents: []byte(strings.Repeat("x", 9))}, node(16)}
	if _, s = readSigned(t, n.DER()); len(s.Signers[0].CounterSignatures) != 0 || s.Signers[0].Check(id.cert).Status != cms.Intact {
		t.Errorf("%+v", s.Signers[0])
	}
}

// TestSHA3OfOpenSSL: SHA-3 is read and not written: RFC 9688. OpenSSL 3.0 signs so by RSA, and refuses it with ECDSA.
func TestSHA3OfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	content := text(5000)
	id := someone(t, "rsa")
	cert, key := id.files(t, dir)
	for _, md := range []string{"sha3-256", "sha3-384", "sha3-512"} {
		message := mustRun(t, content, "openssl", "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", md, "-signer", cert, "-inkey", key)
		_, s := readSigned(t, message)
		if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact || s.Signers[0].DigestAlgorithm.Name() != md {
			t.Errorf("%s: %+v", md, r)
		}
	}
	if _, err := cms.NewSigner(io.Discard, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer(), Hash: crypto.SHA3_256}}}); fault.CodeOf(err) != "cms.weak-digest" {
		t.Errorf("%v", err)
	}
}
