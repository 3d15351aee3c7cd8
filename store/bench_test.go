package store

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
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
	before := s.Stats()
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
	b.ReportMetric(float64(after.Commits-before.Commits)/float64(b.N), "commits/cert")
	b.ReportMetric(float64(after.Units-before.Units)/float64(after.Commits-before.Commits), "units/commit")
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
