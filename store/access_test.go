package store

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/server/access"
)

// accessCases are what package access relies on, on both databases.
var accessCases = map[string]func(*testing.T, Config){
	"an account comes back as it was stored":                    accountComesBack,
	"accounts are listed by address":                            accountsAreListed,
	"a change made from an older state is refused":              staleAccessIsRefused,
	"there is one account an address":                           addressesAreUnique,
	"an invitation works once and the newest counts":            invitationsWorkOnce,
	"the first administrator is the first":                      firstIsFirst,
	"there is always an administrator":                          administratorStays,
	"credentials come, change and go":                           credentialsChange,
	"sessions begin, are seen and end":                          sessionsEnd,
	"tokens are found by their hash":                            tokensAreFound,
	"a ceremony ends once":                                      ceremoniesEndOnce,
	"what has expired is forgotten and the rest is not":         expiredIsForgotten,
	"a refused change leaves nothing behind, not even its note": refusedAccessLeavesNothing,
	"of many who use one invitation at once one succeeds":       oneOfManySucceeds,
}

func TestAccessConformance(t *testing.T) {
	for _, db := range databases(t) {
		t.Run(db.name, func(t *testing.T) {
			for name, f := range accessCases {
				t.Run(name, func(t *testing.T) { t.Parallel(); f(t, db.config(t)) })
			}
		})
	}
}

// accessHash is a hash for tests, another one for each seed.
func accessHash(seed byte) access.Hash { return access.Hash{seed, 1, 2, 3, 0, 255} }

// person is an account that may sign in, not stored.
func person(id, email string, roles ...access.Role) access.Account {
	return access.Account{ID: access.AccountID("acc_" + id), Name: "Zoë 'Ö' O\"Brien", Email: email, Roles: roles, Language: "de-AT",
		CreatedAt: noon, ReadyAt: noon.Add(time.Minute)}
}

// put stores a change that must be stored.
func put(t *testing.T, s *Store, c access.Change) {
	t.Helper()
	if err := s.CommitAccess(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// wantRefused checks the kind and code of a refusal.
func wantRefused(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Errorf("got %v (%s), want %s with code %s", err, fault.CodeOf(err), kind, code)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("%s is not as it was stored (-want +got):\n%s", what, d)
	}
}

func accountComesBack(t *testing.T, c Config) {
	s := open(t, c)
	a := person("a", "zoë@bücher.example", access.Administrator, access.RecoveryOfficer)
	put(t, s, access.Change{Accounts: []access.Account{a}})
	a.Version = 1
	got, err := s.Account(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the account", got, a)
	a.Name, a.Roles, a.DisabledAt = "Another", access.Roles{access.Auditor}, noon.Add(time.Hour)
	put(t, s, access.Change{Accounts: []access.Account{a}})
	a.Version = 2
	got, err = s.AccountByEmail(t.Context(), a.Email)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the changed account", got, a)
	_, err = s.Account(t.Context(), "acc_none")
	wantRefused(t, err, fault.NotFound, "account.unknown")
	_, err = s.AccountByEmail(t.Context(), "nobody\x00@example.com")
	wantRefused(t, err, fault.NotFound, "account.unknown")
}

func accountsAreListed(t *testing.T, c Config) {
	s := open(t, c)
	var all []access.Account
	for _, name := range []string{"dora", "anna", "carl", "bert"} {
		a := person(name, name+"@example.com", access.Subscriber)
		if name == "bert" || name == "dora" {
			a.Roles = access.Roles{access.Auditor, access.Subscriber}
		}
		if name == "carl" {
			a.Name = "100%_Carl"
		}
		all = append(all, a)
	}
	put(t, s, access.Change{Accounts: all})
	for _, c := range []struct {
		name   string
		filter access.AccountFilter
		want   []string
	}{
		{"all of them", access.AccountFilter{Limit: 10}, []string{"anna", "bert", "carl", "dora"}},
		{"the first page", access.AccountFilter{Limit: 2}, []string{"anna", "bert"}},
		{"the second page", access.AccountFilter{Limit: 2, After: "bert@example.com"}, []string{"carl", "dora"}},
		{"with a role", access.AccountFilter{Limit: 10, Role: access.Auditor}, []string{"bert", "dora"}},
		{"with a role that nobody has", access.AccountFilter{Limit: 10, Role: "audit"}, nil},
		{"by a part of the name", access.AccountFilter{Limit: 10, Text: "100%_c"}, []string{"carl"}},
		{"by a part of the address", access.AccountFilter{Limit: 10, Text: "ANNA@"}, []string{"anna"}},
		{"by what would fit everything if it were a pattern", access.AccountFilter{Limit: 10, Text: "%a%b%"}, nil},
	} {
		got, err := s.Accounts(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, a := range got {
			names = append(names, string(a.ID)[4:])
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, names, c.want)
		}
	}
}

func staleAccessIsRefused(t *testing.T, c Config) {
	s := open(t, c)
	a := person("a", "a@example.com", access.Auditor)
	k := access.Credential{ID: "crd_1", Account: a.ID, Kind: access.TOTP, Data: []byte{1}, CreatedAt: noon}
	tok := access.Token{ID: "tok_1", Hash: accessHash(1), Account: a.ID, Name: "t", Roles: a.Roles, CreatedAt: noon, ExpiresAt: noon}
	put(t, s, access.Change{Accounts: []access.Account{a}, Credentials: []access.Credential{k}, Tokens: []access.Token{tok}})
	for _, stale := range []int64{0, 2, 7} { // the stored version is 1
		a.Version, k.Version, tok.Version = stale, stale, stale
		wantRefused(t, s.CommitAccess(t.Context(), access.Change{Accounts: []access.Account{a}}), fault.Conflict, "account.changed")
		code := "credential.changed"
		if stale == 0 {
			code = "credential.known"
		}
		wantRefused(t, s.CommitAccess(t.Context(), access.Change{Credentials: []access.Credential{k}}), fault.Conflict, code)
		if stale > 0 {
			wantRefused(t, s.CommitAccess(t.Context(), access.Change{Tokens: []access.Token{tok}}), fault.Conflict, "token.changed")
		}
	}
	a.Version, k.Version, tok.Version = 1, 1, 1
	put(t, s, access.Change{Accounts: []access.Account{a}, Credentials: []access.Credential{k}, Tokens: []access.Token{tok}})
}

func addressesAreUnique(t *testing.T, c Config) {
	s := open(t, c)
	a, b := person("a", "a@example.com", access.Auditor), person("b", "b@example.com", access.Auditor)
	put(t, s, access.Change{Accounts: []access.Account{a, b}})
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Accounts: []access.Account{person("c", "a@example.com")}}), fault.Conflict, "account.exists")
	b.Version, b.Email = 1, a.Email
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Accounts: []access.Account{b}}), fault.Conflict, "account.exists")
}

