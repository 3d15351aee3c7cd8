package portal

import (
	"net/http"
	"unicode/utf8"

	"chancery.example/server/access"
)

// score is how hard a password is to guess.
type score struct {
	Length int
	Points int // 0 (at once) to 4 (not in a lifetime), as zxcvbn counts
}

// scoreOf estimates a password; known are words that an attacker would try first.
func scoreOf(password string, known ...string) score {
	return score{Length: utf8.RuneCountInString(password), Points: access.Strength(password, known...)}
}

// Enough reports whether the password may protect a key: long and not a well-known one, or shorter and hard to guess.
func (s score) Enough() bool {
	return s.Length >= 12 && s.Points >= 2 || s.Length >= 8 && s.Points >= 3
}

// Why names what is missing: "none", "short" or "easy".
func (s score) Why() string {
	switch {
	case s.Length == 0:
		return "none"
	case s.Points < 2 || s.Length >= 12:
		return "easy"
	}
	return "short"
}

// strengthData is the meter under a password field.
type strengthData struct {
	score
	Empty bool
}

// strength answers what a password is worth while it is typed. It is kept nowhere.
func (p *Portal) strength(w http.ResponseWriter, r *http.Request) error {
	if err := p.limits.take(doorStrength, r); err != nil {
		return err
	}
	v := p.page(r, r.PostFormValue("language"))
	password := r.PostFormValue("password")
	v.Data = strengthData{score: scoreOf(password), Empty: password == ""}
	return p.renderPart(w, r, http.StatusOK, "strength", "meter", v)
}
