package access

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"chancery.example/audit"
	"chancery.example/fault"
)

// maxName bounds names of people and things, in characters.
const maxName = 100

// Invitee is who is to get an account.
type Invitee struct {
	Name, Email string
	Language    string // BCP 47; empty for "en"
	Roles       Roles
}

// freshly says whether who asks may do this to the house, and signed in not long ago. The operator always did.
func (a *Access) freshly(who Principal, do Action) error {
	if err := a.Allow(who, do, Resource{}); err != nil {
		return err
	}
	if who.Kind == Person && a.now().Sub(who.SignedInAt) > freshFor {
		return fault.New(fault.Anonymous, "access.sign-in-again", "For this, please sign in again: it has been a while.")
	}
	return nil
}

// mayRead says whether who asks may see an account's credentials, sessions and tokens.
func (a *Access) mayRead(ctx context.Context, id AccountID) error {
	who := From(ctx)
	if id != "" && who.Account == id {
		return a.Allow(who, SelfRead, Resource{})
	}
	return a.Allow(who, AccountRead, Resource{})
}

// mayManage says whether who asks may do this to their own account, or manages accounts.
func (a *Access) mayManage(ctx context.Context, id AccountID, own Action) error {
	who := From(ctx)
	if id != "" && who.Account == id {
		return a.Allow(who, own, Resource{})
	}
	return a.Allow(who, AccountManage, Resource{})
}

// Accounts lists accounts by e-mail address, to those who may read them.
func (a *Access) Accounts(ctx context.Context, f AccountFilter) ([]Account, error) {
	if err := a.Allow(From(ctx), AccountRead, Resource{}); err != nil {
		return nil, err
	}
	return a.ledger.Accounts(ctx, f)
}

// Account reads one account, for its owner and for those who may read accounts.
func (a *Access) Account(ctx context.Context, id AccountID) (Account, error) {
	if err := a.mayRead(ctx, id); err != nil {
		return Account{}, err
	}
	return a.ledger.Account(ctx, id)
}

// Invite makes an account that waits for its person, and the secret of the one-time link with which they set it up
// within seven days.
func (a *Access) Invite(ctx context.Context, i Invitee) (Account, Secret, error) {
	who := From(ctx)
	if err := a.freshly(who, AccountManage); err != nil {
		return Account{}, "", err
	}
	roles, err := ParseRoles(i.Roles.Strings())
	if err != nil {
		return Account{}, "", err
	}
	acc := Account{ID: AccountID(newID("acc_")), Roles: roles, CreatedAt: a.now()}
	if acc.Name, err = personName(i.Name); err != nil {
		return Account{}, "", err
	}
	if acc.Email, err = canonicalEmail(i.Email); err != nil {
		return Account{}, "", err
	}
	if acc.Language, err = languageTag(i.Language, "en"); err != nil {
		return Account{}, "", err
	}
	invitation, secret := a.newInvitation(acc.ID)
	err = a.commit(ctx, Change{Accounts: []Account{acc}, Invite: &invitation, Audit: []audit.Entry{
		a.entry(who, "account.invite", acc.Subject(), map[string]string{"email": acc.Email, "roles": acc.Roles.String()})}})
	if err != nil {
		return Account{}, "", err
	}
	acc.Version = 1
	return acc, secret, nil
}

// InviteAgain makes a new link for an account: for whoever let theirs expire, and for whoever lost what they sign in
// with. It takes the place of an earlier link; what signs in now goes only when the new link is used.
func (a *Access) InviteAgain(ctx context.Context, id AccountID) (Secret, error) {
	who := From(ctx)
	if err := a.freshly(who, AccountManage); err != nil {
		return "", err
	}
	acc, err := a.ledger.Account(ctx, id)
	if err != nil {
		return "", err
	}
	if !acc.DisabledAt.IsZero() {
		return "", fault.New(fault.Conflict, "account.disabled", "This account is disabled. Enable it first.")
	}
	invitation, secret := a.newInvitation(id)
	err = a.commit(ctx, Change{Invite: &invitation, Audit: []audit.Entry{
		a.entry(who, "account.invite", acc.Subject(), map[string]string{"email": acc.Email, "roles": acc.Roles.String()})}})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func (a *Access) newInvitation(id AccountID) (Invitation, Secret) {
	secret, now := newSecret(), a.now()
	return Invitation{Hash: hashOf("invitation", string(secret)), Account: id, CreatedAt: now, ExpiresAt: now.Add(invitationLife)}, secret
}

// SetRoles gives an account other roles, at once for sessions and tokens that are open. The last administrator
// remains one: fault.Conflict with the code "account.last-administrator".
func (a *Access) SetRoles(ctx context.Context, id AccountID, roles Roles) error {
	roles, err := ParseRoles(roles.Strings())
	if err != nil {
		return err
	}
	return a.change(ctx, id, "account.roles", func(acc *Account, c *Change) map[string]string {
		detail := map[string]string{"from": acc.Roles.String(), "to": roles.String()}
		c.KeepsAdministrator = acc.Roles.Has(Administrator) && !roles.Has(Administrator)
		acc.Roles = roles
		return detail
	})
}

// Disable ends an account's sessions and keeps it and its tokens out. The last administrator cannot be disabled:
// fault.Conflict with the code "account.last-administrator".
func (a *Access) Disable(ctx context.Context, id AccountID) error {
	return a.change(ctx, id, "account.disable", func(acc *Account, c *Change) map[string]string {
		c.KeepsAdministrator = acc.Roles.Has(Administrator)
		c.EndedOf = acc.ID
		acc.DisabledAt = a.now()
		return nil
	})
}

// Enable lets a disabled account in again, with the credentials that it had.
func (a *Access) Enable(ctx context.Context, id AccountID) error {
	return a.change(ctx, id, "account.enable", func(acc *Account, c *Change) map[string]string {
		acc.DisabledAt = time.Time{}
		return nil
	})
}

// change is one change of an account by somebody who manages accounts.
func (a *Access) change(ctx context.Context, id AccountID, action string, f func(*Account, *Change) map[string]string) error {
	who := From(ctx)
	if err := a.freshly(who, AccountManage); err != nil {
		return err
	}
	acc, err := a.ledger.Account(ctx, id)
	if err != nil {
		return err
	}
	var c Change
	detail := f(&acc, &c)
	c.Accounts = []Account{acc}
	c.Audit = append(c.Audit, a.entry(who, action, acc.Subject(), detail))
	return a.commit(ctx, c)
}

// personName checks what a person is called.
func personName(s string) (string, error) {
	name, err := label(s, "")
	if err == nil && name == "" {
		err = fault.New(fault.Invalid, "account.name-missing", "Please give a name.")
	}
	return name, err
}

// label is a name of somebody or something in one line, or what it is called otherwise.
func label(s, otherwise string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(s[:min(len(s), 8*maxName)], "")))
	if utf8.RuneCountInString(s) > maxName {
		return "", fault.New(fault.Invalid, "name.long", "This name is too long: at most %d characters.", maxName)
	}
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return "", fault.New(fault.Invalid, "name.characters", "This name holds characters that cannot be shown. Please leave them out.")
	}
	if s == "" {
		return otherwise, nil
	}
	return s, nil
}

// languageTag checks a BCP 47 tag, or takes another where it is empty.
func languageTag(s, otherwise string) (string, error) {
	if s == "" {
		return otherwise, nil
	}
	tag, err := language.Parse(s[:min(len(s), 35)])
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "account.language", "%q is no language tag like \"en\" or \"de\".", s[:min(len(s), 35)])
	}
	return tag.String(), nil
}
