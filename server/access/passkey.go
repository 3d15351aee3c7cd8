package access

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"chancery.example/fault"
)

// maxPasskeyAnswer bounds what a browser may send as the outcome of a passkey dialogue, in bytes.
const maxPasskeyAnswer = 64 << 10

// maxPasskeys bounds how many passkeys an account has.
const maxPasskeys = 20

// Ceremonial is what a browser needs for a passkey dialogue.
type Ceremonial struct {
	// Options is JSON for navigator.credentials.create or get: {"publicKey": …} with binary values in base64url, as
	// PublicKeyCredential.parseCreationOptionsFromJSON and parseRequestOptionsFromJSON read its "publicKey".
	Options []byte
	// Ceremony is to be handed back with the answer; good once, for 5 minutes.
	Ceremony string
}

// newRelyingParty sets WebAuthn up for one origin. Passkeys must be discoverable and must verify their user (by PIN or
// biometrics): what they prove is then two factors, something held and something known or been.
func newRelyingParty(house string, origin *url.URL) (*webauthn.WebAuthn, error) {
	yes := true
	return webauthn.New(&webauthn.Config{
		RPID: origin.Hostname(), RPDisplayName: house, RPOrigins: []string{origin.Scheme + "://" + origin.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		// QUIRK: password managers answer extensions that nobody asked for (credProps). No decision rests on them.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &yes, ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		},
	})
}

// passkeysWork reports whether browsers offer passkeys at an origin: over https or on localhost, and under a name
// (WebAuthn 5.1.3: the relying party's ID is a domain, not an address).
func passkeysWork(origin *url.URL) bool {
	host := origin.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	return origin.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Passkeys reports whether browsers offer passkeys at the portal's address, so that pages need not show what cannot
// work.
func (a *Access) Passkeys() bool { return a.passkeys }

func (a *Access) needPasskeys() error {
	if a.passkeys {
		return nil
	}
	return fault.New(fault.Refused, "passkey.origin",
		"Browsers offer passkeys only to a portal with a name and TLS, or on http://localhost. Use a password with an authenticator app.")
}

// holder is an account as WebAuthn sees it. Its user handle is the account's ID, which is random and says nothing.
type holder struct {
	acc  Account
	keys []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return []byte(h.acc.ID) }
func (h holder) WebAuthnName() string                       { return h.acc.Email }
func (h holder) WebAuthnDisplayName() string                { return h.acc.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// holderOf reads an account's passkeys from its credentials.
func holderOf(acc Account, stored []Credential) (holder, error) {
	h := holder{acc: acc}
	for _, c := range stored {
		if c.Kind != Passkey {
			continue
		}
		var key webauthn.Credential
		if err := json.Unmarshal(c.Data, &key); err != nil {
			return h, fault.Wrap(err, fault.Internal, "passkey.stored", "A stored passkey cannot be read.")
		}
		h.keys = append(h.keys, key)
	}
	return h, nil
}

// passkeyID is the ID of a passkey's credential, made from the one that its authenticator gave it: so no passkey can be
// registered twice, for this account or another (WebAuthn 7.1 step 27).
func passkeyID(raw []byte) string { return idFrom("crd_", "passkey", raw) }

// beginRegistration asks a browser for a new passkey of an account.
func (a *Access) beginRegistration(ctx context.Context, acc Account, stored []Credential) (Ceremonial, error) {
	if err := a.needPasskeys(); err != nil {
		return Ceremonial{}, err
	}
	h, err := holderOf(acc, stored)
	if err != nil {
		return Ceremonial{}, err
	}
	if len(h.keys) >= maxPasskeys {
		return Ceremonial{}, fault.New(fault.Refused, "passkey.many", "You have %d passkeys, which is the most. Remove one first.", maxPasskeys).
			With("most", strconv.Itoa(maxPasskeys))
	}
	var known []protocol.CredentialDescriptor
	for _, k := range h.keys {
		known = append(known, k.Descriptor())
	}
	creation, session, err := a.relying.BeginRegistration(h, webauthn.WithExclusions(known))
	if err != nil {
		return Ceremonial{}, fault.Wrap(err, fault.Internal, "passkey.begin", "The passkey dialogue could not be begun.")
	}
	c, secret, err := a.newCeremony(ceremonyRegistration, acc.ID, passkeyLife, session)
	if err != nil {
		return Ceremonial{}, err
	}
	raw, err := json.Marshal(creation)
	if err != nil {
		return Ceremonial{}, err
	}
	return Ceremonial{Options: raw, Ceremony: secret}, a.commit(ctx, Change{Begun: &c})
}

// finishRegistration checks what a browser made and returns its credential, not yet stored, and the ceremony that it
// uses up.
func (a *Access) finishRegistration(ctx context.Context, acc Account, ceremony, name string, answer []byte) (Credential, Hash, error) {
	if err := a.needPasskeys(); err != nil {
		return Credential{}, Hash{}, err
	}
	var session webauthn.SessionData
	used, err := a.ceremony(ctx, ceremony, ceremonyRegistration, acc.ID, &session)
	if err != nil {
		return Credential{}, used, err
	}
	if len(answer) > maxPasskeyAnswer {
		return Credential{}, used, badPasskey(nil)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Credential{}, used, badPasskey(err)
	}
	key, err := a.relying.CreateCredential(holder{acc: acc}, session, parsed)
	if err != nil {
		return Credential{}, used, badPasskey(err)
	}
	if !key.Flags.UserVerified {
		return Credential{}, used, badPasskey(nil)
	}
	data, err := json.Marshal(key)
	if err != nil {
		return Credential{}, used, err
	}
	if name, err = label(name, "Passkey"); err != nil {
		return Credential{}, used, err
	}
	return Credential{ID: passkeyID(key.ID), Account: acc.ID, Kind: Passkey, Name: name, Data: data, CreatedAt: a.now()}, used, nil
}

func badPasskey(cause error) error {
	return fault.Wrap(cause, fault.Invalid, "passkey.bad",
		"The passkey that your browser made cannot be used here. It must ask for a PIN, a fingerprint or a face. Please try again or take another one.")
}

// login is the house's half of a sign-in with a passkey. It travels, sealed, through the browser: whoever only asks to
// sign in makes the house write nothing.
type login struct {
	Session webauthn.SessionData `json:"session"`
	Expires time.Time            `json:"expires"`
}

// BeginPasskeyLogin asks a browser to sign in with any passkey that it has for the house.
func (a *Access) BeginPasskeyLogin(ctx context.Context) (Ceremonial, error) {
	if err := a.needPasskeys(); err != nil {
		return Ceremonial{}, err
	}
	if err := a.attempts.Take(DoorSignIn, From(ctx).Client.Key()); err != nil {
		return Ceremonial{}, err
	}
	assertion, session, err := a.relying.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Ceremonial{}, fault.Wrap(err, fault.Internal, "passkey.begin", "The passkey dialogue could not be begun.")
	}
	plain, err := json.Marshal(login{Session: *session, Expires: a.now().Add(passkeyLife)})
	if err != nil {
		return Ceremonial{}, err
	}
	sealed, err := a.sealer.Seal(plain, ceremonyContext(ceremonyLogin, ""))
	if err != nil {
		return Ceremonial{}, err
	}
	raw, err := json.Marshal(assertion)
	return Ceremonial{Options: raw, Ceremony: base64.RawURLEncoding.EncodeToString(sealed)}, err
}

// begun opens what BeginPasskeyLogin sealed, and returns the mark that it is spent, for the ledger.
func (a *Access) begun(ctx context.Context, ceremony string) (l login, spent Ceremony, err error) {
	gone := ceremonyGone()
	if len(ceremony) > maxPasskeyAnswer {
		return l, spent, gone
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(ceremony)
	if err != nil {
		return l, spent, gone
	}
	plain, err := a.sealer.Open(sealed, ceremonyContext(ceremonyLogin, ""))
	if err != nil {
		return l, spent, gone
	}
	if err := json.Unmarshal(plain, &l); err != nil {
		return l, spent, err
	}
	if !a.now().Before(l.Expires) {
		return l, spent, gone
	}
	spent = Ceremony{Hash: hashOf("spent", ceremony), Kind: ceremonyLogin, ExpiresAt: l.Expires}
	if _, err := a.ledger.Ceremony(ctx, spent.Hash); !fault.Is(err, fault.NotFound) {
		return l, spent, cmp.Or(err, gone)
	}
	return l, spent, nil
}

// FinishPasskeyLogin signs in with what the browser answered, as JSON. Like SignIn it must be called under Authenticate.
// Whatever is wrong, the answer is fault.Anonymous with the code "sign-in.passkey".
func (a *Access) FinishPasskeyLogin(ctx context.Context, ceremony string, answer []byte) (Principal, error) {
	if err := a.needPasskeys(); err != nil {
		return Principal{}, err
	}
	if browsingOf(ctx) == nil {
		return Principal{}, errNoContext
	}
	from := From(ctx).Client
	if err := a.attempts.Take(DoorSignIn, from.Key()); err != nil {
		return Principal{}, err
	}
	l, spent, err := a.begun(ctx, ceremony)
	if err != nil {
		return Principal{}, err
	}
	acc, key, cause, err := a.checkAssertion(ctx, l.Session, answer)
	if err != nil {
		return Principal{}, err
	}
	if cause != nil {
		return Principal{}, a.refusePasskey(ctx, acc, cause, from)
	}
	key.LastUsedAt = a.now()
	who, err := a.begin(ctx, acc, "passkey", Change{Begun: &spent, Credentials: []Credential{key},
		Audit: a.settled(func(k failureKey, _ *failureRun) bool { return k.subject == acc.Subject() })})
	if fault.Is(err, fault.Conflict) { // the same answer came twice at once
		return Principal{}, ceremonyGone()
	}
	return who, err
}

// checkAssertion finds whose passkey answered, and checks it. cause says why it does not hold; err is our own failure.
func (a *Access) checkAssertion(ctx context.Context, session webauthn.SessionData, answer []byte) (acc Account, key Credential, cause, err error) {
	if len(answer) > maxPasskeyAnswer {
		return acc, key, fault.New(fault.TooLarge, "passkey.large", "The answer is too large."), nil
	}
	parsed, cause := protocol.ParseCredentialRequestResponseBytes(answer)
	if cause != nil {
		return acc, key, cause, nil
	}
	var stored []Credential
	_, got, cause := a.relying.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		found, e := a.ledger.Account(ctx, AccountID(handle))
		if e != nil {
			if !fault.Is(e, fault.NotFound) {
				err = e
			}
			return nil, e
		}
		acc = found
		if stored, err = a.ledger.Credentials(ctx, acc.ID); err != nil {
			return nil, err
		}
		var h holder
		h, err = holderOf(acc, stored)
		return h, err
	}, session, parsed)
	switch {
	case err != nil || cause != nil:
		return acc, key, cause, err
	case !acc.Active():
		return acc, key, fault.New(fault.Denied, "account.disabled", "disabled"), nil
	case !parsed.Response.AuthenticatorData.Flags.HasUserVerified():
		return acc, key, fault.New(fault.Denied, "passkey.unverified", "user not verified"), nil
	case got.Authenticator.CloneWarning:
		return acc, key, fault.New(fault.Denied, "passkey.cloned", "signature counter went back: the passkey may have been copied"), nil
	}
	for _, s := range stored {
		if s.ID == passkeyID(got.ID) {
			key = s
		}
	}
	if key.ID == "" {
		return acc, key, fault.New(fault.Denied, "passkey.unknown", "not a passkey of this account"), nil
	}
	key.Data, err = json.Marshal(got)
	return acc, key, nil, err
}

// refusePasskey records the failure.
func (a *Access) refusePasskey(ctx context.Context, acc Account, cause error, from Client) error {
	reason := "passkey"
	if fault.CodeOf(cause) == "passkey.cloned" {
		reason = "copied passkey"
	}
	if err := a.failed(ctx, subjectOf(acc), reason, from); err != nil {
		return err
	}
	return fault.Wrap(cause, fault.Anonymous, "sign-in.passkey",
		"This passkey does not open an account here. Try another one, or sign in with your password and a code.")
}
