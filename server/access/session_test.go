package access_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/server/access"
	"chancery.example/store"
)

func TestSessionCookie(t *testing.T) {
	for _, c := range []struct {
		name, origin, cookie string
		secure               bool
	}{
		{"on loopback it is as safe as http allows", "http://localhost:8443", "chancery", false},
		{"with TLS it is bound to the host and to TLS", "https://pki.example.com", "__Host-chancery", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, func(conf *access.Config) { conf.Origin = c.origin })
			p := h.first()
			k := p.cookie
			if k.Name != c.cookie || k.Secure != c.secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" {
				t.Errorf("the cookie is %s", k)
			}
			if !k.Expires.IsZero() || k.MaxAge != 0 {
				t.Errorf("the cookie %s outlives the browser", k)
			}
			if len(k.Value) < 43 {
				t.Errorf("the token has %d characters, want at least 43 (256 bits)", len(k.Value))
			}
			h.shown = append(h.shown, k.Value)
			h.nothingShownIsStored()
		})
	}
}

func TestSessionsEnd(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	h.must(p.signIn())
	t.Run("when not used for half an hour", func(t *testing.T) {
		h.clock.pass(29 * time.Minute)
		if !p.who().SignedIn() {
			t.Fatal("it ended before")
		}
		h.clock.pass(29 * time.Minute)
		if !p.who().SignedIn() {
			t.Fatal("it ended although it was used")
		}
		h.clock.pass(30 * time.Minute)
		if p.who().SignedIn() {
			t.Error("it did not end")
		}
	})
	t.Run("after twelve hours, however busy", func(t *testing.T) {
		h.must(p.signIn())
		for range 12*4 - 1 {
			h.clock.pass(15 * time.Minute)
			if !p.who().SignedIn() {
				t.Fatal("it ended before")
			}
		}
		h.clock.pass(15 * time.Minute)
		if p.who().SignedIn() {
			t.Error("it did not end")
		}
	})
	t.Run("and are then forgotten", func(t *testing.T) {
		h.must(h.Tidy(context.Background()))
		all, err := h.store.Sessions(context.Background(), p.id)
		h.must(err)
		if len(all) != 0 {
			t.Errorf("%d expired sessions are still stored", len(all))
		}
	})
	t.Run("when another one takes its place in the same browser", func(t *testing.T) {
		h.must(p.signIn())
		old := *p.browser
		h.must(p.signIn())
		if old.cookie.Value == p.cookie.Value {
			t.Error("the token stayed the same when somebody signed in")
		}
		if old.who().SignedIn() || !p.who().SignedIn() {
			t.Error("the old token still works, or the new one does not")
		}
	})
	t.Run("when their owner signs out", func(t *testing.T) {
		h.must(p.signIn())
		old := *p.browser
		h.must(p.in(h.SignOut))
		if p.cookie != nil || old.who().SignedIn() {
			t.Errorf("the cookie is %v, and the old one still works: %v", p.cookie, old.who().SignedIn())
		}
		if entries := h.entries("session.end"); len(entries) == 0 || entries[len(entries)-1].Actor.ID != string(p.id) {
			t.Errorf("the audit log does not tell of it: %+v", entries)
		}
	})
	t.Run("when a token that is none comes", func(t *testing.T) {
		b := h.browser()
		b.cookie = &http.Cookie{Name: "chancery", Value: "x"}
		if b.who().SignedIn() {
			t.Error("a made-up token is somebody")
		}
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	h := newHouse(t)
	root := h.first()
	alice := h.hire(root, "alice@example.com", access.Auditor)
	h.must(alice.signIn())
	phone := &person{browser: h.browser(), email: alice.email, secret: alice.secret}
	phone.address = "203.0.113.9:1"
	phone.header.Set("User-Agent", "phone")
	h.must(phone.signIn())
	bob := h.hire(root, "bob@example.com", access.Subscriber)
	h.must(bob.signIn())
	h.must(root.signIn())

	list := func(b *browser) (all []access.Session, err error) {
		err = b.in(func(ctx context.Context) (err error) { all, err = h.Sessions(ctx, alice.id); return err })
		return all, err
	}
	all, err := list(alice.browser)
	h.must(err)
	if len(all) != 2 || all[0].Client.Agent != "phone" || all[0].Client.Address.String() != "203.0.113.9" || all[0].By != "password" || all[1].ID != alice.who().Session {
		t.Fatalf("the sessions are %+v", all)
	}
	_, err = list(bob.browser)
	h.refused(err, fault.Denied, "access.denied")
	_, err = list(root.browser)
	h.must(err)

	end := func(b *browser, session string) error {
		return b.in(func(ctx context.Context) error { return h.EndSession(ctx, alice.id, session) })
	}
	h.refused(end(bob.browser, all[0].ID), fault.Denied, "access.denied")
	h.refused(end(alice.browser, bob.who().Session), fault.NotFound, "session.unknown")
	h.must(end(alice.browser, all[0].ID))
	if phone.who().SignedIn() || !alice.who().SignedIn() {
		t.Error("the phone should be signed out, and only the phone")
	}
	h.must(end(root.browser, ""))
	if alice.who().SignedIn() || !bob.who().SignedIn() {
		t.Error("an administrator ended all of alice's sessions, and only those")
	}
}

func TestSigningInNeedsABrowser(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	for _, ctx := range []context.Context{context.Background(), operator()} {
		if _, err := h.SignIn(ctx, p.email, password, h.code(p.secret)); err == nil {
			t.Error("somebody signed in without a browser")
		}
		if _, err := h.FinishPasskeyLogin(ctx, "x", nil); err == nil {
			t.Error("somebody signed in by passkey without a browser")
		}
	}
	h.must(p.try(password, h.code(p.secret))) // nothing was used up
}

func TestASignInThatCannotBeStoredIsNone(t *testing.T) {
	ledger := &stumbling{}
	h := newHouse(t, func(c *access.Config) { ledger.Store = c.Ledger.(*store.Store); c.Ledger = ledger })
	p := h.first()
	h.must(p.in(h.SignOut))
	code := h.code(p.secret)
	ledger.fails = func(c access.Change) bool { return c.Session != nil }
	h.refused(p.try(password, code), fault.Unavailable, "store.not-stored")
	if p.cookie != nil {
		t.Errorf("the browser got the cookie %v", p.cookie)
	}
	ledger.fails = func(c access.Change) bool { return len(c.Credentials) > 0 } // the unit fails; what scs stores after it would not
	h.refused(p.try(password, code), fault.Unavailable, "store.not-stored")
	all, err := h.store.Sessions(context.Background(), p.id)
	h.must(err)
	if p.cookie != nil || len(all) != 0 {
		t.Errorf("the browser got the cookie %v, and %d sessions are stored, without the code being used up", p.cookie, len(all))
	}
	ledger.fails = nil
	h.must(p.try(password, code)) // nothing was used up
	if !p.who().SignedIn() {
		t.Error("signing in again did not work")
	}
}
