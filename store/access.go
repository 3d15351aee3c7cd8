package store

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"chancery.example/server/access"
)

var _ access.Ledger = (*Store)(nil)

type accountRow struct {
	bun.BaseModel `bun:"table:accounts"`

	N          int64  `bun:"n,autoincrement"`
	ID         string `bun:"id"`
	Version    int64  `bun:"version"`
	Name       string `bun:"name"`
	Email      string `bun:"email"`
	Roles      string `bun:"roles"`
	Language   string `bun:"language"`
	CreatedAt  int64  `bun:"created_at"`
	ReadyAt    int64  `bun:"ready_at"`
	DisabledAt int64  `bun:"disabled_at"`
}

func accountRowOf(a access.Account) accountRow {
	return accountRow{ID: string(a.ID), Version: a.Version + 1, Name: text(a.Name), Email: text(a.Email), Roles: rolesText(a.Roles),
		Language: text(a.Language), CreatedAt: micros(a.CreatedAt), ReadyAt: micros(a.ReadyAt), DisabledAt: micros(a.DisabledAt)}
}

func (r accountRow) account() (access.Account, error) {
	return access.Account{ID: access.AccountID(r.ID), Version: r.Version, Name: r.Name, Email: r.Email, Roles: rolesOf(r.Roles),
		Language: r.Language, CreatedAt: instant(r.CreatedAt), ReadyAt: instant(r.ReadyAt), DisabledAt: instant(r.DisabledAt)}, nil
}

// rolesText is the stored form of roles: each stands between blanks, so that one can be looked for with LIKE.
func rolesText(r access.Roles) string { return " " + strings.Join(r.Strings(), " ") + " " }

func rolesOf(s string) access.Roles {
	var out access.Roles
	for _, name := range strings.Fields(s) {
		out = append(out, access.Role(name))
	}
	return out
}

type credentialRow struct {
	bun.BaseModel `bun:"table:credentials"`

	N          int64  `bun:"n,autoincrement"`
	ID         string `bun:"id"`
	Version    int64  `bun:"version"`
	Account    string `bun:"account"`
	Kind       string `bun:"kind"`
	Name       string `bun:"name"`
	Data       []byte `bun:"data"`
	Counter    int64  `bun:"counter"`
	CreatedAt  int64  `bun:"created_at"`
	LastUsedAt int64  `bun:"last_used_at"`
}

func credentialRowOf(c access.Credential) credentialRow {
	return credentialRow{ID: c.ID, Version: c.Version + 1, Account: string(c.Account), Kind: string(c.Kind), Name: text(c.Name),
		Data: c.Data, Counter: c.Counter, CreatedAt: micros(c.CreatedAt), LastUsedAt: micros(c.LastUsedAt)}
}

func (r credentialRow) credential() (access.Credential, error) {
	return access.Credential{ID: r.ID, Version: r.Version, Account: access.AccountID(r.Account), Kind: access.CredentialKind(r.Kind),
		Name: r.Name, Data: r.Data, Counter: r.Counter, CreatedAt: instant(r.CreatedAt), LastUsedAt: instant(r.LastUsedAt)}, nil
}

type invitationRow struct {
	bun.BaseModel `bun:"table:invitations"`

	Hash      []byte `bun:"hash"`
	Account   string `bun:"account"`
	CreatedAt int64  `bun:"created_at"`
	ExpiresAt int64  `bun:"expires_at"`
	UsedAt    int64  `bun:"used_at"`
}

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions"`

	N         int64  `bun:"n,autoincrement"`
	Hash      []byte `bun:"hash"`
	ID        string `bun:"id"`
	Account   string `bun:"account"`
	Address   string `bun:"address"`
	Agent     string `bun:"agent"`
	SignedBy  string `bun:"signed_by"`
	CreatedAt int64  `bun:"created_at"`
	SeenAt    int64  `bun:"seen_at"`
}

func sessionRowOf(s access.Session) sessionRow {
	r := sessionRow{Hash: s.Hash[:], ID: s.ID, Account: string(s.Account), Agent: text(s.Client.Agent), SignedBy: s.By,
		CreatedAt: micros(s.CreatedAt), SeenAt: micros(s.SeenAt)}
	if s.Client.Address.IsValid() {
		r.Address = s.Client.Address.String()
	}
	return r
}

func (r sessionRow) session() (access.Session, error) {
	s := access.Session{ID: r.ID, Account: access.AccountID(r.Account), Client: access.Client{Agent: r.Agent}, By: r.SignedBy,
		CreatedAt: instant(r.CreatedAt), SeenAt: instant(r.SeenAt)}
	copy(s.Hash[:], r.Hash)
	var err error
	if r.Address != "" {
		s.Client.Address, err = netip.ParseAddr(r.Address)
	}
	return s, err
}

