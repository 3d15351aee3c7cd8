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
package access

import (
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-webauthn/webauthn/webauthn"

	"chancery.example/fault"
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
	Log      *slog.Logger // nil for slog.Default()
}

// Access is the door-keeper. It is safe for concurrent use.
type Access struct {
	*Rights

	ledger   Ledger
	now      func() time.Time
	house    string
	origin   *url.URL
	sealer   Sealer
	log      *slog.Logger
	clients  clients
	idle     time.Duration
	lifetime time.Duration

	sessions  *scs.SessionManager
	relying   *webauthn.WebAuthn
	hashing   *hashing
	failures  *failures
	attempts  *Limiter
	protector protector
}

// New makes the door-keeper, or says what is wrong with its configuration.
func New(c Config) (*Access, error) {
	return nil, fault.New(fault.Internal, "access.todo", "not yet")
}
