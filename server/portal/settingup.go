package portal

import (
	"html/template"
	"net/http"
	"strings"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// setupData is the page behind a set-up link or an invitation.
type setupData struct {
	First       bool
	Account     access.Account
	Name, Email string
	TOTP        access.Enrolment
	Way         string // "app" or "passkey"
	Here        string // the address of this page
}

// QR is the authenticator app's secret as a picture.
func (d setupData) QR() template.HTML { return qr(d.TOTP.URI) }

func (p *Portal) setupPage(w http.ResponseWriter, r *http.Request) error {
	welcome, err := p.Access.StartSetup(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	return p.showSetup(w, r, http.StatusOK, setupData{First: welcome.First, Account: welcome.Account, Name: welcome.Account.Name,
		Email: welcome.Account.Email, TOTP: welcome.TOTP, Way: "app"}, nil)
}

func (p *Portal) showSetup(w http.ResponseWriter, r *http.Request, code int, d setupData, errs []fieldError) error {
	v := p.page(r, d.Account.Language)
	d.Here = r.URL.Path
	v.Data, v.Errors, v.Live, v.Scripts = d, errs, true, []string{"passkey.js"}
	return p.render(w, r, code, "setup", v)
}

// setup completes an account. What was typed and scanned stays when something is wrong.
func (p *Portal) setup(w http.ResponseWriter, r *http.Request) error {
	welcome, err := p.Access.StartSetup(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	d := setupData{First: welcome.First, Account: welcome.Account, Name: strings.TrimSpace(r.PostFormValue("name")),
		Email: strings.TrimSpace(r.PostFormValue("email")), TOTP: welcome.TOTP, Way: "app"}
	if r.PostFormValue("way") == "passkey" {
		d.Way = "passkey"
	}
	if uri := r.PostFormValue("uri"); strings.HasPrefix(uri, "otpauth://totp/") { // the picture that was scanned
		d.TOTP = access.Enrolment{ID: r.PostFormValue("enrolment"), URI: uri, Typed: r.PostFormValue("typed")}
	}
	v := p.page(r, d.Account.Language)
	c := access.Completion{Name: d.Name, Email: d.Email, Language: v.Lang}
	if d.Way == "passkey" {
		c.Ceremony, c.PasskeyName, c.Passkey = r.PostFormValue("ceremony"), p.words[v.Lang].text("passkey.first"), []byte(r.PostFormValue("response"))
	} else {
		c.Password, c.Enrolment, c.Code = r.PostFormValue("password"), d.TOTP.ID, strings.ReplaceAll(r.PostFormValue("code"), " ", "")
	}
	if errs := p.checkSetup(v.Lang, d, c); len(errs) > 0 {
		return p.showSetup(w, r, http.StatusUnprocessableEntity, d, errs)
	}
	done, err := p.Access.CompleteSetup(r.Context(), r.PathValue("secret"), c)
	if err != nil {
		if fault.Is(err, fault.Gone) {
			return err
		}
		errs, err := p.tie(v.Lang, err, setupField(err))
		if err != nil {
			return err
		}
		return p.showSetup(w, r, http.StatusUnprocessableEntity, d, errs)
	}
	if len(done.RecoveryCodes) == 0 {
		return back(w, r, "/home?done=ready")
	}
	v.Me = &me{Name: done.Account.Name, Email: done.Account.Email} // signed in since a moment
	v.Data = done.RecoveryCodes
	return p.render(w, r, http.StatusOK, "codes", v)
}

// checkSetup says what is missing before anything is stored.
func (p *Portal) checkSetup(lang string, d setupData, c access.Completion) []fieldError {
	var errs []fieldError
	if d.Name == "" {
		errs = append(errs, fieldError{Field: "name", Say: p.words[lang].text("setup.name.missing")})
	}
	if d.First && d.Email == "" {
		errs = append(errs, fieldError{Field: "email", Say: p.words[lang].text("setup.email.missing")})
	}
	if d.Way == "passkey" {
		if len(c.Passkey) == 0 {
			errs = append(errs, fieldError{Field: "way-passkey", Say: p.words[lang].text("passkey.missing")})
		}
		return errs
	}
	if s := scoreOf(c.Password, d.Email, d.Name); !s.Enough() {
		errs = append(errs, fieldError{Field: "password", Say: p.words[lang].text("password.refused." + s.Why())})
	}
	if c.Code == "" {
		errs = append(errs, fieldError{Field: "code", Say: p.words[lang].text("setup.code.missing")})
	}
	return errs
}

// setupField is the field of the set-up form that an error is about.
func setupField(err error) string {
	c := fault.CodeOf(err)
	switch {
	case strings.HasPrefix(c, "mailbox."), strings.HasPrefix(c, "account.email"), c == "account.exists":
		return "email"
	case strings.HasPrefix(c, "account.name"):
		return "name"
	case strings.HasPrefix(c, "password."):
		return "password"
	case strings.HasPrefix(c, "passkey."), strings.Contains(c, "passkey"):
		return "way-passkey"
	}
	return "code"
}

func (p *Portal) setupPasskey(w http.ResponseWriter, r *http.Request) error {
	c, err := p.Access.BeginSetupPasskey(r.Context(), r.PathValue("secret"), r.PostFormValue("name"), r.PostFormValue("email"))
	return p.ceremonial(w, r, c, err)
}
