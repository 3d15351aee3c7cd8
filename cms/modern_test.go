package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"testing"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
)

// pureSigners sign messages and not digests.
var pureSigners = []string{"ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"}

func TestSignaturesOverMessagesAndNotDigests(t *testing.T) {
	for _, who := range pureSigners {
		id := someone(t, who)
		for size, length := range lengths {
			for _, detached := range []bool{false, true} {
				t.Run(map[bool]string{true: "detached ", false: "opaque "}[detached]+who+" "+size, func(t *testing.T) {
					content := text(length.content)
					o := cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, Detached: detached, SigningTime: time.Unix(1_800_000_000, 0), Capabilities: cms.DefaultCapabilities()}
					if length.announced {
						o.ContentLength = int64(len(content))
					}
					checkHere(t, signed(t, content, o), content, detached, id)
					o.NoAttributes, o.SigningTime, o.Capabilities = true, time.Time{}, nil
					message := signed(t, content, o)
					checkWhole(t, message, content, detached, id)
					checkAltered(t, message, content, detached, id)
				})
			}
		}
	}
}

// checkWhole is checkHere for signatures that cover the content itself.
func checkWhole(t *testing.T, message, content []byte, detached bool, id *identity) {
	t.Helper()
	if !detached {
		got, s := readSigned(t, message)
		if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact || len(s.Signers[0].SignedAttributes) != 0 || !bytes.Equal(got, content) {
			t.Errorf("%+v", r)
		}
		return
	}
	s, err := cms.VerifyDetached(bytes.NewReader(message), bytes.NewReader(content), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact {
		t.Errorf("%+v", r)
	}
	d := cms.NewDigester()
	d.Write(content)
	if s, err = cms.VerifyDigested(bytes.NewReader(message), d, cms.Limits{}); err != nil {
		t.Fatal(err)
	}
	if r := s.Signers[0].Check(id.cert); r.Status != cms.Intact {
		t.Errorf("digested before: %+v", r)
	}
}

// checkAltered changes content and signature.
func checkAltered(t *testing.T, message, content []byte, detached bool, id *identity) {
	t.Helper()
	n := cms.ParseNode(message)
	if n == nil { // of indefinite lengths
		return
	}
	signer := signerOf(n)
	signature := signer.Children[len(signer.Children)-1]
	signature.Contents = flip(signature.Contents, 7)
	s, err := cms.VerifyDetached(bytes.NewReader(n.DER()), bytes.NewReader(content), cms.Limits{})
	if !detached {
		_, s = readSigned(t, n.DER())
	} else if err != nil {
		t.Fatal(err)
	}
	if r := s.Signers[0].Check(id.cert); r.Status != cms.Broken || r.Reason != cms.ReasonSignature {
		t.Errorf("an altered signature: %+v", r)
	}
	if !detached || len(content) == 0 {
		return
	}
	s, err = cms.VerifyDetached(bytes.NewReader(message), bytes.NewReader(flip(content, 3)), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Signers[0].Check(id.cert); r.Status != cms.Broken {
		t.Errorf("altered content: %+v", r)
	}
}

func TestContentTooLongToBeKeptIsNotChecked(t *testing.T) {
	id := someone(t, "ed25519")
	o := cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, NoAttributes: true}
	message := signed(t, text(5000), o)
	r, err := cms.NewReader(bytes.NewReader(message), cms.Limits{WholeContent: 4999})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Signed()
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if r := got.Signers[0].Check(id.cert); r.Status != cms.Unknown || r.Reason != cms.ReasonTooLong {
		t.Errorf("%+v", r)
	}
	w, err := cms.NewSigner(io.Discard, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20+1)); fault.CodeOf(err) != "cms.limit" {
		t.Errorf("%v", err)
	}
}

