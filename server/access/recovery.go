package access

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
	"time"
)

// recoveryCodes is how many codes are made at once.
const recoveryCodes = 10

// newRecoveryCodes draws codes of 80 random bits, and their credentials. A code takes the place of the authenticator
// app, once, beside the password.
func newRecoveryCodes(id AccountID, now time.Time) (codes []string, stored []Credential) {
	for range recoveryCodes {
		var b [10]byte
		rand.Read(b[:])
		code := base32Lower.EncodeToString(b[:])
		h := hashOf("recovery "+string(id), code)
		codes = append(codes, strings.ReplaceAll(grouped(code), " ", "-"))
		stored = append(stored, Credential{ID: newID("crd_"), Account: id, Kind: RecoveryCode, Data: h[:], CreatedAt: now})
	}
	return codes, stored
}

// findRecovery finds the credential that a typed code belongs to, however it was grouped.
func findRecovery(stored []Credential, id AccountID, typed string) (Credential, bool) {
	plain := strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(typed))
	h := hashOf("recovery "+string(id), plain)
	var found Credential
	var ok bool
	for _, c := range stored {
		if c.Kind == RecoveryCode && subtle.ConstantTimeCompare(c.Data, h[:]) == 1 {
			found, ok = c, true
		}
	}
	return found, ok
}
