package smime

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/testca"
)

func TestWhatIsRefusedLeavesNothingBehind(t *testing.T) {
	c := newCast(t)
	weak := signer(c.alice)
	weak.Signers[0].Key = c.bob.Key
	weakOpaque := weak
	weakOpaque.Opaque = true
	long := "From: alice@example.com\r\nSubject: " + strings.Repeat("x", 100_000) + "\r\n\r\nhello\r\n"
	cases := []struct {
		name string
		run  func(io.Writer) error
		kind fault.Kind
	}{
		{"a key that does not fit its certificate", func(w io.Writer) error { return Sign(t.Context(), strings.NewReader(long), w, weak) }, fault.Refused},
		{"the same, opaque", func(w io.Writer) error { return Sign(t.Context(), strings.NewReader(long), w, weakOpaque) }, fault.Refused},
		{"no recipient", func(w io.Writer) error { return Encrypt(t.Context(), strings.NewReader(long), w, EncryptOptions{}) }, fault.Refused},
		{"a malformed header to sign", func(w io.Writer) error {
			return Sign(t.Context(), strings.NewReader("A: b\nnonsense\n\nx"), w, signer(c.alice))
		}, fault.Invalid},
		{"a malformed header to encrypt", func(w io.Writer) error {
			return Encrypt(t.Context(), strings.NewReader("A: b\nnonsense\n\nx"), w, recipients(c.bob))
		}, fault.Invalid},
		{"parts too deep to sign", func(w io.Writer) error {
			return Sign(t.Context(), strings.NewReader("From: a@b.example\r\n"+strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 100)), w, signer(c.alice))
		}, fault.TooLarge},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := test.run(&out); !fault.Is(err, test.kind) || out.Len() > 0 {
				t.Errorf("error %v of kind %s, %d octets written; want %s and none", err, fault.KindOf(err), out.Len(), test.kind)
			}
		})
	}
}

func TestACancelledContextEndsTheWork(t *testing.T) {
	c := newCast(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func() error{
		"sign":    func() error { return Sign(ctx, strings.NewReader(letter), io.Discard, signer(c.alice)) },
		"encrypt": func() error { return Encrypt(ctx, strings.NewReader(letter), io.Discard, recipients(c.bob)) },
		"open":    func() error { _, err := Open(ctx, strings.NewReader(letter), nil, c.reader()); return err },
	} {
		if err := run(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// What is not a file is kept for the second reading, beyond spoolMemory in a file.
func TestSigningAPipe(t *testing.T) {
	c := newCast(t)
	for _, size := range []int{10, spoolMemory + 1000} {
		mail := letter + strings.Repeat("gr\u00fc\u00dfe\r\n", size/9)
		var out bytes.Buffer
		if err := Sign(t.Context(), io.MultiReader(strings.NewReader(mail)), &out, signer(c.alice)); err != nil {
			t.Fatal(err)
		}
		if report := open(t, out.String(), c.reader()); report.Verdict != Valid {
			t.Errorf("%d octets: %s %v", size, report.Verdict, report.Reasons)
		}
	}
}

// A mail with nothing to take off comes out as it came.
func TestContentOfAPlainMail(t *testing.T) {
	for what, mail := range awkward {
		opts := Options{Unwrap: Content}
		var out bytes.Buffer
		if _, err := Open(t.Context(), strings.NewReader(mail), &out, opts); err != nil || out.String() != mail {
			t.Errorf("%s: came out as %.200q, error %v", what, out.String(), err)
		}
	}
}

// What is signed keeps what it says: every leaf decodes to the octets that were given, with canonical line ends in text.
func TestSigningKeepsTheContent(t *testing.T) {
	c := newCast(t)
	for what, mail := range awkward {
		t.Run(what, func(t *testing.T) {
			var out bytes.Buffer
			opts := c.reader()
			opts.Unwrap = Content
			if _, err := Open(t.Context(), strings.NewReader(signed(t, mail, signer(c.alice))), &out, opts); err != nil {
				t.Fatal(err)
			}
			got, want := leavesOf(t, out.String()), leavesOf(t, mail)
			for i := range want {
				if !strings.Contains(what, "binary") {
					want[i] = strings.ReplaceAll(strings.ReplaceAll(want[i], "\r\n", "\n"), "\n", "\r\n")
				}
			}
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%.300q, want %.300q", got, want)
			}
			if strings.Contains(strings.ToLower(out.String()), "transfer-encoding: 8bit") {
				t.Errorf("still called 8bit:\n%s", out.String())
			}
		})
	}
}

// leavesOf decodes every leaf.
func leavesOf(t *testing.T, mail string) []string {
	t.Helper()
	body := bufio.NewReader(strings.NewReader(mail))
	h, err := ReadHeader(body)
	if err != nil {
		t.Fatal(err)
	}
	ct := h.contentType()
	if ct.Type == "message/rfc822" {
		inner, _ := io.ReadAll(body)
		return leavesOf(t, string(inner))
	}
	if strings.HasPrefix(ct.Type, "multipart/") {
		parts, _, err := splitAll(body, ct.Params["boundary"])
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, part := range parts {
			all = append(all, leavesOf(t, part)...)
		}
		return all
	}
	r, err := decodeTransfer(h.encoding(), body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return []string{string(text)}
}

func TestCipherForRecipients(t *testing.T) {
	gcm, cbc := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	ca := testca.New(t).Root()
	plain := ca.Leaf("a@example.com").Cert
	old := ca.Leaf("b@example.com", testca.Capabilities(t, cbc)).Cert
	modern := ca.Leaf("c@example.com", testca.Capabilities(t, cbc, gcm)).Cert
	damaged := ca.Leaf("d@example.com", testca.Extension(oidCapabilities, false, []byte{0x30, 0x03, 0x30, 0x05})).Cert
	cases := []struct {
		name       string
		recipients []*x509.Certificate
		want       cms.Cipher
	}{
		{"all say that they read GCM", []*x509.Certificate{modern, modern}, cms.AES256GCM},
		{"one says nothing", []*x509.Certificate{modern, plain}, cms.AES256CBC},
		{"one says CBC only", []*x509.Certificate{old, modern}, cms.AES256CBC},
		{"one says something damaged", []*x509.Certificate{modern, damaged}, cms.AES256CBC},
		{"nobody", nil, cms.AES256CBC},
	}
	for _, test := range cases {
		if got := CipherFor(test.recipients); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestSeveralSignersAndDigests(t *testing.T) {
	c := newCast(t)
	strong := c.alice.Issuer.Leaf("alice@example.com", testca.P384)
	opts := signer(c.alice)
	opts.Signers = append(opts.Signers, cms.Signer{Certificate: strong.Cert, Key: strong.Key}, cms.Signer{Certificate: c.aliceRSA.Cert, Key: c.aliceRSA.Key, PSS: true})
	mail := signed(t, letter, opts)
	if !strings.Contains(mail, `micalg="sha-256,sha-384"`) {
		t.Errorf("micalg in\n%.600s", mail)
	}
	report := open(t, mail, c.reader())
	if report.Verdict != Valid || len(report.Signatures) != 3 {
		t.Fatalf("report %+v", report)
	}
	for _, s := range report.Signatures {
		if s.Verdict != Valid {
			t.Errorf("%s with %s: %s %v", s.Signer, s.DigestAlgorithm, s.Verdict, s.Reasons)
		}
	}
}
