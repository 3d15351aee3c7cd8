package access_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// authenticator is a passkey in software: P-256, no attestation. What it sends is written from WebAuthn 6.1 and 6.5
// by hand, so that the library is not tested against itself.
type authenticator struct {
	t      *testing.T
	origin string
	rpID   string
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte
	count  uint32
	flags  byte // of the authenticator data
}

const (
	userPresent, userVerified = 0x01, 0x04
	attested                  = 0x40
)

func newAuthenticator(t *testing.T) *authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authenticator{t: t, origin: origin, rpID: "localhost", key: key, id: make([]byte, 32), flags: userPresent | userVerified}
	rand.Read(a.id)
	return a
}

var b64 = base64.RawURLEncoding

// options is what a browser reads of the house's half of a ceremony.
type options struct {
	PublicKey struct {
		Challenge string
		RPID      string `json:"rpId"`
		RP        struct{ ID string }
		User      struct{ ID, Name string }
		Exclude   []struct{ ID string } `json:"excludeCredentials"`
		Verify    string                `json:"userVerification"`
		Selection struct {
			ResidentKey, UserVerification string
		} `json:"authenticatorSelection"`
	} `json:"publicKey"`
}

func (a *authenticator) read(raw []byte) (o options) {
	a.t.Helper()
	if err := json.Unmarshal(raw, &o); err != nil {
		a.t.Fatal(err)
	}
	return o
}

func (a *authenticator) clientData(kind, challenge string) []byte {
	raw, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

// data is the authenticator data of WebAuthn 6.1.
func (a *authenticator) data(flags byte) []byte {
	rp := sha256.Sum256([]byte(a.rpID))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), a.count)
}

// create answers navigator.credentials.create.
func (a *authenticator) create(raw []byte) []byte {
	a.t.Helper()
	o := a.read(raw)
	a.handle, _ = b64.DecodeString(o.PublicKey.User.ID)
	data := append(a.data(a.flags|attested), make([]byte, 16)...) // no AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(data, a.id...)
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		a.t.Fatal(err)
	}
	// COSE: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
	data = append(data, point[1:33]...)
	data = append(append(data, 0x22, 0x58, 0x20), point[33:]...)
	// CBOR: {"fmt": "none", "attStmt": {}, "authData": data}
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(object, 0x64), "none"...)
	object = append(append(object, 0x67), "attStmt"...)
	object = append(append(object, 0xa0, 0x68), "authData"...)
	object = append(binary.BigEndian.AppendUint16(append(object, 0x59), uint16(len(data))), data...)
	return a.answer(map[string]any{"credProps": map[string]any{"rk": true}}, map[string]any{
		"clientDataJSON":    b64.EncodeToString(a.clientData("webauthn.create", o.PublicKey.Challenge)),
		"attestationObject": b64.EncodeToString(object),
	})
}

// get answers navigator.credentials.get.
func (a *authenticator) get(raw []byte) []byte {
	a.t.Helper()
	a.count++
	client := a.clientData("webauthn.get", a.read(raw).PublicKey.Challenge)
	hash := sha256.Sum256(client)
	data := a.data(a.flags)
	digest := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.answer(map[string]any{}, map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(sig), "userHandle": b64.EncodeToString(a.handle),
	})
}

