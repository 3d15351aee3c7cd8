package notify

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"chancery.example/fault"
)

//go:embed locales/*.json
var locales embed.FS

//go:embed mail.html
var page string

// Letter is what the text of a mail names.
type Letter struct {
	House   string    // the organisation's name
	Mailbox string    // the address as a person writes it
	Order   string    // the order's ID
	Serial  string    // of the certificate; may be empty
	Action  string    // the link of the one thing to do
	Status  string    // the link of the status page
	Until   time.Time // until when Action may be followed; zero for no end
	Ends    time.Time // of the certificate, in a reminder
	Foreign bool      // the order came with a key that somebody already holds
	Reason  string    // of a revocation, by its stable name: "key-compromise"
}

// Texts are the house's mails in every language it has.
type Texts struct {
	bundle *i18n.Bundle
	house  string
	html   *template.Template
}

// Languages are those that every mail is written in; the first is the fallback.
var Languages = []string{"en", "de"}

// NewTexts reads the catalogues. house is the name that mails are written in.
func NewTexts(house string) (*Texts, error) {
	t := &Texts{bundle: i18n.NewBundle(language.English), house: house}
	t.bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	for _, l := range Languages {
		if _, err := t.bundle.LoadMessageFileFS(locales, "locales/"+l+".json"); err != nil {
			return nil, fmt.Errorf("notify: catalogue %s: %w", l, err)
		}
	}
	var err error
	t.html, err = template.New("mail").Parse(page)
	return t, err
}

// parts are the pieces of every mail, in the order in which they are shown.
type parts struct {
	Language, Subject, Before, Button, After, Footer string
	Letter                                           Letter
}

// confirmKind is the kind of mail that has a second text, for an order that came with somebody's key.
const confirmKind Kind = "confirm"

// Compose writes a mail. A kind without texts is a fault.Internal.
func (t *Texts) Compose(m Mail, l Letter, now time.Time) (Message, error) {
	l.House = t.house
	layout := "2 January 2006"
	if strings.HasPrefix(m.Language, "de") {
		layout = "02.01.2006"
	}
	loc := i18n.NewLocalizer(t.bundle, m.Language, Languages[0])
	if l.Reason != "" {
		said, err := loc.Localize(&i18n.LocalizeConfig{MessageID: "reason." + l.Reason})
		if err == nil {
			l.Reason = said
		}
	}
	data := map[string]any{"House": l.House, "Mailbox": l.Mailbox, "Order": l.Order, "Serial": grouped(l.Serial), "Reason": l.Reason,
		"Until": l.Until.UTC().Format(layout + ", 15:04 UTC"), "Ends": l.Ends.UTC().Format(layout)}
	var failed error
	say := func(id string) string {
		s, err := loc.Localize(&i18n.LocalizeConfig{MessageID: "mail." + id, TemplateData: data})
		if err != nil && failed == nil {
			failed = fault.Wrap(err, fault.Internal, "notify.text", "The mail %q has no text %q.", m.Kind, id)
		}
		return s
	}
	k, variant := string(m.Kind)+".", ""
	if l.Foreign && m.Kind == confirmKind {
		variant = ".foreign"
	}
	p := parts{Language: m.Language, Subject: say(k + "subject"), Before: say(k + "before" + variant), Button: say(k + "button"), After: say(k + "after" + variant), Footer: say("footer"), Letter: l}
	if failed != nil {
		return Message{}, failed
	}
	var html bytes.Buffer
	if err := t.html.Execute(&html, p); err != nil {
		return Message{}, fault.Wrap(err, fault.Internal, "notify.html", "The mail %q cannot be written as HTML.", m.Kind)
	}
	return Message{ID: m.ID, To: m.To, Subject: p.Subject, Text: p.text(), HTML: html.String(), Date: now}, nil
}

// grouped is hex in groups of four, upper case, as the portal shows it and as it is read aloud.
func grouped(hex string) string {
	var b strings.Builder
	for i, c := range strings.ToUpper(hex) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// text is the mail as plain text.
func (p parts) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s:\n%s\n\n", p.Before, p.Button, p.Letter.Action)
	if p.After != "" {
		fmt.Fprintf(&b, "%s\n\n", p.After)
	}
	fmt.Fprintf(&b, "-- \n%s\n%s\n", p.Footer, p.Letter.Status)
	return b.String()
}

// Paragraphs splits a text for HTML.
func (p parts) Paragraphs(s string) []string { return strings.Split(strings.TrimSpace(s), "\n\n") }
