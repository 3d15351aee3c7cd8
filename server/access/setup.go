package access

import (
	"cmp"
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
)

// Welcome is what the page behind a set-up link or an invitation shows.
type Welcome struct {
	First     bool      // the first administrator: asks for name and address as well
	Account   Account   // who is invited; for the first administrator only its ID and role
	ExpiresAt time.Time // of the link; zero when First
	// TOTP is a new secret for an authenticator app. Its label holds the address that is known by now.
	TOTP Enrolment
}

// Completion is what a newcomer answers: a password with a proved authenticator app, a passkey, or all three.
type Completion struct {
	Name     string
	Email    string // of the first administrator; others keep the one they were invited by
	Language string // BCP 47; empty keeps what was
	Password string
	// Enrolment and Code are Welcome.TOTP's ID and the app's first code.
	Enrolment, Code string
	// Ceremony is BeginSetupPasskey's, Passkey what navigator.credentials.create gave, as JSON.
	Ceremony, PasskeyName string
	Passkey               []byte
}

// Completed is an account that was set up. Called under Authenticate, its browser is signed in.
type Completed struct {
	Account Account
	// RecoveryCodes are shown once. None for an account without a password: its way back is a new invitation.
	RecoveryCodes []string
}

// SetupLink makes the secret of the one-time link with which the first administrator sets up their account, and
// withdraws the one before. It is fault.Conflict with the code "setup.done" once there is an administrator.
func (a *Access) SetupLink(ctx context.Context) (Secret, error) {
	has, err := a.ledger.HasAdministrator(ctx)
	if err != nil {
		return "", err
	}
	if has {
		return "", setupDone()
	}
	secret := newSecret()
	err = a.commit(ctx, Change{
		Invite: &Invitation{Hash: hashOf("invitation", string(secret)), CreatedAt: a.now()},
		First:  true,
		Audit:  []audit.Entry{audit.New(a.now(), audit.Actor{Kind: audit.System}, "account.invite", "account/first", nil)},
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func setupDone() error {
	return fault.New(fault.Conflict, "setup.done", "The house already has an administrator. Ask them for an invitation.")
}

// invited finds the invitation behind a secret and the account that it is for.
func (a *Access) invited(ctx context.Context, secret string) (Invitation, Account, error) {
	i, err := a.ledger.Invitation(ctx, hashOf("invitation", secret))
	switch {
	case fault.Is(err, fault.NotFound):
		return i, Account{}, fault.New(fault.NotFound, "invitation.unknown",
			"This link is not known, or a newer one took its place. Please open the newest one, exactly as it was shown.")
	case err != nil:
		return i, Account{}, err
	case !i.UsedAt.IsZero():
		return i, Account{}, fault.New(fault.Gone, "invitation.used", "This link has already been used. Please sign in.")
	case !i.ExpiresAt.IsZero() && !a.now().Before(i.ExpiresAt):
		return i, Account{}, fault.New(fault.Gone, "invitation.expired", "This link has expired. Ask an administrator for a new one.")
	}
	if i.Account != "" {
		acc, err := a.ledger.Account(ctx, i.Account)
		if err == nil && !acc.DisabledAt.IsZero() {
			err = fault.New(fault.Denied, "account.disabled", "This account is disabled. Ask an administrator.")
		}
		return i, acc, err
	}
	if has, err := a.ledger.HasAdministrator(ctx); err != nil || has {
		if err == nil {
			err = setupDone()
		}
		return i, Account{}, err
	}
	// The ID follows from the link, so that all ceremonies behind it speak of the same account-to-be.
	return i, Account{ID: AccountID(idFrom("acc_", "first account", i.Hash[:])), Roles: Roles{Administrator}}, nil
}

// StartSetup opens the link of a set-up or an invitation. It may be opened often; only CompleteSetup uses it up.
func (a *Access) StartSetup(ctx context.Context, secret string) (Welcome, error) {
	i, acc, err := a.invited(ctx, secret)
	if err != nil {
		return Welcome{}, err
	}
	enrolment, err := a.enrol(ctx, acc)
	if err != nil {
		return Welcome{}, err
	}
	return Welcome{First: i.Account == "", Account: acc, ExpiresAt: i.ExpiresAt, TOTP: enrolment}, nil
}

// BeginSetupPasskey asks the browser of a newcomer for a passkey. name and email are what the first administrator
// typed; for others what is known of them counts.
func (a *Access) BeginSetupPasskey(ctx context.Context, secret, name, email string) (Ceremonial, error) {
	i, acc, err := a.invited(ctx, secret)
	if err != nil {
		return Ceremonial{}, err
	}
	if err := a.introduce(&acc, i, Completion{Name: name, Email: email}); err != nil {
		return Ceremonial{}, err
	}
	return a.beginRegistration(ctx, acc, nil)
}

// introduce fills in who a newcomer says they are.
func (a *Access) introduce(acc *Account, i Invitation, c Completion) (err error) {
	if acc.Name == "" || c.Name != "" {
		if acc.Name, err = personName(c.Name); err != nil {
			return err
		}
	}
	if i.Account == "" {
		if acc.Email, err = canonicalEmail(c.Email); err != nil {
			return err
		}
		acc.CreatedAt = a.now()
	}
	if acc.Language, err = languageTag(c.Language, cmp.Or(acc.Language, "en")); err != nil {
		return err
	}
	return nil
}

// CompleteSetup makes an account ready with two factors and uses the link up: of two who try at once, one is told
// fault.Gone or fault.Conflict. What signed the account in before (an invitation may be sent again to whoever lost
// their credentials) is removed, and its sessions end.
func (a *Access) CompleteSetup(ctx context.Context, secret string, done Completion) (Completed, error) {
	i, acc, err := a.invited(ctx, secret)
	if err != nil {
		return Completed{}, err
	}
	if err := a.introduce(&acc, i, done); err != nil {
		return Completed{}, err
	}
	f, err := a.factors(ctx, acc, done)
	if err != nil {
		return Completed{}, err
	}
	now := a.now()
	acc.ReadyAt = now
	who := Principal{Kind: Person, Account: acc.ID}
	c := Change{Accounts: []Account{acc}, Credentials: f.credentials, Finished: f.finished, Used: &i.Hash, UsedAt: now,
		First: i.Account == "", EndedOf: acc.ID}
	before, err := a.ledger.Credentials(ctx, acc.ID)
	if err != nil {
		return Completed{}, err
	}
	for _, old := range before {
		c.Removed = append(c.Removed, old.ID)
	}
	c.Audit = append(c.Audit, a.entry(who, "account.setup", acc.Subject(),
		map[string]string{"email": acc.Email, "roles": acc.Roles.String(), "address": From(ctx).Client.Address.String()}))
	for _, k := range f.credentials {
		if k.Kind != RecoveryCode {
			c.Audit = append(c.Audit, a.credentialEntry(who, "add", acc, k))
		}
	}
	if _, err := a.begin(ctx, acc, f.by, c); err != nil {
		return Completed{}, err
	}
	acc.Version++
	return Completed{Account: acc, RecoveryCodes: f.codes}, nil
}

// factors are what a newcomer will sign in with.
type factors struct {
	credentials []Credential
	finished    []Hash
	codes       []string
	by          string
}

// factors checks what a newcomer chose, and that it is two factors.
func (a *Access) factors(ctx context.Context, acc Account, done Completion) (f factors, err error) {
	if done.Ceremony == "" && (done.Password == "" || done.Enrolment == "") {
		return f, fault.New(fault.Invalid, "setup.factors", "Choose a passkey, or a password together with an authenticator app.")
	}
	if done.Ceremony != "" {
		key, used, err := a.finishRegistration(ctx, acc, done.Ceremony, done.PasskeyName, done.Passkey)
		if err != nil {
			return f, err
		}
		f.credentials, f.finished, f.by = append(f.credentials, key), append(f.finished, used), "passkey"
	}
	if done.Password == "" {
		return f, nil
	}
	if err := CheckPassword(done.Password, acc.Name, acc.Email, a.house); err != nil {
		return f, err
	}
	app, used, err := a.provedTOTP(ctx, acc, done.Enrolment, done.Code)
	if err != nil {
		return f, err
	}
	phc, err := a.hashing.make(ctx, done.Password)
	if err != nil {
		return f, err
	}
	pass := Credential{ID: newID("crd_"), Account: acc.ID, Kind: Password, Data: []byte(phc), CreatedAt: a.now()}
	codes, stored := newRecoveryCodes(acc.ID, a.now())
	f.credentials = append(append(f.credentials, pass, app), stored...)
	f.finished, f.codes, f.by = append(f.finished, used), codes, "password"
	return f, nil
}