func invitationsWorkOnce(t *testing.T, c Config) {
	s := open(t, c)
	first := access.Invitation{Hash: accessHash(1), Account: "acc_a", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	other := access.Invitation{Hash: accessHash(9), CreatedAt: noon}
	put(t, s, access.Change{Invite: &first})
	put(t, s, access.Change{Invite: &other})
	got, err := s.Invitation(t.Context(), first.Hash)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the invitation", got, first)
	second := first
	second.Hash = accessHash(2)
	put(t, s, access.Change{Invite: &second})
	_, err = s.Invitation(t.Context(), first.Hash)
	wantRefused(t, err, fault.NotFound, "invitation.unknown")
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Used: &first.Hash, UsedAt: noon}), fault.Gone, "invitation.used")
	put(t, s, access.Change{Used: &second.Hash, UsedAt: noon.Add(time.Second)})
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Used: &second.Hash, UsedAt: noon}), fault.Gone, "invitation.used")
	third := first
	third.Hash = accessHash(3)
	put(t, s, access.Change{Invite: &third})
	if got, err := s.Invitation(t.Context(), second.Hash); err != nil || got.UsedAt != noon.Add(time.Second) {
		t.Errorf("the used one is %+v, %v: it should be remembered as used", got, err)
	}
	if _, err := s.Invitation(t.Context(), other.Hash); err != nil {
		t.Errorf("another account's was withdrawn: %v", err)
	}
}

func firstIsFirst(t *testing.T, c Config) {
	s := open(t, c)
	has := func(want bool) {
		t.Helper()
		if got, err := s.HasAdministrator(t.Context()); err != nil || got != want {
			t.Errorf("there is an administrator: %v, %v, want %v", got, err, want)
		}
	}
	has(false)
	invited, disabled := person("i", "i@example.com", access.Administrator), person("d", "d@example.com", access.Administrator)
	invited.ReadyAt, disabled.DisabledAt = time.Time{}, noon
	put(t, s, access.Change{Accounts: []access.Account{invited, disabled, person("s", "s@example.com", access.Specialist, access.Subscriber)}, First: true})
	has(false)
	put(t, s, access.Change{Accounts: []access.Account{person("a", "a@example.com", access.Administrator, access.Auditor)}, First: true})
	has(true)
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Accounts: []access.Account{person("b", "b@example.com", access.Administrator)}, First: true}), fault.Conflict, "setup.done")
}

