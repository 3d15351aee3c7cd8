package portal

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func FuzzReadMail(f *testing.F) {
	f.Add([]byte("Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello http://localhost/o/x\r\n--b--\r\n"))
	f.Add([]byte("Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4="))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _, text := readMail(raw)
		for _, found := range linksOf(text, "http://localhost") {
			link := found.URL
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

func TestScoresOfPasswords(t *testing.T) {
	for _, c := range []struct {
		name, password string
		enough         bool
		why            string
	}{
		{"nothing", "", false, "none"},
		{"a well-known one, long", "password1234", false, "easy"},
		{"one letter often", "aaaaaaaaaaaaaaaaaaaaaaaa", false, "easy"},
		{"one's own address", "alice@example.com", false, "easy"},
		{"random, eight characters", "x7#Kq!2v", true, ""},
		{"random, but too short", "x7#Kq!2", false, "short"},
		{"a few words", goodWords, true, ""},
		{"what the page suggests", suggestion(), true, ""},
		{"signs that can be read in many ways, as long as they may be", strings.Repeat("4@8({[<369!1|0$5+7%2", 50), true, ""},
	} {
		begun := time.Now()
		s := scoreOf(c.password, "alice@example.com")
		if s.Enough() != c.enough || !c.enough && s.Why() != c.why {
			t.Errorf("%s: enough %v because %q (%+v)", c.name, s.Enough(), s.Why(), s)
		}
		if d := time.Since(begun); d > time.Second {
			t.Errorf("%s took %v", c.name, d)
		}
	}
}

const goodWords = "marble-otter-lantern-quilt"
