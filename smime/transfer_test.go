package smime

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"

	"chancery.example/fault"
)

func TestBase64Reader(t *testing.T) {
	long := strings.Repeat("AAAA", 50_000)
	cases := []struct {
		name, text, want string
		damaged          bool
	}{
		{"lines", "aGVs\r\nbG8=\r\n", "hello", false},
		{"one endless line", long, strings.Repeat("\x00", 150_000), false},
		{"white space anywhere", " a GVs\t\n\n bG8 = ", "hello", false},
		{"a group cut by a line end", "aGV\r\nsbG8=", "hello", false},
		{"nothing", "", "", false},
		{"text after the padding", "aGVsbG8=\r\naGVs", "", true},
		{"a letter of another alphabet", "aGVs-_8=", "", true},
		{"cut short", "aGVsbG8", "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
				got, err := io.ReadAll(newBase64Reader(r))
				if fault.CodeOf(err) == "mail.base64" != c.damaged || !c.damaged && (err != nil || string(got) != c.want) {
					t.Errorf("%.50q, error %v", got, err)
				}
			}
		})
	}
}

func TestBase64WriterIsReadBack(t *testing.T) {
	data := randomText(200_000, "")
	var text bytes.Buffer
	w := newBase64Writer(&text)
	for rest := data; len(rest) > 0; { // in pieces of every size
		n := min(len(rest), 1+rand.IntN(300))
		w.Write(rest[:n])
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if len(line) > 78 || !strings.HasSuffix(line, "\r\n") {
			t.Fatalf("line %q", line)
		}
	}
	got, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text.String(), "\r\n", ""))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d octets came back as %d, error %v", len(data), len(got), err)
	}
}

func TestCanonicalLineEnds(t *testing.T) {
	cases := map[string]string{
		"a\nb\r\nc\n": "a\r\nb\r\nc\r\n", "\n\n": "\r\n\r\n", "a\rb": "a\rb", "a\r\r\n": "a\r\r\n", "": "", "\r": "\r",
		strings.Repeat("x\n", 50_000):          strings.Repeat("x\r\n", 50_000),
		strings.Repeat("x\r\n", 9_999) + "\ny": strings.Repeat("x\r\n", 9_999) + "\r\ny",
	}
	for in, want := range cases {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			if got, err := io.ReadAll(newCRLFReader(r)); err != nil || string(got) != want {
				t.Errorf("read %.30q: %.30q, want %.30q", in, got, want)
			}
		}
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.HalfReader(strings.NewReader(in))} {
			var out bytes.Buffer
			if n, err := newCRLFReader(r).WriteTo(&out); err != nil || out.String() != want || n != int64(len(want)) {
				t.Errorf("hand on %.30q: %.30q, want %.30q", in, out.String(), want)
			}
		}
		if got, err := io.ReadAll(iotest.OneByteReader(newCRLFReader(strings.NewReader(in)))); err != nil || string(got) != want {
			t.Errorf("read octet by octet %.30q: %.30q, want %.30q", in, got, want)
		}
		var out bytes.Buffer
		w := &crlfWriter{w: &out}
		for i := 0; i < len(in); i++ {
			w.Write([]byte{in[i]})
		}
		if out.String() != want {
			t.Errorf("write %.30q: %.30q, want %.30q", in, out.String(), want)
		}
	}
}

func TestQuotedPrintableIsSafeAndReadBack(t *testing.T) {
	texts := []string{
		"plain\r\n", "From me\r\n.\r\n--b\r\n", "blank at the end \r\ntab\t\r\n", "gr\u00fc\u00dfe = 1\r\n",
		strings.Repeat("long-", 500) + "\r\nFrom", "no line end", "",
		strings.Repeat(strings.Repeat("a", 74)+"-", 20) + "\r\n", // a dash on every soft break
		string(randomText(100_000, "\r\n")),
	}
	for _, text := range texts {
		text = strings.ReplaceAll(text, "\x00", "")
		var out bytes.Buffer
		if err := copyQuotedPrintable(&out, newCRLFReader(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		found, err := inspectLines(bufio.NewReader(bytes.NewReader(out.Bytes())))
		if err != nil || found.unsafe {
			t.Errorf("%.60q is not safe: %+v", out.String(), found)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 78 || strings.HasPrefix(line, "-") || strings.HasPrefix(line, ".") {
				t.Errorf("line %q", line)
			}
		}
		want, _ := io.ReadAll(newCRLFReader(strings.NewReader(text)))
		got, err := io.ReadAll(quotedprintable.NewReader(&out))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%.60q came back as %.60q, error %v", want, got, err)
		}
	}
}

// randomText is octets of every value; with a line end, every hundredth place has one, and no CR or LF stands alone.
func randomText(n int, lineEnd string) []byte {
	var data []byte
	for len(data) < n {
		c := byte(rand.IntN(256))
		if lineEnd != "" && (c == '\r' || c == '\n') {
			continue
		}
		data = append(data, c)
		if lineEnd != "" && rand.IntN(100) == 0 {
			data = append(data, lineEnd...)
		}
	}
	return data
}
