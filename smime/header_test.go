package smime

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"

	"chancery.example/fault"
)

func TestReadHeader(t *testing.T) {
	cases := []struct {
		name, text       string
		field, want      string
		rest             string
		malformed, empty bool
	}{
		{"a plain header", "From: a@b.example\r\nSubject: hi\r\n\r\nbody", "subject", "hi", "body", false, false},
		{"line feeds only", "From: a@b.example\nSubject: hi\n\nbody", "Subject", "hi", "body", false, false},
		{"a folded field", "Subject: a\r\n b\r\n\tc\r\n\r\n", "Subject", "a b\tc", "", false, false},
		{"white space before the colon is still that field", "From : a@b.example\r\n\r\n", "From", "a@b.example", "", false, false},
		{"text without a header is left alone", "Hello world\r\n\r\nFrom: x\r\n", "From", "", "Hello world\r\n\r\nFrom: x\r\n", false, true},
		{"an empty header", "\r\nFrom: x\r\n", "From", "", "From: x\r\n", false, true},
		{"a line that is no field", "A: b\r\ngarbage\r\nFrom: x\r\n\r\n", "From", "x", "", true, false},
		{"a bare carriage return", "From: a@b.example\rFrom: c@d.example\r\n\r\n", "From", "a@b.example\rFrom: c@d.example", "", true, false},
		{"a NUL", "From: a\x00b\r\n\r\n", "From", "a\x00b", "", true, false},
		{"two content types", "Content-Type: text/plain\r\nContent-type: text/html\r\n\r\n", "content-type", "text/plain", "", true, false},
		{"the end without an empty line", "A: b\r\nC: d", "C", "d", "", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(c.text))
			h, err := ReadHeader(r)
			if err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(r)
			if h.Get(c.field) != c.want || string(rest) != c.rest || h.Malformed != c.malformed || (len(h.Fields) == 0) != c.empty {
				t.Errorf("%s %q, rest %q, malformed %v, %d fields", c.field, h.Get(c.field), rest, h.Malformed, len(h.Fields))
			}
		})
	}
}

func TestHeaderBounds(t *testing.T) {
	for name, text := range map[string]string{
		"a line of a megabyte": "Subject: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"endless folds":        "Subject: x\r\n" + strings.Repeat(" y\r\n", 1<<18) + "\r\n",
		"too many fields":      strings.Repeat("A: b\r\n", maxFields+1) + "\r\n",
	} {
		if _, err := ReadHeader(bufio.NewReader(strings.NewReader(text))); !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: error %v, want too large", name, err)
		}
	}
}

func TestMediaType(t *testing.T) {
	cases := []struct {
		name, value, want string
		params            map[string]string
		malformed         bool
	}{
		{"as the RFC says", `multipart/signed; boundary="a b"; micalg=sha-256`, "multipart/signed", map[string]string{"boundary": "a b", "micalg": "sha-256"}, false},
		{"upper case", `Application/PKCS7-MIME; Name=X.P7M`, "application/pkcs7-mime", map[string]string{"name": "X.P7M"}, false},
		{"an unquoted boundary with an equals sign", `multipart/mixed; boundary=----=_Part_1.2`, "multipart/mixed", map[string]string{"boundary": "----=_Part_1.2"}, false},
		{"a semicolon inside quotes", `multipart/mixed; boundary="a;b"`, "multipart/mixed", map[string]string{"boundary": "a;b"}, false},
		{"escaped quotes", `text/plain; name="a\"b"`, "text/plain", map[string]string{"name": `a"b`}, false},
		{"comments", `text/plain (a;b); charset=utf-8 (c)`, "text/plain", map[string]string{"charset": "utf-8"}, false},
		{"a semicolon at the end", `text/plain;`, "text/plain", nil, false},
		{"a parameter twice", `multipart/mixed; boundary=a; boundary=b`, "multipart/mixed", map[string]string{"boundary": "a"}, true},
		{"an unclosed quote", `multipart/mixed; boundary="a`, "multipart/mixed", nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := parseMediaType(c.value)
			if got.Type != c.want || got.Malformed != c.malformed {
				t.Errorf("type %q, malformed %v", got.Type, got.Malformed)
			}
			for name, want := range c.params {
				if got.Params[name] != want {
					t.Errorf("%s is %q, want %q", name, got.Params[name], want)
				}
			}
		})
	}
}

// FuzzHeader: whatever was read can be written again as it came, and nothing panics.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{"From: a\r\n\r\nx", " x\r\nA: b\r\n\r\n", "From x\nA: b\n\n", "A : b", "\r\n", "A:\x00\r\r\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bufio.NewReader(bytes.NewReader(text))
		h, err := ReadHeader(r)
		if err != nil {
			if !fault.Is(err, fault.TooLarge) {
				t.Fatal(err)
			}
			return
		}
		var again bytes.Buffer
		if err := writeHeader(&again, h); err != nil {
			t.Fatal(err)
		}
		io.Copy(&again, r)
		if !bytes.Equal(again.Bytes(), text) {
			t.Fatalf("%q became %q", text, again.Bytes())
		}
		formOf(h)
		authorOf(h)
	})
}
