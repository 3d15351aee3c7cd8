package portal

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzReadMail(f *testing.F) {
	f.Add([]byte("Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello http://localhost/o/x\r\n--b--\r\n"))
	f.Add([]byte("Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4="))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _, text := readMail(raw)
		for _, link := range linksOf(text, "http://localhost") {
			if !strings.HasPrefix(link, "/") {
				t.Errorf("a link that leaves the portal: %q", link)
			}
		}
	})
}

func FuzzLocal(f *testing.F) {
	for _, s := range []string{"/admin?q=a", "//evil.example", `/\evil.example`, "https://evil.example", "/\t/evil.example", "", "/%2f/evil.example"} {
		f.Add(s)
	}
	base, err := url.Parse("http://localhost:8440/signin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := local(to)
		if got == "" {
			return
		}
		at, err := base.Parse(got)
		if err != nil || at.Host != base.Host || at.Scheme != base.Scheme {
			t.Errorf("%q leads to %v", to, at)
		}
	})
}

func FuzzScore(f *testing.F) {
	for _, s := range []string{"", "password1234", "marble-otter-lantern-quilt", "äöü ß 日本語", "\xff\xfe", strings.Repeat("a1", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if s := scoreOf(password, "alice@example.com"); s.Points < 0 || s.Points > 4 || s.Enough() && s.Length < 8 {
			t.Errorf("%q scores %+v", password, s)
		}
	})
}
