package access_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/server/access"
)

func TestWhateverIsWrongSoundsTheSame(t *testing.T) {
	h := newHouse(t)
	root := h.first()
	gone := h.hire(root, "gone@example.com", access.Auditor)
	h.must(root.signIn())
	h.must(root.in(func(ctx context.Context) error { return h.Disable(ctx, gone.id) }))
	h.must(root.in(func(ctx context.Context) error {
		_, _, err := h.Invite(ctx, access.Invitee{Name: "Not yet", Email: "invited@example.com", Roles: access.Roles{access.Auditor}})
		return err
	}))
	var said []string
	for _, c := range []struct {
		name, email, password string
		code                  func() string
		reason                string // for the auditor only
	}{
		{"a wrong password", "root@example.com", "wrong horse battery", func() string { return h.code(root.secret) }, "password"},
		{"no password", "root@example.com", "", func() string { return h.code(root.secret) }, "password"},
		{"a password of a megabyte", "root@example.com", strings.Repeat("a", 1<<20), func() string { return h.code(root.secret) }, "password"},
		{"a wrong code", "root@example.com", password, func() string { return "000000" }, "code"},
		{"no code: a password alone never signs in", "root@example.com", password, func() string { return "" }, "code"},
		{"somebody else's code", "root@example.com", password, func() string { return h.code(gone.secret) }, "code"},
		{"a recovery code that is none", "root@example.com", password, func() string { return "aaaa-bbbb-cccc-dddd" }, "code"},
		{"somebody else's recovery code", "root@example.com", password, func() string { return gone.codes[0] }, "code"},
		{"an unknown address", "nobody@example.com", password, func() string { return h.code(root.secret) }, "unknown address"},
		{"what is no address", "nobody", password, func() string { return h.code(root.secret) }, "unknown address"},
		{"a disabled account, everything right", "gone@example.com", password, func() string { return h.code(gone.secret) }, "disabled"},
		{"an account that is not set up", "invited@example.com", "", func() string { return "" }, "password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.clock.pass(time.Hour) // limits are another test's
			b := h.browser()
			before := h.Hashed()
			err := b.in(func(ctx context.Context) error {
				_, err := h.SignIn(ctx, c.email, c.password, c.code())
				return err
			})
			h.refused(err, fault.Anonymous, "sign-in.wrong")
			said = append(said, fault.Sentence(err))
			if n := h.Hashed() - before; n != 1 {
				t.Errorf("%d passwords were hashed, want 1: the time taken would tell", n)
			}
			if b.cookie != nil || b.who().SignedIn() {
				t.Error("the browser got a session")
			}
			entries := h.entries("session.refuse")
			if last := entries[len(entries)-1]; last.Detail["reason"] != c.reason {
				t.Errorf("the audit log gives the reason %q, want %q", last.Detail["reason"], c.reason)
			}
		})
	}
	for _, s := range said {
		if s != said[0] {
			t.Errorf("somebody was told %q, another one %q", s, said[0])
		}
	}
	h.must(root.signIn())
}

func TestCodesWorkOnce(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	now := h.code(p.secret)
	h.must(p.try(password, now))
	h.refused(p.try(password, now), fault.Anonymous, "sign-in.wrong")
	t.Run("the code before is spent too, once a later one was used", func(t *testing.T) {
		before := h.code(p.secret)
		h.clock.pass(30 * time.Second)
		h.must(p.try(password, h.code(p.secret)))
		h.refused(p.try(password, before), fault.Anonymous, "sign-in.wrong")
	})
	t.Run("a phone's clock may be one step off to either side, not two", func(t *testing.T) {
		for _, c := range []struct {
			off time.Duration
			ok  bool
		}{{-60 * time.Second, false}, {60 * time.Second, false}, {-30 * time.Second, true}, {30 * time.Second, true}} {
			h.clock.pass(time.Hour)
			h.clock.pass(c.off)
			code := h.code(p.secret)
			h.clock.pass(-c.off)
			if err := p.try(password, code); (err == nil) != c.ok {
				t.Errorf("a code of a clock that is %v off: %v", c.off, err)
			}
		}
	})
	t.Run("of many who use one code at the same instant one gets in", func(t *testing.T) {
		h.clock.pass(time.Hour)
		code := h.code(p.secret)
		const n = 5
		errs, browsers := make([]error, n), make([]*browser, n)
		var wg sync.WaitGroup
		for i := range n {
			browsers[i] = h.browser()
			wg.Go(func() {
				errs[i] = browsers[i].in(func(ctx context.Context) error { _, err := h.SignIn(ctx, p.email, password, code); return err })
			})
		}
		wg.Wait()
		won := 0
		for i, err := range errs {
			if browsers[i].who().SignedIn() != (err == nil) {
				t.Errorf("who was told %v is signed in: %v", err, browsers[i].who().SignedIn())
			}
			if err == nil {
				won++
			} else {
				h.refused(err, fault.Anonymous, "sign-in.wrong")
			}
		}
		if won != 1 {
			t.Errorf("%d got in with one code, want 1", won)
		}
	})
	t.Run("a recovery code takes the place of the app, once, however it is typed", func(t *testing.T) {
		h.clock.pass(time.Hour)
		h.refused(p.try("wrong horse battery", p.codes[0]), fault.Anonymous, "sign-in.wrong")
		h.must(p.try(password, " "+strings.ToUpper(strings.ReplaceAll(p.codes[0], "-", " "))+" "))
		h.refused(p.try(password, p.codes[0]), fault.Anonymous, "sign-in.wrong")
		h.must(p.try(password, p.codes[1]))
	})
}

