package access

import (
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
)

// CredentialInfo is a credential as its owner and those who read accounts may see it.
type CredentialInfo struct {
	ID         string
	Kind       CredentialKind
	Name       string
	CreatedAt  time.Time
	LastUsedAt time.Time // zero when never used
}

// Credentials lists an account's credentials, oldest first, to its owner and to those who may read accounts.
func (a *Access) Credentials(ctx context.Context, id AccountID) ([]CredentialInfo, error) {
	if err := a.mayRead(ctx, id); err != nil {
		return nil, err
	}
	stored, err := a.ledger.Credentials(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]CredentialInfo, len(stored))
	for i, c := range stored {
		out[i] = CredentialInfo{ID: c.ID, Kind: c.Kind, Name: c.Name, CreatedAt: c.CreatedAt, LastUsedAt: c.LastUsedAt}
	}
	return out, nil
}

// enrolled is what a TOTP ceremony remembers.
type enrolled struct {
	Secret string `json:"secret"`
}

// enrol begins a ceremony with a new secret for an authenticator app.
func (a *Access) enrol(ctx context.Context, acc Account) (Enrolment, error) {
	email := acc.Email
	if email == "" {
		email = string(Administrator)
	}
	secret, shown, err := newTOTP(a.house, email)
	if err != nil {
		return Enrolment{}, err
	}
	c, handle, err := a.newCeremony(ceremonyTOTP, acc.ID, enrolmentLife, enrolled{Secret: secret})
	if err != nil {
		return Enrolment{}, err
	}
	shown.ID = handle
	return shown, a.commit(ctx, Change{Begun: &c})
}

// provedTOTP is the credential of an authenticator app whose first code is right, not yet stored, and the ceremony
// that it uses up.
func (a *Access) provedTOTP(ctx context.Context, acc Account, enrolment, code string) (Credential, Hash, error) {
	var e enrolled
	used, err := a.ceremony(ctx, enrolment, ceremonyTOTP, acc.ID, &e)
	if err != nil {
		return Credential{}, used, err
	}
	now := a.now()
	step, ok := totpStep(e.Secret, code, now, 0)
	if !ok {
		return Credential{}, used, fault.New(fault.Invalid, "totp.wrong",
			"This is not the code that the authenticator app shows now. Look whether the clock of the phone is right, and type the next one.")
	}
	sealed, err := a.sealer.Seal([]byte(e.Secret), totpContext(acc.ID))
	if err != nil {
		return Credential{}, used, err
	}
	return Credential{ID: newID("crd_"), Account: acc.ID, Kind: TOTP, Name: "Authenticator app", Data: sealed, Counter: step, CreatedAt: now}, used, nil
}

// own is the account of who asks and its credentials, after checking that they signed in freshly.
func (a *Access) own(ctx context.Context) (Principal, Account, []Credential, error) {
	who := From(ctx)
	if err := a.freshly(who, SelfManage); err != nil {
		return who, Account{}, nil, err
	}
	acc, err := a.ledger.Account(ctx, who.Account)
	if err != nil {
		return who, acc, nil, err
	}
	stored, err := a.ledger.Credentials(ctx, acc.ID)
	return who, acc, stored, err
}

// EnrolTOTP begins to put an authenticator app in the place of the one before; ConfirmTOTP ends it.
func (a *Access) EnrolTOTP(ctx context.Context) (Enrolment, error) {
	_, acc, _, err := a.own(ctx)
	if err != nil {
		return Enrolment{}, err
	}
	return a.enrol(ctx, acc)
}

// ConfirmTOTP takes an authenticator app whose first code is right. It replaces the one before, and where there was
// none and the account has a password it makes that password usable.
func (a *Access) ConfirmTOTP(ctx context.Context, enrolment, code string) error {
	who, acc, stored, err := a.own(ctx)
	if err != nil {
		return err
	}
	app, used, err := a.provedTOTP(ctx, acc, enrolment, code)
	if err != nil {
		return err
	}
	c := Change{Credentials: []Credential{app}, Finished: []Hash{used}, Audit: []audit.Entry{a.credentialEntry(who, "add", acc, app)}}
	for _, old := range stored {
		if old.Kind == TOTP {
			c.Removed = append(c.Removed, old.ID)
			c.Audit = append(c.Audit, a.credentialEntry(who, "remove", acc, old))
		}
	}
	return a.commit(ctx, c)
}