func administratorStays(t *testing.T, c Config) {
	s := open(t, c)
	a, b := person("a", "a@example.com", access.Administrator), person("b", "b@example.com", access.Auditor, access.Administrator)
	put(t, s, access.Change{Accounts: []access.Account{a, b}})
	a.Version, a.DisabledAt = 1, noon
	put(t, s, access.Change{Accounts: []access.Account{a}, KeepsAdministrator: true})
	b.Version, b.Roles = 1, access.Roles{access.Auditor}
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Accounts: []access.Account{b}, KeepsAdministrator: true}), fault.Conflict, "account.last-administrator")
	if got, err := s.Account(t.Context(), b.ID); err != nil || !got.Roles.Has(access.Administrator) {
		t.Errorf("after the refusal the account is %+v, %v", got, err)
	}
	a.Version, a.DisabledAt = 2, time.Time{} // in one change with its successor it may go
	put(t, s, access.Change{Accounts: []access.Account{a, b}, KeepsAdministrator: true})
}

func credentialsChange(t *testing.T, c Config) {
	s := open(t, c)
	a := person("a", "a@example.com", access.Auditor)
	all := []access.Credential{
		{ID: "crd_z", Account: a.ID, Kind: access.Password, Data: []byte("$argon2id$"), CreatedAt: noon},
		{ID: "crd_y", Account: a.ID, Kind: access.TOTP, Name: "App", Data: []byte{0, 255, 0}, Counter: 1 << 40, CreatedAt: noon},
		{ID: "crd_x", Account: a.ID, Kind: access.RecoveryCode, Data: make([]byte, 32), CreatedAt: noon},
	}
	put(t, s, access.Change{Accounts: []access.Account{a}, Credentials: all})
	for i := range all {
		all[i].Version = 1
	}
	read := func() []access.Credential {
		t.Helper()
		got, err := s.Credentials(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same(t, "the list of credentials", read(), all)
	all[1].Counter, all[1].LastUsedAt, all[1].Data = 1<<40+1, noon.Add(time.Second), []byte{9}
	put(t, s, access.Change{Credentials: all[1:2], Removed: []string{"crd_x"}})
	all[1].Version = 2
	same(t, "the list after the change", read(), all[:2])
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Removed: []string{"crd_x"}}), fault.Conflict, "credential.changed")
	again := all[0]
	again.Version, again.Kind = 0, access.Passkey
	put(t, s, access.Change{Credentials: []access.Credential{again}, Removed: []string{again.ID}}) // goes, and comes anew
	if got := read(); len(got) != 2 || got[1].Kind != access.Passkey || got[1].Version != 1 {
		t.Errorf("the replaced credential is %+v", got)
	}
}

