package access

import (
	"net/netip"
	"time"
)

type (
	clients   struct{ trusted []netip.Prefix }
	hashing   struct{}
	failures  struct{}
	protector struct{}
	Limiter   struct{}
	Sealer    interface {
		Seal(plain, context []byte) ([]byte, error)
		Open(sealed, context []byte) ([]byte, error)
	}
)

// Client is where a request came from, for lists and the audit log.
type Client struct {
	Address netip.Addr // invalid on the socket in the data directory
	Agent   string     // User-Agent, cut to 200 characters
}

// Secret is the random part of a link or a token: shown once, never stored, hidden from logs.
type Secret string

// String keeps secrets out of logs; doors write string(s) where it must be shown.
func (s Secret) String() string { return "[secret]" }

// Ceremonial is what a browser needs for a passkey dialogue.
type Ceremonial struct {
	Options  []byte // JSON for navigator.credentials.create or get, {"publicKey": …}, binary values in base64url
	Ceremony string // to hand back with the answer; good for 5 minutes, once
}

// Enrolment is an authenticator app's new secret, before the first code proved that it arrived.
type Enrolment struct {
	ID    string // to hand back with the code; good for 30 minutes
	URI   string // otpauth://totp/…
	Typed string // the secret in groups of four, for typing by hand
	QR    []byte // the URI as PNG, 240 × 240
}

// Welcome is what the page behind a set-up link or an invitation shows.
type Welcome struct {
	First     bool    // the first administrator: asks for name and address as well
	Account   Account // who is invited; zero when First
	ExpiresAt time.Time
	TOTP      Enrolment
}

// Completion is what a newcomer answers: a password with a proved authenticator app, a passkey, or all three.
type Completion struct {
	Name, Email, Language string // Email counts for the first administrator only
	Password              string
	Enrolment, Code       string // of Welcome.TOTP
	Ceremony              string // of BeginSetupPasskey
	PasskeyName           string
	Passkey               []byte // what navigator.credentials.create gave, as JSON
}

// Completed is a set-up account: signed in, when called under Authenticate.
type Completed struct {
	Account       Account
	RecoveryCodes []string // shown once; none for an account without password
}

// CredentialInfo is a credential as its owner and an administrator may see it.
type CredentialInfo struct {
	ID         string
	Kind       CredentialKind
	Name       string
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// Invitee is who is to get an account.
type Invitee struct {
	Name, Email, Language string
	Roles                 Roles
}

// TokenRequest is an API token to be made.
type TokenRequest struct {
	Account AccountID // empty for one's own; the operator names one
	Name    string
	Roles   Roles
	Life    time.Duration // 1 hour to 1 year; 0 for 90 days
}

// Door is something that anybody can trigger, with limits of its own.
type Door string

// Limit is how often: Burst at once, then one every Every; for each key, and for all keys together.
type Limit struct {
	Burst    int
	Every    time.Duration
	AllBurst int
	AllEvery time.Duration
}
