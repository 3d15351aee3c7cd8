package cms_test

import (
	"bytes"
	"crypto/x509"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
)

// readers are all the ways that a message can come in.
var readers = map[string]func(r io.Reader, l cms.Limits) error{
	"VerifyDetached": func(r io.Reader, l cms.Limits) error {
		_, err := cms.VerifyDetached(r, strings.NewReader(""), l)
		return err
	},
	"Signed": func(r io.Reader, l cms.Limits) error {
		reader, err := cms.NewReader(r, l)
		if err != nil {
			return err
		}
		s, err := reader.Signed()
		if err != nil {
			return err
		}
		_, err = s.Finish()
		return err
	},
	"Decrypt":  func(r io.Reader, l cms.Limits) error { _, err := cms.Decrypt(r, nil, l); return err },
	"Describe": func(r io.Reader, l cms.Limits) error { _, err := cms.Describe(r, l); return err },
}

func node(tag uint32, children ...*cms.Node) *cms.Node {
	return &cms.Node{Tag: tag, Constructed: true, Children: children}
}

func repeat(n *cms.Node, times int) []*cms.Node {
	out := make([]*cms.Node, times)
	for i := range out {
		out[i] = n
	}
	return out
}

func TestWhatIsTooMuchIsRefused(t *testing.T) {
	rsa, p256 := someone(t, "rsa"), someone(t, "p256")
	opaque := signed(t, text(10), cms.SignOptions{Signers: []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer()}}})
	sealed := encrypted(t, text(10), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: p256.cert}}})
	forge := func(message []byte, change func(n *cms.Node)) []byte {
		n := cms.ParseNode(message)
		change(n)
		return n.DER()
	}
	signedOID, begin := "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", "\x30\x80"
	for name, c := range map[string]struct {
		message []byte
		reader  string
		code    string
	}{
		"a hundred thousand indefinite lengths": {[]byte(begin + signedOID + strings.Repeat("\xa0\x80", 100_000)), "Signed", "cms.malformed"},
		"an octet string nested a hundred thousand times": {slices.Concat(opaque[:0], []byte(begin+signedOID+"\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80"),
			bytes.Repeat([]byte("\x24\x80"), 100_000)), "Signed", "cms.limit"},
		"a signer nested a hundred thousand times":        {[]byte(begin + signedOID + "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00\x31\x80" + strings.Repeat("\x30\x80", 100_000)), "Signed", "cms.limit"},
		"an unknown type nested a hundred thousand times": {[]byte(begin + "\x06\x02\x2a\x03" + strings.Repeat("\xa0\x80", 100_000)), "Describe", "cms.limit"},
		"a length beyond 64 bits":                         {[]byte(begin + signedOID + "\xa0\x89\x01\xff\xff\xff\xff\xff\xff\xff\xff"), "Signed", "cms.malformed"},
		"a length beyond 63 bits":                         {[]byte(begin + signedOID + "\xa0\x88\xff\xff\xff\xff\xff\xff\xff\xff"), "Signed", "cms.malformed"},
		"a child longer than its parent":                  {[]byte("\x30\x20\x06\x30" + signedOID), "Signed", "cms.malformed"},
		"a primitive without a length":                    {[]byte(begin + "\x06\x80"), "Signed", "cms.malformed"},
		"a tag number without end":                        {[]byte(begin + "\x1f" + strings.Repeat("\xff", 1000)), "Signed", "cms.malformed"},
		"a thousand signers": {forge(opaque, func(n *cms.Node) {
			sd := signedDataOf(n)
			sd.Children[len(sd.Children)-1].Children = repeat(signerOf(n), 1000)
		}), "Signed", "cms.limit"},
		"a thousand certificates": {forge(opaque, func(n *cms.Node) {
			certs := signedDataOf(n).Children[3]
			certs.Children = repeat(certs.Children[0], 1000)
		}), "Signed", "cms.limit"},
		"a thousand attribute certificates": {forge(opaque, func(n *cms.Node) {
			signedDataOf(n).Children[3].Children = repeat(node(2<<16|1), 1000)
		}), "Signed", "cms.limit"},
		"a thousand digest algorithms": {forge(opaque, func(n *cms.Node) {
			set := signedDataOf(n).Children[1]
			set.Children = repeat(set.Children[0], 1000)
		}), "Signed", "cms.limit"},
		"a certificate of a megabyte": {forge(opaque, func(n *cms.Node) {
			signedDataOf(n).Children[3].Children = []*cms.Node{node(16, &cms.Node{Tag: 4, Contents: make([]byte, 1<<20)})}
		}), "Signed", "cms.limit"},
		"revocation lists of 20 MB together": {forge(opaque, func(n *cms.Node) {
			sd := signedDataOf(n)
			crl := node(16, &cms.Node{Tag: 4, Contents: make([]byte, 4<<20)})
			sd.Children = slices.Insert(sd.Children, 4, node(2<<16|1, repeat(crl, 5)...))
		}), "Signed", "cms.limit"},
		"unsigned attributes of 200 KB": {forge(opaque, func(n *cms.Node) {
			s := signerOf(n)
			s.Children = append(s.Children, node(2<<16|1, node(16, &cms.Node{Tag: 6, Contents: []byte{0x2a, 3}}, node(17, &cms.Node{Tag: 4, Contents: make([]byte, 200_000)}))))
		}), "Signed", "cms.limit"},
		"thirty thousand recipients": {forge(sealed, func(n *cms.Node) {
			set := envelopeOf(n).Children[1]
			set.Children = repeat(set.Children[0], 30_000)
		}), "Decrypt", "cms.limit"},
		"thirty thousand keys in one recipient": {forge(sealed, func(n *cms.Node) {
			keys := transportOf(n, 0).Children[3]
			keys.Children = repeat(keys.Children[0], 30_000)
		}), "Decrypt", "cms.limit"},
		"recipients of 20 MB together": {forge(sealed, func(n *cms.Node) {
			r := node(16, &cms.Node{Tag: 2, Contents: []byte{0}}, node(16, node(16, &cms.Node{Tag: 4, Contents: make([]byte, 50_000)}), &cms.Node{Tag: 2, Contents: []byte{1}}),
				node(16, &cms.Node{Tag: 6, Contents: []byte{0x2a, 3}}), &cms.Node{Tag: 4, Contents: make([]byte, 10)})
			var many []*cms.Node
			for i := range 400 {
				other := *r
				other.Children = slices.Clone(r.Children)
				name := node(16, &cms.Node{Tag: 4, Contents: append(make([]byte, 50_000), byte(i), byte(i>>8))})
				other.Children[1] = node(16, name, &cms.Node{Tag: 2, Contents: []byte{1}})
				many = append(many, &other)
			}
			envelopeOf(n).Children[1].Children = many
		}), "Decrypt", "cms.limit"},
		"no recipients": {forge(sealed, func(n *cms.Node) { envelopeOf(n).Children[1].Children = nil }), "Decrypt", "cms.malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := readers[c.reader](bytes.NewReader(c.message), cms.Limits{}); fault.CodeOf(err) != c.code {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestContentLimit(t *testing.T) {
	id := someone(t, "p256")
	sealed := encrypted(t, text(100_000), cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}})
	_, err := cms.Decrypt(bytes.NewReader(sealed), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{Content: 99_999})
	if fault.CodeOf(err) != "cms.limit" {
		t.Errorf("%v", err)
	}
	if _, err := cms.Decrypt(bytes.NewReader(sealed), []cms.DecryptionKey{id.decryptionKey()}, cms.Limits{Content: 100_000}); err != nil {
		t.Errorf("%v", err)
	}
}