// SetPassword sets a new password. Who has one must name it; all other sessions of the account end.
func (a *Access) SetPassword(ctx context.Context, current, fresh string) error {
	who, acc, stored, err := a.own(ctx)
	if err != nil {
		return err
	}
	if err := CheckPassword(fresh, acc.Name, acc.Email, a.house); err != nil {
		return err
	}
	pass, has := firstOf(stored, Password)
	if has {
		if err := a.attempts.Take(DoorAccount, "password of "+string(acc.ID)); err != nil {
			return err
		}
		right, err := a.hashing.check(ctx, current, string(pass.Data))
		if err != nil {
			return err
		}
		if !right {
			if err := a.failed(ctx, acc.Subject(), "password", who.Client); err != nil {
				return err
			}
			return fault.New(fault.Invalid, "password.current", "The current password is not right.")
		}
	} else {
		pass = Credential{ID: newID("crd_"), Account: acc.ID, Kind: Password, CreatedAt: a.now()}
	}
	phc, err := a.hashing.make(ctx, fresh)
	if err != nil {
		return err
	}
	pass.Data = []byte(phc)
	c := Change{Credentials: []Credential{pass}, Audit: []audit.Entry{a.credentialEntry(who, "change", acc, pass)}}
	others, err := a.ledger.Sessions(ctx, acc.ID)
	if err != nil {
		return err
	}
	for _, s := range others {
		if s.ID != who.Session {
			c.Ended = append(c.Ended, s.ID)
		}
	}
	return a.commit(ctx, c)
}

// BeginPasskeyRegistration asks the browser of who asks for one more passkey.
func (a *Access) BeginPasskeyRegistration(ctx context.Context) (Ceremonial, error) {
	_, acc, stored, err := a.own(ctx)
	if err != nil {
		return Ceremonial{}, err
	}
	return a.beginRegistration(ctx, acc, stored)
}

// FinishPasskeyRegistration stores the passkey that the browser made, as JSON, under a name that its owner chose.
func (a *Access) FinishPasskeyRegistration(ctx context.Context, ceremony, name string, answer []byte) error {
	who, acc, _, err := a.own(ctx)
	if err != nil {
		return err
	}
	key, used, err := a.finishRegistration(ctx, acc, ceremony, name, answer)
	if err != nil {
		return err
	}
	return a.commit(ctx, Change{Credentials: []Credential{key}, Finished: []Hash{used},
		Audit: []audit.Entry{a.credentialEntry(who, "add", acc, key)}})
}

// NewRecoveryCodes makes ten codes in the place of those before. They are shown once.
func (a *Access) NewRecoveryCodes(ctx context.Context) ([]string, error) {
	who, acc, stored, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	if _, ok := firstOf(stored, Password); !ok {
		return nil, fault.New(fault.Refused, "recovery.no-password", "Recovery codes stand beside a password, and you have none. A second passkey is your spare key.")
	}
	codes, fresh := newRecoveryCodes(acc.ID, a.now())
	c := Change{Credentials: fresh, Audit: []audit.Entry{a.entry(who, "credential.add", acc.Subject(), map[string]string{"kind": string(RecoveryCode)})}}
	for _, old := range stored {
		if old.Kind == RecoveryCode {
			c.Removed = append(c.Removed, old.ID)
		}
	}
	return codes, a.commit(ctx, c)
}

// RemoveCredential removes one of one's own credentials, unless nothing would be left that signs in: a passkey, or a
// password with an authenticator app.
func (a *Access) RemoveCredential(ctx context.Context, id string) error {
	who, acc, stored, err := a.own(ctx)
	if err != nil {
		return err
	}
	var gone Credential
	left := map[CredentialKind]int{}
	// Every other passkey, password and app is written again as it was, so that two removals at once cannot each
	// count on what the other one takes away: the ledger refuses the second.
	c := Change{}
	for _, s := range stored {
		if s.ID == id {
			gone = s
			continue
		}
		left[s.Kind]++
		if s.Kind != RecoveryCode {
			c.Credentials = append(c.Credentials, s)
		}
	}
	switch {
	case gone.ID == "":
		return fault.New(fault.NotFound, "credential.unknown", "You have no such credential; perhaps it was removed already.")
	case left[Passkey] == 0 && (left[Password] == 0 || left[TOTP] == 0):
		return fault.New(fault.Refused, "credential.last", "This is your last way to sign in. Add a passkey, or a password with an authenticator app, before you remove it.")
	}
	c.Removed = []string{gone.ID}
	c.Audit = []audit.Entry{a.credentialEntry(who, "remove", acc, gone)}
	return a.commit(ctx, c)
}