func sessionsEnd(t *testing.T, c Config) {
	s := open(t, c)
	a, b := person("a", "a@example.com", access.Auditor), person("b", "b@example.com", access.Auditor)
	put(t, s, access.Change{Accounts: []access.Account{a, b}})
	begin := func(seed byte, id string, of access.Account) access.Session {
		ses := access.Session{Hash: accessHash(seed), ID: id, Account: of.ID, By: "passkey", CreatedAt: noon, SeenAt: noon,
			Client: access.Client{Address: netip.MustParseAddr("2001:db8::1"), Agent: "Browser\x00 \xff"}}
		put(t, s, access.Change{Session: &ses})
		return ses
	}
	one, two, foreign := begin(1, "ses_1", a), begin(2, "ses_2", a), begin(3, "ses_3", b)
	got, acc, err := s.Session(t.Context(), one.Hash)
	if err != nil {
		t.Fatal(err)
	}
	one.Client.Agent = "Browser\uFFFD \uFFFD" // what no database keeps is marked
	same(t, "the session", got, one)
	if acc.ID != a.ID {
		t.Errorf("its account is %+v", acc)
	}
	later := noon.Add(5 * time.Minute)
	for _, at := range []time.Time{later, noon} { // an earlier use comes later
		if err := s.SeenSession(t.Context(), one.Hash, at); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Sessions(t.Context(), a.ID)
	if err != nil || len(all) != 2 || all[0].ID != two.ID || all[1].SeenAt != later {
		t.Errorf("the sessions are %+v, %v", all, err)
	}
	put(t, s, access.Change{Ended: []string{two.ID, "ses_none"}})
	_, _, err = s.Session(t.Context(), two.Hash)
	wantRefused(t, err, fault.NotFound, "session.unknown")
	fresh := access.Session{Hash: accessHash(4), ID: "ses_4", Account: a.ID, CreatedAt: noon, SeenAt: noon}
	put(t, s, access.Change{EndedOf: a.ID, Session: &fresh})
	all, err = s.Sessions(t.Context(), a.ID)
	if err != nil || len(all) != 1 || all[0].ID != "ses_4" || all[0].Client.Address.IsValid() {
		t.Errorf("after ending all but the new one they are %+v, %v", all, err)
	}
	if _, _, err := s.Session(t.Context(), foreign.Hash); err != nil {
		t.Errorf("somebody else's session: %v", err)
	}
}

func tokensAreFound(t *testing.T, c Config) {
	s := open(t, c)
	a, b := person("a", "a@example.com", access.Auditor), person("b", "b@example.com", access.Auditor)
	one := access.Token{ID: "tok_1", Hash: accessHash(1), Account: a.ID, Name: "nightly", Roles: access.Roles{access.Auditor, access.Requester},
		CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	two := one
	two.ID, two.Hash, two.Account = "tok_2", accessHash(2), b.ID
	put(t, s, access.Change{Accounts: []access.Account{a, b}, Tokens: []access.Token{one, two}})
	if err := s.SeenToken(t.Context(), one.ID, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	one.Version, one.LastUsedAt = 1, noon.Add(time.Minute)
	got, acc, err := s.Token(t.Context(), one.Hash)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the token", got, one)
	if acc.ID != a.ID {
		t.Errorf("its account is %+v", acc)
	}
	one.RevokedAt = noon.Add(2 * time.Minute)
	put(t, s, access.Change{Tokens: []access.Token{one}})
	all, err := s.Tokens(t.Context(), "")
	if err != nil || len(all) != 2 || all[0].ID != "tok_2" || all[1].RevokedAt != one.RevokedAt || all[1].LastUsedAt != one.LastUsedAt {
		t.Errorf("everybody's tokens are %+v, %v", all, err)
	}
	mine, err := s.Tokens(t.Context(), b.ID)
	if err != nil || len(mine) != 1 || mine[0].ID != "tok_2" {
		t.Errorf("b's tokens are %+v, %v", mine, err)
	}
	_, _, err = s.Token(t.Context(), accessHash(3))
	wantRefused(t, err, fault.NotFound, "token.unknown")
}

func ceremoniesEndOnce(t *testing.T, c Config) {
	s := open(t, c)
	begun := access.Ceremony{Hash: accessHash(1), Kind: "passkey-login", Data: []byte{0, 1, 255}, ExpiresAt: noon}
	put(t, s, access.Change{Begun: &begun})
	got, err := s.Ceremony(t.Context(), begun.Hash)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the ceremony", got, begun)
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Begun: &begun}), fault.Gone, "ceremony.gone")
	put(t, s, access.Change{Finished: []access.Hash{begun.Hash}})
	wantRefused(t, s.CommitAccess(t.Context(), access.Change{Finished: []access.Hash{begun.Hash}}), fault.Gone, "ceremony.gone")
	_, err = s.Ceremony(t.Context(), begun.Hash)
	wantRefused(t, err, fault.NotFound, "ceremony.unknown")
}

