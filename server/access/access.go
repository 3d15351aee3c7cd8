// Package access answers: who is signed in, and what may they do?
//
// People sign in with two factors: a password together with a code of an authenticator app (or a recovery code), or a
// passkey that verifies its user. A password alone never signs in (SBR 6.5.1). Programs carry API tokens. The holder
// of a link that the house mailed may do what that link is for. Whoever can open the socket in the data directory is
// the operator of the machine.
//
// All of them become a Principal, and Allow says what a Principal may do. Its rules stand as text in policies.cedar,
// for auditors to read. Passwords, tokens, links and session cookies are stored as hashes only; the secrets of
// authenticator apps, which cannot be hashed, are sealed under a key that is not in the database.
//
// Methods take who asks from the context (From), check themselves whether they may, and record what changed with its
// audit entry in one unit of the ledger.
package access

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-webauthn/webauthn/webauthn"

	"chancery.example/fault"
)

// How long things last.
const (
	defaultIdle     = 30 * time.Minute
	defaultLifetime = 12 * time.Hour
	invitationLife  = 7 * 24 * time.Hour
	enrolmentLife   = 30 * time.Minute
	passkeyLife     = 5 * time.Minute
	// freshFor is how long after signing in people may change what signs them, or others, in. A session that was left
	// open or stolen later gives nobody a way in of their own.
	freshFor = 30 * time.Minute
)

// Config is what the house hands in.
type Config struct {
	Ledger Ledger
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Origin is how browsers reach the portal: scheme, host and port, "https://pki.example.com". Passkeys are bound to
	// its host, and cookies are Secure when its scheme is https.
	Origin string
	// House is the name that authenticator apps and passkey dialogues show; empty for "Chancery".
	House string
	// Sealer keeps the secrets of authenticator apps unreadable in the database and its backups. Required; NewSealer
	// makes one from a key.
	Sealer Sealer
	// TrustedProxies may say who the client is (X-Forwarded-For). Empty: the peer of the connection is the client.
	TrustedProxies []netip.Prefix
	// IdleTimeout ends a session that was not used for so long; 0 for 30 minutes.
	IdleTimeout time.Duration
	// Lifetime ends every session; 0 for 12 hours.
	Lifetime time.Duration
	// Limits are how often sign-in may be tried; nil for DefaultLimits.
	Limits map[Door]Limit
	Log    *slog.Logger // nil for slog.Default()
}

// Access is the door-keeper. It is safe for concurrent use.
type Access struct {
	*Rights

	ledger   Ledger
	now      func() time.Time
	house    string
	secure   bool // the portal is reached by https
	passkeys bool // browsers offer passkeys there
	sealer   Sealer
	log      *slog.Logger
	clients  clients
	idle     time.Duration
	lifetime time.Duration

	sessions *scs.SessionManager
	relying  *webauthn.WebAuthn // nil without passkeys
	hashing  *hashing
	failures *failures
	attempts *Limiter
	recents  recents
	origins  *http.CrossOriginProtection
}

// New makes the door-keeper, or says what is wrong with its configuration.
func New(c Config) (*Access, error) {
	origin, err := parseOrigin(c.Origin)
	if err != nil {
		return nil, err
	}
	if c.Ledger == nil || c.Sealer == nil {
		return nil, fault.New(fault.Internal, "access.config", "Sign-in needs a ledger and a sealer.")
	}
	rights, err := NewRights()
	if err != nil {
		return nil, err
	}
	a := &Access{Rights: rights, ledger: c.Ledger, now: c.Now, house: c.House, secure: origin.Scheme == "https", passkeys: passkeysWork(origin),
		sealer: c.Sealer, log: c.Log, clients: clients{trusted: c.TrustedProxies}, idle: c.IdleTimeout, lifetime: c.Lifetime,
		hashing: newHashing(defaultCost), failures: newFailures(), origins: http.NewCrossOriginProtection()}
	if a.now == nil {
		a.now = time.Now
	}
	if a.house == "" {
		a.house = "Chancery"
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.idle <= 0 {
		a.idle = defaultIdle
	}
	if a.lifetime <= 0 {
		a.lifetime = defaultLifetime
	}
	if c.Limits == nil {
		c.Limits = DefaultLimits()
	}
	a.attempts = NewLimiter(c.Limits, a.now)
	a.sessions = a.newSessions()
	if err := a.origins.AddTrustedOrigin(origin.Scheme + "://" + origin.Host); err != nil {
		return nil, badOrigin(c.Origin, err)
	}
	if a.passkeys {
		if a.relying, err = newRelyingParty(a.house, origin); err != nil {
			return nil, badOrigin(c.Origin, err)
		}
	}
	return a, nil
}

func parseOrigin(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, badOrigin(s, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return nil, badOrigin(s, nil)
	}
	return u, nil
}

func badOrigin(s string, cause error) error {
	return fault.Wrap(cause, fault.Invalid, "access.origin",
		"The portal's address %q is none: it must be a scheme and a host, like https://pki.example.com.", s)
}
