package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"encoding/hex"
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
