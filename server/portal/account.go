package portal

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery.example/fault"
	"chancery.example/ra/order"
	"chancery.example/server/access"
)

// accountData is one's own account.
type accountData struct {
	Me          access.Principal
	Credentials []access.CredentialInfo
	Sessions    []access.Session
	Tokens      []access.Token
	Roles       access.Roles
	Fresh       string   // an API token that was just made, shown once
	Codes       []string // recovery codes that were just made, shown once
	Now         time.Time
}

// Has reports whether the account has a kind of credential.
func (d accountData) Has(kind string) bool { return d.Count(kind) > 0 }

// Count counts the credentials of a kind.
func (d accountData) Count(kind string) int {
	n := 0
	for _, c := range d.Credentials {
		if string(c.Kind) == kind {
			n++
		}
	}
	return n
}

func (p *Portal) accountPage(w http.ResponseWriter, r *http.Request) error {
	return p.showAccount(w, r, http.StatusOK, accountData{}, nil)
}

func (p *Portal) showAccount(w http.ResponseWriter, r *http.Request, code int, d accountData, errs []fieldError) error {
	ctx := r.Context()
	d.Me, d.Now = access.From(ctx), p.Clock()
	d.Roles = d.Me.Roles
	var err error
	if d.Credentials, err = p.Access.Credentials(ctx, d.Me.Account); err != nil {
		return err
	}
	if d.Sessions, err = p.Access.Sessions(ctx, d.Me.Account); err != nil {
		return err
	}
	if d.Tokens, err = p.Access.Tokens(ctx, d.Me.Account); err != nil {
		return err
	}
	v := p.page(r, "")
	v.Data, v.Errors, v.Live, v.Scripts = d, errs, true, []string{"passkey.js"}
	return p.render(w, r, code, "account", v)
}

// mended shows the account page again with an error tied to its field, or goes on.
func (p *Portal) mended(w http.ResponseWriter, r *http.Request, err error, field, done string) error {
	if err == nil {
		return back(w, r, "/account?done="+done)
	}
	errs, err := p.tie(p.page(r, "").Lang, err, field)
	if err != nil {
		return err
	}
	return p.showAccount(w, r, http.StatusUnprocessableEntity, accountData{}, errs)
}

func (p *Portal) changePassword(w http.ResponseWriter, r *http.Request) error {
	who, fresh := access.From(r.Context()), r.PostFormValue("password")
	if s := scoreOf(fresh, who.Email, who.Name); !s.Enough() {
		lang := p.page(r, "").Lang
		return p.showAccount(w, r, http.StatusUnprocessableEntity, accountData{}, []fieldError{{Field: "password", Say: p.words[lang].text("password.refused." + s.Why())}})
	}
	return p.mended(w, r, p.Access.SetPassword(r.Context(), r.PostFormValue("current"), fresh), "current", "password")
}

// totpData is the page that changes the authenticator app.
type totpData struct{ TOTP access.Enrolment }

// QR is the new secret as a picture.
func (d totpData) QR() template.HTML { return qr(d.TOTP.URI) }

func (p *Portal) totpPage(w http.ResponseWriter, r *http.Request) error {
	enrolment, err := p.Access.EnrolTOTP(r.Context())
	if err != nil {
		return err
	}
	v := p.page(r, "")
	v.Data = totpData{TOTP: enrolment}
	return p.render(w, r, http.StatusOK, "totp", v)
}

func (p *Portal) totp(w http.ResponseWriter, r *http.Request) error {
	err := p.Access.ConfirmTOTP(r.Context(), r.PostFormValue("enrolment"), strings.ReplaceAll(r.PostFormValue("code"), " ", ""))
	if err == nil {
		return back(w, r, "/account?done=totp")
	}
	v := p.page(r, "")
	if v.Errors, err = p.tie(v.Lang, err, "code"); err != nil {
		return err
	}
	v.Data = totpData{TOTP: access.Enrolment{ID: r.PostFormValue("enrolment"), URI: r.PostFormValue("uri"), Typed: r.PostFormValue("typed")}}
	return p.render(w, r, http.StatusUnprocessableEntity, "totp", v)
}

