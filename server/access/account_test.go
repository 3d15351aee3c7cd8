package access_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/server/access"
)

func TestTheLastAdministratorStays(t *testing.T) {
	h := newHouse(t)
	root := h.first()
	other := h.hire(root, "other@example.com", access.Auditor)
	h.must(root.signIn())
	as := func(p *person, f func(ctx context.Context) error) error { return p.in(f) }
	h.refused(as(root, func(ctx context.Context) error { return h.Disable(ctx, root.id) }), fault.Conflict, "account.last-administrator")
	h.refused(as(root, func(ctx context.Context) error { return h.SetRoles(ctx, root.id, access.Roles{access.Auditor}) }), fault.Conflict, "account.last-administrator")
	// Somebody who is only invited does not count.
	h.must(as(root, func(ctx context.Context) error {
		_, _, err := h.Invite(ctx, access.Invitee{Name: "Late", Email: "late@example.com", Roles: access.Roles{access.Administrator}})
		return err
	}))
	h.refused(as(root, func(ctx context.Context) error { return h.Disable(ctx, root.id) }), fault.Conflict, "account.last-administrator")
	if !root.who().SignedIn() {
		t.Error("a refused change ended the session")
	}
	h.must(as(root, func(ctx context.Context) error {
		return h.SetRoles(ctx, other.id, access.Roles{access.Auditor, access.Administrator})
	}))
	t.Run("not even when two remove each other at once", func(t *testing.T) {
		h.must(other.signIn())
		h.must(root.signIn())
		var wg sync.WaitGroup
		errs := make([]error, 2)
		wg.Go(func() {
			errs[0] = as(root, func(ctx context.Context) error { return h.Disable(ctx, other.id) })
		})
		wg.Go(func() {
			errs[1] = as(other, func(ctx context.Context) error { return h.SetRoles(ctx, root.id, access.Roles{access.Auditor}) })
		})
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("got %v and %v, want one of them refused", errs[0], errs[1])
		}
		has, err := h.store.HasAdministrator(context.Background())
		h.must(err)
		if !has {
			t.Error("no administrator is left")
		}
	})
}

func TestAccountsAreManaged(t *testing.T) {
	h := newHouse(t)
	root := h.first()
	alice := h.hire(root, "alice@example.com", access.Auditor)
	h.must(alice.signIn())
	h.must(root.signIn())
	asRoot := func(f func(ctx context.Context) error) { t.Helper(); h.must(root.in(f)) }

	asRoot(func(ctx context.Context) error {
		return h.SetRoles(ctx, alice.id, access.Roles{access.Requester, access.Specialist, access.Requester})
	})
	if got := alice.who().Roles.String(); got != "specialist, requester" {
		t.Errorf("in her open session alice is %q, want the new roles at once", got)
	}
	asRoot(func(ctx context.Context) error { return h.Disable(ctx, alice.id) })
	if alice.who().SignedIn() {
		t.Error("a disabled account is still signed in")
	}
	h.refused(alice.signIn(), fault.Anonymous, "sign-in.wrong")
	h.refused(root.in(func(ctx context.Context) error { _, err := h.InviteAgain(ctx, alice.id); return err }), fault.Conflict, "account.disabled")
	asRoot(func(ctx context.Context) error { return h.Enable(ctx, alice.id) })
	if alice.who().SignedIn() {
		t.Error("enabling the account brought back a session from before")
	}
	h.must(alice.signIn())

	t.Run("others may not", func(t *testing.T) {
		for name, f := range map[string]func(ctx context.Context) error{
			"invite":  func(ctx context.Context) error { _, _, err := h.Invite(ctx, access.Invitee{}); return err },
			"again":   func(ctx context.Context) error { _, err := h.InviteAgain(ctx, root.id); return err },
			"roles":   func(ctx context.Context) error { return h.SetRoles(ctx, alice.id, access.Roles{access.Administrator}) },
			"disable": func(ctx context.Context) error { return h.Disable(ctx, root.id) },
			"enable":  func(ctx context.Context) error { return h.Enable(ctx, root.id) },
			"list":    func(ctx context.Context) error { _, err := h.Accounts(ctx, access.AccountFilter{}); return err },
			"read":    func(ctx context.Context) error { _, err := h.Account(ctx, root.id); return err },
			"ways":    func(ctx context.Context) error { _, err := h.Credentials(ctx, root.id); return err },
			"tokens":  func(ctx context.Context) error { _, err := h.Tokens(ctx, ""); return err },
		} {
			h.refused(alice.in(f), fault.Denied, "access.denied")
			if err := h.browser().in(f); !fault.Is(err, fault.Anonymous) {
				t.Errorf("%s by somebody who is not signed in: %v", name, err)
			}
		}
	})
	t.Run("roles that do not exist, or none, are refused", func(t *testing.T) {
		h.refused(root.in(func(ctx context.Context) error { return h.SetRoles(ctx, alice.id, access.Roles{"root"}) }), fault.Invalid, "account.role-unknown")
		h.refused(root.in(func(ctx context.Context) error { return h.SetRoles(ctx, alice.id, nil) }), fault.Invalid, "account.role-missing")
	})
	t.Run("what was done is in the audit log, with who did it", func(t *testing.T) {
		for _, action := range []string{"account.roles", "account.disable", "account.enable", "account.invite"} {
			entries := h.entries(action)
			last := entries[len(entries)-1]
			if last.Actor != (audit.Actor{Kind: audit.Person, ID: string(root.id)}) || last.Subject != "account/"+string(alice.id) {
				t.Errorf("%s is told as %+v", action, last)
			}
		}
		if d := h.entries("account.roles")[0].Detail; d["from"] != "auditor" || d["to"] != "specialist, requester" {
			t.Errorf("the change of roles is told as %v", d)
		}
	})
	t.Run("after half an hour they sign in again first", func(t *testing.T) {
		h.must(root.signIn())
		for range 2 {
			h.clock.pass(16 * time.Minute)
			root.who()
		}
		h.refused(root.in(func(ctx context.Context) error { return h.Disable(ctx, alice.id) }), fault.Anonymous, "access.sign-in-again")
	})
	t.Run("the operator needs no session", func(t *testing.T) {
		h.must(h.Disable(operator(), alice.id))
		all, err := h.Accounts(operator(), access.AccountFilter{Role: access.Administrator})
		h.must(err)
		if len(all) != 1 || all[0].ID != root.id {
			t.Errorf("the administrators are %+v", all)
		}
	})
	t.Run("the chain of the audit log holds", func(t *testing.T) {
		head, err := h.store.AuditHead(context.Background())
		h.must(err)
		proof, err := audit.Verify(h.store.AuditLog(context.Background()), head)
		h.must(err)
		if proof.Broken != nil || proof.Entries < 10 {
			t.Errorf("the chain of %d entries is broken at %v", proof.Entries, proof.Broken)
		}
	})
}