func expiredIsForgotten(t *testing.T, c Config) {
	s := open(t, c)
	a := person("a", "a@example.com", access.Auditor)
	put(t, s, access.Change{Accounts: []access.Account{a}})
	for seed, age := range map[byte][2]time.Duration{1: {0, 0}, 2: {13 * time.Hour, 0}, 3: {2 * time.Hour, time.Hour}} {
		put(t, s, access.Change{Session: &access.Session{Hash: accessHash(seed), ID: "ses_" + string('0'+rune(seed)), Account: a.ID,
			CreatedAt: noon.Add(-age[0]), SeenAt: noon.Add(-age[1])}})
	}
	for seed, life := range map[byte]time.Duration{1: -time.Second, 2: time.Second} {
		put(t, s, access.Change{Begun: &access.Ceremony{Hash: accessHash(seed), ExpiresAt: noon.Add(life)}})
		put(t, s, access.Change{Invite: &access.Invitation{Hash: accessHash(seed), Account: access.AccountID([]byte{'a' + seed}), CreatedAt: noon, ExpiresAt: noon.Add(life)}})
	}
	put(t, s, access.Change{Invite: &access.Invitation{Hash: accessHash(3), CreatedAt: noon}}) // the first administrator's never expires
	if err := s.ForgetExpired(t.Context(), noon, noon.Add(-12*time.Hour), noon.Add(-30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for seed := byte(1); seed <= 3; seed++ {
		name := string('0' + rune(seed))
		_, _, err := s.Session(t.Context(), accessHash(seed))
		there["session "+name] = err == nil
		_, err = s.Ceremony(t.Context(), accessHash(seed))
		there["ceremony "+name] = err == nil
		_, err = s.Invitation(t.Context(), accessHash(seed))
		there["invitation "+name] = err == nil
	}
	same(t, "what is there", there, map[string]bool{"session 1": true, "session 2": false, "session 3": false, "ceremony 1": false,
		"ceremony 2": true, "ceremony 3": false, "invitation 1": false, "invitation 2": true, "invitation 3": true})
}

func refusedAccessLeavesNothing(t *testing.T, c Config) {
	s := open(t, c)
	a := person("a", "a@example.com", access.Auditor)
	put(t, s, access.Change{Accounts: []access.Account{a}, Invite: &access.Invitation{Hash: accessHash(1), Account: a.ID, CreatedAt: noon},
		Begun: &access.Ceremony{Hash: accessHash(1), ExpiresAt: noon}})
	before, err := s.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	used := accessHash(1)
	err = s.CommitAccess(t.Context(), access.Change{Used: &used, UsedAt: noon, Finished: []access.Hash{used},
		Accounts:    []access.Account{person("b", "b@example.com", access.Auditor)},
		Credentials: []access.Credential{{ID: "crd_1", Account: a.ID, Kind: access.Password, CreatedAt: noon}},
		Session:     &access.Session{Hash: accessHash(2), ID: "ses_1", Account: a.ID, CreatedAt: noon, SeenAt: noon},
		// Comes last, and refuses all that came before it.
		KeepsAdministrator: true,
		Audit:              []audit.Entry{audit.New(noon, alice, "account.setup", "account/b", nil)}})
	wantRefused(t, err, fault.Conflict, "account.last-administrator")
	if _, err := s.Account(t.Context(), "acc_b"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the account: %v", err)
	}
	if got, err := s.Credentials(t.Context(), a.ID); err != nil || len(got) != 0 {
		t.Errorf("the credentials: %v, %v", got, err)
	}
	if _, _, err := s.Session(t.Context(), accessHash(2)); !fault.Is(err, fault.NotFound) {
		t.Errorf("the session: %v", err)
	}
	if i, err := s.Invitation(t.Context(), used); err != nil || !i.UsedAt.IsZero() {
		t.Errorf("the invitation: %+v, %v", i, err)
	}
	if _, err := s.Ceremony(t.Context(), used); err != nil {
		t.Errorf("the ceremony: %v", err)
	}
	if after, err := s.AuditHead(t.Context()); err != nil || after != before {
		t.Errorf("the audit log went from %d to %d, %v", before.Seq, after.Seq, err)
	}
}

func oneOfManySucceeds(t *testing.T, c Config) {
	s := open(t, c)
	put(t, s, access.Change{Invite: &access.Invitation{Hash: accessHash(1), CreatedAt: noon}})
	used := accessHash(1)
	const n = 20
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := string('a' + rune(i))
			a := person(id, id+"@example.com", access.Administrator)
			errs[i] = s.CommitAccess(context.WithoutCancel(t.Context()), access.Change{Used: &used, UsedAt: noon, First: true, Accounts: []access.Account{a},
				Audit: []audit.Entry{audit.New(noon, alice, "account.setup", a.Subject(), nil)}})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Gone) {
			t.Errorf("a loser was told %v", err)
		}
	}
	all, err := s.Accounts(t.Context(), access.AccountFilter{Limit: 100})
	if err != nil || won != 1 || len(all) != 1 {
		t.Errorf("%d succeeded, %d accounts are there, %v; want one", won, len(all), err)
	}
	if entries, err := s.AuditEntries(t.Context(), audit.Filter{Limit: 100}); err != nil || len(entries) != 1 {
		t.Errorf("%d audit entries, %v; want one", len(entries), err)
	}
}