func (a *authenticator) answer(extensions, response map[string]any) []byte {
	raw, err := json.Marshal(map[string]any{"id": b64.EncodeToString(a.id), "rawId": b64.EncodeToString(a.id), "type": "public-key",
		"clientExtensionResults": extensions, "response": response})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

// logIn signs in with a passkey. meddle may change the answer, or be nil.
func (b *browser) logIn(key *authenticator, meddle func([]byte) []byte) error {
	var c access.Ceremonial
	b.h.must(b.in(func(ctx context.Context) (err error) { c, err = b.h.BeginPasskeyLogin(ctx); return err }))
	answer := key.get(c.Options)
	if meddle != nil {
		answer = meddle(answer)
	}
	return b.in(func(ctx context.Context) error {
		_, err := b.h.FinishPasskeyLogin(ctx, c.Ceremony, answer)
		return err
	})
}

// settleWithPasskey sets the first administrator up without a password.
func (h *house) settleWithPasskey(key *authenticator) *person {
	h.t.Helper()
	link, err := h.SetupLink(context.Background())
	h.must(err)
	p := &person{browser: h.browser(), email: "root@example.com"}
	h.must(p.in(func(ctx context.Context) error {
		c, err := h.BeginSetupPasskey(ctx, string(link), "Root", p.email)
		if err != nil {
			return err
		}
		o := key.read(c.Options).PublicKey
		if o.RP.ID != "localhost" || o.User.Name != p.email || o.Selection.ResidentKey != "required" || o.Selection.UserVerification != "required" {
			h.t.Errorf("the browser is asked for %+v", o)
		}
		done, err := h.CompleteSetup(ctx, string(link), access.Completion{Name: "Root", Email: p.email, Ceremony: c.Ceremony, PasskeyName: "Laptop", Passkey: key.create(c.Options)})
		p.id = done.Account.ID
		if len(done.RecoveryCodes) != 0 {
			h.t.Error("recovery codes were made for an account without password")
		}
		return err
	}))
	return p
}

func TestPasskeySignsIn(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Limits = map[access.Door]access.Limit{} })
	key := newAuthenticator(t)
	p := h.settleWithPasskey(key)
	if !p.who().SignedIn() {
		t.Error("setting up did not sign in")
	}
	b := h.browser()
	h.must(b.logIn(key, nil))
	if who := b.who(); who.Account != p.id || !who.Roles.Has(access.Administrator) {
		t.Errorf("the passkey signs in %+v", who)
	}
	all, err := h.Sessions(operator(), p.id)
	h.must(err)
	if all[0].By != "passkey" {
		t.Errorf("the session was signed in by %q", all[0].By)
	}
	ways, err := h.Credentials(operator(), p.id)
	h.must(err)
	if len(ways) != 1 || ways[0].Name != "Laptop" || ways[0].LastUsedAt != h.clock.Now() {
		t.Errorf("the credentials are %+v", ways)
	}
	h.refused(p.try("", ""), fault.Anonymous, "sign-in.wrong") // there is no password to leave out
}

func TestPasskeysThatDoNotSignIn(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Limits = map[access.Door]access.Limit{} })
	key := newAuthenticator(t)
	p := h.settleWithPasskey(key)
	for _, c := range []struct {
		name   string
		change func(*authenticator)
		meddle func([]byte) []byte
	}{
		{"one that did not verify its user", func(a *authenticator) { a.flags = userPresent }, nil},
		{"one that was asked by another site", func(a *authenticator) { a.origin = "https://evil.example" }, nil},
		{"one that answers for another site", func(a *authenticator) { a.rpID = "evil.example" }, nil},
		{"one with another key", func(a *authenticator) { a.key = newAuthenticator(t).key }, nil},
		{"one that is not registered", func(a *authenticator) { a.id = []byte("another credential of the same key") }, nil},
		{"one that names an account that is not there", func(a *authenticator) { a.handle = []byte("acc_none") }, nil},
		{"one that names no account", func(a *authenticator) { a.handle = nil }, nil},
		{"one whose counter went back", func(a *authenticator) { a.count = 0 }, nil},
		{"an answer that is no JSON", nil, func([]byte) []byte { return []byte("{") }},
		{"an empty answer", nil, func([]byte) []byte { return nil }},
		{"an answer of a megabyte", nil, func([]byte) []byte { return make([]byte, 1<<20) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			key.count += 10
			h.must(h.browser().logIn(key, nil)) // the right one works before
			bad := *key
			if c.change != nil {
				c.change(&bad)
			}
			b := h.browser()
			h.refused(b.logIn(&bad, c.meddle), fault.Anonymous, "sign-in.passkey")
			if b.who().SignedIn() {
				t.Error("the browser is signed in")
			}
			key.count += 10
		})
	}
	t.Run("an answer is taken once", func(t *testing.T) {
		var c access.Ceremonial
		b := h.browser()
		h.must(b.in(func(ctx context.Context) (err error) { c, err = h.BeginPasskeyLogin(ctx); return err }))
		answer := key.get(c.Options)
		finish := func() error {
			return h.browser().in(func(ctx context.Context) error {
				_, err := h.FinishPasskeyLogin(ctx, c.Ceremony, answer)
				return err
			})
		}
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = finish() })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !fault.Is(err, fault.Gone) && !fault.Is(err, fault.Anonymous) {
				t.Errorf("a second one with the same answer was told %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d got in with one answer, want 1", won)
		}
		h.refused(finish(), fault.Gone, "ceremony.gone")
	})
	t.Run("an answer that comes too late is refused", func(t *testing.T) {
		var c access.Ceremonial
		h.must(h.browser().in(func(ctx context.Context) (err error) { c, err = h.BeginPasskeyLogin(ctx); return err }))
		h.clock.pass(5 * time.Minute)
		h.refused(h.browser().in(func(ctx context.Context) error {
			_, err := h.FinishPasskeyLogin(ctx, c.Ceremony, key.get(c.Options))
			return err
		}), fault.Gone, "ceremony.gone")
	})
	t.Run("a passkey of a disabled account is refused", func(t *testing.T) {
		h.must(p.logIn(key, nil))
		other := h.hire(p, "other@example.com", access.Administrator)
		h.must(other.signIn())
		h.must(other.in(func(ctx context.Context) error { return h.Disable(ctx, p.id) }))
		h.refused(h.browser().logIn(key, nil), fault.Anonymous, "sign-in.passkey")
	})
}

