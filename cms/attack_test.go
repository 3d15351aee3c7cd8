package cms_test

//lint:file-ignore SA1019 an attacker uses PKCS #1 v1.5 whether it is deprecated or not

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

// Where things stand in the messages that this package writes.
func signedDataOf(n *cms.Node) *cms.Node { return n.Children[1].Children[0] }
func signerOf(n *cms.Node) *cms.Node {
	sd := signedDataOf(n)
	return sd.Children[len(sd.Children)-1].Children[0]
}
func attributesOf(n *cms.Node) *cms.Node { return signerOf(n).Children[3] }

const contextZero = 2 << 16

// isCertificate keeps what no client would write but in DER: certificates, and signed attributes.
func keepDER(n *cms.Node) bool { return n.Tag == contextZero && n.Constructed && len(n.Children) > 1 }

func TestBERInEveryFormIsRead(t *testing.T) {
	content := text(3000)
	rsa, p256 := someone(t, "rsa"), someone(t, "p256")
	t.Run("signed", func(t *testing.T) {
		message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer()}}})
		got, s := readSigned(t, cms.ParseNode(message).BER(func(n *cms.Node) bool {
			return n.Tag == contextZero && len(n.Children) > 0 && n.Children[0].Tag == 16 && len(n.Children[0].Children) == 3 // certificates
		}))
		if r := s.Signers[0].Check(s.CertificateOf(s.Signers[0])); r.Status != cms.Intact || !bytes.Equal(got, content) {
			t.Errorf("%+v", r)
		}
	})
	for _, c := range ciphers {
		t.Run("encrypted by "+c.String(), func(t *testing.T) {
			message := encrypted(t, content, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{
				{Certificate: rsa.cert, OAEP: true}, {Certificate: p256.cert, KeyIdentifier: true}}})
			ber := cms.ParseNode(message).BER(func(*cms.Node) bool { return false })
			for _, id := range []*identity{rsa, p256} {
				if got, _ := decrypted(t, ber, id.decryptionKey()); !bytes.Equal(got, content) {
					t.Error("the content came out different")
				}
			}
		})
	}
}

// resign replaces the signed attributes and signs them anew, so that only the attributes themselves are wrong.
func resign(t *testing.T, n *cms.Node, id *identity, change func(list []*cms.Node) []*cms.Node) []byte {
	t.Helper()
	attributes := attributesOf(n)
	attributes.Children = change(attributes.Children)
	set := *attributes
	set.Tag = 17
	sum := sha256.Sum256(set.DER())
	signature, err := id.signer().Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	signer := signerOf(n)
	signer.Children[5].Contents = signature
	return n.DER()
}

func attribute(list []*cms.Node, oid string) int {
	return slices.IndexFunc(list, func(n *cms.Node) bool { return string(n.Children[0].Contents) == oid })
}

const (
	oidContentType   = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"
	oidMessageDigest = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
	oidProtection    = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x34"
)