func (p *Portal) newPasskeyBegin(w http.ResponseWriter, r *http.Request) error {
	c, err := p.Access.BeginPasskeyRegistration(r.Context())
	return p.ceremonial(w, r, c, err)
}

func (p *Portal) newPasskey(w http.ResponseWriter, r *http.Request) error {
	err := p.Access.FinishPasskeyRegistration(r.Context(), r.PostFormValue("ceremony"), strings.TrimSpace(r.PostFormValue("name")), []byte(r.PostFormValue("response")))
	return p.mended(w, r, err, "passkey-name", "passkey")
}

func (p *Portal) newCodes(w http.ResponseWriter, r *http.Request) error {
	codes, err := p.Access.NewRecoveryCodes(r.Context())
	if err != nil {
		return p.mended(w, r, err, "", "")
	}
	return p.showAccount(w, r, http.StatusOK, accountData{Codes: codes}, nil)
}

func (p *Portal) removeCredential(w http.ResponseWriter, r *http.Request) error {
	return p.mended(w, r, p.Access.RemoveCredential(r.Context(), r.PostFormValue("id")), "", "removed")
}

func (p *Portal) endSession(w http.ResponseWriter, r *http.Request) error {
	if r.PostFormValue("id") == "" { // which would mean all of them
		return errNothingNamed
	}
	return p.mended(w, r, p.Access.EndSession(r.Context(), access.From(r.Context()).Account, r.PostFormValue("id")), "", "ended")
}

// tokenLives are how long an API token may live, in days.
var tokenLives = []int{1, 30, 90, 365}

func (p *Portal) newToken(w http.ResponseWriter, r *http.Request) error {
	roles, err := access.ParseRoles(r.PostForm["role"])
	if err != nil {
		return p.mended(w, r, err, "token-name", "")
	}
	life := 90
	for _, days := range tokenLives {
		if r.PostFormValue("life") == strconv.Itoa(days) {
			life = days
		}
	}
	_, secret, err := p.Access.NewToken(r.Context(), access.TokenRequest{Name: strings.TrimSpace(r.PostFormValue("name")), Roles: roles, Life: time.Duration(life) * 24 * time.Hour})
	if err != nil {
		return p.mended(w, r, err, "token-name", "")
	}
	return p.showAccount(w, r, http.StatusOK, accountData{Fresh: string(secret)}, nil)
}

func (p *Portal) revokeToken(w http.ResponseWriter, r *http.Request) error {
	return p.mended(w, r, p.Access.RevokeToken(r.Context(), access.From(r.Context()).Account, r.PostFormValue("id")), "", "ended")
}

// homeData is the landing page of those who do not run the house.
type homeData struct {
	Me     access.Principal
	Orders []order.Order
	Later  []string // keys of honest sentences about what a role will find here
}

// home leads those who run the house to its overview, and shows everybody else what is theirs.
func (p *Portal) home(w http.ResponseWriter, r *http.Request) error {
	if p.may(r, access.HouseRead) {
		to := "/admin"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		return back(w, r, to)
	}
	d := homeData{Me: access.From(r.Context())}
	own, err := p.ownOrders(r, d.Me)
	if err != nil {
		return err
	}
	d.Orders = own
	if d.Me.Roles.Has(access.RecoveryOfficer) {
		d.Later = append(d.Later, "home.later.recovery")
	}
	v := p.page(r, "")
	v.Data = d
	return p.render(w, r, http.StatusOK, "home", v)
}

// ownOrders are the orders that this reader may see: on their own mailbox, or placed by them.
func (p *Portal) ownOrders(r *http.Request, who access.Principal) ([]order.Order, error) {
	if !slices.ContainsFunc(who.Roles, func(role access.Role) bool { return role == access.Subscriber || role == access.Requester }) {
		return nil, nil
	}
	f := order.Filter{Limit: 500}
	if !who.Roles.Has(access.Requester) {
		f.Text = who.Email
	}
	list, err := p.Ledger.Orders(r.Context(), f)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	return slices.DeleteFunc(list, func(o order.Order) bool {
		return p.Access.Allow(who, access.OrderRead, access.OfOrder(o)) != nil
	}), nil
}
