package access

import (
	"context"
	"strconv"
	"strings"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
)

// Bounds of API tokens.
const (
	tokenPrefix      = "chy_"
	minTokenLife     = time.Hour
	maxTokenLife     = 366 * 24 * time.Hour
	defaultTokenLife = 90 * 24 * time.Hour
	maxTokens        = 50 // good ones an account may have
)

// TokenRequest is an API token to be made.
type TokenRequest struct {
	Account AccountID // empty for one's own; the operator must name one
	Name    string
	Roles   Roles         // some of the account's
	Life    time.Duration // an hour to 366 days; 0 for 90 days
}

// NewToken makes an API token. The secret begins with "chy_" and is shown once.
func (a *Access) NewToken(ctx context.Context, r TokenRequest) (Token, Secret, error) {
	who := From(ctx)
	if err := a.freshly(who, TokenCreate); err != nil {
		return Token{}, "", err
	}
	if r.Account == "" {
		r.Account = who.Account
	}
	if who.Kind != Operator && r.Account != who.Account {
		return Token{}, "", fault.New(fault.Denied, "token.others", "You can make tokens for your own account only.")
	}
	acc, err := a.ledger.Account(ctx, r.Account)
	if err != nil {
		return Token{}, "", err
	}
	t, err := a.checkToken(ctx, acc, r)
	if err != nil {
		return Token{}, "", err
	}
	secret := tokenPrefix + newSecret()
	t.Hash = hashOf("token", string(secret))
	err = a.commit(ctx, Change{Tokens: []Token{t}, Audit: []audit.Entry{
		a.entry(who, "token.create", tokenSubject(t.ID), map[string]string{"account": string(acc.ID), "name": t.Name,
			"roles": t.Roles.String(), "expires": t.ExpiresAt.UTC().Format(time.RFC3339)})}})
	if err != nil {
		return Token{}, "", err
	}
	t.Version = 1
	return t, secret, nil
}

// checkToken is the token that was asked for, without its secret.
func (a *Access) checkToken(ctx context.Context, acc Account, r TokenRequest) (Token, error) {
	now := a.now()
	if !acc.Active() {
		return Token{}, fault.New(fault.Conflict, "account.inactive", "This account cannot sign in now, so it can have no token.")
	}
	roles, err := ParseRoles(r.Roles.Strings())
	if err != nil {
		return Token{}, err
	}
	if !acc.Roles.Covers(roles) {
		return Token{}, fault.New(fault.Denied, "token.roles", "A token can have only roles that its account has: %s.", orNone(acc.Roles)).
			With("roles", orNone(acc.Roles))
	}
	name, err := label(r.Name, "")
	if err != nil {
		return Token{}, err
	}
	if name == "" {
		return Token{}, fault.New(fault.Invalid, "token.name-missing", "Give the token a name that says what it is for.")
	}
	if r.Life == 0 {
		r.Life = defaultTokenLife
	}
	if r.Life < minTokenLife || r.Life > maxTokenLife {
		return Token{}, fault.New(fault.Invalid, "token.life", "A token lives at least an hour and at most 366 days.")
	}
	good, err := a.ledger.Tokens(ctx, acc.ID)
	if err != nil {
		return Token{}, err
	}
	n := 0
	for _, t := range good {
		if t.good(now) {
			n++
		}
	}
	if n >= maxTokens {
		return Token{}, fault.New(fault.Refused, "token.many", "This account has %d tokens, which is the most. Revoke one first.", maxTokens).
			With("most", strconv.Itoa(maxTokens))
	}
	return Token{ID: newID("tok_"), Account: acc.ID, Name: name, Roles: roles, CreatedAt: now, ExpiresAt: now.Add(r.Life)}, nil
}

// good reports whether a token may be used at an instant.
func (t Token) good(now time.Time) bool { return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt) }

// Tokens lists an account's tokens, newest first, to their owner and to those who may read accounts; those of all
// accounts when id is empty.
func (a *Access) Tokens(ctx context.Context, id AccountID) ([]Token, error) {
	if err := a.mayRead(ctx, id); err != nil {
		return nil, err
	}
	return a.ledger.Tokens(ctx, id)
}

// RevokeToken ends a token of an account at once, for its owner and for those who manage accounts.
func (a *Access) RevokeToken(ctx context.Context, id AccountID, token string) error {
	who := From(ctx)
	if err := a.mayManage(ctx, id, SelfManage); err != nil {
		return err
	}
	all, err := a.ledger.Tokens(ctx, id)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.ID != token || t.Account != id {
			continue
		}
		if !t.RevokedAt.IsZero() {
			return nil
		}
		t.RevokedAt = a.now()
		return a.commit(ctx, Change{Tokens: []Token{t}, Audit: []audit.Entry{
			a.entry(who, "token.revoke", tokenSubject(t.ID), map[string]string{"account": string(t.Account), "name": t.Name})}})
	}
	return fault.New(fault.NotFound, "token.unknown", "There is no such token.")
}

// program is the principal behind an Authorization header (RFC 6750 2.1).
func (a *Access) program(ctx context.Context, header string, from Client) (Principal, error) {
	bad := fault.New(fault.Anonymous, "token.bad", "This API token is not good: it is unknown, expired or revoked. Make a new one in the portal.")
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, tokenPrefix) || len(secret) > 100 {
		return Principal{}, fault.New(fault.Anonymous, "token.form", "The Authorization header must be: Bearer chy_… with an API token of this house.")
	}
	t, acc, err := a.token(ctx, hashOf("token", secret))
	if fault.Is(err, fault.NotFound) {
		return Principal{}, bad
	}
	if err != nil {
		return Principal{}, err
	}
	if !t.good(a.now()) || !acc.Active() {
		return Principal{}, bad
	}
	return Principal{Kind: Program, Account: acc.ID, Token: t.ID, Name: t.Name, Email: acc.Email, Language: acc.Language,
		Roles: t.Roles.And(acc.Roles), Client: from}, nil
}

func tokenSubject(id string) string { return "token/" + id }
