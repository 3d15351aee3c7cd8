package portal

import (
	"embed"
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"chancery.example/fault"
)

// The catalogues are <part>.<language>.json. English is complete by definition; a test holds the others against it.
//
//go:embed locales/*.json
var localeFiles embed.FS

// languages are those that the portal speaks, the default first.
var languages = []string{"en", "de"}

// matcher finds the nearest of them for what a browser asks for.
var matcher = language.NewMatcher([]language.Tag{language.English, language.German})

// words says things in one language.
type words struct {
	lang string
	loc  *i18n.Localizer
}

// loadWords reads the catalogues.
func loadWords() (map[string]words, error) {
	bundle := i18n.NewBundle(language.English)
	entries, err := localeFiles.ReadDir("locales")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, err := bundle.LoadMessageFileFS(localeFiles, path.Join("locales", e.Name())); err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", e.Name(), err)
		}
	}
	all := map[string]words{}
	for _, lang := range languages {
		all[lang] = words{lang: lang, loc: i18n.NewLocalizer(bundle, lang)}
	}
	return all, nil
}

// pairs makes a map of "Name", value, "Name", value …
func pairs(args []any) map[string]any {
	m := make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[fmt.Sprint(args[i])] = args[i+1]
	}
	return m
}

// has reports whether a catalogue has a message.
func (w words) has(id string) bool {
	_, err := w.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any{}})
	return err == nil
}

// text is a message as plain text. A missing one shows its name, which a test looks for.
func (w words) text(id string, args ...any) string {
	s, err := w.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: pairs(args)})
	if err != nil {
		return "⟦" + id + "⟧"
	}
	return s
}

// html is a message as HTML. The catalogue's own text is ours and may hold simple markup; every value is escaped,
// but for those that are template.HTML already (times, addresses in code).
func (w words) html(id string, args ...any) template.HTML {
	return template.HTML(w.text(id, escaped(args)...))
}

// count is html for a message with a plural; N is the number.
func (w words) count(id string, n int, args ...any) template.HTML {
	data := pairs(escaped(args))
	data["N"] = n
	s, err := w.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data, PluralCount: n})
	if err != nil {
		return template.HTML("⟦" + html.EscapeString(id) + "⟧")
	}
	return template.HTML(s)
}

func escaped(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if i%2 == 0 {
			out[i] = a
			continue
		}
		if safe, ok := a.(template.HTML); ok {
			out[i] = string(safe)
			continue
		}
		out[i] = html.EscapeString(fmt.Sprint(a))
	}
	return out
}

// fault is what a person may be told of an error: translated by its code where the catalogue has it, else the
// English sentence.
func (w words) fault(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && w.has("fault."+f.Code) {
		args := make([]any, 0, 2*len(f.Args))
		for k, v := range f.Args {
			args = append(args, k, v)
		}
		if s := w.text("fault."+f.Code, args...); !strings.Contains(s, "<no value>") {
			return s
		}
	}
	return fault.Sentence(err)
}

// languageCookie keeps a reader's own choice of language. It says nothing else about them.
const languageCookie = "chancery-language"

// choose finds the language of a page: what this reader chose here, else what the order says, else what the browser
// asks for.
func choose(r *http.Request, ordered string) string {
	if l := r.URL.Query().Get("lang"); spoken(l) {
		return l
	}
	if c, err := r.Cookie(languageCookie); err == nil && spoken(c.Value) {
		return c.Value
	}
	if ordered != "" {
		return nearest(ordered)
	}
	return nearest(r.Header.Get("Accept-Language"))
}

func spoken(l string) bool {
	for _, have := range languages {
		if l == have {
			return true
		}
	}
	return false
}

// nearest is the spoken language that fits best what a header of RFC 9110 12.5.4 asks for.
func nearest(accept string) string {
	if len(accept) > 1000 {
		accept = accept[:1000]
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return languages[0]
	}
	_, i, _ := matcher.Match(tags...)
	return languages[i]
}