// endless is a reader of n bytes that repeat.
type endless struct {
	left    int64
	pattern []byte
	at      int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.left)], e.pattern[e.at:])
	e.at = (e.at + n) % len(e.pattern)
	e.left -= int64(n)
	return n, nil
}

// heap watches how far the heap grows while data passes through it.
type heap struct {
	floor, peak uint64
	passed      int64
	next        int64
}

func (h *heap) Write(p []byte) (int, error) {
	h.passed += int64(len(p))
	if h.passed >= h.next {
		h.next = h.passed + 8<<20
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		h.peak = max(h.peak, m.HeapAlloc)
	}
	return len(p), nil
}

func newHeap() *heap {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return &heap{floor: m.HeapAlloc}
}

// TestMemoryDoesNotGrowWithTheMessage streams 64 MB through every operation, end to end in pipes, and lets the heap grow by
// 2 MB, and by the spool where there is one.
func TestMemoryDoesNotGrowWithTheMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("streams 64 MB seven times")
	}
	const size, slack, spool = 64 << 20, 2 << 20, 1 << 20
	content := func() io.Reader { return &endless{left: size, pattern: text(61_007)} }
	rsa, p256 := someone(t, "rsa"), someone(t, "p256")
	pipe := func(make func(out io.Writer) (io.WriteCloser, error)) io.Reader {
		r, w := io.Pipe()
		go func() {
			message, err := make(w)
			if err == nil {
				_, err = io.Copy(message, content())
			}
			if err == nil {
				err = message.Close()
			}
			w.CloseWithError(err)
		}()
		return r
	}
	sign := cms.SignOptions{Signers: []cms.Signer{{Certificate: p256.cert, Key: p256.signer()}}}
	check := func(t *testing.T, h *heap, allowed uint64) {
		t.Helper()
		if h.passed < size || h.peak > h.floor+allowed {
			t.Errorf("%d bytes passed, the heap grew by %d KiB", h.passed, (int64(h.peak)-int64(h.floor))/1024)
		}
	}
	t.Run("signing and checking, opaque", func(t *testing.T) {
		h := newHeap()
		r, err := cms.NewReader(pipe(func(out io.Writer) (io.WriteCloser, error) { return cms.NewSigner(out, sign) }), cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Signed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(h, s.Content()); err != nil {
			t.Fatal(err)
		}
		got, err := s.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if r := got.Signers[0].Check(p256.cert); r.Status != cms.Intact {
			t.Errorf("%+v", r)
		}
		check(t, h, slack)
	})
	t.Run("signing and checking, detached", func(t *testing.T) {
		h := newHeap()
		detached := sign
		detached.Detached = true
		var signature bytes.Buffer
		w, err := cms.NewSigner(&signature, detached)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, io.TeeReader(content(), h)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := cms.VerifyDetached(&signature, io.TeeReader(content(), h), cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r := got.Signers[0].Check(p256.cert); r.Status != cms.Intact {
			t.Errorf("%+v", r)
		}
		check(t, h, slack)
	})
	for _, c := range []cms.Cipher{cms.AES256GCM, cms.AES128CBC, cms.ChaCha20Poly1305} {
		t.Run("encrypting and opening by "+c.String(), func(t *testing.T) {
			h := newHeap()
			message := pipe(func(out io.Writer) (io.WriteCloser, error) {
				return cms.NewEncrypter(out, cms.EncryptOptions{Cipher: c, Recipients: []cms.Recipient{{Certificate: rsa.cert}}})
			})
			o, err := cms.Decrypt(message, []cms.DecryptionKey{rsa.decryptionKey()}, cms.Limits{SpoolMemory: spool, SpoolDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer o.Plaintext.Close()
			if o.Length != size {
				t.Errorf("%d bytes", o.Length)
			}
			want := content()
			same := io.TeeReader(o.Plaintext, h)
			a, b := make([]byte, 32<<10), make([]byte, 32<<10)
			for {
				n, err := io.ReadFull(same, a)
				m, _ := io.ReadFull(want, b)
				if n != m || !bytes.Equal(a[:n], b[:m]) {
					t.Fatal("the content came out different")
				}
				if err != nil {
					break
				}
			}
			check(t, h, slack+spool)
		})
	}
}

func TestCarriedCertificateThatCannotBeParsedIsKeptRaw(t *testing.T) {
	id := someone(t, "rsa")
	message := signed(t, text(10), cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}})
	n := cms.ParseNode(message)
	certs := signedDataOf(n).Children[3]
	certs.Children = append(certs.Children, node(16, &cms.Node{Tag: 5}), node(2<<16|1))
	_, s := readSigned(t, n.DER())
	if len(s.Certificates) != 1 || len(s.RawCertificates) != 2 {
		t.Errorf("%d certificates, %d raw", len(s.Certificates), len(s.RawCertificates))
	}
	var _ *x509.Certificate = s.CertificateOf(s.Signers[0])
}
