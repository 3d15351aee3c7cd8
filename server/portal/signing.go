package portal

import (
	"encoding/json"
	"net/http"
	"strings"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// signInData is the sign-in page.
type signInData struct {
	Email string
	To    string // where to go on
}

func (p *Portal) signInPage(w http.ResponseWriter, r *http.Request) error {
	if access.From(r.Context()).Kind == access.Person {
		return back(w, r, "/home")
	}
	v := p.page(r, "")
	v.Data, v.Scripts = signInData{To: local(r.URL.Query().Get("to"))}, []string{"passkey.js"}
	return p.render(w, r, http.StatusOK, "signin", v)
}

// signIn takes both factors at once, so that nobody learns which of them was wrong.
func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) error {
	email := strings.TrimSpace(r.PostFormValue("email"))
	to := local(r.PostFormValue("to"))
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
	v := p.page(r, "")
	v.Data, v.Scripts = d, []string{"passkey.js"}
	v.Errors = []fieldError{{Field: "email", Say: p.words[v.Lang].fault(err)}}
	code := http.StatusUnprocessableEntity
	if kind == fault.Limited {
		code = http.StatusTooManyRequests
	}
	return p.render(w, r, code, "signin", v)
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
