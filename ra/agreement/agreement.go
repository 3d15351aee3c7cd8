// Package agreement answers: what does an applicant agree to?
//
// The texts are versioned data, one file a version and language. An acceptance is recorded with the SHA-256 of the
// very bytes that were shown (SBR 9.6.3), so a text that was in force once is never edited: a change is a new file.
package agreement

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"

	"chancery.example/fault"
)

//go:embed texts/*.txt
var texts embed.FS

// Current is the version that new orders accept.
const Current = "2026-11"

// Text is one version in one language.
type Text struct {
	Version  string
	Language string
	Title    string
	// Paragraphs are plain text; one that begins with "§" is a heading.
	Paragraphs []string
	SHA256     string // lower-case hex of the file
}

// Book holds the texts.
type Book struct{ byLanguage map[string]Text }

// Languages that every version is written in; the first is the fallback.
var languages = []string{"en", "de"}

// Open reads the current version in every language.
func Open() (*Book, error) {
	b := &Book{byLanguage: map[string]Text{}}
	for _, l := range languages {
		raw, err := texts.ReadFile("texts/" + Current + "." + l + ".txt")
		if err != nil {
			return nil, fmt.Errorf("agreement: %w", err)
		}
		b.byLanguage[l] = parse(raw, l)
	}
	return b, nil
}

// In returns the current text in a language, given as a BCP 47 tag ("de", "de-AT"), and in English where there is none.
func (b *Book) In(language string) Text {
	primary, _, _ := strings.Cut(strings.ToLower(language), "-")
	if t, ok := b.byLanguage[primary]; ok {
		return t
	}
	return b.byLanguage[languages[0]]
}

// Accept checks that what an applicant accepted is what is in force: version and hash must be those of a current text.
func (b *Book) Accept(version, sha string) (Text, error) {
	if version == "" && sha == "" {
		return Text{}, fault.New(fault.Invalid, "agreement.missing", "The subscriber agreement must be accepted before a certificate can be ordered.")
	}
	for _, t := range b.byLanguage {
		if t.Version == version && t.SHA256 == strings.ToLower(sha) {
			return t, nil
		}
	}
	return Text{}, fault.New(fault.Conflict, "agreement.changed", "The subscriber agreement has changed since you read it. Please read version %s and accept it.", Current).With("version", Current)
}

func parse(raw []byte, language string) Text {
	sum := sha256.Sum256(raw)
	t := Text{Version: Current, Language: language, SHA256: hex.EncodeToString(sum[:])}
	for _, p := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
		p = strings.Join(strings.Fields(p), " ")
		if t.Title == "" {
			t.Title = p
			continue
		}
		t.Paragraphs = append(t.Paragraphs, p)
	}
	return t
}