func TestGuessersAreSlowedDown(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	bob := h.hire(p, "bob@example.com", access.Auditor)
	guess := func(b *browser, email string) error {
		return b.in(func(ctx context.Context) error {
			_, err := h.SignIn(ctx, email, "wrong horse battery", "000000")
			return err
		})
	}
	burst := access.DefaultLimits()[access.DoorAccount].Burst
	for _, email := range []string{"root@example.com", "nobody@example.com", "what is no address"} {
		t.Run(email, func(t *testing.T) {
			for i := range burst {
				b := h.browser()
				b.address = fmt.Sprintf("198.51.%d.%d:1", len(email), i) // a guesser with many addresses
				h.refused(guess(b, email), fault.Anonymous, "sign-in.wrong")
			}
			err := guess(h.browser(), strings.ToUpper(email))
			h.refused(err, fault.Limited, "limit.account")
			entries := h.entries("session.refuse")
			if last := entries[len(entries)-1]; last.Detail["reason"] != "too often" {
				t.Errorf("the audit log tells last of %v", last.Detail)
			}
			if n := access.RetryAfter(err); n < 1 || n > 30 {
				t.Errorf("Retry-After is %d, want at most 30 seconds", n)
			}
		})
	}
	h.refused(p.try(password, h.code(p.secret)), fault.Limited, "limit.account") // the right one waits as well
	h.must(bob.try(password, h.code(bob.secret)))                                // others do not
	h.clock.pass(30 * time.Second)
	h.must(p.try(password, h.code(p.secret)))
	for i := range burst - 1 { // whoever got in starts afresh
		h.clock.pass(time.Millisecond)
		if err := guess(h.browser(), p.email); !fault.Is(err, fault.Anonymous) {
			t.Errorf("guess %d after signing in: %v", i, err)
		}
	}
	t.Run("one address cannot try all accounts", func(t *testing.T) {
		b := h.browser()
		b.address = "[2001:db8::1]:1"
		burst := access.DefaultLimits()[access.DoorSignIn].Burst
		for i := range burst {
			b.address = fmt.Sprintf("[2001:db8::%x]:1", i+1)
			h.refused(guess(b, fmt.Sprintf("user%d@example.com", i)), fault.Anonymous, "sign-in.wrong")
		}
		h.refused(guess(b, "other@example.com"), fault.Limited, "limit.sign-in")
		b.address = "[2001:db8:0:1::1]:1" // the neighbour's network
		h.refused(guess(b, "other@example.com"), fault.Anonymous, "sign-in.wrong")
	})
}

func TestFailuresInTheAuditLog(t *testing.T) {
	h := newHouse(t, func(c *access.Config) { c.Limits = map[access.Door]access.Limit{} })
	p := h.first()
	before := len(h.entries("session.refuse"))
	for range 50 {
		h.refused(p.try("wrong horse battery", "000000"), fault.Anonymous, "sign-in.wrong")
	}
	if n := len(h.entries("session.refuse")) - before; n != 1 {
		t.Errorf("50 failures made %d entries, want 1 for now", n)
	}
	h.clock.pass(11 * time.Minute)
	h.must(h.Tidy(context.Background()))
	all := h.entries("session.refuse")
	if last := all[len(all)-1]; len(all)-before != 2 || last.Detail["times"] != "49" || last.Subject != "account/"+string(p.id) || last.Detail["address"] != "192.0.2.1" {
		t.Errorf("after ten minutes there are %d entries, the last one %+v; want one more that tells of 49", len(all)-before, last)
	}
	for range 3 {
		h.refused(p.try("wrong horse battery", "000000"), fault.Anonymous, "sign-in.wrong")
	}
	h.must(p.signIn())
	all = h.entries("session.refuse")
	if last := all[len(all)-1]; len(all)-before != 4 || last.Detail["times"] != "2" {
		t.Errorf("signing in settles what was counted: there are %d entries, the last one %+v; want one that tells of 2", len(all)-before, last)
	}
}