func TestWithoutAttributesNothingIsStated(t *testing.T) {
	id := someone(t, "rsa")
	one := []cms.Signer{{Certificate: id.cert, Key: id.signer()}}
	for name, o := range map[string]cms.SignOptions{
		"a time":            {Signers: one, NoAttributes: true, SigningTime: time.Unix(1, 0)},
		"capabilities":      {Signers: one, NoAttributes: true, Capabilities: cms.DefaultCapabilities()},
		"another type":      {Signers: one, NoAttributes: true, ContentType: cms.TypeSignedData},
		"Ed25519 by SHA256": {Signers: []cms.Signer{{Certificate: someone(t, "ed25519").cert, Key: someone(t, "ed25519").signer(), Hash: crypto.SHA256}}},
	} {
		if _, err := cms.NewSigner(io.Discard, o); !fault.Is(err, fault.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignaturesWithoutAttributesCheckInOpenSSL: RSA and ECDSA sign the digest of the content itself.
func TestSignaturesWithoutAttributesCheckInOpenSSL(t *testing.T) {
	dir := t.TempDir()
	content := text(5000)
	for _, who := range []string{"rsa", "p256", "p521"} {
		for _, detached := range []bool{false, true} {
			id := someone(t, who)
			message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, NoAttributes: true, Detached: detached})
			checkWhole(t, message, content, detached, id)
			checkByOpenSSL(t, dir, message, content, detached)
		}
	}
}

// TestAlgorithmsOfOneKeyUnderAnother: a key must be used by its own algorithm.
func TestAlgorithmsOfOneKeyUnderAnother(t *testing.T) {
	for who, oid := range map[string]string{"rsa": "\x2b\x65\x70", "p256": "\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ed25519": "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "ml-dsa-65": "\x60\x86\x48\x01\x65\x03\x04\x03\x11"} {
		id := someone(t, who)
		n := cms.ParseNode(signed(t, text(100), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, NoAttributes: true}))
		signerOf(n).Children[3].Children = []*cms.Node{{Tag: 6, Contents: []byte(oid)}}
		_, s := readSigned(t, n.DER())
		if r := s.Signers[0].Check(id.cert); r.Status != cms.Broken || r.Reason != cms.ReasonAlgorithmMismatch {
			t.Errorf("%s: %+v", who, r)
		}
	}
}

func TestX25519Recipients(t *testing.T) {
	id, other := someone(t, "x25519"), someone(t, "x25519-other")
	content := text(5000)
	kdfs := map[string]cms.KDF{"default": {}}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		kdfs["HKDF "+h.String()] = cms.KDF{Hash: h, HKDF: true}
		kdfs["X9.63 "+h.String()] = cms.KDF{Hash: h}
	}
	for name, kdf := range kdfs {
		for _, c := range ciphers {
			for _, byKeyID := range []bool{false, true} {
				t.Run(name+" "+c.String(), func(t *testing.T) {
					message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{
						{Certificate: other.cert}, {Certificate: id.cert, KDF: kdf, KeyIdentifier: byKeyID}}})
					for _, who := range []*identity{id, other} {
						got, opened := decrypted(t, message, who.decryptionKey())
						if !bytes.Equal(got, content) || opened.Recipients[1].Kind != cms.KeyAgreement {
							t.Errorf("%s: %+v", who.name, opened)
						}
					}
					_, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{{Certificate: id.cert, Key: other.key}}, cms.Limits{})
					if fault.CodeOf(err) != "cms.decrypt" {
						t.Errorf("with another's key: %v", err)
					}
				})
			}
		}
	}
}

// TestKDFsOfNISTCurves: the KDF of RFC 5753 may be chosen, HKDF not (no standard has it there).
func TestKDFsOfNISTCurves(t *testing.T) {
	dir := t.TempDir()
	id := someone(t, "p256")
	cert, key := id.files(t, dir)
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		message := encrypted(t, text(500), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert, KDF: cms.KDF{Hash: h}}}})
		if got, _ := decrypted(t, message, id.decryptionKey()); !bytes.Equal(got, text(500)) {
			t.Error("the content came out different")
		}
		if back := mustRun(t, message, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key); !bytes.Equal(back, text(500)) {
			t.Errorf("%s: OpenSSL read another content", h)
		}
	}
	for _, kdf := range []cms.KDF{{Hash: crypto.SHA256, HKDF: true}, {Hash: crypto.SHA1}, {Hash: crypto.MD5}} {
		if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert, KDF: kdf}}}); fault.CodeOf(err) != "cms.kdf" {
			t.Errorf("%v", err)
		}
	}
}

