package agreement

import (
	"strings"
	"testing"

	"chancery.example/fault"
)

// inForce are the hashes of the texts that were ever in force. A text is never edited: acceptances name its hash.
var inForce = map[string]string{
	"2026-11.en": "b12d965c3e08fd4b81a96f40b0b7b2fa759a9c838e1a0987cd7303a2a3138f40",
	"2026-11.de": "5eaa979d02cb1b257eb3f8d58f55c0f29d96f60adba8a4efe88f0294f05bc50b",
}

func open(t *testing.T) *Book {
	t.Helper()
	b, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTextsInForceWereNotEdited(t *testing.T) {
	b := open(t)
	for _, l := range languages {
		text := b.In(l)
		if want := inForce[Current+"."+l]; text.SHA256 != want {
			t.Errorf("the text %s.%s has the hash %s, was accepted as %q; a change is a new version", Current, l, text.SHA256, want)
		}
		if text.Language != l || text.Title == "" || len(text.Paragraphs) < 3 {
			t.Errorf("the text in %s is hollow: %+v", l, text)
		}
		for _, p := range text.Paragraphs {
			if strings.TrimSpace(p) == "" || strings.Contains(p, "\n") {
				t.Errorf("a paragraph in %s is not one: %q", l, p)
			}
		}
	}
	if en, de := b.In("en"), b.In("de"); len(en.Paragraphs) != len(de.Paragraphs) {
		t.Errorf("the languages differ: %d and %d paragraphs", len(en.Paragraphs), len(de.Paragraphs))
	}
}

func TestLanguages(t *testing.T) {
	b := open(t)
	for tag, want := range map[string]string{"de": "de", "de-AT": "de", "DE": "de", "en": "en", "en-GB": "en", "fr": "en", "": "en", "../de": "en", "denmark": "en"} {
		if got := b.In(tag).Language; got != want {
			t.Errorf("%q is read in %s, want %s", tag, got, want)
		}
	}
}

func TestAccept(t *testing.T) {
	b := open(t)
	en, de := b.In("en"), b.In("de")
	for _, c := range []struct {
		name         string
		version, sha string
		code         string
		language     string
	}{
		{"the text in force is accepted", en.Version, en.SHA256, "", "en"},
		{"the acceptance says in which language it was read", de.Version, de.SHA256, "", "de"},
		{"the hash may be in upper case", en.Version, strings.ToUpper(en.SHA256), "", "en"},
		{"nothing accepted is refused", "", "", "agreement.missing", ""},
		{"an older version is refused", "2020-01", en.SHA256, "agreement.changed", ""},
		{"a text that was altered on the way is refused", en.Version, strings.Repeat("0", 64), "agreement.changed", ""},
		{"a version without the hash of what was shown is refused", en.Version, "", "agreement.changed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := b.Accept(c.version, c.sha)
			if c.code == "" {
				if err != nil || text.Language != c.language {
					t.Errorf("%v, %v", text.Language, err)
				}
				return
			}
			if err == nil || fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}