func TestPasskeysAreAdded(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Limits = map[access.Door]access.Limit{} })
	p := h.first()
	add := func(p *person, key *authenticator, meddle func([]byte) []byte) error {
		h.must(p.signIn())
		return p.in(func(ctx context.Context) error {
			c, err := h.BeginPasskeyRegistration(ctx)
			if err != nil {
				return err
			}
			answer := key.create(c.Options)
			if meddle != nil {
				answer = meddle(answer)
			}
			return h.FinishPasskeyRegistration(ctx, c.Ceremony, "", answer)
		})
	}
	key := newAuthenticator(t)
	h.must(add(p, key, nil))
	h.must(h.browser().logIn(key, nil))
	t.Run("the browser is told which ones are there", func(t *testing.T) {
		h.must(p.in(func(ctx context.Context) error {
			c, err := h.BeginPasskeyRegistration(ctx)
			if got := key.read(c.Options).PublicKey.Exclude; len(got) != 1 || got[0].ID != b64.EncodeToString(key.id) {
				t.Errorf("it is told to exclude %+v", got)
			}
			return err
		}))
	})
	t.Run("one that is registered cannot be registered again, by anybody", func(t *testing.T) {
		h.refused(add(p, key, nil), fault.Conflict, "credential.known")
		other := h.hire(p, "other@example.com", access.Auditor)
		h.refused(add(other, key, nil), fault.Conflict, "credential.known")
		h.must(h.browser().logIn(&authenticator{t: t, origin: key.origin, rpID: key.rpID, key: key.key, id: key.id, handle: []byte(p.id), count: 100, flags: key.flags}, nil))
	})
	t.Run("one that does not verify its user is refused", func(t *testing.T) {
		weak := newAuthenticator(t)
		weak.flags = userPresent
		h.refused(add(p, weak, nil), fault.Invalid, "passkey.bad")
	})
	t.Run("one that another site asked for is refused", func(t *testing.T) {
		evil := newAuthenticator(t)
		evil.origin = "https://evil.example"
		h.refused(add(p, evil, nil), fault.Invalid, "passkey.bad")
	})
	t.Run("what is no answer is refused", func(t *testing.T) {
		h.refused(add(p, newAuthenticator(t), func(b []byte) []byte { return b[:len(b)/2] }), fault.Invalid, "passkey.bad")
		h.refused(add(p, newAuthenticator(t), func([]byte) []byte { return make([]byte, 1<<20) }), fault.Invalid, "passkey.bad")
	})
	t.Run("beside a passkey the password may go, then the passkey must stay", func(t *testing.T) {
		h.must(p.signIn())
		h.must(p.in(func(ctx context.Context) error {
			all, err := h.Credentials(ctx, p.id)
			h.must(err)
			for _, c := range all {
				if c.Kind != access.Passkey {
					h.must(h.RemoveCredential(ctx, c.ID))
				}
			}
			for _, c := range all {
				if c.Kind == access.Passkey {
					h.refused(h.RemoveCredential(ctx, c.ID), fault.Refused, "credential.last")
				}
			}
			return nil
		}))
	})
}

func TestWherePasskeysWork(t *testing.T) {
	for origin, want := range map[string]bool{"http://localhost:8443": true, "https://pki.example.com": true, "http://house.localhost:1": true,
		"http://pki.example.com": false, "http://127.0.0.1:8443": false, "https://192.0.2.1": false, "https://[2001:db8::1]:8443": false} {
		h := newHouse(t, func(c *access.Config) { c.Origin = origin })
		if h.Passkeys() != want {
			t.Errorf("passkeys work at %s: %v, want %v", origin, h.Passkeys(), want)
		}
		if _, err := h.BeginPasskeyLogin(context.Background()); (err == nil) != want {
			t.Errorf("to begin with one at %s gives %v", origin, err)
		}
	}
}