// TestX25519PointsOfLowOrder: a shared secret of zeros must not open anything: RFC 8418 7.
func TestX25519PointsOfLowOrder(t *testing.T) {
	id := someone(t, "x25519")
	message := encrypted(t, text(100), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	for _, point := range []string{"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000", "00", "",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"} {
		raw, _ := hex.DecodeString(point)
		n := cms.ParseNode(message)
		transportOf(n, 0).Children[1].Children[0].Children[1].Contents = append([]byte{0}, raw...)
		if _, err := cms.Decrypt(bytes.NewReader(n.DER()), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{}); fault.CodeOf(err) != "cms.decrypt" {
			t.Errorf("%s: %v", point, err)
		}
	}
}

// TestRFC9216ModernIdentities uses Carlos and Dana of RFC 9216: Ed25519 to sign, X25519 to encrypt.
func TestRFC9216ModernIdentities(t *testing.T) {
	dir := corpus(t, "rfc9216")
	content := text(3000)
	var to []cms.Recipient
	var keys []cms.DecryptionKey
	for _, name := range []string{"carlos", "dana"} {
		cert, key := pemIdentity(t, readFile(t, dir, name+".sign.crt.pem"), readFile(t, dir, name+".sign.key.pem"))
		message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: cert, Key: key.(crypto.Signer)}}})
		if got, s := readSigned(t, message); s.Signers[0].Check(cert).Status != cms.Intact || !bytes.Equal(got, content) {
			t.Errorf("%s: %+v", name, s.Signers[0].Check(cert))
		}
		cert, key = pemIdentity(t, readFile(t, dir, name+".encrypt.crt.pem"), readFile(t, dir, name+".encrypt.key.pem"))
		if _, ok := key.(*ecdh.PrivateKey); !ok {
			t.Fatalf("%s has a %T", name, key)
		}
		to, keys = append(to, cms.Recipient{Certificate: cert}), append(keys, cms.DecryptionKey{Certificate: cert, Key: key})
	}
	sealed := encrypted(t, content, cms.EncryptOptions{Recipients: to})
	for _, key := range keys {
		if got, _ := decrypted(t, sealed, key); !bytes.Equal(got, content) {
			t.Error("the content came out different")
		}
	}
}

// TestMLKEMRecipients: no peer here has RFC 9936; kem_test.go follows the example of the RFC.
func TestMLKEMRecipients(t *testing.T) {
	content := text(5000)
	x25519 := someone(t, "x25519")
	for _, who := range []string{"ml-kem-768", "ml-kem-1024"} {
		id := someone(t, who)
		for _, c := range append(ciphers, cms.ChaCha20Poly1305) {
			for _, kdf := range []cms.KDF{{}, {Hash: crypto.SHA384, HKDF: true}, {Hash: crypto.SHA512, HKDF: true}} {
				message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{
					{Certificate: id.cert, KDF: kdf, KeyIdentifier: kdf.HKDF}, {Certificate: x25519.cert}}})
				for _, reader := range []*identity{id, x25519} {
					if got, _ := decrypted(t, message, reader.decryptionKey()); !bytes.Equal(got, content) {
						t.Errorf("%s by %s for %s: the content came out different", who, c, reader.name)
					}
				}
				d, err := cms.Describe(bytes.NewReader(message), cms.Limits{})
				if err != nil || !c.AEAD() && d.Version != 3 || c.AEAD() && d.Version != 0 {
					t.Errorf("%+v, %v", d, err)
				}
				kinds := map[cms.RecipientKind]bool{}
				for _, r := range d.Recipients {
					kinds[r.Kind] = true
				}
				if !kinds[cms.KeyEncapsulation] || !kinds[cms.KeyAgreement] {
					t.Errorf("%v", kinds)
				}
			}
		}
		message := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
		for _, wrong := range []crypto.PrivateKey{someone(t, "ml-kem-768-other").key, x25519.key, someone(t, "rsa").key, nil} {
			if _, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{{Certificate: id.cert, Key: wrong}}, cms.Limits{}); fault.CodeOf(err) != "cms.decrypt" {
				t.Errorf("%s with %T: %v", who, wrong, err)
			}
		}
		kemri := func(n *cms.Node) []*cms.Node { return envelopeOf(n).Children[1].Children[0].Children[1].Children }
		for name, change := range map[string]func(f []*cms.Node){
			"an altered ciphertext":  func(f []*cms.Node) { f[3].Contents = flip(f[3].Contents, 9) },
			"a short ciphertext":     func(f []*cms.Node) { f[3].Contents = f[3].Contents[1:] },
			"another KDF":            func(f []*cms.Node) { f[4].Children[0].Contents = flip(f[4].Children[0].Contents, -1) },
			"another key length":     func(f []*cms.Node) { f[5].Contents = []byte{16} },
			"a negative key length":  func(f []*cms.Node) { f[5].Contents = []byte{0x80} },
			"another key wrap":       func(f []*cms.Node) { f[6].Children[0].Contents[8] = 5 },
			"another mechanism":      func(f []*cms.Node) { f[2].Children[0].Contents[8] ^= 1 },
			"an altered wrapped key": func(f []*cms.Node) { f[7].Contents = flip(f[7].Contents, 3) },
		} {
			n := cms.ParseNode(message)
			change(kemri(n))
			if _, err := cms.Decrypt(bytes.NewReader(n.DER()), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{}); fault.CodeOf(err) != "cms.decrypt" {
				t.Errorf("%s, %s: %v", who, name, err)
			}
		}
	}
	if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: someone(t, "ml-kem-768").cert, KDF: cms.KDF{Hash: crypto.SHA256}}}}); fault.CodeOf(err) != "cms.kdf" {
		t.Errorf("%v", err)
	}
	if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: someone(t, "ml-dsa-65").cert}}}); !fault.Is(err, fault.Refused) {
		t.Errorf("encrypted to a key for signatures: %v", err)
	}
}

