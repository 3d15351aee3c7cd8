package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// BenchmarkCommit stores what issuing a certificate stores: an order that is approved, then intent, then certificate
// with a mail and its job, each unit with its audit entry, for many callers at once. Beside the time it reports
// commits per certificate; the time of a commit is that of this disk.
func BenchmarkCommit(b *testing.B) {
	for _, db := range databases(b) {
		for _, callers := range []int{1, 64} {
			b.Run(db.name+"/callers="+map[int]string{1: "1", 64: "64"}[callers], func(b *testing.B) {
				c := db.config(b)
				c.Logger = slog.New(slog.DiscardHandler)
				benchCommit(b, open(b, c), callers)
			})
		}
	}
}

func benchCommit(b *testing.B, s *Store, callers int) {
	orders := make([]order.Order, b.N)
	for i := range orders {
		orders[i] = newOrder(b, nth(i))
	}
	before, cpu := s.Stats(), cpuTime(b)
	begun := time.Now()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(orders) {
					return
				}
				if err := issueOnce(b.Context(), s, orders[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after := s.Stats()
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "certs/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/cert")
	b.ReportMetric(float64(after.Commits-before.Commits)/float64(b.N), "commits/cert")
	b.ReportMetric(float64(after.Units-before.Units)/float64(after.Commits-before.Commits), "units/commit")
}

// cpuTime is what this process has used so far: it is comparable on a machine that is busy otherwise.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// issueOnce stores the three units of one certificate.
func issueOnce(ctx context.Context, s *Store, o order.Order) error {
	o.State, o.ApprovedAt = order.Approved, noon
	if err := s.Commit(ctx, workflow.Step{Order: o, Audit: []audit.Entry{entry(o, "order.approve")}}); err != nil {
		return err
	}
	i := intentOf(o)
	i.TBS = sequence(append(make([]byte, 600), i.Serial...))
	o.Version++
	o.State, o.Serial = order.Issuing, string(i.Serial)
	if err := s.Commit(ctx, workflow.Step{Order: o, Intent: &i, Audit: []audit.Entry{entry(o, "order.prepare")}}); err != nil {
		return err
	}
	certificate := signed(i, noon.Add(365*day))
	mail, job := notify.New("issued", o.Mailbox, "en", noon)
	o.Version++
	o.State = order.Issued
	return s.Commit(ctx, workflow.Step{Order: o, Issued: &certificate, Mails: []notify.Mail{mail}, Jobs: []jobs.Job{job},
		Audit: []audit.Entry{entry(o, "order.issue")}})
}

// stored is how much there is in the full house.
const stored = 1_000_000

// BenchmarkCommitFull is BenchmarkCommit in a house that holds a million certificates with their orders, mails and
// three audit entries each. Filling takes a minute or two and 2 GB on disk.
func BenchmarkCommitFull(b *testing.B) {
	if testing.Short() {
		b.Skip("fills a million rows")
	}
	for _, db := range databases(b) {
		b.Run(db.name, func(b *testing.B) {
			c := db.config(b)
			c.Logger = slog.New(slog.DiscardHandler)
			s := open(b, c)
			fill(b, s, stored)
			b.Run("callers=64", func(b *testing.B) { benchCommit(b, s, 64) })
			begun := time.Now()
			if _, err := s.Census(b.Context(), noon); err != nil {
				b.Fatal(err)
			}
			b.Logf("a census takes %v", time.Since(begun))
		})
	}
}

// fill makes n of everything with random names, as the domain would have named them.
func fill(b *testing.B, s *Store, n int) {
	b.Helper()
	numbers := `WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < $1)`
	random := func(bytes int) string { return fmt.Sprintf(`lower(hex(randomblob(%d)))`, bytes) }
	blob := func(bytes int) string { return fmt.Sprintf(`randomblob(%d)`, bytes) }
	if s.dialect == PostgreSQL {
		numbers = `WITH k AS (SELECT generate_series(1, $1::bigint) AS i)`
		random = func(bytes int) string {
			return fmt.Sprintf(`substr(encode(sha256(random()::text::bytea), 'hex'), 1, %d)`, 2*bytes)
		}
		blob = func(bytes int) string {
			return fmt.Sprintf(`decode(substr(repeat(encode(sha256(random()::text::bytea), 'hex'), %d), 1, %d), 'hex')`, bytes/32+1, 2*bytes)
		}
	}
	for _, fill := range []string{
		`INSERT INTO orders (id, version, state, mailbox, profile, language, agreement, by_kind, by_id, request, renews, serial,
			created_at, approved_at, delivered_at, deadline, reasons) ` + numbers + ` SELECT 'ord_' || ` + random(13) + `, 3, 'delivered',
			'user' || i || '@example.com', 'mv-strict', 'en', '{"version":"1","language":"en"}', 'person', 'acc', ` + blob(1) + `, '', '',
			1767225600000000 + i, 0, 0, 0, '' FROM k`,
		`INSERT INTO certificates (serial, issuer, order_id, profile, mailbox, state, key_kept, intended_at, tbs, der, sha256, spki,
			not_before, not_after, issued_at, revoked_at) ` + numbers + ` SELECT ` + random(16) + `, 'issuing', 'ord_' || ` + random(13) + `,
			'mv-strict', 'user' || i || '@example.com', 'done', false, 1767225600000000, ` + blob(1) + `, ` + blob(800) + `, ` + blob(32) + `, ` + blob(32) + `,
			1767225600000000, 1798761600000000 + i, 1767225600000000 + i, 0 FROM k`,
		`INSERT INTO mails (id, kind, recipient, language, order_id, serial, state, attempts, last_error, created_at, sent_at) ` + numbers +
			` SELECT 'mail_' || ` + random(13) + `, 'issued', 'user' || i || '@example.com', 'en', 'ord_' || ` + random(13) + `, '', 'sent', 1, '', 1, 1 FROM k`,
		`INSERT INTO audit_entries (seq, at, actor_kind, actor_id, action, subject, detail, prev, hash) ` + numbers +
			` SELECT 3 * i + j, 1, 'person', 'acc', 'order.issue', 'order/ord_' || ` + random(13) + `, '{}', ` + blob(32) + `, ` + blob(32) + `
			FROM k, (SELECT 0 AS j UNION SELECT 1 UNION SELECT 2) AS three`,
		`UPDATE audit_head SET seq = 3 * ($1 + 1)`,
	} {
		if _, err := s.write.Exec(fill, n); err != nil {
			b.Fatal(err)
		}
	}
	tidy := `PRAGMA wal_checkpoint(TRUNCATE)` // one transaction of this size is no part of the measure
	if s.dialect == PostgreSQL {
		tidy = `ANALYZE`
	}
	if _, err := s.write.Exec(tidy); err != nil {
		b.Fatal(err)
	}
}
