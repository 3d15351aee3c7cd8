package smime

import (
	"bufio"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"chancery.example/testca"
)

func TestFromIsReadAsAnAttackerWritesIt(t *testing.T) {
	cases := []struct {
		name, header string
		address      string
		doubt        string
	}{
		{"a bare address", "From: alice@example.com", "alice@example.com", ""},
		{"an address with a name", "From: Alice A. Example <alice@example.com>", "alice@example.com", ""},
		{"a quoted name", `From: "Example, Alice" <alice@example.com>`, "alice@example.com", ""},
		{"a comment", "From: alice@example.com (Alice)", "alice@example.com", ""},
		{"an encoded name", "From: =?utf-8?q?Al=C3=AFce?= <alice@example.com>", "alice@example.com", ""},
		{"a folded field", "From: Alice\r\n <alice@example.com>", "alice@example.com", ""},
		{"the same address in the name", `From: "alice@example.com" <alice@example.com>`, "alice@example.com", ""},
		{"the same address in the name, in other case", `From: "Alice@EXAMPLE.com" <alice@example.com>`, "alice@example.com", ""},
		{"an at sign in the name that is no address", `From: "Alice @ Example" <alice@example.com>`, "alice@example.com", ""},
		{"an internationalised address", "From: älice@bücher.example", "älice@bücher.example", ""},
		{"a quoted local part", `From: "alice b"@example.com`, `"alice b"@example.com`, ""},

		{"no From", "To: bob@example.com", "", NoFrom},
		{"an empty From", "From: ", "", NoFrom},
		{"two From fields", "From: alice@example.com\r\nFrom: mallory@example.net", "", AmbiguousFrom},
		{"two From fields in different case", "From: alice@example.com\r\nFROM: mallory@example.net", "", AmbiguousFrom},
		{"a second From in obsolete syntax", "From: alice@example.com\r\nFrom : mallory@example.net", "", AmbiguousFrom},
		{"two addresses", "From: alice@example.com, mallory@example.net", "", AmbiguousFrom},
		{"a group", "From: Friends: alice@example.com;", "", AmbiguousFrom},
		{"another address as the name, unquoted", "From: alice@example.com <mallory@example.net>", "", AmbiguousFrom},
		{"another address as the name, quoted", `From: "alice@example.com" <mallory@example.net>`, "mallory@example.net", AmbiguousFrom},
		{"another address as the name, encoded", "From: =?utf-8?b?YWxpY2VAZXhhbXBsZS5jb20=?= <mallory@example.net>", "mallory@example.net", AmbiguousFrom},
		{"another address as the name, with a full-width at sign", "From: =?utf-8?q?alice=EF=BC=A0example=2Ecom?= <mallory@example.net>", "mallory@example.net", AmbiguousFrom},
		{"another address as the name, with an invisible letter", "From: =?utf-8?q?alice=E2=80=8B=40example=2Ecom?= <mallory@example.net>", "mallory@example.net", AmbiguousFrom},
		{"another address in a comment", "From: mallory@example.net (alice@example.com)", "mallory@example.net", AmbiguousFrom},
		{"another address in a windows charset", "From: =?windows-1252?q?alice=40example=2Ecom?= <mallory@example.net>", "mallory@example.net", AmbiguousFrom},
		{"a name in UTF-7", "From: =?utf-7?q?alice+AEA-example.com?= <mallory@example.net>", "", AmbiguousFrom},
		{"an encoded word as the local part", "From: =?utf-8?q?alice=40example.com=3E?=@example.net", "", AmbiguousFrom},
		{"a source route", "From: <@example.org:alice@example.com>", "", AmbiguousFrom},
		{"white space inside the address", "From: alice @ example.com", "", AmbiguousFrom},
		{"a NUL", "From: alice@example.com\x00@example.net", "", AmbiguousFrom},
		{"a bare carriage return", "From: alice@example.com\rFrom: mallory@example.net", "", AmbiguousFrom},
		{"two at signs", "From: alice@example.com@example.net", "", AmbiguousFrom},
		{"an unclosed quote", `From: "alice <alice@example.com>`, "", AmbiguousFrom},
		{"an unclosed comment", `From: alice@example.com (alice`, "", AmbiguousFrom},
		{"no address", "From: Alice", "", AmbiguousFrom},
		{"an empty address", "From: Alice <>", "", AmbiguousFrom},
		{"text after the address", "From: <alice@example.com> mallory", "", AmbiguousFrom},
		{"a line that is no field", "From: alice@example.com\r\nnonsense", "", AmbiguousFrom},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, err := ReadHeader(bufio.NewReader(strings.NewReader("To: carol@example.org\r\n" + c.header + "\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			got := authorOf(h)
			if got.Doubt.Code != c.doubt || c.address != "" && got.Address != c.address {
				t.Errorf("address %q, doubt %+v; want %q, %q", got.Address, got.Doubt, c.address, c.doubt)
			}
		})
	}
}

// FuzzAddresses: what we accept as one address, net/mail reads as the same one, unless it refuses. A difference would
// be a way to show one address and be checked against another.
func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"alice@example.com", `"a\"b" <c@d.example>`, "a (b(c)) <d@e.example> (f)", "=?utf-8?q?a?= <b@c.example>", "a@b.example,c@d.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		list, ok := parseAddresses(value)
		if !ok || len(list) != 1 {
			return
		}
		foreignAddress(list[0].Display, list[0].Address)
		other, err := mail.ParseAddressList(value)
		if err != nil {
			return
		}
		ours, err := mail.ParseAddress(list[0].Address)
		if len(other) != 1 || err == nil && other[0].Address != ours.Address {
			t.Fatalf("%q: we read %q, net/mail %v", value, list[0].Address, other)
		}
	})
}

func TestAddressesOfACertificate(t *testing.T) {
	ca := testca.New(t).Root()
	cases := []struct {
		name string
		leaf *testca.Leaf
		want []string
	}{
		{"subjectAltName", ca.Leaf("alice@example.com"), []string{"alice@example.com"}},
		{"the subject's address counts where there is no other", ca.Leaf("", testca.SubjectAddress("alice@example.com")), []string{"alice@example.com"}},
		{"subjectAltName decides over the subject", ca.Leaf("mallory@example.net", testca.SubjectAddress("alice@example.com")), []string{"mallory@example.net"}},
		{"an address in the common name is none", ca.Leaf("", testca.Name("alice@example.com")), nil},
		{"SmtpUTF8Mailbox", ca.Leaf("", testca.Extension(oidSubjectAltName, false, utf8Mailbox("älice@example.com"))), []string{"älice@example.com"}},
		{"SmtpUTF8Mailbox with a NUL is none", ca.Leaf("", testca.Extension(oidSubjectAltName, false, utf8Mailbox("a\x00@example.com"))), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Addresses(c.leaf.Cert); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// utf8Mailbox is a subjectAltName with one SmtpUTF8Mailbox (RFC 9598 3).
func utf8Mailbox(address string) []byte {
	text := append([]byte{0x0c, byte(len(address))}, address...)
	value := append([]byte{0xa0, byte(len(text))}, text...)
	id := []byte{0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x09}
	name := append([]byte{0xa0, byte(len(id) + len(value))}, append(id, value...)...)
	return append([]byte{0x30, byte(len(name))}, name...)
}
