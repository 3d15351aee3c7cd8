package portal

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"slices"
	"strings"
	"time"

	"chancery.example/fault"
	"chancery.example/keys/delivery"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// programs are the mail programs that the pick-up page knows, in the order in which it lists them. The names are in the
// catalogues, with how each is fed.
var programs = []string{"outlook", "apple", "iphone", "thunderbird", "gmail", "android", "gpg", "other"}

// alwaysLegacy are programs that read the old encoding only, in every version.
var alwaysLegacy = []string{"gpg"}

// encodingFor chooses how the file is protected.
func encodingFor(program string, older bool) delivery.Encoding {
	if older || slices.Contains(alwaysLegacy, program) {
		return delivery.Legacy
	}
	return delivery.Modern
}

// pickupData is the pick-up page in all its moments.
type pickupData struct {
	held
	To       string
	Programs []string
	Program  string
	Older    bool
	Request  string // what was pasted, to mend it
	Own      bool   // the part for people with a key of their own is open
	Suggest  string // a password that nobody guesses
	Again    bool   // the holder picks up once more
	Token    string // tells the script that the download has begun
	Back     string // the order's page, where the reader came from it
}

// arrivedCookie tells a script that a download has begun; its value is the token of the form and no secret.
const arrivedCookie = "chancery-picked-up"

// pickupPage shows what fits the moment: the form, "did it work?", or how to install the file.
func (p *Portal) pickupPage(w http.ResponseWriter, r *http.Request, at held) error {
	return p.showPickup(w, r, http.StatusOK, p.newPickup(r, at), nil)
}

func (p *Portal) newPickup(r *http.Request, at held) pickupData {
	d := pickupData{held: at, To: at.Order.Mailbox.Unicode(), Programs: programs, Suggest: suggestion(), Token: suggestion()}
	if program := r.FormValue("program"); slices.Contains(programs, program) {
		d.Program = program
	}
	d.Again = r.FormValue("again") != ""
	d.Older = r.FormValue("older") != ""
	return d
}

func (p *Portal) showPickup(w http.ResponseWriter, r *http.Request, code int, d pickupData, errs []fieldError) error {
	v := p.page(r, d.Order.Language)
	v.Errors, v.Data = errs, d
	name := "pickup"
	switch {
	case d.Revocation != nil:
		v.Data = p.follow(r, d.Page, nil)
		return p.render(w, r, code, "ended", v)
	case d.State == order.Issued && !d.Again:
		name = "arrived"
	case d.State == order.Delivered:
		name = "install"
	case d.State == order.Issuing:
		name, v.Live = "making", true
	case d.State != order.Approved && d.State != order.Issued:
		v.Data = p.follow(r, d.Page, nil)
		return p.render(w, r, code, "ended", v)
	default:
		v.Live, v.Scripts = true, []string{"pickup.js"}
	}
	return p.render(w, r, code, name, v)
}

// pickup makes the key and hands over the file in one answer. The browser saves it and stays on the page.
func (p *Portal) pickup(w http.ResponseWriter, r *http.Request, at held) error {
	lang := choose(r, at.Order.Language)
	d := p.newPickup(r, at)
	d.Request = r.PostFormValue("request")
	// Whoever pasted a request and chose no password means the request, whether or not the box is ticked.
	d.Own = r.PostFormValue("way") == "own" || strings.TrimSpace(d.Request) != "" && r.PostFormValue("password") == ""
	choice := workflow.Choice{Again: d.Again, By: at.By()}
	var errs []fieldError
	if d.Own {
		request, err := requestOf(r)
		switch {
		case err != nil:
			errs = append(errs, fieldError{Field: "request", Say: p.words[lang].fault(err), Rule: fault.CodeOf(err)})
		case len(request) == 0:
			errs = append(errs, fieldError{Field: "request", Say: p.words[lang].text("pickup.request.missing")})
		}
		choice.Request = request
	} else {
		choice.Password = r.PostFormValue("password")
		choice.Encoding = encodingFor(d.Program, d.Older)
		errs = p.checkPickup(lang, d, choice.Password)
	}
	if len(errs) > 0 {
		return p.showPickup(w, r, http.StatusUnprocessableEntity, d, errs)
	}
	if !d.Own { // who brings a key costs us none
		if err := p.limits.Take(doorKey, string(at.Order.ID)); err != nil {
			return err
		}
	}
	parcel, err := p.Orders.PickUp(r.Context(), at.Secret, choice)
	if err != nil {
		return p.pickupFailed(w, r, lang, d, err)
	}
	http.SetCookie(w, &http.Cookie{Name: arrivedCookie, Value: cleanToken(r.PostFormValue("token")), Path: "/pickup/", MaxAge: 120,
		SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(p.House().Origin, "https:")})
	return attach(w, parcel.Name, parcel.ContentType, parcel.Data)
}

// checkPickup says what is missing before a key may be made.
func (p *Portal) checkPickup(lang string, d pickupData, password string) []fieldError {
	var errs []fieldError
	if d.Program == "" {
		errs = append(errs, fieldError{Field: "program-" + programs[0], Say: p.words[lang].text("pickup.program.missing")})
	}
	if s := scoreOf(password, d.To); !s.Enough() {
		errs = append(errs, fieldError{Field: "password", Say: p.words[lang].text("password.refused." + s.Why())})
	}
	return errs
}

// pickupFailed puts an error where it can be mended.
func (p *Portal) pickupFailed(w http.ResponseWriter, r *http.Request, lang string, d pickupData, err error) error {
	if fault.CodeOf(err) == "pickup.again" { // a second click: the certificate is there already
		d.State, d.Again = order.Issued, false
		return p.showPickup(w, r, http.StatusConflict, d, nil)
	}
	if fault.Is(err, fault.Gone) {
		return badLink{err: err, purpose: order.ToPickup, secret: d.Secret}
	}
	field := "password"
	if d.Own {
		field = "request"
	}
	if !fault.Is(err, fault.Invalid) && !(d.Own && fault.Is(err, fault.Refused)) {
		return err
	}
	errs, err := p.tie(lang, err, field)
	if err != nil {
		return err
	}
	return p.showPickup(w, r, http.StatusUnprocessableEntity, d, errs)
}

// pickupReceived takes the holder's word that the file arrived, and shows how it is installed.
func (p *Portal) pickupReceived(w http.ResponseWriter, r *http.Request, at held) error {
	if at.State != order.Delivered {
		if err := p.Orders.Receive(r.Context(), at.Order.ID, at.By()); err != nil {
			return err
		}
	}
	to := "/pickup/" + string(at.Secret)
	if program := r.PostFormValue("program"); slices.Contains(programs, program) {
		to += "?program=" + program
	}
	return back(w, r, to)
}

// suggestion is a password of 120 random bits in six groups that can be read aloud: a key that the house made is to be
// protected by at least 112 (SBR 6.1.2, BR-135).
func suggestion() string {
	var b [15]byte
	rand.Read(b[:])
	s := base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding).EncodeToString(b[:])
	return strings.Join([]string{s[:4], s[4:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// cleanToken lets through what suggestion makes, and nothing else.
func cleanToken(s string) string {
	if len(s) != len("xxxx-xxxx-xxxx-xxxx-xxxx-xxxx") || strings.Trim(s, "abcdefghijkmnpqrstuvwxyz23456789-") != "" {
		return "none"
	}
	return s
}

// linkUntil is when the link in the reader's hand ends, for the small print.
func (h held) LinkUntil() time.Time { return h.Link.ExpiresAt }

// FileName is what the file is called.
func (d pickupData) FileName() string { return delivery.FileName(d.Order.Mailbox, ".p12") }