func TestForgedSignedAttributesAreBroken(t *testing.T) {
	id := someone(t, "rsa")
	message := signed(t, text(100), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
	without := func(oid string) func([]*cms.Node) []*cms.Node {
		return func(list []*cms.Node) []*cms.Node {
			i := attribute(list, oid)
			return slices.Delete(list, i, i+1)
		}
	}
	twice := func(oid string) func([]*cms.Node) []*cms.Node {
		return func(list []*cms.Node) []*cms.Node { return append(list, list[attribute(list, oid)]) }
	}
	for name, c := range map[string]struct {
		change func([]*cms.Node) []*cms.Node
		status cms.Status
		reason string
	}{
		"nothing changed":      {func(l []*cms.Node) []*cms.Node { return l }, cms.Intact, ""},
		"in another order":     {func(l []*cms.Node) []*cms.Node { slices.Reverse(l); return l }, cms.Intact, ""},
		"without protection":   {without(oidProtection), cms.Intact, ""},
		"no contentType":       {without(oidContentType), cms.Broken, cms.ReasonBadAttributes},
		"no messageDigest":     {without(oidMessageDigest), cms.Broken, cms.ReasonBadAttributes},
		"no attributes at all": {func([]*cms.Node) []*cms.Node { return nil }, cms.Broken, cms.ReasonBadAttributes},
		"messageDigest twice":  {twice(oidMessageDigest), cms.Broken, cms.ReasonBadAttributes},
		"contentType twice":    {twice(oidContentType), cms.Broken, cms.ReasonBadAttributes},
		"protection twice":     {twice(oidProtection), cms.Broken, cms.ReasonBadAttributes},
		"messageDigest of 2 values": {func(l []*cms.Node) []*cms.Node {
			set := l[attribute(l, oidMessageDigest)].Children[1]
			set.Children = append(set.Children, set.Children[0])
			return l
		}, cms.Broken, cms.ReasonBadAttributes},
		"another messageDigest": {func(l []*cms.Node) []*cms.Node {
			l[attribute(l, oidMessageDigest)].Children[1].Children[0].Contents = make([]byte, 32)
			return l
		}, cms.Broken, cms.ReasonContentChanged},
		"another contentType": {func(l []*cms.Node) []*cms.Node {
			l[attribute(l, oidContentType)].Children[1].Children[0].Contents = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")
			return l
		}, cms.Broken, cms.ReasonContentType},
		"protection of another digest": {func(l []*cms.Node) []*cms.Node {
			l[attribute(l, oidProtection)].Children[1].Children[0].Children[0].Children[0].Contents = []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x03")
			return l
		}, cms.Broken, cms.ReasonAlgorithmMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			forged := resign(t, cms.ParseNode(message), id, c.change)
			_, s := readSigned(t, forged)
			if r := s.Signers[0].Check(id.cert); r.Status != c.status || r.Reason != c.reason {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestForgedSignedDataIsNeverIntact(t *testing.T) {
	id := someone(t, "rsa")
	content := text(100)
	message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
	for name, c := range map[string]struct {
		change func(n *cms.Node)
		status cms.Status
		reason string
	}{
		"an altered content": {func(n *cms.Node) {
			signedDataOf(n).Children[2].Children[1].Children[0].Contents = text(101)
		}, cms.Broken, cms.ReasonContentChanged},
		"no digest algorithms": {func(n *cms.Node) { signedDataOf(n).Children[1].Children = nil }, cms.Broken, cms.ReasonDigestNotAnnounced},
		"another digest algorithm announced": {func(n *cms.Node) {
			signedDataOf(n).Children[1].Children[0].Children[0].Contents = []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x03")
		}, cms.Broken, cms.ReasonDigestNotAnnounced},
		"an unknown digest algorithm": {func(n *cms.Node) {
			signedDataOf(n).Children[1].Children[0].Children[0].Contents = []byte{0x2a, 3, 4}
			attributes := attributesOf(n)
			i := attribute(attributes.Children, oidProtection)
			attributes.Children = slices.Delete(attributes.Children, i, i+1)
			signerOf(n).Children[2].Children[0].Contents = []byte{0x2a, 3, 4}
		}, cms.Unknown, cms.ReasonUnknownDigest},
		"a signature algorithm with another digest": {func(n *cms.Node) {
			attributes := attributesOf(n)
			i := attribute(attributes.Children, oidProtection)
			attributes.Children = slices.Delete(attributes.Children, i, i+1)
			signerOf(n).Children[4].Children[0].Contents = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")
		}, cms.Broken, cms.ReasonAlgorithmMismatch},
		"an ECDSA algorithm with an RSA key": {func(n *cms.Node) {
			attributes := attributesOf(n)
			i := attribute(attributes.Children, oidProtection)
			attributes.Children = slices.Delete(attributes.Children, i, i+1)
			signerOf(n).Children[4].Children[0].Contents = []byte("\x2a\x86\x48\xce\x3d\x04\x03\x02")
		}, cms.Broken, cms.ReasonAlgorithmMismatch},
		"the signature algorithm changed under its protection": {func(n *cms.Node) {
			signerOf(n).Children[4].Children[0].Contents = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
		}, cms.Broken, cms.ReasonAlgorithmMismatch},
		"the attributes taken away": {func(n *cms.Node) {
			signer := signerOf(n)
			signer.Children = slices.Delete(signer.Children, 3, 4)
		}, cms.Broken, cms.ReasonSignature},
		"the attributes turned into the content": {func(n *cms.Node) {
			set := *attributesOf(n)
			set.Tag = 17
			signedDataOf(n).Children[2].Children[1].Children[0].Contents = set.DER()
			signer := signerOf(n)
			signer.Children = slices.Delete(signer.Children, 3, 4)
		}, cms.Broken, cms.ReasonAmbiguousContent},
		"another signature": {func(n *cms.Node) { signerOf(n).Children[5].Contents = make([]byte, 256) }, cms.Broken, cms.ReasonSignature},
	} {
		t.Run(name, func(t *testing.T) {
			n := cms.ParseNode(bytes.Clone(message))
			c.change(n)
			_, s := readSigned(t, n.DER())
			if r := s.Signers[0].Check(id.cert); r.Status != c.status || r.Reason != c.reason {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestBothContentsAreRefused(t *testing.T) {
	id := someone(t, "p256")
	message := signed(t, text(100), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
	_, err := cms.VerifyDetached(bytes.NewReader(message), bytes.NewReader(text(100)), cms.Limits{})
	if fault.CodeOf(err) != "cms.content-twice" {
		t.Errorf("%v", err)
	}
	_, err = cms.VerifyDigested(bytes.NewReader(message), cms.NewDigester(), cms.Limits{})
	if fault.CodeOf(err) != "cms.content-twice" {
		t.Errorf("%v", err)
	}
}

func TestContentThatWasNotDigestedIsUnknown(t *testing.T) {
	id := someone(t, "p384")
	message := signed(t, text(100), cms.SignOptions{Detached: true, Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
	d := cms.NewDigester(crypto.SHA256)
	d.Write(text(100))
	s, err := cms.VerifyDigested(bytes.NewReader(message), d, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Signers[0].Check(id.cert); r.Status != cms.Unknown || r.Reason != cms.ReasonNoContent {
		t.Errorf("%+v", r)
	}
	_, s = readSigned(t, message) // as if it were opaque: no content
	if r := s.Signers[0].Check(id.cert); r.Status != cms.Unknown || r.Reason != cms.ReasonNoContent {
		t.Errorf("%+v", r)
	}
}

// Parts of an EnvelopedData or AuthEnvelopedData.
func envelopeOf(n *cms.Node) *cms.Node         { return n.Children[1].Children[0] }
func transportOf(n *cms.Node, i int) *cms.Node { return envelopeOf(n).Children[1].Children[i] }
func contentOf(n *cms.Node) *cms.Node          { return envelopeOf(n).Children[2] }

func flip(p []byte, i int) []byte {
	out := bytes.Clone(p)
	out[(i+len(out))%len(out)] ^= 0x40
	return out
}

// TestAllFailuresToOpenLookTheSame is what keeps a door from being an oracle: RFC 3218, and Bleichenbacher's attack.
func TestAllFailuresToOpenLookTheSame(t *testing.T) {
	rsa, p256, stranger := someone(t, "rsa"), someone(t, "p256"), someone(t, "rsa-other")
	var first *fault.Error
	try := func(name string, message []byte, id *identity) {
		t.Run(name, func(t *testing.T) {
			opened, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{})
			if err == nil {
				// Of an altered CBC message nothing but the padding can be seen: one in 256 opens, as garbage.
				if opened.Authenticated {
					t.Fatal("was opened")
				}
				t.Log("the padding happens to be right")
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != "cms.decrypt" {
				t.Fatalf("%v", err)
			}
			if first == nil {
				first = f
			}
			if f.Say != first.Say || f.Kind != first.Kind {
				t.Errorf("%q is not %q", f.Say, first.Say)
			}
		})
	}
	for _, c := range []cms.Cipher{cms.AES256GCM, cms.AES128CBC} {
		for name, r := range map[string]cms.Recipient{"v1.5": {Certificate: rsa.cert}, "OAEP": {Certificate: rsa.cert, OAEP: true}} {
			name += " " + c.String()
			message := encrypted(t, text(500), cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{r}})
			try(name+": no key", message, stranger)
			n := cms.ParseNode(message)
			transportOf(n, 0).Children[3].Contents = flip(transportOf(n, 0).Children[3].Contents, 40)
			try(name+": altered encrypted key", n.DER(), rsa)
			n = cms.ParseNode(message)
			transportOf(n, 0).Children[3].Contents = transportOf(n, 0).Children[3].Contents[:200]
			try(name+": short encrypted key", n.DER(), rsa)
			n = cms.ParseNode(message)
			contentOf(n).Children[2].Contents = flip(contentOf(n).Children[2].Contents, -1)
			try(name+": altered content", n.DER(), rsa)
			n = cms.ParseNode(message)
			contentOf(n).Children[2].Contents = contentOf(n).Children[2].Contents[:33]
			try(name+": cut content", n.DER(), rsa)
		}
		message := encrypted(t, text(500), cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Certificate: p256.cert}}})
		n := cms.ParseNode(message)
		keys := transportOf(n, 0).Children[3].Children[0]
		keys.Children[1].Contents = flip(keys.Children[1].Contents, 3)
		try("ECDH: altered wrapped key", n.DER(), p256)
		n = cms.ParseNode(message)
		point := transportOf(n, 0).Children[1].Children[0].Children[1]
		point.Contents = flip(point.Contents, 20)
		try("ECDH: a point that is not on the curve", n.DER(), p256)
	}
	message := encrypted(t, text(500), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: rsa.cert}}})
	n := cms.ParseNode(message)
	tag := envelopeOf(n).Children[3]
	tag.Contents = flip(tag.Contents, 0)
	try("altered tag", n.DER(), rsa)
	tag.Contents = tag.Contents[:8]
	try("short tag", n.DER(), rsa)
	tag.Contents = nil
	try("no tag", n.DER(), rsa)
}

func TestNoKeySaysForWhomOnlyToItsOwner(t *testing.T) {
	message := encrypted(t, text(10), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: someone(t, "rsa").cert}, {Certificate: someone(t, "p256").cert}}})
	_, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{someone(t, "p384").decryptionKey()}, cms.Limits{})
	var missing *cms.NoKeyError
	if !errors.As(err, &missing) || len(missing.Recipients) != 2 {
		t.Errorf("%v", err)
	}
}

// TestImplicitRejectionIsRepeatable: a wrong padding gives the same made-up key each time, as a right one would, so that
// asking a thousand times does not tell them apart.
func TestImplicitRejectionIsRepeatable(t *testing.T) {
	key, other := someone(t, "rsa").key.(*rsa.PrivateKey), someone(t, "rsa-other").key.(*rsa.PrivateKey)
	seen := map[string]bool{}
	for i := range 10 {
		encrypted, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, text(32))
		if err != nil {
			t.Fatal(err)
		}
		right, ok := cms.UnwrapTransport(key, encrypted, 32)
		if !ok || !bytes.Equal(right, text(32)) {
			t.Fatal("a right padding did not give its key")
		}
		for _, forged := range [][]byte{flip(encrypted, 50+i), bytes.Repeat([]byte{byte(i + 1)}, 256)} {
			first, ok1 := cms.UnwrapTransport(key, forged, 32)
			second, ok2 := cms.UnwrapTransport(key, forged, 32)
			if !ok1 || !ok2 || len(first) != 32 || !bytes.Equal(first, second) || seen[string(first)] {
				t.Fatalf("%t %x, then %t %x", ok1, first, ok2, second)
			}
			seen[string(first)] = true
		}
		// The right padding around a key of another length is as wrong as any.
		if short, ok := cms.UnwrapTransport(key, encrypted, 16); !ok || len(short) != 16 || bytes.Equal(short, text(16)) {
			t.Fatalf("%t %x", ok, short)
		}
		// Nobody without the private key can tell what was made up.
		if strange, _ := cms.UnwrapTransport(other, encrypted, 32); seen[string(strange)] {
			t.Fatalf("%x", strange)
		}
	}
}

// TestForgedKeyBesideATrueOne: an attacker who holds a true recipient's place puts the encrypted key in question beside a
// key of their own choice. Whether the message opens must not depend on the padding of the former.
func TestForgedKeyBesideATrueOne(t *testing.T) {
	id := someone(t, "rsa")
	content := text(500)
	message := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	public := id.cert.PublicKey.(*rsa.PublicKey)
	rightPadding, err := rsa.EncryptPKCS1v15(rand.Reader, public, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	otherLength, err := rsa.EncryptPKCS1v15(rand.Reader, public, make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"right padding": rightPadding, "right padding, other length": otherLength, "wrong padding": flip(rightPadding, 100)} {
		for _, before := range []bool{true, false} {
			n := cms.ParseNode(message)
			set := envelopeOf(n).Children[1]
			forged := *set.Children[0]
			forged.Children = slices.Clone(forged.Children)
			forged.Children[3] = &cms.Node{Tag: 4, Contents: key}
			if before {
				set.Children = []*cms.Node{&forged, set.Children[0]}
			} else {
				set.Children = append(set.Children, &forged)
			}
			if got, _ := decrypted(t, n.DER(), id.decryptionKey()); !bytes.Equal(got, content) {
				t.Errorf("%s: the content came out different", name)
			}
		}
	}
}

func TestRelabelledMessagesAreRefused(t *testing.T) {
	id := someone(t, "rsa")
	keys := []cms.DecryptionKey{id.decryptionKey()}
	message := encrypted(t, text(512), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	aes := func(last byte) []byte { return []byte("\x60\x86\x48\x01\x65\x03\x04\x01" + string(last)) }
	enveloped := []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03")
	for name, c := range map[string]struct {
		change func(n *cms.Node)
		code   string
	}{
		"GCM in EnvelopedData": {func(n *cms.Node) {
			n.Children[0].Contents = enveloped
			envelopeOf(n).Children = envelopeOf(n).Children[:3]
		}, "cms.cipher"},
		"CBC in AuthEnvelopedData": {func(n *cms.Node) {
			contentOf(n).Children[1].Children = []*cms.Node{{Tag: 6, Contents: aes(42)}, {Tag: 4, Contents: make([]byte, 16)}}
		}, "cms.cipher"},
		"OFB in EnvelopedData": {func(n *cms.Node) { relabel(n, enveloped, aes(43)) }, "cms.cipher"},
		"CFB in EnvelopedData": {func(n *cms.Node) { relabel(n, enveloped, aes(44)) }, "cms.cipher"},
		"ECB in EnvelopedData": {func(n *cms.Node) { relabel(n, enveloped, aes(41)) }, "cms.cipher"},
		"ChaCha20 without its tag": {func(n *cms.Node) {
			relabel(n, enveloped, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x12"))
		}, "cms.cipher"},
		"no GCM parameters": {func(n *cms.Node) { contentOf(n).Children[1].Children = contentOf(n).Children[1].Children[:1] }, "cms.malformed"},
		"a nonce of 13 bytes": {func(n *cms.Node) {
			contentOf(n).Children[1].Children[1].Children[0].Contents = make([]byte, 13)
		}, "cms.malformed"},
		"a nonce of a thousand bytes": {func(n *cms.Node) {
			contentOf(n).Children[1].Children[1].Children[0].Contents = make([]byte, 1000)
		}, "cms.malformed"},
		"a promised tag of 4 bytes": {func(n *cms.Node) {
			contentOf(n).Children[1].Children[1].Children[1].Contents = []byte{4}
		}, "cms.malformed"},
		"parameters of a megabyte": {func(n *cms.Node) {
			contentOf(n).Children[1].Children[1].Children[0].Contents = make([]byte, 1<<20)
		}, "cms.limit"},
		"a promised tag that is longer than the tag": {func(n *cms.Node) {
			envelopeOf(n).Children[3].Contents = envelopeOf(n).Children[3].Contents[:12]
		}, "cms.decrypt"},
		"authenticated attributes that were added": {func(n *cms.Node) {
			contentType := &cms.Node{Tag: 16, Constructed: true, Children: []*cms.Node{{Tag: 6, Contents: []byte(oidContentType)},
				{Tag: 17, Constructed: true, Children: []*cms.Node{{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")}}}}}
			e := envelopeOf(n)
			e.Children = slices.Insert(e.Children, 3, &cms.Node{Tag: 2<<16 | 1, Constructed: true, Children: []*cms.Node{contentType}})
		}, "cms.decrypt"},
		"the same key under CBC": {func(n *cms.Node) { relabel(n, enveloped, aes(42)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := cms.ParseNode(message)
			c.change(n)
			o, err := cms.Decrypt(bytes.NewReader(n.DER()), keys, cms.Limits{})
			if c.code == "" {
				// Nobody can see this in the message alone; the encrypted key's hash lets its owner see it.
				fresh, _ := cms.Decrypt(bytes.NewReader(message), keys, cms.Limits{})
				if err == nil && (o.Authenticated || o.Recipients[0].EncryptedKeyHash != fresh.Recipients[0].EncryptedKeyHash) {
					t.Errorf("%+v", o)
				}
				return
			}
			if fault.CodeOf(err) != c.code {
				t.Errorf("%v", err)
			}
		})
	}
}

// relabel turns an AuthEnvelopedData by AES-GCM into an EnvelopedData of another mode.
func relabel(n *cms.Node, contentType, cipher []byte) {
	n.Children[0].Contents = contentType
	e := envelopeOf(n)
	e.Children = e.Children[:3]
	contentOf(n).Children[1].Children = []*cms.Node{{Tag: 6, Contents: cipher}, {Tag: 4, Contents: make([]byte, 16)}}
}

func TestToleratedFormsOfGCMAreRead(t *testing.T) {
	id := someone(t, "p256")
	content := text(512)
	message := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	for name, change := range map[string]func(parameters *cms.Node, n *cms.Node){
		"a bare nonce":         func(p, n *cms.Node) { *p = *p.Children[0] },
		"no length of the tag": func(p, n *cms.Node) { p.Children = p.Children[:1] },
		"a tag of 12 bytes, stated": func(p, n *cms.Node) {
			p.Children[1].Contents = []byte{12}
			envelopeOf(n).Children[3].Contents = envelopeOf(n).Children[3].Contents[:12]
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := cms.ParseNode(message)
			change(contentOf(n).Children[1].Children[1], n)
			if got, o := decrypted(t, n.DER(), id.decryptionKey()); !bytes.Equal(got, content) || !o.Authenticated {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestMalformedOAEPNeverFallsBack(t *testing.T) {
	id := someone(t, "rsa")
	// Encrypted by v1.5, and labelled OAEP with parameters that cannot be read: falling back would open it.
	message := encrypted(t, text(100), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	sequence := func(children ...*cms.Node) *cms.Node {
		return &cms.Node{Tag: 16, Constructed: true, Children: children}
	}
	for name, parameters := range map[string]*cms.Node{
		"none":               nil,
		"NULL":               {Tag: 5},
		"an empty sequence":  sequence(),
		"an unknown hash":    sequence(&cms.Node{Tag: contextZero, Constructed: true, Children: []*cms.Node{sequence(&cms.Node{Tag: 6, Contents: []byte{0x2a, 3, 4}})}}),
		"a field too many":   sequence(&cms.Node{Tag: 5}),
		"a label of 1000":    sequence(&cms.Node{Tag: 2<<16 | 2, Constructed: true, Children: []*cms.Node{sequence(&cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09")}, &cms.Node{Tag: 4, Contents: make([]byte, 1000)})}}),
		"a label without it": sequence(&cms.Node{Tag: 2<<16 | 2, Constructed: true, Children: []*cms.Node{sequence(&cms.Node{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09")})}}),
	} {
		t.Run(name, func(t *testing.T) {
			n := cms.ParseNode(message)
			alg := &cms.Node{Tag: 16, Constructed: true, Children: []*cms.Node{{Tag: 6, Contents: []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07")}}}
			if parameters != nil {
				alg.Children = append(alg.Children, parameters)
			}
			transportOf(n, 0).Children[2] = alg
			_, err := cms.Decrypt(bytes.NewReader(n.DER()), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{})
			if fault.CodeOf(err) != "cms.decrypt" {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestNothingIsReleasedBeforeTheTag alters the last byte of a long message and sees that not one byte of it comes out.
func TestNothingIsReleasedBeforeTheTag(t *testing.T) {
	id := someone(t, "p256")
	message := encrypted(t, text(300_000), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}, ContentLength: 300_000})
	message[len(message)-1] ^= 1
	if o, err := cms.Decrypt(bytes.NewReader(message), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{SpoolMemory: 1000}); err == nil || o != nil {
		t.Errorf("%v, %v", o, err)
	}
}

func TestEveryCutIsAnError(t *testing.T) {
	id := someone(t, "p256")
	key := []cms.DecryptionKey{id.decryptionKey()}
	sealed := encrypted(t, text(60), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	opaque := signed(t, text(60), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
	for _, m := range [][]byte{sealed, opaque, cms.ParseNode(sealed).BER(func(*cms.Node) bool { return false }), cms.ParseNode(opaque).BER(keepDER)} {
		for n := range m {
			if _, err := cms.Decrypt(bytes.NewReader(m[:n]), key, cms.Limits{}); err == nil {
				t.Fatalf("%d of %d bytes were opened", n, len(m))
			}
			if _, err := cms.VerifyDetached(bytes.NewReader(m[:n]), strings.NewReader(""), cms.Limits{}); err == nil {
				t.Fatalf("%d of %d bytes were read as a signature", n, len(m))
			}
			if _, err := cms.Describe(bytes.NewReader(m[:n]), cms.Limits{}); err == nil {
				t.Fatalf("%d of %d bytes were described", n, len(m))
			}
		}
	}
}

// TestEveryAlteredByte flips each byte of a sealed message: it opens to the same content or not at all.
func TestEveryAlteredByte(t *testing.T) {
	id := someone(t, "p256")
	content := text(60)
	sealed := encrypted(t, content, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
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