// modernIdentity reads certificate and private key from PEM files whatever the kind of key.
func modernIdentity(t *testing.T, files ...[]byte) (cert *x509.Certificate, key crypto.PrivateKey) {
	t.Helper()
	for _, rest := range files {
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			var err error
			switch {
			case block.Type == "CERTIFICATE" && cert == nil:
				cert, err = x509.ParseCertificate(block.Bytes)
			case block.Type == "PRIVATE KEY":
				key, err = cms.ParsePrivateKey(block.Bytes)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return cert, key
}

// TestPostQuantumIdentitiesOfOpenSSL uses certificates and keys that OpenSSL 3.5 made: our reading of both must agree with it.
func TestPostQuantumIdentitiesOfOpenSSL(t *testing.T) {
	dir := corpus(t, "openssl/test/smime-certs")
	content := text(3000)
	cert, key := modernIdentity(t, readFile(t, dir, "sm_mldsa44.pem"))
	message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: cert, Key: key.(crypto.Signer)}}})
	if got, s := readSigned(t, message); s.Signers[0].Check(cert).Status != cms.Intact || !bytes.Equal(got, content) {
		t.Errorf("%+v", s.Signers[0].Check(cert))
	}
	cert, key = modernIdentity(t, readFile(t, dir, "sm_mlkem768.pem"))
	sealed := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: cert}}})
	if got, _ := decrypted(t, sealed, cms.DecryptionKey{Certificate: cert, Key: key}); !bytes.Equal(got, content) {
		t.Error("the content came out different")
	}
	for _, name := range []string{"sm_mlkem512.pem", "sm_slhdsa_sha2_128s.pem"} { // kinds that are not supported
		block, rest := pem.Decode(readFile(t, dir, name))
		if _, err := cms.ParsePrivateKey(block.Bytes); fault.CodeOf(err) != "cms.private-key" {
			t.Errorf("%s: %v", name, err)
		}
		block, _ = pem.Decode(rest)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: cert}}}); fault.CodeOf(err) != "cms.recipient-key" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrivateKeysOfEveryKind(t *testing.T) {
	for _, who := range []string{"rsa", "p384", "ed25519", "x25519"} {
		der, err := x509.MarshalPKCS8PrivateKey(someone(t, who).key)
		if err != nil {
			t.Fatal(err)
		}
		key, err := cms.ParsePrivateKey(der)
		if same, ok := key.(interface{ Equal(crypto.PrivateKey) bool }); err != nil || !ok || !same.Equal(someone(t, who).key) {
			t.Errorf("%s: %T, %v", who, key, err)
		}
		for n := range der {
			if _, err := cms.ParsePrivateKey(der[:n]); fault.CodeOf(err) != "cms.private-key" {
				t.Fatalf("%s cut to %d bytes: %v", who, n, err)
			}
		}
	}
	oid := node(16, &cms.Node{Tag: 6, Contents: []byte("\x60\x86\x48\x01\x65\x03\x04\x04\x02")})
	seed, expanded := make([]byte, 64), make([]byte, 2400)
	for name, c := range map[string]struct {
		inner *cms.Node
		want  bool
	}{
		"the seed":             {&cms.Node{Tag: contextZero, Contents: seed}, true},
		"seed and expanded":    {node(16, &cms.Node{Tag: 4, Contents: seed}, &cms.Node{Tag: 4, Contents: expanded}), true},
		"expanded alone":       {&cms.Node{Tag: 4, Contents: expanded}, false},
		"a seed that is short": {&cms.Node{Tag: contextZero, Contents: seed[:63]}, false},
	} {
		key, err := cms.ParsePrivateKey(node(16, &cms.Node{Tag: 2, Contents: []byte{0}}, oid, &cms.Node{Tag: 4, Contents: c.inner.DER()}).DER())
		if _, ok := key.(*mlkem.DecapsulationKey768); ok != c.want || c.want == (err != nil) {
			t.Errorf("%s: %T, %v", name, key, err)
		}
	}
}
