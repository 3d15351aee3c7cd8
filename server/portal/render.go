package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"chancery.example/ra/order"
)

//go:embed templates
var templateFiles embed.FS

// shared are the templates that every page may use; all others are pages with a "title" and a "main".
const shared = "templates/shared/*.html"

// pages holds each page once per language, so that {{t "…"}} needs no help to know which.
type pages map[string]map[string]*template.Template

// loadPages parses every template in every language.
func loadPages(all map[string]words, a *assets, clock func() time.Time) (pages, error) {
	out := pages{}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for lang, w := range all {
		base, err := template.New("base").Funcs(functions(w, a, clock)).ParseFS(templateFiles, shared)
		if err != nil {
			return nil, err
		}
		out[lang] = map[string]*template.Template{}
		for _, name := range names {
			page, err := template.Must(base.Clone()).ParseFS(templateFiles, name)
			if err != nil {
				return nil, err
			}
			out[lang][strings.TrimSuffix(path.Base(name), ".html")] = page
		}
	}
	return out, nil
}

// functions are what templates can call.
func functions(w words, a *assets, clock func() time.Time) template.FuncMap {
	return template.FuncMap{
		"t":          w.html,
		"tn":         w.count,
		"fault":      w.fault,
		"asset":      a.address,
		"instant":    func(t time.Time) template.HTML { return instant(w.lang, t) },
		"day":        func(t time.Time) template.HTML { return day(w.lang, t) },
		"until":      func(t time.Time) template.HTML { return w.span(t.Sub(clock())) },
		"grouped":    grouped,
		"short":      short,
		"code":       code,
		"address":    address,
		"heading":    heading,
		"secret":     func(s order.Secret) string { return string(s) },
		"list":       func(v ...any) []any { return v },
		"dict":       func(args ...any) map[string]any { return pairs(args) },
		"join":       strings.Join,
		"order_mark": orderMark,
		"plain":      func(l listing) listing { l.CSV, l.JSON = "", ""; return l },
		"number":     func(s string) int { n, _ := strconv.Atoi(s); return n },
		"told":       w.told,
		"actor":      w.actor,
		"named":      w.named,
		"problem":    w.problem,
		"details":    details,
		"subjectURL": subjectLink,
	}
}

// page is what the templates see around a page's own Data.
type page struct {
	House   string // whose portal it is
	Lang    string
	Others  []languageLink // the same page in the other languages
	Path    string
	Wide    bool // staff pages use the whole width
	Live    bool // the page uses htmx
	Scripts []string
	Nav     []navItem
	Me      *me    // nil for somebody who is not signed in
	Flash   string // what was just done, one sentence
	Errors  []fieldError
	Calls   []call // the page's API calls
	Data    any
}

type languageLink struct{ Lang, Name, URL string }

type navItem struct {
	URL, Key string
	Here     bool
}

// me is the signed-in person as the header shows it.
type me struct{ Name, Email string }

// fieldError ties a sentence to the field that it is about.
type fieldError struct {
	Field string // the id of the field; empty for the whole form
	Say   string
	Rule  string // the rule's id in small print; may be empty
}

// Error is the sentence for a field, and empty where nothing is wrong with it.
func (p page) Error(field string) string {
	for _, e := range p.Errors {
		if e.Field == field {
			return e.Say
		}
	}
	return ""
}

// render writes a page. It is made whole before the first byte leaves, so that a mistake in a template is an error
// page and never half a page.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, status int, name string, v page) error {
	return p.renderPart(w, r, status, name, "base", v)
}

// renderPart writes one template of a page: the whole ("base") or a fragment for htmx.
func (p *Portal) renderPart(w http.ResponseWriter, r *http.Request, status int, name, part string, v page) error {
	tmpl := p.pages[v.Lang][name]
	if tmpl == nil {
		return fmt.Errorf("portal: no page %q in %q", name, v.Lang)
	}
	var b bytes.Buffer
	if err := tmpl.ExecuteTemplate(&b, part, v); err != nil {
		return fmt.Errorf("portal: page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", v.Lang)
	h.Set("Referrer-Policy", "no-referrer") // addresses of pages are secrets of their bearers
	w.WriteHeader(status)
	b.WriteTo(w) // the reader may be gone; there is nobody to tell
	return nil
}