type tokenRow struct {
	bun.BaseModel `bun:"table:tokens"`

	N          int64  `bun:"n,autoincrement"`
	ID         string `bun:"id"`
	Version    int64  `bun:"version"`
	Hash       []byte `bun:"hash"`
	Account    string `bun:"account"`
	Name       string `bun:"name"`
	Roles      string `bun:"roles"`
	CreatedAt  int64  `bun:"created_at"`
	ExpiresAt  int64  `bun:"expires_at"`
	LastUsedAt int64  `bun:"last_used_at"`
	RevokedAt  int64  `bun:"revoked_at"`
}

func tokenRowOf(k access.Token) tokenRow {
	return tokenRow{ID: k.ID, Version: k.Version + 1, Hash: k.Hash[:], Account: string(k.Account), Name: text(k.Name), Roles: rolesText(k.Roles),
		CreatedAt: micros(k.CreatedAt), ExpiresAt: micros(k.ExpiresAt), LastUsedAt: micros(k.LastUsedAt), RevokedAt: micros(k.RevokedAt)}
}

func (r tokenRow) token() (access.Token, error) {
	k := access.Token{ID: r.ID, Version: r.Version, Account: access.AccountID(r.Account), Name: r.Name, Roles: rolesOf(r.Roles),
		CreatedAt: instant(r.CreatedAt), ExpiresAt: instant(r.ExpiresAt), LastUsedAt: instant(r.LastUsedAt), RevokedAt: instant(r.RevokedAt)}
	copy(k.Hash[:], r.Hash)
	return k, nil
}

type ceremonyRow struct {
	bun.BaseModel `bun:"table:ceremonies"`

	Hash      []byte `bun:"hash"`
	Kind      string `bun:"kind"`
	Account   string `bun:"account"`
	Data      []byte `bun:"data"`
	ExpiresAt int64  `bun:"expires_at"`
}

// Account reads an account; fault.NotFound "account.unknown" when there is none.
func (s *Store) Account(ctx context.Context, id access.AccountID) (access.Account, error) {
	return s.account(ctx, `WHERE id = $1`, text(string(id)))
}

// AccountByEmail reads the account with an address; fault.NotFound "account.unknown" when there is none.
func (s *Store) AccountByEmail(ctx context.Context, email string) (access.Account, error) {
	return s.account(ctx, `WHERE email = $1`, text(email))
}

func (s *Store) account(ctx context.Context, where, arg string) (access.Account, error) {
	r, err := get[accountRow](ctx, s, where, arg)
	if err != nil {
		return access.Account{}, wrap("read an account", found(err, "account.unknown", "There is no such account."))
	}
	return r.account()
}

// Accounts lists accounts by e-mail address.
func (s *Store) Accounts(ctx context.Context, f access.AccountFilter) ([]access.Account, error) {
	var rows []accountRow
	q := s.lists.NewSelect().Model(&rows).OrderExpr("email").Limit(page(f.Limit))
	if f.After != "" {
		q.Where("email > ?", text(f.After))
	}
	if f.Role != "" {
		q.Where(`roles LIKE ? ESCAPE '\'`, contains(" "+string(f.Role)+" "))
	}
	if f.Text != "" {
		q.Where(`lower(name || ' ' || email) LIKE ? ESCAPE '\'`, contains(f.Text))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, wrap("list accounts", err)
	}
	return mapped(rows, accountRow.account)
}

// activeAdministrators counts those who may sign in and are administrators.
const activeAdministrators = `SELECT count(*) FROM accounts WHERE roles LIKE '% administrator %' AND ready_at > 0 AND disabled_at = 0`

// HasAdministrator reports whether there is an active administrator.
func (s *Store) HasAdministrator(ctx context.Context) (bool, error) {
	var n int64
	err := s.one(ctx, activeAdministrators, nil, &n)
	return n > 0, wrap("look for an administrator", err)
}

// Credentials reads an account's credentials, oldest first.
func (s *Store) Credentials(ctx context.Context, id access.AccountID) ([]access.Credential, error) {
	return listed(ctx, s, "read credentials", credentialRow.credential, `WHERE account = $1 ORDER BY n`, text(string(id)))
}

// Invitation reads an invitation; fault.NotFound "invitation.unknown" when there is none.
func (s *Store) Invitation(ctx context.Context, h access.Hash) (access.Invitation, error) {
	r, err := get[invitationRow](ctx, s, `WHERE hash = $1`, h[:])
	if err != nil {
		return access.Invitation{}, wrap("read an invitation", found(err, "invitation.unknown", "There is no such invitation."))
	}
	return access.Invitation{Hash: h, Account: access.AccountID(r.Account), CreatedAt: instant(r.CreatedAt),
		ExpiresAt: instant(r.ExpiresAt), UsedAt: instant(r.UsedAt)}, nil
}

// Session reads a session with its account; fault.NotFound "session.unknown" when there is none.
func (s *Store) Session(ctx context.Context, h access.Hash) (access.Session, access.Account, error) {
	r, err := get[sessionRow](ctx, s, `WHERE hash = $1`, h[:])
	if err != nil {
		return access.Session{}, access.Account{}, wrap("read a session", found(err, "session.unknown", "There is no such session."))
	}
	ses, err := r.session()
	if err != nil {
		return access.Session{}, access.Account{}, wrap("read a session", err)
	}
	acc, err := s.Account(ctx, ses.Account)
	return ses, acc, err
}

