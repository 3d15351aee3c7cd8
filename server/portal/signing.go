package portal

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// signInData is the sign-in page.
type signInData struct {
	Email string
	To    string // where to go on
}

// Where is the key of the name of what one goes on to; empty for the start page, and for what has no name of its own.
func (d signInData) Where() string {
	at, _, _ := strings.Cut(d.To, "?")
	for _, tab := range slices.Backward(tabs) { // "/admin" begins them all
		if at == tab.url || tab.url != "/admin" && strings.HasPrefix(at, tab.url+"/") {
			return tab.key
		}
	}
	return map[string]string{"/account": "account.title", "/order": "order.title", "/home": "nav.home"}[at]
}

func (p *Portal) signInPage(w http.ResponseWriter, r *http.Request) error {
	if access.From(r.Context()).Kind == access.Person {
		return back(w, r, "/home")
	}
	return p.showSignIn(w, r, http.StatusOK, signInData{To: local(r.URL.Query().Get("to"))}, nil)
}

// signIn takes both factors at once, so that nobody learns which of them was wrong.
func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) error {
	email := strings.TrimSpace(r.PostFormValue("email"))
	to := local(r.PostFormValue("to"))
	if errs := p.emptyFields(p.page(r, "").Lang, r); len(errs) > 0 {
		return p.showSignIn(w, r, http.StatusUnprocessableEntity, signInData{Email: email, To: to}, errs)
	}
	_, err := p.Access.SignIn(r.Context(), email, r.PostFormValue("password"), strings.ReplaceAll(r.PostFormValue("code"), " ", ""))
	if err != nil {
		return p.signInFailed(w, r, signInData{Email: email, To: to}, err)
	}
	return p.signedIn(w, r, to)
}

func (p *Portal) signedIn(w http.ResponseWriter, r *http.Request, to string) error {
	if to == "" {
		to = "/home"
	}
	return back(w, r, to)
}

func (p *Portal) signInFailed(w http.ResponseWriter, r *http.Request, d signInData, err error) error {
	kind := fault.KindOf(err)
	if kind == fault.Internal || kind == fault.Unavailable {
		return err
	}
	code := http.StatusUnprocessableEntity
	if kind == fault.Limited {
		code = http.StatusTooManyRequests
	}
	return p.showSignIn(w, r, code, d, []fieldError{{Field: "email", Say: p.words[p.page(r, "").Lang].fault(err)}})
}

func (p *Portal) showSignIn(w http.ResponseWriter, r *http.Request, code int, d signInData, errs []fieldError) error {
	v := p.page(r, "")
	v.Data, v.Scripts, v.Errors = d, []string{"passkey.js"}, errs
	return p.render(w, r, code, "signin", v)
}

// emptyFields names what was left empty, before anything is tried.
func (p *Portal) emptyFields(lang string, r *http.Request) []fieldError {
	var errs []fieldError
	for _, f := range []struct{ name, id string }{{"email", "email"}, {"password", "current-password"}, {"code", "code"}} {
		if strings.TrimSpace(r.PostFormValue(f.name)) == "" {
			errs = append(errs, fieldError{Field: f.id, Say: p.words[lang].text("signin.empty." + f.name)})
		}
	}
	return errs
}

// ceremonial answers a script that wants to begin a passkey dialogue.
func (p *Portal) ceremonial(w http.ResponseWriter, r *http.Request, c access.Ceremonial, err error) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(statuses[fault.KindOf(err)])
		return json.NewEncoder(w).Encode(map[string]string{"error": p.words[choose(r, "")].fault(err)})
	}
	return json.NewEncoder(w).Encode(map[string]any{"options": json.RawMessage(c.Options), "ceremony": c.Ceremony})
}

func (p *Portal) passkeyBegin(w http.ResponseWriter, r *http.Request) error {
	c, err := p.Access.BeginPasskeyLogin(r.Context())
	return p.ceremonial(w, r, c, err)
}

func (p *Portal) passkeyFinish(w http.ResponseWriter, r *http.Request) error {
	to := local(r.PostFormValue("to"))
	_, err := p.Access.FinishPasskeyLogin(r.Context(), r.PostFormValue("ceremony"), []byte(r.PostFormValue("response")))
	if err != nil {
		return p.signInFailed(w, r, signInData{To: to}, err)
	}
	return p.signedIn(w, r, to)
}

func (p *Portal) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.Access.SignOut(r.Context()); err != nil {
		return err
	}
	return back(w, r, "/signin?done=signedout")
}
