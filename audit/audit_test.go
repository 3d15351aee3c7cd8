package audit

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"
)

func chain(n int) []Entry {
	var out []Entry
	var prev Entry
	for i := range n {
		e := New(time.Date(2026, 11, 22, 12, 0, i, 123456789, time.UTC), Actor{Person, "acc_1"}, "order.confirm", fmt.Sprintf("order/%d", i), map[string]string{"b": "2", "a": "1"})
		prev = Link(prev, e)
		out = append(out, prev)
	}
	return out
}

func each(list []Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func headOf(list []Entry) Head {
	last := list[len(list)-1]
	return Head{last.Seq, last.Hash}
}

func TestVerifyNamesTheFirstBrokenEntry(t *testing.T) {
	cases := map[string]struct {
		spoil  func([]Entry) []Entry
		broken int64 // 0: the chain holds
		why    string
	}{
		"an untouched chain holds":                        {func(c []Entry) []Entry { return c }, 0, ""},
		"a changed detail breaks its entry":               {func(c []Entry) []Entry { c[3].Detail = map[string]string{"a": "9"}; return c }, 4, "changed"},
		"a changed time breaks its entry":                 {func(c []Entry) []Entry { c[0].At = c[0].At.Add(time.Microsecond); return c }, 1, "changed"},
		"a changed actor breaks its entry":                {func(c []Entry) []Entry { c[6].Actor.ID = "acc_2"; return c }, 7, "changed"},
		"a changed and re-hashed entry breaks the next":   {func(c []Entry) []Entry { c[3].Action = "x"; c[3].Hash = c[3].digest(); return c }, 5, "does not name"},
		"a removed entry is missing":                      {func(c []Entry) []Entry { return append(c[:4:4], c[5:]...) }, 5, "missing"},
		"two swapped entries break at the first":          {func(c []Entry) []Entry { c[2], c[3] = c[3], c[2]; return c }, 3, "missing"},
		"entries that were cut off at the end are missed": {func(c []Entry) []Entry { return c[:8] }, 9, "head"},
		"an inserted entry breaks": {func(c []Entry) []Entry {
			return append(c[:5:5], append([]Entry{Link(c[4], New(c[4].At, Actor{System, ""}, "x", "y", nil))}, c[5:]...)...)
		}, 7, "missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			good := chain(10)
			head := headOf(good)
			p, err := Verify(each(c.spoil(good)), head)
			if err != nil {
				t.Fatal(err)
			}
			if (p.Broken == nil) != (c.broken == 0) {
				t.Fatalf("got %+v", p)
			}
			if p.Broken != nil && (p.Broken.Seq != c.broken || !strings.Contains(p.Broken.Why, c.why)) {
				t.Errorf("got %s, want entry %d: …%s…", p.Broken, c.broken, c.why)
			}
		})
	}
}

func TestAnEmptyChainHolds(t *testing.T) {
	if p, err := Verify(each(nil), Head{}); err != nil || p.Broken != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestExportComesBackWhole(t *testing.T) {
	good := chain(50)
	var b bytes.Buffer
	if err := Export(&b, each(good), headOf(good)); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	head, entries, err := Import(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Verify(entries, head); err != nil || p.Broken != nil || p.Entries != 50 {
		t.Fatalf("got %+v, %v", p, err)
	}
	head, entries, err = Import(strings.NewReader(strings.Replace(whole, `"order/20"`, `"order/21"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Verify(entries, head); err != nil || p.Broken == nil || p.Broken.Seq != 21 {
		t.Errorf("a spoilt export gives %+v, %v", p, err)
	}
	lines := strings.SplitAfter(whole, "\n")
	for _, c := range []struct{ bad, say string }{
		{"", "not an exported log: it is empty"},
		{strings.Join(lines[1:], ""), "not an exported log: it does not begin with its head"},
		{"hello\n", "not an exported log: line 1 is not JSON"},
		{"[1]\n", "not an exported log: line 1 is no JSON object"},
		{`{"head":1}` + "\n", "not an exported log: line 1 has no head"},
	} {
		if _, _, err := Import(strings.NewReader(c.bad)); err == nil || !strings.HasPrefix(err.Error(), c.say) {
			t.Errorf("%.20q: got %v, want %s", c.bad, err, c.say)
		}
	}
	for _, c := range []struct{ bad, say string }{{"hello\n", "line 3 is not JSON"}, {"{}\n", "line 3 has no entry"}, {`{"entry":{},"prev":"x"}` + "\n", "line 3 is damaged"}} {
		head, entries, err := Import(strings.NewReader(lines[0] + lines[1] + c.bad + lines[2]))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(entries, head); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%.20q in the middle: got %v, want %s", c.bad, err, c.say)
		}
	}
}

func FuzzImport(f *testing.F) {
	var b bytes.Buffer
	good := chain(3)
	if err := Export(&b, each(good), headOf(good)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"head":1,"hash":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		head, entries, err := Import(bytes.NewReader(raw))
		if err != nil {
			return
		}
		Verify(entries, head)
	})
}
