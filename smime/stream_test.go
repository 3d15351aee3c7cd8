package smime

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/testca"
)

// lines is a mail of any size that nobody holds in memory.
type lines struct {
	head        string
	left, given int64
}

func (l *lines) Read(p []byte) (int, error) {
	if l.head != "" {
		n := copy(p, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	if l.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), int(l.left))
	const line = "0123456789 lorem ipsum dolor sit amet, consectetur adipiscing elit\r\n"
	for i := range n {
		p[i] = line[(l.given+int64(i))%int64(len(line))]
	}
	l.left, l.given = l.left-int64(n), l.given+int64(n)
	return n, nil
}

// TestMemoryDoesNotGrowWithTheMail counts every octet that is allocated while 32 MiB pass.
func TestMemoryDoesNotGrowWithTheMail(t *testing.T) {
	const size, allowed = 32 << 20, 12 << 20
	c := newCast(t)
	dir := t.TempDir()
	opaque := signer(c.alice)
	opaque.Opaque = true
	cbc, gcm := recipients(c.bob), recipients(c.bob)
	cbc.Cipher, gcm.Cipher = cms.AES256CBC, cms.AES256GCM
	steps := []struct {
		name, in, out string
		run           func(in io.Reader, out io.Writer) error
	}{
		{"sign", "", "signed", func(in io.Reader, out io.Writer) error { return Sign(t.Context(), in, out, signer(c.alice)) }},
		{"sign opaquely", "", "opaque", func(in io.Reader, out io.Writer) error { return Sign(t.Context(), in, out, opaque) }},
		{"encrypt with CBC", "", "cbc", func(in io.Reader, out io.Writer) error { return Encrypt(t.Context(), in, out, cbc) }},
		{"encrypt with GCM", "", "gcm", func(in io.Reader, out io.Writer) error { return Encrypt(t.Context(), in, out, gcm) }},
		{"check", "signed", "", func(in io.Reader, _ io.Writer) error { return valid(Open(t.Context(), in, nil, c.reader())) }},
		{"check an opaque one", "opaque", "", func(in io.Reader, _ io.Writer) error { return valid(Open(t.Context(), in, nil, c.reader())) }},
		{"decrypt CBC", "cbc", "", func(in io.Reader, out io.Writer) error { _, err := Open(t.Context(), in, out, c.reader()); return err }},
		{"decrypt GCM", "gcm", "", func(in io.Reader, out io.Writer) error { _, err := Open(t.Context(), in, out, c.reader()); return err }},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			var in io.Reader = &lines{head: letter, left: size}
			var out io.Writer = io.Discard
			if step.in != "" {
				file, err := os.Open(filepath.Join(dir, step.in))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				in = file
			}
			if step.out != "" {
				file, err := os.Create(filepath.Join(dir, step.out))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				out = file
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := step.run(in, out); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > allowed {
				t.Errorf("%d KiB allocated for a mail of %d KiB", used>>10, size>>10)
			}
		})
	}
}

func valid(report *Report, err error) error {
	if err == nil && report.Verdict != Valid {
		return errors.New(string(report.Verdict))
	}
	return err
}

func TestKeysAreToldBeforeTheTextIsHandedOn(t *testing.T) {
	c := newCast(t)
	gcm := recipients(c.bobRSA)
	gcm.Cipher = cms.AES256GCM
	seen := map[[32]byte]bool{}
	opts := c.reader()
	downgrade := fault.New(fault.Refused, "test.downgrade", "downgrade")
	opts.KeySeen = func(key [32]byte, aead bool) error {
		if seen[key] && !aead {
			return downgrade
		}
		seen[key] = seen[key] || aead
		return nil
	}
	open(t, encrypted(t, letter, gcm), opts)
	if len(seen) != 1 {
		t.Fatalf("%d keys were told", len(seen))
	}
	mail := encrypted(t, letter, recipients(c.bobRSA))
	opts.KeySeen = func([32]byte, bool) error { return downgrade }
	var out bytes.Buffer
	if _, err := Open(t.Context(), strings.NewReader(mail), &out, opts); !errors.Is(err, downgrade) || out.Len() > 0 {
		t.Errorf("error %v, %d octets written", err, out.Len())
	}
}

func TestKeysFromAHouse(t *testing.T) {
	c := newCast(t)
	opts := c.anchors()
	asked := 0
	opts.KeysFor = func(recipient cms.RecipientInfo) []cms.DecryptionKey {
		asked++
		if recipient.Matches(c.bob.Cert) {
			return keysOf(c.bob)
		}
		return nil
	}
	if report := open(t, encrypted(t, letter, recipients(c.bobRSA, c.bob)), opts); !report.Layers[0].Opened || asked != 2 {
		t.Errorf("asked %d times, report %+v", asked, report)
	}
}

func TestAFooterBehindAnOpaqueSignature(t *testing.T) {
	c := newCast(t)
	opts := signer(c.alice)
	opts.Opaque = true
	mail := signed(t, letter, opts) + "_______________\r\nThe list's footer, which no S/MIME program shows.\r\n"
	if report := open(t, mail, c.reader()); report.Verdict == Untrusted || report.Verdict == Unsigned {
		t.Errorf("verdict %s, %v", report.Verdict, report.Reasons)
	}
}

func TestCheckFrom(t *testing.T) {
	leaf := testca.New(t).Root().Leaf("alice@example.com")
	for header, want := range map[string]string{
		"From: Alice <alice@example.com>": "", "From: mallory@example.net": SignerMismatch, "To: x@example.com": NoFrom,
		"From: a@example.com, b@example.com": AmbiguousFrom,
	} {
		h, err := ReadHeader(bufio.NewReader(strings.NewReader(header + "\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if reason := CheckFrom(h, leaf.Cert); reason != nil {
			got = reason.Code
		}
		if got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// FuzzOpen: whatever comes, it is read or refused with a sentence, and nothing that is not signed is valid.
func FuzzOpen(f *testing.F) {
	root := testca.New(f).Root()
	alice := root.Leaf("alice@example.com")
	var plain, opaque, sealed strings.Builder
	opts := signer(alice)
	if err := Sign(f.Context(), strings.NewReader(letter), &plain, opts); err != nil {
		f.Fatal(err)
	}
	opts.Opaque = true
	if err := Sign(f.Context(), strings.NewReader(letter), &opaque, opts); err != nil {
		f.Fatal(err)
	}
	if err := Encrypt(f.Context(), strings.NewReader(letter), &sealed, recipients(alice)); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.String())
	f.Add(opaque.String())
	f.Add(sealed.String())
	f.Add("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\n" + plain.String() + "\r\n--a--")
	reader := (&cast{root: root}).anchors()
	reader.Keys = keysOf(alice)
	f.Fuzz(func(t *testing.T, mail string) {
		report, err := Open(t.Context(), strings.NewReader(mail), nil, reader)
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatalf("%v is no fault of the input", err)
			}
			return
		}
		if report.Verdict == Valid && !strings.Contains(mail, "MII") {
			t.Fatalf("valid without a signature: %q", mail)
		}
	})
}