// Sessions reads an account's sessions, newest first.
func (s *Store) Sessions(ctx context.Context, id access.AccountID) ([]access.Session, error) {
	return listed(ctx, s, "read sessions", sessionRow.session, `WHERE account = $1 ORDER BY n DESC`, text(string(id)))
}

// Token reads a token by its hash with its account; fault.NotFound "token.unknown" when there is none.
func (s *Store) Token(ctx context.Context, h access.Hash) (access.Token, access.Account, error) {
	r, err := get[tokenRow](ctx, s, `WHERE hash = $1`, h[:])
	if err != nil {
		return access.Token{}, access.Account{}, wrap("read a token", found(err, "token.unknown", "There is no such token."))
	}
	k, err := r.token()
	if err != nil {
		return access.Token{}, access.Account{}, wrap("read a token", err)
	}
	acc, err := s.Account(ctx, k.Account)
	return k, acc, err
}

// Tokens reads an account's tokens, newest first; everybody's when id is empty.
func (s *Store) Tokens(ctx context.Context, id access.AccountID) ([]access.Token, error) {
	if id == "" {
		return listed(ctx, s, "read tokens", tokenRow.token, `ORDER BY n DESC`)
	}
	return listed(ctx, s, "read tokens", tokenRow.token, `WHERE account = $1 ORDER BY n DESC`, text(string(id)))
}

// Ceremony reads a ceremony; fault.NotFound "ceremony.unknown" when there is none.
func (s *Store) Ceremony(ctx context.Context, h access.Hash) (access.Ceremony, error) {
	r, err := get[ceremonyRow](ctx, s, `WHERE hash = $1`, h[:])
	if err != nil {
		return access.Ceremony{}, wrap("read a ceremony", found(err, "ceremony.unknown", "There is no such ceremony."))
	}
	return access.Ceremony{Hash: h, Kind: r.Kind, Account: access.AccountID(r.Account), Data: r.Data, ExpiresAt: instant(r.ExpiresAt)}, nil
}

// listed reads the rows that where names as values of the domain.
func listed[R, V any](ctx context.Context, s *Store, operation string, f func(R) (V, error), where string, args ...any) ([]V, error) {
	var rows []R
	if err := each(ctx, s, func(r R) error { rows = append(rows, r); return nil }, where, args...); err != nil {
		return nil, wrap(operation, err)
	}
	return mapped(rows, f)
}

// SeenSession notes that a session was used.
func (s *Store) SeenSession(ctx context.Context, h access.Hash, at time.Time) error {
	return s.note(ctx, `UPDATE sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1`, micros(at), h[:])
}

// SeenToken notes that a token was used.
func (s *Store) SeenToken(ctx context.Context, id string, at time.Time) error {
	return s.note(ctx, `UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, micros(at), text(id))
}

func (s *Store) note(ctx context.Context, query string, args ...any) error {
	return s.commit(ctx, unit{run: func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, query, args...)
		return wrap("note a use", err)
	}})
}

// ForgetExpired deletes sessions that began at created or were last seen at seen, or earlier, and ceremonies and unused
// invitations that expired by now.
func (s *Store) ForgetExpired(ctx context.Context, now, created, seen time.Time) error {
	return s.commit(ctx, unit{run: func(ctx context.Context, t *tx) error {
		for _, d := range []struct {
			query string
			args  []any
		}{
			{`DELETE FROM sessions WHERE created_at <= $1 OR seen_at <= $2`, []any{micros(created), micros(seen)}},
			{`DELETE FROM ceremonies WHERE expires_at <= $1`, []any{micros(now)}},
			{`DELETE FROM invitations WHERE used_at = 0 AND expires_at > 0 AND expires_at <= $1`, []any{micros(now)}},
		} {
			if _, err := t.exec(ctx, d.query, d.args...); err != nil {
				return wrap("forget what has expired", err)
			}
		}
		return nil
	}})
}

// CommitAccess stores a change, all or nothing, durably. See access.Change for what is refused: fault.Conflict
// "account.changed", "account.exists", "credential.changed", "credential.known", "token.changed", "setup.done" and
// "account.last-administrator"; fault.Gone "invitation.used" and "ceremony.gone".
func (s *Store) CommitAccess(ctx context.Context, c access.Change) error {
	return s.commit(ctx, unit{audit: c.Audit, run: func(ctx context.Context, t *tx) error {
		// Refusals come first, so that they cost little.
		if err := t.useUp(ctx, c); err != nil {
			return err
		}
		if err := t.putAccounts(ctx, c.Accounts); err != nil {
			return err
		}
		if err := t.putCredentials(ctx, c); err != nil {
			return err
		}
		if err := t.putTokens(ctx, c.Tokens); err != nil {
			return err
		}
		if err := t.putSessions(ctx, c); err != nil {
			return err
		}
		if err := t.putLinks(ctx, c); err != nil {
			return err
		}
		if !c.KeepsAdministrator {
			return nil
		}
		return t.administrators(ctx, false)
	}})
}
