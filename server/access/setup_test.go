package access_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/server/access"
)

func TestFirstAdministrator(t *testing.T) {
	h := newHouse(t)
	p := h.first()
	who := p.who()
	if who.Kind != access.Person || who.Account != p.id || !who.Roles.Has(access.Administrator) || who.Email != "root@example.com" {
		t.Errorf("after the set-up the browser is %+v, want the administrator", who)
	}
	h.must(p.in(h.SignOut))
	if who := p.who(); who.SignedIn() {
		t.Errorf("after signing out the browser is still %+v", who)
	}
	h.must(p.signIn())
	if who := p.who(); who.Account != p.id {
		t.Errorf("after signing in the browser is %+v", who)
	}
	if len(p.codes) != 10 {
		t.Errorf("%d recovery codes were shown, want 10", len(p.codes))
	}
	_, err := h.SetupLink(context.Background())
	h.refused(err, fault.Conflict, "setup.done")
	h.nothingShownIsStored()
}

func TestSetupLinkIsNewAtEachStart(t *testing.T) {
	h := newHouse(t)
	old, err := h.SetupLink(context.Background())
	h.must(err)
	if len(old) != 32 {
		t.Errorf("the secret has %d characters, want 32 (160 bits)", len(old))
	}
	fresh, err := h.SetupLink(context.Background())
	h.must(err)
	_, err = h.StartSetup(context.Background(), string(old))
	h.refused(err, fault.NotFound, "invitation.unknown")
	h.clock.pass(100 * 24 * time.Hour)
	_, err = h.StartSetup(context.Background(), string(fresh))
	h.must(err) // it waits as long as there is no administrator
}

func TestTwoAtTheSetupLink(t *testing.T) {
	h := newHouse(t)
	link, err := h.SetupLink(context.Background())
	h.must(err)
	const n = 8
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		w, err := h.StartSetup(context.Background(), string(link))
		h.must(err)
		b := h.browser()
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			ready.Done()
			<-start
			errs[i] = b.in(func(ctx context.Context) error {
				_, err := h.CompleteSetup(ctx, string(link), access.Completion{Name: "Somebody", Email: "root@example.com", Password: password,
					Enrolment: w.TOTP.ID, Code: h.code(secretOf(t, w.TOTP.URI))})
				return err
			})
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !fault.Is(err, fault.Gone) && !fault.Is(err, fault.Conflict):
			t.Errorf("a loser was told %v (%s), want gone or conflict", err, fault.KindOf(err))
		}
	}
	all, err := h.Accounts(operator(), access.AccountFilter{Limit: 10})
	h.must(err)
	if won != 1 || len(all) != 1 {
		t.Errorf("%d won and there are %d accounts, want one of each", won, len(all))
	}
	if n := len(h.entries("account.setup")); n != 1 {
		t.Errorf("the audit log tells of %d set-ups, want 1", n)
	}
}

func TestSetupNeedsTwoFactors(t *testing.T) {
	h := newHouse(t)
	link, err := h.SetupLink(context.Background())
	h.must(err)
	w, err := h.StartSetup(context.Background(), string(link))
	h.must(err)
	good := access.Completion{Name: "Somebody", Email: "root@example.com", Password: password, Enrolment: w.TOTP.ID, Code: h.code(secretOf(t, w.TOTP.URI))}
	for _, c := range []struct {
		name   string
		change func(*access.Completion)
		code   string
		kind   fault.Kind
	}{
		{"nothing at all is refused", func(c *access.Completion) { c.Password = "" }, "setup.factors", fault.Invalid},
		{"a password alone is refused", func(c *access.Completion) { c.Enrolment, c.Code = "", "" }, "setup.factors", fault.Invalid},
		{"a password without a code is refused", func(c *access.Completion) { c.Code = "" }, "totp.wrong", fault.Invalid},
		{"a wrong code is refused", func(c *access.Completion) { c.Code = "000000" }, "totp.wrong", fault.Invalid},
		{"an enrolment that never was is refused", func(c *access.Completion) { c.Enrolment = "x" }, "ceremony.gone", fault.Gone},
		{"a short password is refused", func(c *access.Completion) { c.Password = "Kx7$wq!" }, "password.short", fault.Invalid},
		{"a weak password is refused", func(c *access.Completion) { c.Password = "password1234" }, "password.weak", fault.Invalid},
		{"one's own address as password is refused", func(c *access.Completion) { c.Password = "root@example.com" }, "password.weak", fault.Invalid},
		{"no name is refused", func(c *access.Completion) { c.Name = " \t" }, "account.name-missing", fault.Invalid},
		{"a name of two lines is refused", func(c *access.Completion) { c.Name = "Some\nBody" }, "name.characters", fault.Invalid},
		{"an address that is none is refused", func(c *access.Completion) { c.Email = "root" }, "mailbox.no-at", fault.Invalid},
		{"a language that is none is refused", func(c *access.Completion) { c.Language = "no such language" }, "account.language", fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := good
			c.change(&bad)
			_, err := h.CompleteSetup(context.Background(), string(link), bad)
			if !fault.Is(err, c.kind) || fault.CodeOf(err) != c.code {
				t.Errorf("got %v (%s, %s), want %s with code %s", err, fault.KindOf(err), fault.CodeOf(err), c.kind, c.code)
			}
		})
	}
	// None of that used the link up.
	_, err = h.CompleteSetup(context.Background(), string(link), good)
	h.must(err)
	_, err = h.CompleteSetup(context.Background(), string(link), good)
	h.refused(err, fault.Gone, "invitation.used")
}

