package portal

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"
)

// instant shows a moment: the server writes it in UTC, a script puts it into the reader's zone and keeps the exact
// instant in the title.
func instant(lang string, t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	layout := "2 Jan 2006, 15:04 UTC"
	if lang == "de" {
		layout = "02.01.2006, 15:04 UTC"
	}
	stamp := t.Format(time.RFC3339)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, stamp, stamp, t.Format(layout)))
}

// day shows a date without its hour.
func day(lang string, t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	layout := "2 Jan 2006"
	if lang == "de" {
		layout = "02.01.2006"
	}
	stamp := t.Format(time.RFC3339)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-day title="%s">%s</time>`, stamp, stamp, t.Format(layout)))
}

// span is a length of time in words, rounded to what a person would say: "3 days", "23 hours", "5 minutes".
func (w words) span(d time.Duration) template.HTML {
	if d < 0 {
		d = -d
	}
	switch {
	case d >= 60*24*time.Hour:
		return w.count("span.months", int(d/(30*24*time.Hour)))
	case d >= 48*time.Hour:
		return w.count("span.days", int(d/(24*time.Hour)))
	case d >= 90*time.Minute:
		return w.count("span.hours", int((d+30*time.Minute)/time.Hour))
	case d >= time.Minute:
		return w.count("span.minutes", int(d/time.Minute))
	}
	return w.html("span.moment")
}

// grouped is hex in groups of four, upper case, as fingerprints and serial numbers are read aloud.
func grouped(hex string) string {
	hex = strings.ToUpper(hex)
	var b strings.Builder
	for i := 0; i < len(hex); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(hex[i:min(i+4, len(hex))])
	}
	return b.String()
}

// short is the beginning of a long number, enough to tell it from others in a table.
func short(hex string) string {
	if len(hex) <= 12 {
		return strings.ToUpper(hex)
	}
	return grouped(hex[:12]) + " …"
}

// code is a value in fixed-width letters, for use inside a sentence.
func code(s any) template.HTML {
	return template.HTML(`<code class="inline">` + html.EscapeString(fmt.Sprint(s)) + `</code>`)
}

// breakable escapes a part of an address; a long one may break after its dots.
func breakable(part string) string {
	safe := html.EscapeString(part)
	if len(part) > 20 {
		safe = strings.ReplaceAll(safe, ".", ".<wbr>")
	}
	return safe
}

// address is a mail address inside a sentence: it may break after the @, and after dots when it is long, and never reads
// as markup.
func address(s any) template.HTML {
	local, domain, ok := strings.Cut(fmt.Sprint(s), "@")
	if !ok {
		return template.HTML(`<strong class="address">` + breakable(local) + `</strong>`)
	}
	return template.HTML(`<strong class="address">` + breakable(local) + `@<wbr>` + breakable(domain) + `</strong>`)
}

// heading is the text of a paragraph of the agreement that is a heading, and empty for any other.
func heading(paragraph string) string {
	text, ok := strings.CutPrefix(paragraph, "§")
	if !ok {
		return ""
	}
	return strings.TrimSpace(text)
}
