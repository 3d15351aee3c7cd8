package portal

import (
	"net/http"
	"net/url"
	"strings"

	"chancery.example/server/access"
)

// languageNames are what each language calls itself.
var languageNames = map[string]string{"en": "English", "de": "Deutsch"}

// tabs are the parts of the house for those who work here, each with the action that it needs.
var tabs = []struct {
	url, key string
	action   access.Action
}{
	{"/admin", "nav.overview", access.HouseRead},
	{"/admin/orders", "nav.orders", access.OrderList},
	{"/admin/certificates", "nav.certificates", access.CertificateList},
	{"/admin/outbox", "nav.outbox", access.OutboxRead},
	{"/admin/audit", "nav.audit", access.AuditRead},
	{"/admin/ca", "nav.ca.staff", access.CARead},
	{"/admin/accounts", "nav.accounts", access.AccountRead},
}

// page begins a page: language, navigation, who is signed in. ordered is the language of the order it is about, or "".
func (p *Portal) page(r *http.Request, ordered string) page {
	who := access.From(r.Context())
	if ordered == "" {
		ordered = who.Language
	}
	v := page{House: p.House().Name, Lang: choose(r, ordered), Path: r.URL.Path}
	if v.House == "" {
		v.House = "Chancery"
	}
	for _, l := range languages {
		if l != v.Lang && r.Method == http.MethodGet {
			q := r.URL.Query()
			q.Set("lang", l)
			v.Others = append(v.Others, languageLink{Lang: l, Name: languageNames[l], URL: (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String()})
		}
	}
	if who.Kind == access.Person {
		v.Me = &me{Name: who.Name, Email: who.Email}
		if v.Me.Name == "" {
			v.Me.Name = who.Email
		}
		v.Nav = p.nav(r)
	}
	v.Flash = p.flash(r, v.Lang)
	return v
}

// nav is the tabs that this reader may open.
func (p *Portal) nav(r *http.Request) []navItem {
	var nav []navItem
	for _, tab := range tabs {
		if !p.may(r, tab.action) {
			continue
		}
		here := r.URL.Path == tab.url || tab.url != "/admin" && strings.HasPrefix(r.URL.Path, tab.url+"/")
		nav = append(nav, navItem{URL: tab.url, Key: tab.key, Here: here})
	}
	if len(nav) == 0 {
		nav = append(nav, navItem{URL: "/home", Key: "nav.home", Here: r.URL.Path == "/home"})
	}
	return nav
}

// flashes are the sentences that a page may begin with after an action, by the value of ?done=. They are a fixed list, so
// that an address cannot make the portal say anything else. What the status of the page itself says is not said twice.
var flashes = map[string]bool{"informed": true, "ended": true,
	"removed": true, "password": true, "passkey": true, "totp": true, "roles": true, "signedout": true, "ready": true}

func (p *Portal) flash(r *http.Request, lang string) string {
	if done := r.URL.Query().Get("done"); flashes[done] {
		return p.words[lang].text("done." + done)
	}
	return ""
}

// call is how a program does what a page does.
type call struct {
	What    string // key of a sentence
	HTTP    string // the request, ready for a shell
	Command string // the command line; empty where there is none
}

// local makes sure that a redirect stays in the portal: an absolute path without a host.
func local(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		return ""
	}
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return ""
	}
	return to
}

// back redirects after a POST, so that reloading repeats nothing.
func back(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