func TestInvitation(t *testing.T) {
	h := newHouse(t)
	root := h.first()
	invite := func(email string) (acc access.Account, link access.Secret) {
		h.must(root.signIn())
		h.must(root.in(func(ctx context.Context) (err error) {
			acc, link, err = h.Invite(ctx, access.Invitee{Name: "Alice", Email: email, Language: "de", Roles: access.Roles{access.Auditor}})
			return err
		}))
		return acc, link
	}
	acc, link := invite("Alice@Example.com")
	if acc.Email != "alice@example.com" || acc.Language != "de" || acc.Active() {
		t.Errorf("the invited account is %+v", acc)
	}
	t.Run("whoever has the link sets the account up with its role", func(t *testing.T) {
		alice := h.settle(link, "other@example.com")
		got, err := h.Account(operator(), acc.ID)
		h.must(err)
		if got.Email != "alice@example.com" || !got.Active() || got.Roles.String() != "auditor" || alice.id != acc.ID {
			t.Errorf("the account is %+v: nobody chooses their own address or role", got)
		}
	})
	t.Run("an address has one account", func(t *testing.T) {
		h.must(root.signIn())
		err := root.in(func(ctx context.Context) error {
			_, _, err := h.Invite(ctx, access.Invitee{Name: "Alice", Email: "ALICE@example.com", Roles: access.Roles{access.Auditor}})
			return err
		})
		h.refused(err, fault.Conflict, "account.exists")
	})
	t.Run("after seven days the link is of no use", func(t *testing.T) {
		_, link := invite("bob@example.com")
		h.clock.pass(7 * 24 * time.Hour)
		_, err := h.StartSetup(context.Background(), string(link))
		h.refused(err, fault.Gone, "invitation.expired")
	})
	t.Run("a new link takes the place of the old one", func(t *testing.T) {
		acc, old := invite("carol@example.com")
		var fresh access.Secret
		h.must(root.in(func(ctx context.Context) (err error) { fresh, err = h.InviteAgain(ctx, acc.ID); return err }))
		_, err := h.StartSetup(context.Background(), string(old))
		h.refused(err, fault.NotFound, "invitation.unknown")
		h.settle(fresh, "")
	})
	t.Run("whoever lost everything gets a new link, and what was lost stops working", func(t *testing.T) {
		dave := h.hire(root, "dave@example.com", access.Specialist)
		h.must(root.signIn())
		var link access.Secret
		h.must(root.in(func(ctx context.Context) (err error) { link, err = h.InviteAgain(ctx, dave.id); return err }))
		if !dave.who().SignedIn() {
			t.Error("the link alone ended the session; only its use may")
		}
		again := h.settle(link, "")
		if again.id != dave.id || dave.who().SignedIn() {
			t.Errorf("the new set-up is for %s, and the old session is %+v", again.id, dave.who())
		}
		h.refused(dave.signIn(), fault.Anonymous, "sign-in.wrong") // the old app
		again.email = dave.email
		h.must(again.signIn())
	})
	t.Run("a stranger's guess is told nothing", func(t *testing.T) {
		_, err := h.StartSetup(context.Background(), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
		h.refused(err, fault.NotFound, "invitation.unknown")
	})
	h.nothingShownIsStored()
}
