package access

import (
	"bytes"
	"crypto/subtle"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"chancery.example/fault"
)

// The codes of authenticator apps (RFC 6238): six digits, SHA-1, steps of 30 seconds. These are the only parameters
// that every app in use understands. One step to either side is accepted for clocks that are a little off.
const (
	totpPeriod = 30
	totpSkew   = 1
	totpDigits = 6
)

// Enrolment is an authenticator app's new secret, before a first code proved that it arrived.
type Enrolment struct {
	ID    string // to hand back with the code; good for 30 minutes
	URI   string // otpauth://totp/…
	Typed string // the secret in groups of four, for typing by hand
	QR    []byte // the URI as PNG, 240 × 240
}

// newTOTP draws a secret and shows it in the ways in which apps take it.
func newTOTP(house, email string) (secret string, shown Enrolment, err error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer:      strings.ReplaceAll(house, ":", " "), // the label is issuer:account
		AccountName: email, Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return "", Enrolment{}, fault.Wrap(err, fault.Internal, "totp.make", "No secret for an authenticator app could be made.")
	}
	picture, err := key.Image(240, 240)
	if err != nil {
		return "", Enrolment{}, fault.Wrap(err, fault.Internal, "totp.picture", "The picture for the authenticator app could not be drawn.")
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return "", Enrolment{}, err
	}
	return key.Secret(), Enrolment{URI: key.URL(), Typed: grouped(key.Secret()), QR: out.Bytes()}, nil
}

// grouped puts a blank after every four characters.
func grouped(s string) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// totpStep finds the time step of a code near now that is later than the last accepted one (RFC 6238 5.2), and false
// where there is none: a code is wrong, too old, or was used already.
func totpStep(secret, code string, now time.Time, last int64) (step int64, ok bool) {
	if !isTOTP(code) {
		return 0, false
	}
	current := now.Unix() / totpPeriod
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		want, err := totp.GenerateCodeCustom(secret, time.Unix(s*totpPeriod, 0), totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false
		}
		// Every step is computed, so that the time taken does not tell which one fitted.
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && s > last && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}

// isTOTP reports whether a code has the form of an authenticator app's. Recovery codes have not.
func isTOTP(code string) bool {
	return len(code) == totpDigits && strings.Trim(code, "0123456789") == ""
}
