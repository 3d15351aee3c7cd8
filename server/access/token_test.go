package access_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/server/access"
)

// bearing is somebody else's program with a token.
func (h *house) bearing(secret access.Secret) *browser {
	b := h.browser()
	b.header.Set("Authorization", "Bearer "+string(secret))
	return b
}

func TestTokens(t *testing.T) {
	h := newHouse(t)
	root := h.first()
	alice := h.hire(root, "alice@example.com", access.Requester, access.Auditor)
	h.must(alice.signIn())
	make := func(p *person, r access.TokenRequest) (tok access.Token, secret access.Secret, err error) {
		err = p.in(func(ctx context.Context) (err error) { tok, secret, err = h.NewToken(ctx, r); return err })
		h.shown = append(h.shown, string(secret))
		return tok, secret, err
	}
	ask := access.TokenRequest{Name: "nightly", Roles: access.Roles{access.Requester}}
	tok, secret, err := make(alice, ask)
	h.must(err)
	if !strings.HasPrefix(string(secret), "chy_") || len(secret) != 36 || tok.ExpiresAt != h.clock.Now().Add(90*24*time.Hour) {
		t.Errorf("the token is %d characters long and expires %v", len(secret), tok.ExpiresAt)
	}
	who := h.bearing(secret).who()
	if who.Kind != access.Program || who.Account != alice.id || who.Token != tok.ID || who.Roles.String() != "requester" || who.Email != alice.email {
		t.Errorf("its bearer is %+v", who)
	}
	if want := (audit.Actor{Kind: audit.Program, ID: string(alice.id) + "/" + tok.ID}); who.Actor() != want {
		t.Errorf("the audit log would say %v, want %v", who.Actor(), want)
	}
	t.Run("when it was last used is known to the minute", func(t *testing.T) {
		all, err := h.Tokens(operator(), alice.id)
		h.must(err)
		if len(all) != 1 || all[0].LastUsedAt != h.clock.Now() {
			t.Errorf("the tokens are %+v", all)
		}
	})
	t.Run("a request for one is checked", func(t *testing.T) {
		for _, c := range []struct {
			name   string
			change func(*access.TokenRequest)
			kind   fault.Kind
			code   string
		}{
			{"roles that its owner has not", func(r *access.TokenRequest) { r.Roles = access.Roles{access.Administrator} }, fault.Denied, "token.roles"},
			{"no roles", func(r *access.TokenRequest) { r.Roles = nil }, fault.Invalid, "account.role-missing"},
			{"no name", func(r *access.TokenRequest) { r.Name = " " }, fault.Invalid, "token.name-missing"},
			{"a minute", func(r *access.TokenRequest) { r.Life = time.Minute }, fault.Invalid, "token.life"},
			{"for ever", func(r *access.TokenRequest) { r.Life = 1 << 62 }, fault.Invalid, "token.life"},
			{"somebody else's", func(r *access.TokenRequest) { r.Account = root.id }, fault.Denied, "token.others"},
		} {
			r := ask
			c.change(&r)
			if _, _, err := make(alice, r); !fault.Is(err, c.kind) || fault.CodeOf(err) != c.code {
				t.Errorf("%s: got %v (%s)", c.name, err, fault.CodeOf(err))
			}
		}
	})
	t.Run("it gives nobody new ways in", func(t *testing.T) {
		h.must(root.signIn())
		_, strong, err := make(root, access.TokenRequest{Name: "strong", Roles: access.Roles{access.Administrator}})
		h.must(err)
		b := h.bearing(strong)
		for _, f := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, _, err := h.NewToken(ctx, ask); return err },
			func(ctx context.Context) error { _, _, err := h.Invite(ctx, access.Invitee{}); return err },
			func(ctx context.Context) error {
				return h.SetRoles(ctx, alice.id, access.Roles{access.Administrator})
			},
			func(ctx context.Context) error { return h.SetPassword(ctx, password, "x") },
			func(ctx context.Context) error { _, err := h.EnrolTOTP(ctx); return err },
			func(ctx context.Context) error { return h.RevokeToken(ctx, alice.id, tok.ID) },
		} {
			h.refused(b.in(f), fault.Denied, "access.token")
		}
		h.must(b.in(func(ctx context.Context) error { _, err := h.Accounts(ctx, access.AccountFilter{}); return err }))
	})
	t.Run("what is no good token is refused, also beside a good session", func(t *testing.T) {
		for header, code := range map[string]string{
			"Bearer chy_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "token.bad",
			"Bearer " + string(secret) + "x":              "token.bad",
			"Bearer":                                      "token.form",
			"Basic cm9vdDpyb290":                          "token.form",
			"":                                            "token.form",
			"Bearer " + strings.Repeat("chy_", 1000):      "token.form",
			"Bearer " + string(secret) + ",Bearer " + string(secret): "token.bad",
		} {
			b := *alice.browser
			b.header = b.header.Clone()
			b.header.Set("Authorization", header)
			err := b.in(func(ctx context.Context) error { return nil })
			if !fault.Is(err, fault.Anonymous) || fault.CodeOf(err) != code {
				t.Errorf("%q: got %v (%s), want %s", header, err, fault.CodeOf(err), code)
			}
		}
	})
	good := func() bool { return h.bearing(secret).in(func(context.Context) error { return nil }) == nil }
	t.Run("it can do less when its owner can", func(t *testing.T) {
		h.must(root.in(func(ctx context.Context) error { return h.SetRoles(ctx, alice.id, access.Roles{access.Auditor}) }))
		if who := h.bearing(secret).who(); len(who.Roles) != 0 {
			t.Errorf("its owner is no requester any more, it still is %v", who.Roles)
		}
		h.must(root.in(func(ctx context.Context) error { return h.SetRoles(ctx, alice.id, access.Roles{access.Requester}) }))
		h.must(root.in(func(ctx context.Context) error { return h.Disable(ctx, alice.id) }))
		if good() {
			t.Error("its owner is disabled, it still works")
		}
		h.must(root.in(func(ctx context.Context) error { return h.Enable(ctx, alice.id) }))
		if !good() {
			t.Error("its owner is enabled again, it does not work")
		}
	})
	t.Run("it ends when its owner says so", func(t *testing.T) {
		h.must(alice.signIn())
		_, second, err := make(alice, access.TokenRequest{Name: "second", Roles: access.Roles{access.Requester}})
		h.must(err)
		if _, err := h.Tokens(operator(), ""); err != nil {
			t.Error(err)
		}
		bob := h.hire(root, "bob@example.com", access.Subscriber)
		h.must(bob.signIn())
		id := h.bearing(second).who().Token
		h.refused(bob.in(func(ctx context.Context) error { return h.RevokeToken(ctx, alice.id, id) }), fault.Denied, "access.denied")
		h.refused(bob.in(func(ctx context.Context) error { return h.RevokeToken(ctx, bob.id, id) }), fault.NotFound, "token.unknown")
		h.must(alice.in(func(ctx context.Context) error { return h.RevokeToken(ctx, alice.id, id) }))
		h.refused(h.bearing(second).in(func(context.Context) error { return nil }), fault.Anonymous, "token.bad")
		if e := h.entries("token.revoke"); len(e) != 1 || e[0].Subject != "token/"+id {
			t.Errorf("the audit log tells of it as %+v", e)
		}
	})
	t.Run("what another node changes holds within a second", func(t *testing.T) {
		if !good() {
			t.Fatal("it does not work")
		}
		h.must(h.node().Disable(operator(), alice.id))
		h.clock.pass(time.Second)
		if good() {
			t.Error("its owner was disabled a second ago, it still works")
		}
		h.must(h.node().Enable(operator(), alice.id))
	})
	t.Run("it ends by itself", func(t *testing.T) {
		h.clock.pass(90*24*time.Hour - h.clock.Now().Sub(tok.CreatedAt) - time.Second)
		if !good() {
			t.Error("it ended before its time")
		}
		h.clock.pass(time.Second)
		if good() {
			t.Error("it works after its time")
		}
	})
	t.Run("the operator makes one for an account", func(t *testing.T) {
		_, _, err := h.NewToken(operator(), ask)
		h.refused(err, fault.NotFound, "account.unknown")
		ask.Account = alice.id
		_, secret, err := h.NewToken(operator(), ask)
		h.must(err)
		if who := h.bearing(secret).who(); who.Account != alice.id {
			t.Errorf("its bearer is %+v", who)
		}
	})
	h.nothingShownIsStored()
}
