package access

import (
	"context"
	"strconv"
	"sync"
	"time"

	"chancery.example/audit"
)

// failureWindow is how long further failures of the same sort are only counted.
const failureWindow = 10 * time.Minute

// failures counts failed sign-ins, so that a guesser fills counters instead of the audit log: the first failure is
// recorded at once, those of the next ten minutes together. Subjects are accounts and "unknown", so they are few.
type failures struct {
	mu   sync.Mutex
	runs map[failureKey]*failureRun
}

type failureKey struct{ subject, reason string }

// failureRun is a run of failures of which the first was recorded.
type failureRun struct {
	recorded time.Time // when the last entry was made
	more     int       // since then
	address  string    // of the latest
}

func newFailures() *failures { return &failures{runs: map[failureKey]*failureRun{}} }

// add counts a failure. When it returns true an entry is due now, for so many failures.
func (f *failures) add(key failureKey, address string, now time.Time) (due bool, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := f.runs[key]
	if run == nil {
		f.runs[key] = &failureRun{recorded: now, address: address}
		return true, 1
	}
	run.more++
	run.address = address
	if now.Sub(run.recorded) < failureWindow {
		return false, 0
	}
	n = run.more
	run.recorded, run.more = now, 0
	return true, n
}

// take removes the runs that fit and returns those with failures that no entry tells of yet.
func (f *failures) take(fits func(failureKey, *failureRun) bool) map[failureKey]failureRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	due := map[failureKey]failureRun{}
	for k, run := range f.runs {
		if !fits(k, run) {
			continue
		}
		delete(f.runs, k)
		if run.more > 0 {
			due[k] = *run
		}
	}
	return due
}

// failed records a failed sign-in, or counts it.
func (a *Access) failed(ctx context.Context, subject, reason string, from Client) error {
	address := from.Address.String()
	due, n := a.failures.add(failureKey{subject, reason}, address, a.now())
	if !due {
		return nil
	}
	return a.commit(ctx, Change{Audit: []audit.Entry{a.failure(failureKey{subject, reason}, n, address)}})
}

// settled are the entries for failures of a subject that were only counted so far.
func (a *Access) settled(fits func(failureKey, *failureRun) bool) []audit.Entry {
	var entries []audit.Entry
	for k, run := range a.failures.take(fits) {
		entries = append(entries, a.failure(k, run.more, run.address))
	}
	return entries
}

func (a *Access) failure(k failureKey, n int, address string) audit.Entry {
	return a.entry(Principal{}, "session.refuse", k.subject,
		map[string]string{"reason": k.reason, "times": strconv.Itoa(n), "address": address})
}

// Tidy writes down failures that were only counted so far, and forgets sessions, ceremonies and invitations that have
// expired. It is meant to be called every few minutes, and once at the end.
func (a *Access) Tidy(ctx context.Context) error {
	now := a.now()
	entries := a.settled(func(_ failureKey, run *failureRun) bool { return now.Sub(run.recorded) >= failureWindow })
	if len(entries) > 0 {
		if err := a.commit(ctx, Change{Audit: entries}); err != nil {
			return err
		}
	}
	return a.ledger.ForgetExpired(ctx, now, now.Add(-a.lifetime), now.Add(-a.idle))
}
