package store

import (
	"slices"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

var listCases = map[string]func(*testing.T, Config){
	"orders are listed newest first, by pages and by what is looked for": listOrders,
	"certificates are listed and found by serial and fingerprint":        listCertificates,
	"certificates that end are listed by their end":                      listExpiring,
	"mails are listed":             listMails,
	"the audit log is listed":      listAudit,
	"a long audit log is streamed": longAudit,
	"the census counts":            census,
}

// pages reads a list page by page until it ends.
func pages[V any](t *testing.T, read func(after *V) ([]V, error)) (all []V) {
	t.Helper()
	var last *V
	for range 100 {
		got, err := read(last)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
		last = &all[len(all)-1]
	}
	t.Fatal("the pages never end")
	return nil
}

func listOrders(t *testing.T, c Config) {
	s := open(t, c)
	var want []order.ID
	for i := range 7 {
		want = append(want, submitted(t, s, nth(i)).ID)
	}
	slices.Reverse(want)
	got := pages(t, func(after *order.Order) ([]order.Order, error) {
		f := order.Filter{Limit: 3}
		if after != nil {
			f.After = after.ID
		}
		return s.Orders(t.Context(), f)
	})
	if !slices.EqualFunc(got, want, func(o order.Order, id order.ID) bool { return o.ID == id }) {
		t.Errorf("listed %d orders in another order than newest first: %v", len(got), got)
	}
	count := func(f order.Filter, n int) {
		t.Helper()
		f.Limit = 500
		if got, err := s.Orders(t.Context(), f); err != nil || len(got) != n {
			t.Errorf("%+v gives %d orders (%v), want %d", f, len(got), err, n)
		}
	}
	moved := reread(t, s, want[0])
	moved.State = order.Proved
	commit(t, s, workflow.Step{Order: moved})
	count(order.Filter{State: order.Proved}, 1)
	count(order.Filter{State: order.Confirming}, 6)
	count(order.Filter{Text: "USER0003@"}, 1)
	count(order.Filter{Text: string(want[2])[4:20]}, 1)
	count(order.Filter{Text: "user000_"}, 0)
	count(order.Filter{Text: "%"}, 0)
	count(order.Filter{After: "ord_unknown"}, 0)
}

func listCertificates(t *testing.T, c Config) {
	s := open(t, c)
	var all []issuance.Certificate
	for i := range 5 {
		_, certificate := issued(t, s, nth(i), noon.Add(day))
		all = append(all, certificate)
	}
	o := submitted(t, s, "open@example.com")
	i := intentOf(o)
	commit(t, s, workflow.Step{Order: o, Intent: &i})
	slices.Reverse(all)
	got := pages(t, func(after *issuance.Certificate) ([]issuance.Certificate, error) {
		f := issuance.Filter{Limit: 2}
		if after != nil {
			f.After = after.Serial
		}
		return s.Certificates(t.Context(), f)
	})
	if !slices.EqualFunc(got, all, func(a, b issuance.Certificate) bool { return a.Serial == b.Serial }) {
		t.Errorf("listed %d certificates, want %d newest first", len(got), len(all))
	}
	for what, f := range map[string]issuance.Filter{
		"by serial number": {Text: string(all[3].Serial)}, "by fingerprint": {Text: all[3].SHA256},
		"by address": {Text: "User0001"}, "by order": {Order: all[3].Order},
	} {
		f.Limit = 10
		if got, err := s.Certificates(t.Context(), f); err != nil || len(got) != 1 || got[0].Serial != all[3].Serial {
			t.Errorf("%s: %d certificates, %v", what, len(got), err)
		}
	}
	if got, err := s.Certificates(t.Context(), issuance.Filter{Issuer: "root", Limit: 10}); err != nil || len(got) != 0 {
		t.Errorf("another issuer has %d certificates, %v", len(got), err)
	}
}

func listExpiring(t *testing.T, c Config) {
	s := open(t, c)
	var want []issuance.Serial
	for i := range 6 {
		// Three pairs that end at the same instant, and one of them revoked.
		_, certificate := issued(t, s, nth(i), noon.Add(time.Duration(10-i/2)*day))
		want = append(want, certificate.Serial)
	}
	err := s.CommitRevocations(t.Context(), status.Change{Revocations: []status.Revocation{{Serial: want[4], Issuer: "issuing", At: noon, NotAfter: noon}}})
	if err != nil {
		t.Fatal(err)
	}
	want = []issuance.Serial{want[5], want[2], want[3], want[0], want[1]}
	read := func(from, until time.Time) []issuance.Serial {
		var serials []issuance.Serial
		for _, certificate := range pages(t, func(after *issuance.Certificate) ([]issuance.Certificate, error) {
			var last issuance.Serial
			if after != nil {
				last = after.Serial
			}
			return s.Expiring(t.Context(), from, until, 2, last)
		}) {
			serials = append(serials, certificate.Serial)
		}
		return serials
	}
	if got := read(noon, noon.Add(30*day)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := read(noon.Add(9*day), noon.Add(10*day)); !slices.Equal(got, want[1:3]) {
		t.Errorf("from the ninth until before the tenth day: %v, want %v", got, want[1:3])
	}
}

func listMails(t *testing.T, c Config) {
	s := open(t, c)
	var want []string
	for i := range 5 {
		m := mailTo(t, nth(i))
		m.Order = []string{"", "ord_a", "ord_b"}[i%3]
		m.State = []notify.State{notify.Queued, notify.Failed}[i%2]
		if err := s.CommitMail(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		want = append(want, m.ID)
	}
	slices.Reverse(want)
	got := pages(t, func(after *notify.Mail) ([]notify.Mail, error) {
		f := notify.Filter{Limit: 2}
		if after != nil {
			f.After = after.ID
		}
		return s.Mails(t.Context(), f)
	})
	if !slices.EqualFunc(got, want, func(m notify.Mail, id string) bool { return m.ID == id }) {
		t.Errorf("mails in the order %v", got)
	}
	for f, n := range map[notify.Filter]int{{State: notify.Failed}: 2, {Order: "ord_a"}: 2, {Text: "user0004"}: 1, {Text: "nobody"}: 0} {
		f.Limit = 10
		if got, err := s.Mails(t.Context(), f); err != nil || len(got) != n {
			t.Errorf("%+v gives %d mails (%v), want %d", f, len(got), err, n)
		}
	}
}

func listAudit(t *testing.T, c Config) {
	s := open(t, c)
	for i := range 9 {
		e := audit.New(noon, alice, []string{"order.submit", "certificate.revoke"}[i%2], []string{"order/a", "order/b", "x/c"}[i%3], nil)
		if err := s.AppendAudit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	got := pages(t, func(after *audit.Entry) ([]audit.Entry, error) {
		f := audit.Filter{Limit: 4}
		if after != nil {
			f.Before = after.Seq
		}
		return s.AuditEntries(t.Context(), f)
	})
	if len(got) != 9 || got[0].Seq != 9 || got[8].Seq != 1 {
		t.Errorf("listed %d entries, first %+v", len(got), got[0])
	}
	for f, n := range map[audit.Filter]int{{Subject: "order/b"}: 3, {Text: "REVOKE"}: 4, {Text: "person/acc_alice"}: 9, {Subject: "order/b", Text: "submit"}: 1, {Before: 3}: 2} {
		f.Limit = 100
		if got, err := s.AuditEntries(t.Context(), f); err != nil || len(got) != n {
			t.Errorf("%+v gives %d entries (%v), want %d", f, len(got), err, n)
		}
	}
}

func longAudit(t *testing.T, c Config) {
	s := open(t, c)
	entries := make([]audit.Entry, 2*auditPage+7)
	for i := range entries {
		entries[i] = audit.New(noon, alice, "test.long", nth(i), map[string]string{"i": nth(i)})
	}
	if err := s.AppendAudit(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	if n := verified(t, s); n != int64(len(entries)) {
		t.Errorf("%d entries, want %d", n, len(entries))
	}
	read := 0
	for _, err := range s.AuditLog(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if read++; read == 3 {
			break
		}
	}
	if _, err := s.write.Exec(`UPDATE audit_entries SET action = 'test.forged' WHERE seq = 1500`); err != nil {
		t.Fatal(err)
	}
	head, err := s.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := audit.Verify(s.AuditLog(t.Context()), head); err != nil || p.Broken == nil || p.Broken.Seq != 1500 {
		t.Errorf("a forged entry is found as %v, %v", p.Broken, err)
	}
}

func census(t *testing.T, c Config) {
	s := open(t, c)
	now := noon.Add(time.Hour)
	_, a := issued(t, s, "a@example.com", now.Add(3*day)) // Saturday of this week: noon is a Wednesday
	_, _ = issued(t, s, "b@example.com", now.Add(5*day))  // next week
	_, dead := issued(t, s, "c@example.com", now.Add(9*day))
	_, _ = issued(t, s, "d@example.com", now.Add(-time.Minute))
	_, _ = issued(t, s, "far@example.com", now.Add(900*day))
	_ = a
	late := newOrder(t, "late@example.com")
	late.CreatedAt = now.Add(-400 * day)
	commit(t, s, workflow.Step{Order: late})
	if d := late.Deadline(); !d.Before(now) {
		t.Fatalf("the deadline of an order of 400 days ago is %v", d)
	}
	submitted(t, s, "fresh@example.com")
	failed, queued := mailTo(t, "a@example.com"), mailTo(t, "b@example.com")
	failed.State = notify.Failed
	err := s.CommitRevocations(t.Context(), status.Change{Mails: []notify.Mail{failed, queued}, Jobs: []jobs.Job{jobs.New("test.one", 1)},
		Revocations: []status.Revocation{{Serial: dead.Serial, Issuer: "issuing", At: now.Add(-day), NotAfter: dead.NotAfter}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Census(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if got.Valid != 3 || got.Revoked != 1 || got.Ended != 1 {
		t.Errorf("valid %d, revoked %d, ended %d; want 3, 1, 1", got.Valid, got.Revoked, got.Ended)
	}
	if got.Expiring[0] != 1 || got.Expiring[1] != 1 || got.Expiring[2] != 0 {
		t.Errorf("ending by week: %v", got.Expiring)
	}
	if got.IssuedByDay[29] != 5 || got.RevokedByDay[28] != 1 || got.RevokedByDay[29] != 0 {
		t.Errorf("by day: issued %v, revoked %v", got.IssuedByDay, got.RevokedByDay)
	}
	if got.Orders[order.Issued] != 5 || got.Orders[order.Expired] != 1 || got.Orders[order.Confirming] != 1 {
		t.Errorf("orders: %v", got.Orders)
	}
	if got.MailsFailed != 1 || got.MailsWaiting != 1 || got.JobsWaiting != 1 || got.JobsFailed != 0 {
		t.Errorf("mails %d failed, %d waiting; jobs %d waiting, %d failed", got.MailsFailed, got.MailsWaiting, got.JobsWaiting, got.JobsFailed)
	}
}