func TestPasswords(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	h.must(p.signIn())
	other := &person{browser: h.browser(), email: p.email, secret: p.secret}
	h.must(other.signIn())
	const fresh = "quiet harbour violet engine"
	set := func(current, fresh string) error {
		return p.in(func(ctx context.Context) error { return h.SetPassword(ctx, current, fresh) })
	}
	h.refused(set("wrong horse battery", fresh), fault.Invalid, "password.current")
	h.refused(set(password, "test house 1"), fault.Invalid, "password.weak")
	h.must(set(password, fresh))
	if p.who().Account != p.id || other.who().SignedIn() {
		t.Error("a new password must end the other sessions, and only those")
	}
	h.refused(p.signIn(), fault.Anonymous, "sign-in.wrong")
	h.clock.pass(time.Minute)
	h.must(p.try(fresh, h.code(p.secret)))

	h.DearerHashing()
	h.clock.pass(time.Minute)
	before := h.Hashed()
	h.must(p.try(fresh, h.code(p.secret)))
	if n := h.Hashed() - before; n != 2 {
		t.Errorf("%d hashes at the first sign-in after the cost was raised, want 2: one to check, one to store", n)
	}
	h.clock.pass(time.Minute)
	before = h.Hashed()
	h.must(p.try(fresh, h.code(p.secret)))
	if n := h.Hashed() - before; n != 1 {
		t.Errorf("%d hashes at the second one, want 1", n)
	}
	t.Run("the same letters typed on another system are the same password", func(t *testing.T) {
		const composed, decomposed = "grüne Äpfel überall dort", "gru\u0308ne A\u0308pfel u\u0308berall dort"
		h.must(set(fresh, composed))
		h.clock.pass(time.Minute)
		h.must(p.try(decomposed, h.code(p.secret)))
	})
}

func TestCredentials(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	h.must(p.signIn())
	list := func() (kinds map[access.CredentialKind][]access.CredentialInfo) {
		kinds = map[access.CredentialKind][]access.CredentialInfo{}
		h.must(p.in(func(ctx context.Context) error {
			all, err := h.Credentials(ctx, p.id)
			for _, c := range all {
				kinds[c.Kind] = append(kinds[c.Kind], c)
			}
			return err
		}))
		return kinds
	}
	remove := func(id string) error {
		return p.in(func(ctx context.Context) error { return h.RemoveCredential(ctx, id) })
	}
	had := list()
	h.refused(remove(had[access.Password][0].ID), fault.Refused, "credential.last")
	h.refused(remove(had[access.TOTP][0].ID), fault.Refused, "credential.last")
	h.refused(remove("crd_none"), fault.NotFound, "credential.unknown")
	h.must(remove(had[access.RecoveryCode][0].ID))

	var codes []string
	h.must(p.in(func(ctx context.Context) (err error) { codes, err = h.NewRecoveryCodes(ctx); return err }))
	if now := list(); len(now[access.RecoveryCode]) != 10 || len(codes) != 10 {
		t.Errorf("there are %d recovery codes, want 10", len(now[access.RecoveryCode]))
	}
	h.clock.pass(time.Minute)
	h.refused(p.try(password, p.codes[5]), fault.Anonymous, "sign-in.wrong") // one of the old ones
	h.must(p.try(password, codes[0]))

	var e access.Enrolment
	h.must(p.in(func(ctx context.Context) (err error) { e, err = h.EnrolTOTP(ctx); return err }))
	if !strings.HasPrefix(e.URI, "otpauth://totp/Test%20House:root@example.com?") || !strings.HasPrefix(string(e.QR), "\x89PNG") {
		t.Errorf("the enrolment is %q with a picture of %d bytes", e.URI, len(e.QR))
	}
	fresh := secretOf(t, e.URI)
	if strings.ReplaceAll(e.Typed, " ", "") != fresh {
		t.Errorf("to type is %q, the secret is %q", e.Typed, fresh)
	}
	confirm := func(code string) error {
		return p.in(func(ctx context.Context) error { return h.ConfirmTOTP(ctx, e.ID, code) })
	}
	h.refused(confirm(h.code(p.secret)), fault.Invalid, "totp.wrong") // the old app's
	other := h.hire(p, "other@example.com", access.Auditor)
	h.refused(other.in(func(ctx context.Context) error { return h.ConfirmTOTP(ctx, e.ID, h.code(fresh)) }), fault.Gone, "ceremony.gone")
	h.refused(p.in(func(ctx context.Context) error { return h.FinishPasskeyRegistration(ctx, e.ID, "", nil) }), fault.Gone, "ceremony.gone")
	h.must(confirm(h.code(fresh)))
	h.refused(confirm(h.code(fresh)), fault.Gone, "ceremony.gone")
	h.refused(p.signIn(), fault.Anonymous, "sign-in.wrong")
	p.secret = fresh
	h.must(p.signIn())
	h.shown = append(append(h.shown, fresh), codes...)
	h.nothingShownIsStored()

	t.Run("half an hour after signing in they are asked to do so again", func(t *testing.T) {
		for range 3 {
			h.clock.pass(11 * time.Minute)
			p.who() // keeps the session alive
		}
		err := p.in(func(ctx context.Context) error { _, err := h.NewRecoveryCodes(ctx); return err })
		h.refused(err, fault.Anonymous, "access.sign-in-again")
	})
}
