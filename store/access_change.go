package store

import (
	"context"
	"database/sql"
	"errors"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// useUp spends what works once: being the first administrator, an invitation, ceremonies.
func (t *tx) useUp(ctx context.Context, c access.Change) error {
	if c.First {
		if err := t.administrators(ctx, true); err != nil {
			return err
		}
	}
	if c.Used != nil {
		n, err := t.exec(ctx, `UPDATE invitations SET used_at = $1 WHERE hash = $2 AND used_at = 0`, micros(c.UsedAt), c.Used[:])
		if err != nil {
			return wrap("use an invitation up", err)
		}
		if n != 1 {
			return fault.New(fault.Gone, "invitation.used", "This link has already been used, or a newer one took its place.")
		}
	}
	for _, h := range c.Finished {
		n, err := t.exec(ctx, `DELETE FROM ceremonies WHERE hash = $1`, h[:])
		if err != nil {
			return wrap("end a ceremony", err)
		}
		if n != 1 {
			return fault.New(fault.Gone, "ceremony.gone", "This took too long, or was already done. Please begin again.")
		}
	}
	return nil
}

// administrators refuses when there is an active administrator and none is wanted, or the other way round. The
// transaction sees its own changes, and on PostgreSQL the head of the audit chain keeps other nodes waiting.
func (t *tx) administrators(ctx context.Context, none bool) error {
	var n int64
	if err := t.row(ctx, activeAdministrators, nil, &n); err != nil {
		return wrap("look for an administrator", err)
	}
	switch {
	case none && n > 0:
		return fault.New(fault.Conflict, "setup.done", "The house already has an administrator. Ask them for an invitation.")
	case !none && n == 0:
		return fault.New(fault.Conflict, "account.last-administrator",
			"This is the last administrator. Make somebody else an administrator first; invited people count when they have set up their account.")
	}
	return nil
}

// changed refuses a row that is not as it was read.
func changed(code, what string) error {
	return fault.New(fault.Conflict, code, "%s was changed by somebody else meanwhile. Please look again.", what)
}

// exists reports whether a query finds a row.
func (t *tx) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var one int64
	err := t.row(ctx, query, args, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t *tx) putAccounts(ctx context.Context, accounts []access.Account) error {
	for _, a := range accounts {
		r := accountRowOf(a)
		taken, err := t.exists(ctx, `SELECT 1 FROM accounts WHERE email = $1 AND id <> $2`, r.Email, r.ID)
		if err != nil {
			return wrap("store an account", err)
		}
		if taken {
			return fault.New(fault.Conflict, "account.exists", "There is an account with the address %s already.", r.Email).With("email", r.Email)
		}
		if a.Version == 0 {
			known, err := t.exists(ctx, `SELECT 1 FROM accounts WHERE id = $1`, r.ID)
			if err == nil && known {
				return changed("account.changed", "The account")
			}
			if err == nil {
				err = t.insert(ctx, &r)
			}
			if err != nil {
				return wrap("store an account", err)
			}
			continue
		}
		n, err := t.exec(ctx, `UPDATE accounts SET version = $1, name = $2, email = $3, roles = $4, language = $5, ready_at = $6, disabled_at = $7
			WHERE id = $8 AND version = $9`, r.Version, r.Name, r.Email, r.Roles, r.Language, r.ReadyAt, r.DisabledAt, r.ID, a.Version)
		if err != nil {
			return wrap("store an account", err)
		}
		if n != 1 {
			return changed("account.changed", "The account")
		}
	}
	return nil
}

func (t *tx) putCredentials(ctx context.Context, c access.Change) error {
	for _, id := range c.Removed {
		n, err := t.exec(ctx, `DELETE FROM credentials WHERE id = $1`, text(id))
		if err != nil {
			return wrap("remove a credential", err)
		}
		if n != 1 {
			return changed("credential.changed", "The credential")
		}
	}
	for _, k := range c.Credentials {
		r := credentialRowOf(k)
		if k.Version == 0 {
			known, err := t.exists(ctx, `SELECT 1 FROM credentials WHERE id = $1`, r.ID)
			if err == nil && known {
				return fault.New(fault.Conflict, "credential.known", "This passkey is registered already.")
			}
			if err == nil {
				err = t.insert(ctx, &r)
			}
			if err != nil {
				return wrap("store a credential", err)
			}
			continue
		}
		n, err := t.exec(ctx, `UPDATE credentials SET version = $1, name = $2, data = $3, counter = $4, last_used_at = $5 WHERE id = $6 AND version = $7`,
			r.Version, r.Name, r.Data, r.Counter, r.LastUsedAt, r.ID, k.Version)
		if err != nil {
			return wrap("store a credential", err)
		}
		if n != 1 {
			return changed("credential.changed", "The credential")
		}
	}
	return nil
}

func (t *tx) putTokens(ctx context.Context, tokens []access.Token) error {
	for _, k := range tokens {
		r := tokenRowOf(k)
		if k.Version == 0 {
			if err := t.insert(ctx, &r); err != nil {
				return wrap("store a token", err)
			}
			continue
		}
		n, err := t.exec(ctx, `UPDATE tokens SET version = $1, name = $2, roles = $3, expires_at = $4, revoked_at = $5 WHERE id = $6 AND version = $7`,
			r.Version, r.Name, r.Roles, r.ExpiresAt, r.RevokedAt, r.ID, k.Version)
		if err != nil {
			return wrap("store a token", err)
		}
		if n != 1 {
			return changed("token.changed", "The token")
		}
	}
	return nil
}

// putSessions ends sessions before it begins one, so that a change may do both for one account.
func (t *tx) putSessions(ctx context.Context, c access.Change) error {
	if c.EndedOf != "" {
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE account = $1`, text(string(c.EndedOf))); err != nil {
			return wrap("end sessions", err)
		}
	}
	for _, id := range c.Ended {
		if _, err := t.exec(ctx, `DELETE FROM sessions WHERE id = $1`, text(id)); err != nil {
			return wrap("end a session", err)
		}
	}
	if c.Session == nil {
		return nil
	}
	r := sessionRowOf(*c.Session)
	n, err := t.exec(ctx, `UPDATE sessions SET seen_at = $1 WHERE hash = $2`, r.SeenAt, r.Hash)
	if err == nil && n == 0 {
		err = t.insert(ctx, &r)
	}
	return wrap("store a session", err)
}

// putLinks stores a new invitation in the place of those before it, and a new ceremony.
func (t *tx) putLinks(ctx context.Context, c access.Change) error {
	if i := c.Invite; i != nil {
		if _, err := t.exec(ctx, `DELETE FROM invitations WHERE account = $1 AND used_at = 0`, text(string(i.Account))); err != nil {
			return wrap("withdraw an invitation", err)
		}
		r := invitationRow{Hash: i.Hash[:], Account: text(string(i.Account)), CreatedAt: micros(i.CreatedAt), ExpiresAt: micros(i.ExpiresAt), UsedAt: micros(i.UsedAt)}
		if err := t.insert(ctx, &r); err != nil {
			return wrap("store an invitation", err)
		}
	}
	if b := c.Begun; b != nil {
		known, err := t.exists(ctx, `SELECT 1 FROM ceremonies WHERE hash = $1`, b.Hash[:])
		if err != nil {
			return wrap("store a ceremony", err)
		}
		if known {
			return fault.New(fault.Gone, "ceremony.gone", "This took too long, or was already done. Please begin again.")
		}
		r := ceremonyRow{Hash: b.Hash[:], Kind: b.Kind, Account: text(string(b.Account)), Data: b.Data, ExpiresAt: micros(b.ExpiresAt)}
		if err := t.insert(ctx, &r); err != nil {
			return wrap("store a ceremony", err)
		}
	}
	return nil
}
