package mailbox

import (
	"encoding/json"
	"strings"
	"testing"

	"chancery.example/fault"
)

func TestParseAccepts(t *testing.T) {
	local64 := strings.Repeat("a", 64)
	long254 := local64 + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 57) + ".com"
	for _, c := range []struct{ name, in, want, unicode string }{
		{"a plain address", "alice@example.com", "alice@example.com", "alice@example.com"},
		{"spaces around it are dropped", " \talice@example.com\r\n", "alice@example.com", "alice@example.com"},
		{"the domain becomes lower case, the local part stays", "Alice.B@EXAMPLE.Com", "Alice.B@example.com", "Alice.B@example.com"},
		{"all special characters of an atom", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
		{"a U-label becomes an A-label", "alice@Bücher.example", "alice@xn--bcher-kva.example", "alice@bücher.example"},
		{"an A-label stays", "alice@XN--BCHER-KVA.example", "alice@xn--bcher-kva.example", "alice@bücher.example"},
		{"a sharp s is no double s", "alice@faß.example", "alice@xn--fa-hia.example", "alice@faß.example"},
		{"an ideographic full stop parts labels", "alice@例え。テスト", "alice@xn--r8jz45g.xn--zckzah", "alice@例え.テスト"},
		{"an internationalised local part", "用户@example.com", "用户@example.com", "用户@example.com"},
		{"a decomposed umlaut is composed", "mu\u0308ller@example.com", "m\u00fcller@example.com", "m\u00fcller@example.com"},
		{"needless quotes go", `"alice"@example.com`, "alice@example.com", "alice@example.com"},
		{"needless escapes go", `"al\ice \" b"@example.com`, `"alice \" b"@example.com`, `"alice \" b"@example.com`},
		{"needed quotes stay", `"alice b"@example.com`, `"alice b"@example.com`, `"alice b"@example.com`},
		{"an @ in quotes", `"a@b"@example.com`, `"a@b"@example.com`, `"a@b"@example.com`},
		{"a digit label that is not the last", "alice@123.example", "alice@123.example", "alice@123.example"},
		{"hyphens in the third place of an old name", "alice@r3--x.example", "alice@r3--x.example", "alice@r3--x.example"},
		{"a local part of 64 octets", local64 + "@example.com", local64 + "@example.com", local64 + "@example.com"},
		{"an address of 254 octets", long254, long254, long254},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Parse(c.in)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if a.String() != c.want || a.Unicode() != c.unicode {
				t.Errorf("got %q, %q; want %q, %q", a.String(), a.Unicode(), c.want, c.unicode)
			}
			if a.Local()+"@"+a.Domain() != c.want {
				t.Errorf("Local %q and Domain %q do not make up %q", a.Local(), a.Domain(), c.want)
			}
			for _, again := range []string{a.String(), a.Unicode()} {
				if b, err := Parse(again); err != nil || b != a {
					t.Errorf("%q does not parse to the same address: %v, %v", again, b, err)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, code string }{
		{"nothing", "", "mailbox.empty"},
		{"only space", " \t ", "mailbox.empty"},
		{"no @", "alice", "mailbox.no-at"},
		{"two @", "alice@b@example.com", "mailbox.two-ats"},
		{"a name and an address", "Alice <alice@example.com>", "mailbox.display-name"},
		{"a quoted name and an address", `"Alice" <alice@example.com>`, "mailbox.display-name"},
		{"a quoted name with a comma and an address", `"Doe, Alice" <alice@example.com>`, "mailbox.display-name"},
		{"angle brackets only", "<alice@example.com>", "mailbox.display-name"},
		{"two addresses with a comma", "alice@example.com,bob@example.com", "mailbox.list"},
		{"two addresses with a semicolon", "alice@example.com; bob@example.com", "mailbox.list"},
		{"two addresses with a space", "alice@example.com bob@example.com", "mailbox.list"},
		{"a trailing comma", "alice@example.com,", "mailbox.list"},
		{"a comma before the @", "alice,bob@example.com", "mailbox.list"},
		{"no local part", "@example.com", "mailbox.local-empty"},
		{"an empty quoted local part, which the grammar allows", `""@example.com`, "mailbox.local-empty"},
		{"a local part of 65 octets", strings.Repeat("a", 65) + "@example.com", "mailbox.local-too-long"},
		{"a local part of 65 octets in 33 characters", strings.Repeat("ü", 32) + "a@example.com", "mailbox.local-too-long"},
		{"an address of 255 octets", strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 58) + ".com", "mailbox.too-long"},
		{"a megabyte", strings.Repeat("a", 1<<20), "mailbox.too-long"},
		{"an IPv4 literal", "user@[192.0.2.1]", "mailbox.address-literal"},
		{"an IPv6 literal", "user@[IPv6:2001:db8::1]", "mailbox.address-literal"},
		{"an IPv4 address without brackets", "user@192.0.2.1", "mailbox.address-literal"},
		{"no domain", "alice@", "mailbox.domain-empty"},
		{"a single label", "alice@intranet", "mailbox.domain-single-label"},
		{"localhost", "alice@localhost", "mailbox.domain-single-label"},
		{"an empty label", "alice@example..com", "mailbox.domain-empty-label"},
		{"a leading dot in the domain", "alice@.example.com", "mailbox.domain-empty-label"},
		{"a trailing dot in the domain", "alice@example.com.", "mailbox.domain-empty-label"},
		{"a label of 64 octets", "alice@" + strings.Repeat("a", 64) + ".com", "mailbox.domain-invalid"},
		{"an underscore in the domain", "alice@ex_ample.com", "mailbox.domain-invalid"},
		{"a leading hyphen in the domain", "alice@-example.com", "mailbox.domain-invalid"},
		{"a trailing hyphen in the domain", "alice@example-.com", "mailbox.domain-invalid"},
		{"a space in the domain", "alice@example .com", "mailbox.domain-invalid"},
		{"punycode that is none", "alice@xn--a.example", "mailbox.idn-invalid"},
		{"a bad mix of directions", "alice@aא.example", "mailbox.idn-invalid"},
		{"an unassigned character in the domain", "alice@\u0378.example", "mailbox.idn-invalid"},
		{"a leading dot in the local part", ".alice@example.com", "mailbox.local-dots"},
		{"a trailing dot in the local part", "alice.@example.com", "mailbox.local-dots"},
		{"two dots in the local part", "al..ice@example.com", "mailbox.local-dots"},
		{"a space in the local part", "al ice@example.com", "mailbox.local-invalid"},
		{"a bracket in the local part", "al(ice@example.com", "mailbox.local-invalid"},
		{"a backslash in the local part", `al\ice@example.com`, "mailbox.local-invalid"},
		{"a quote in the local part", `al"ice@example.com`, "mailbox.local-invalid"},
		{"a quote without an end", `"alice@example.com`, "mailbox.local-invalid"},
		{"a quote that ends too soon", `"al"ice@example.com`, "mailbox.local-invalid"},
		{"a line break", "alice@example.com\r\nBcc: bob@example.com", "mailbox.control-character"},
		{"a line break in quotes", "\"al\nice\"@example.com", "mailbox.control-character"},
		{"a null", "al\x00ice@example.com", "mailbox.control-character"},
		{"a C1 control", "al\u0085ice@example.com", "mailbox.control-character"},
		{"a zero-width space", "al\u200bice@example.com", "mailbox.local-invisible"},
		{"a right-to-left override", "al\u202eice@example.com", "mailbox.local-invisible"},
		{"a no-break space", "al\u00a0ice@example.com", "mailbox.local-invisible"},
		{"bytes that are not UTF-8", "al\xffice@example.com", "mailbox.not-utf8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Parse(c.in)
			if err == nil {
				t.Fatalf("accepted as %q", a)
			}
			if !a.IsZero() {
				t.Errorf("a refusal came with the address %q", a)
			}
			if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != c.code {
				t.Errorf("got %v %s (%v), want invalid %s", fault.KindOf(err), fault.CodeOf(err), err, c.code)
			}
		})
	}
}

