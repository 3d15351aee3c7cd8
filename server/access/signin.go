package access

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/mailbox"
)

// maxCode bounds a typed code, in bytes; recovery codes have 19.
const maxCode = 64

// unknownSubject is the subject of failures that belong to no account.
const unknownSubject = "account/unknown"

// SignIn signs in with a password and a code: of the authenticator app, or a recovery code in its place. It must be
// called under Authenticate, whose browser it signs in.
//
// Whatever is wrong (address, password, code, a disabled account), the answer is the same fault.Anonymous with the
// code "sign-in.wrong" and takes about the same time. Too many tries from one client or for one address are
// fault.Limited. Throttling goes by the typed address, whether or not there is such an account; passkeys are not
// subject to it, so that nobody can be locked out by a stranger who types their address.
func (a *Access) SignIn(ctx context.Context, email, password, code string) (Principal, error) {
	if browsingOf(ctx) == nil {
		return Principal{}, errNoContext
	}
	from := From(ctx).Client
	address, acc, err := a.knock(ctx, email, from)
	if err != nil {
		return Principal{}, err
	}
	c, reason, by, err := a.prove(ctx, acc, password, strings.TrimSpace(code[:min(len(code), maxCode)]))
	if err != nil {
		return Principal{}, err
	}
	if reason == "" && !acc.Active() {
		reason = "disabled"
	}
	if reason == "" {
		c.Audit = append(c.Audit, a.settled(func(k failureKey, _ *failureRun) bool { return k.subject == acc.Subject() })...)
		who, err := a.begin(ctx, acc, by, c)
		if err == nil {
			a.attempts.Forget(DoorAccount, address)
			return who, nil
		}
		// Somebody used the same code at the same instant: a code is accepted once.
		if !fault.Is(err, fault.Conflict) {
			return Principal{}, err
		}
		reason = "used code"
	}
	if err := a.failed(ctx, subjectOf(acc), reason, from); err != nil {
		return Principal{}, err
	}
	return Principal{}, fault.New(fault.Anonymous, "sign-in.wrong",
		"The address, the password or the code is not right. Each code works once: wait for the next one, then try again.")
}

// knock counts the attempt and finds the account, or the zero Account where there is none. address is the key by which
// attempts on it are counted.
func (a *Access) knock(ctx context.Context, email string, from Client) (address string, acc Account, err error) {
	canonical, parseErr := canonicalEmail(email)
	if parseErr != nil {
		canonical = foldASCII(strings.TrimSpace(email))
	}
	h := hashOf("address", canonical)
	address = hex.EncodeToString(h[:])
	if err := a.attempts.Take(DoorSignIn, from.Key()); err != nil {
		return address, Account{}, err
	}
	tooOften := a.attempts.Take(DoorAccount, address)
	if parseErr == nil {
		if acc, err = a.ledger.AccountByEmail(ctx, canonical); err != nil && !fault.Is(err, fault.NotFound) {
			return address, Account{}, err
		}
	}
	if tooOften != nil {
		if err := a.failed(ctx, subjectOf(acc), "too often", from); err != nil {
			return address, Account{}, err
		}
	}
	return address, acc, tooOften
}

// subjectOf is the subject of a failed sign-in.
func subjectOf(acc Account) string {
	if acc.ID == "" {
		return unknownSubject
	}
	return acc.Subject()
}

// prove checks password and code against an account's credentials. It returns the change that uses them up, or the
// reason why they do not hold, for the audit log only. The work is the same for nobody's account.
func (a *Access) prove(ctx context.Context, acc Account, password, code string) (c Change, reason, by string, err error) {
	stored, err := a.ledger.Credentials(ctx, acc.ID)
	if err != nil {
		return c, "", "", err
	}
	now := a.now()
	pass, _ := firstOf(stored, Password)
	right, err := a.hashing.check(ctx, password, string(pass.Data))
	if err != nil {
		return c, "", "", err
	}
	var proved bool
	if isTOTP(code) {
		by = "password"
		c.Credentials, proved, err = a.proveTOTP(stored, code, now)
	} else if recovery, ok := findRecovery(stored, acc.ID, code); ok {
		by, proved = "recovery", true
		c.Removed = []string{recovery.ID}
		c.Audit = append(c.Audit, a.entry(Principal{Kind: Person, Account: acc.ID}, "credential.remove", acc.Subject(),
			map[string]string{"kind": string(RecoveryCode), "credential": recovery.ID, "why": "used"}))
	}
	switch {
	case err != nil:
		return c, "", "", err
	case acc.ID == "":
		return Change{}, "unknown address", "", nil
	case !right:
		return Change{}, "password", "", nil
	case !proved:
		return Change{}, "code", "", nil
	}
	pass.LastUsedAt = now
	if a.hashing.outdated(string(pass.Data)) {
		phc, err := a.hashing.make(ctx, password)
		if err != nil {
			return c, "", "", err
		}
		pass.Data = []byte(phc)
	}
	c.Credentials = append(c.Credentials, pass)
	return c, "", by, nil
}

// proveTOTP finds the authenticator app whose code it is, and returns it with the code's time step used up.
func (a *Access) proveTOTP(stored []Credential, code string, now time.Time) ([]Credential, bool, error) {
	for _, t := range stored {
		if t.Kind != TOTP {
			continue
		}
		secret, err := a.sealer.Open(t.Data, totpContext(t.Account))
		if err != nil {
			return nil, false, err
		}
		if step, ok := totpStep(string(secret), code, now, t.Counter); ok {
			t.Counter, t.LastUsedAt = step, now
			return []Credential{t}, true, nil
		}
	}
	return nil, false, nil
}

func totpContext(id AccountID) []byte { return []byte("chancery totp\n" + string(id)) }

// firstOf is an account's first credential of a kind.
func firstOf(stored []Credential, k CredentialKind) (Credential, bool) {
	for _, c := range stored {
		if c.Kind == k {
			return c, true
		}
	}
	return Credential{}, false
}

// canonicalEmail is the form in which accounts keep addresses.
func canonicalEmail(s string) (string, error) {
	a, err := mailbox.Parse(s)
	if err != nil {
		return "", err
	}
	return foldASCII(a.String()), nil
}

// credentialEntry is the audit entry for a credential that came or went.
func (a *Access) credentialEntry(who Principal, verb string, acc Account, c Credential) audit.Entry {
	detail := map[string]string{"kind": string(c.Kind), "credential": c.ID}
	if c.Name != "" {
		detail["name"] = c.Name
	}
	return a.entry(who, "credential."+verb, acc.Subject(), detail)
}
