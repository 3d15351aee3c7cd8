package smime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// splitAll reads every part.
func splitAll(r io.Reader, boundary string) (list []string, p *parts, err error) {
	p = newParts(r, boundary)
	for {
		part, err := p.Next()
		if errors.Is(err, io.EOF) {
			return list, p, nil
		}
		if err != nil {
			return list, p, err
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return list, p, err
		}
		list = append(list, string(text))
	}
}

func TestPartsAreWhatStandsBetweenBoundaries(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	cases := []struct {
		name, body string
		want       []string
		short      bool
	}{
		{"two parts with CR LF", "--b\r\none\r\n--b\r\ntwo\r\n--b--\r\n", []string{"one", "two"}, false},
		{"two parts with LF", "--b\none\n--b\ntwo\n--b--\n", []string{"one", "two"}, false},
		{"preamble and epilogue are nobody's", "hello\r\n--b\r\none\r\n--b--\r\nbye\r\n--b\r\nlate\r\n", []string{"one"}, false},
		{"the line end before a boundary belongs to it, one before that does not", "--b\r\none\r\n\r\n--b--", []string{"one\r\n"}, false},
		{"an empty part", "--b\r\n--b\r\n\r\n--b--", []string{"", ""}, false},
		{"blanks after a boundary are padding", "--b \t\r\none\r\n--b-- \r\n", []string{"one"}, false},
		{"a longer word is no boundary", "--b\r\none\r\n--bb\r\ntwo\r\n--b--\r\n", []string{"one\r\n--bb\r\ntwo"}, false},
		{"a boundary must begin its line", "--b\r\none --b\r\n --b\r\n--b--\r\n", []string{"one --b\r\n --b"}, false},
		{"dashes alone are text", "--b\r\n--\r\n--\r\n\r\n--x\r\n--b--", []string{"--\r\n--\r\n\r\n--x"}, false},
		{"a CR that is no line end stays", "--b\r\none\r\r\n--b--", []string{"one\r"}, false},
		{"without the closing boundary the last part ends with the input", "--b\r\none\r\n--b\r\ntwo", []string{"one", "two"}, true},
		{"no boundary at all", "text\r\n", nil, true},
		{"a part larger than every buffer", "--b\r\n" + long + "\r\n" + long + "\r\n--b--", []string{long + "\r\n" + long}, false},
		{"more padding than is bounded is text", "--b\r\none\r\n--b" + strings.Repeat(" ", maxPadding+1) + "\r\n--b--", []string{"one\r\n--b" + strings.Repeat(" ", maxPadding+1)}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"at once": strings.NewReader(c.body), "octet by octet": iotest.OneByteReader(strings.NewReader(c.body)),
			}
			for how, r := range readers {
				got, p, err := splitAll(r, "b")
				if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) || p.short != c.short {
					t.Errorf("%s: %.300q, short %v, error %v; want %.300q, short %v", how, got, p.short, err, c.want, c.short)
				}
			}
		})
	}
}

// A boundary at any distance from the edge of a buffer is found.
func TestPartsAtBufferEdges(t *testing.T) {
	for size := bufferSize - 20; size < bufferSize+20; size++ {
		first := strings.Repeat("x", size)
		got, _, err := splitAll(strings.NewReader("--b\r\n"+first+"\r\n--b\r\n\r\ntwo\r\n--b--\r\n"), "b")
		if err != nil || len(got) != 2 || got[0] != first || got[1] != "\r\ntwo" {
			t.Fatalf("size %d: %d parts, error %v", size, len(got), err)
		}
	}
}

func TestPartsNest(t *testing.T) {
	inner := "--in\r\na\r\n--in\r\nb\r\n--in--\r\n"
	split := newParts(strings.NewReader("--out\r\n"+inner+"\r\n--out\r\nc\r\n--out--"), "out")
	first, err := split.Next()
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := splitAll(first, "in")
	if err != nil || fmt.Sprint(got) != "[a b]" {
		t.Fatalf("inner parts %q, error %v", got, err)
	}
	second, err := split.Next()
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(second); string(text) != "c" {
		t.Fatalf("second part %q", text)
	}
}

// FuzzParts holds the splitter against a plain reading of RFC 2046 line by line.
func FuzzParts(f *testing.F) {
	for _, seed := range []string{"--b\r\none\r\n--b--\r\n", "--b\n\n--b \n--b--", "x\r\n--b\r\r\n--bb\n--b--", "--b", "\r\n--b--"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, _, err := splitAll(iotest.HalfReader(bytes.NewReader(body)), "b")
		if err != nil {
			t.Fatalf("reading from memory failed: %v", err)
		}
		if want := splitSlowly(body, "b"); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q gave %q, want %q", body, got, want)
		}
	})
}

func splitSlowly(body []byte, boundary string) (list []string) {
	var current []byte
	inPart := false
	eol := ""
	take := func() {
		if inPart {
			list = append(list, string(current))
		}
	}
	for _, line := range bytes.SplitAfter(body, []byte("\n")) {
		content, end := string(line), ""
		for _, e := range []string{"\r\n", "\n"} {
			if rest, ok := strings.CutSuffix(content, e); ok {
				content, end = rest, e
				break
			}
		}
		rest, isDelimiter := strings.CutPrefix(content, "--"+boundary)
		final := strings.HasPrefix(rest, "--")
		rest = strings.TrimPrefix(rest, "--")
		if isDelimiter && strings.Trim(rest, " \t") == "" && len(rest) <= maxPadding {
			take()
			if final {
				return list
			}
			inPart, current, eol = true, nil, ""
			continue
		}
		current = append(current, eol+content...)
		eol = end
	}
	current = append(current, eol...)
	take()
	return list
}