func must(t *testing.T, s string) Address {
	t.Helper()
	a, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSameMailbox(t *testing.T) {
	for _, c := range []struct {
		name, a, b  string
		equal, fold bool
	}{
		{"domains differ in case", "alice@example.com", "alice@EXAMPLE.COM", true, true},
		{"domains are A-label and U-label", "alice@bücher.example", "alice@xn--bcher-kva.example", true, true},
		{"local parts differ in quotes", "alice@example.com", `"alice"@example.com`, true, true},
		{"local parts differ in case", "alice@example.com", "Alice@example.com", false, true},
		{"local parts differ in case outside ASCII", "jürgen@example.com", "jÜrgen@example.com", false, false},
		{"local parts differ", "alice@example.com", "alicia@example.com", false, false},
		{"domains differ", "alice@example.com", "alice@example.org", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := must(t, c.a), must(t, c.b)
			if a.Equal(b) != c.equal || b.Equal(a) != c.equal || (a == b) != c.equal {
				t.Errorf("Equal is %v, want %v", a.Equal(b), c.equal)
			}
			if a.EqualFold(b) != c.fold || b.EqualFold(a) != c.fold {
				t.Errorf("EqualFold is %v, want %v", a.EqualFold(b), c.fold)
			}
		})
	}
}

func TestASCII(t *testing.T) {
	if !must(t, "alice@bücher.example").ASCII() {
		t.Error("an address with an internationalised domain fits an rfc822Name")
	}
	if must(t, "jürgen@example.com").ASCII() {
		t.Error("an internationalised local part fits no rfc822Name")
	}
}

func TestText(t *testing.T) {
	type order struct{ Mailbox Address }
	in := order{must(t, "alice@Bücher.example")}
	b, err := json.Marshal(in)
	if err != nil || string(b) != `{"Mailbox":"alice@xn--bcher-kva.example"}` {
		t.Fatalf("got %s, %v", b, err)
	}
	var out order
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("got %v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Mailbox":""}`), &out); err != nil || !out.Mailbox.IsZero() {
		t.Errorf("empty text: got %v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Mailbox":"alice"}`), &out); fault.CodeOf(err) != "mailbox.no-at" {
		t.Errorf("got %v", err)
	}
	if s := (Address{}).String() + (Address{}).Unicode(); s != "" {
		t.Errorf("the zero address is %q", s)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"alice@example.com", `"a b"@example.com`, "用户@例え。テスト", "a@xn--bcher-kva.example",
		"user@[192.0.2.1]", "Alice <alice@example.com>", "a@b@c.d", `"\"@example.com`, "mu\u0308ller@example.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) == "internal" || !a.IsZero() {
				t.Fatalf("%q: %v %v", s, a, err)
			}
			return
		}
		if len(a.Local()) > MaxLocal || len(a.String()) > MaxAddress || strings.ContainsAny(a.String(), "\r\n\x00") {
			t.Fatalf("%q became %q", s, a)
		}
		for _, spelling := range []string{a.String(), a.Unicode()} {
			if b, err := Parse(spelling); err != nil || b != a {
				t.Fatalf("%q became %q, which becomes %q: %v", s, spelling, b, err)
			}
		}
	})
}
