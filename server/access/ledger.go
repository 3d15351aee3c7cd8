package access

import (
	"context"
	"crypto/sha256"
	"time"

	"chancery.example/audit"
)

// AccountID identifies an account: "acc_" and 26 characters.
type AccountID string

// Account is a person who may sign in.
type Account struct {
	ID      AccountID
	Version int64 // counts the commits; the ledger refuses a change that was made from an older one
	Name    string
	// Email is the address in the canonical form of package mailbox, its ASCII letters in lower case: one account an
	// address.
	Email string
	Roles Roles
	// Language is a BCP 47 tag: "en", "de".
	Language  string
	CreatedAt time.Time
	// ReadyAt is when the person finished setting up two factors; zero while only invited.
	ReadyAt    time.Time
	DisabledAt time.Time // zero while enabled
}

// Subject is the account's name in the audit log.
func (a Account) Subject() string { return "account/" + string(a.ID) }

// Active reports whether the account may sign in at all.
func (a Account) Active() bool { return !a.ReadyAt.IsZero() && a.DisabledAt.IsZero() }

// AccountFilter chooses accounts for a list, by e-mail address.
type AccountFilter struct {
	Text  string // part of the name or address; empty for all
	Role  Role   // that have this role; empty for all
	After string // the last address of the page before; empty for the first page
	Limit int    // 1 to 500
}

// CredentialKind is what a credential is.
type CredentialKind string

// The kinds of credential.
const (
	Password     CredentialKind = "password" // Data: an Argon2id PHC string
	TOTP         CredentialKind = "totp"     // Data: the sealed secret; Counter: the last accepted time step
	Passkey      CredentialKind = "passkey"  // Data: go-webauthn's credential record as JSON
	RecoveryCode CredentialKind = "recovery" // Data: the SHA-256 of the code; removed when used
)

// Credential is one way, or half of a way, to prove who one is.
type Credential struct {
	ID      string // "crd_" and 26 characters
	Version int64  // as Account.Version
	Account AccountID
	Kind    CredentialKind
	Name    string // what its owner calls it; empty for passwords and recovery codes
	Data    []byte
	// Counter is the last accepted time step of a TOTP (RFC 6238 5.2: a code is accepted once); 0 for the others.
	Counter    int64
	CreatedAt  time.Time
	LastUsedAt time.Time // zero when never used
}

// Hash is what is stored of a secret that the house handed out: its SHA-256, with a prefix by kind.
type Hash [sha256.Size]byte

// Invitation is a one-time link to set up an account.
type Invitation struct {
	Hash Hash
	// Account is whose; empty for the set-up link of the first administrator.
	Account   AccountID
	CreatedAt time.Time
	ExpiresAt time.Time // zero: while there is no administrator
	UsedAt    time.Time // zero while unused
}

// Session is a browser that signed in.
type Session struct {
	// Hash is of the cookie's token, which is never stored.
	Hash    Hash      `json:"-"`
	ID      string    `json:"id"` // "ses_" and 26 characters: names the session in lists and in the audit log
	Account AccountID `json:"account"`
	Client  Client    `json:"client"`
	// By is how it was signed in: "password", "recovery" or "passkey".
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created"`
	SeenAt    time.Time `json:"seen"` // last used, to the minute
}

// Token is an API token.
type Token struct {
	ID      string // "tok_" and 26 characters
	Version int64  // as Account.Version
	Hash    Hash   // of the token, which is shown once and never stored
	Account AccountID
	Name    string
	// Roles are some of its owner's. What it may do is by those that its owner still has.
	Roles      Roles
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // to the minute; zero when never used
	RevokedAt  time.Time // zero while good
}

// Ceremony is a sign-in or enrolment that has begun: what must be remembered between its two halves.
type Ceremony struct {
	Hash      Hash // of the secret that the browser holds
	Kind      string
	Account   AccountID // empty where nobody is known yet
	Data      []byte    // sealed
	ExpiresAt time.Time
}

// Change is everything that one step changes, as a value: the ledger stores all of it with its audit entries in one
// transaction, or none.
type Change struct {
	// Accounts, Credentials and Tokens are new (Version 0) or changed (Version as read; the ledger stores Version+1 and
	// refuses with fault.Conflict when another commit came first). A second account with the same address is refused
	// with fault.Conflict and the code "account.exists".
	Accounts    []Account
	Credentials []Credential
	Tokens      []Token
	// Removed are IDs of credentials that go; one that is not there any more is a fault.Conflict.
	Removed []string
	// Invite is new. Earlier unused invitations of the same account are withdrawn.
	Invite *Invitation
	// Used is the invitation that this step uses up; fault.Gone when it is used or withdrawn already.
	Used   *Hash
	UsedAt time.Time
	// Session is new or renewed. Ended are IDs of sessions that end; EndedOf ends all sessions of an account.
	Session *Session
	Ended   []string
	EndedOf AccountID
	// Begun is a new ceremony (or the mark of a spent one); fault.Gone when its hash is there already. Finished are those that this step uses up; fault.Gone when one is not there any more.
	Begun    *Ceremony
	Finished []Hash
	// First refuses with fault.Conflict when an active administrator exists before this change.
	First bool
	// KeepsAdministrator refuses with fault.Conflict and the code "account.last-administrator" when no active
	// administrator would be left after this change.
	KeepsAdministrator bool
	Audit              []audit.Entry
}

// Ledger is what access needs of the store. Everything that is not there is a fault.NotFound.
type Ledger interface {
	// CommitAccess stores a change, all or nothing, durably.
	CommitAccess(ctx context.Context, c Change) error
	accountLedger
	sessionLedger
	tokenLedger
}

type accountLedger interface {
	// Account and AccountByEmail read one account.
	Account(ctx context.Context, id AccountID) (Account, error)
	AccountByEmail(ctx context.Context, email string) (Account, error)
	// Accounts reads a page of accounts.
	Accounts(ctx context.Context, f AccountFilter) ([]Account, error)
	// HasAdministrator reports whether an active administrator exists.
	HasAdministrator(ctx context.Context) (bool, error)
	// Credentials reads an account's credentials, oldest first.
	Credentials(ctx context.Context, id AccountID) ([]Credential, error)
	// Invitation reads an invitation by its hash, used or not.
	Invitation(ctx context.Context, h Hash) (Invitation, error)
}

type sessionLedger interface {
	// Session reads a session by its token's hash, with its account.
	Session(ctx context.Context, h Hash) (Session, Account, error)
	// Sessions reads an account's sessions, newest first.
	Sessions(ctx context.Context, id AccountID) ([]Session, error)
	// SeenSession notes that a session was used. It may be lost in a crash.
	SeenSession(ctx context.Context, h Hash, at time.Time) error
	// Ceremony reads a ceremony by its hash, expired or not.
	Ceremony(ctx context.Context, h Hash) (Ceremony, error)
	// ForgetExpired deletes sessions created at created or last seen at seen, or earlier, and ceremonies and unused
	// invitations that expired by now.
	ForgetExpired(ctx context.Context, now, created, seen time.Time) error
}

type tokenLedger interface {
	// Token reads a token by its hash, with its account.
	Token(ctx context.Context, h Hash) (Token, Account, error)
	// Tokens reads an account's tokens, newest first; of all accounts when id is empty.
	Tokens(ctx context.Context, id AccountID) ([]Token, error)
	// SeenToken notes that a token was used. It may be lost in a crash.
	SeenToken(ctx context.Context, id string, at time.Time) error
}
