package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery.example/jobs"
)

var runnerCases = map[string]func(*testing.T, Config){
	"a job runs soon after its unit is stored":              soonRun,
	"a job that fails is tried again, and given up at last": triedAgain,
	"a job with an identity waits or runs once":             uniqueOnce,
	"periodic jobs come again":                              periodicAgain,
	"stopping waits for the jobs that run":                  gracefulStop,
	"a job asks for a later run without losing an attempt":  laterRun,
}

// start runs the jobs of a table until the test ends.
func start(t *testing.T, s *Store, table jobs.Table, periodic ...jobs.Periodic) *Runner {
	t.Helper()
	r, err := s.NewRunner(table, periodic, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// within waits for a signal.
func within[T any](t *testing.T, d time.Duration, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(d):
		t.Fatalf("%s did not happen within %v", what, d)
	}
	return v
}

func enqueue(t *testing.T, s *Store, todo ...jobs.Job) {
	t.Helper()
	if err := s.EnqueueJobs(t.Context(), todo...); err != nil {
		t.Fatal(err)
	}
}

func soonRun(t *testing.T, c Config) {
	s := open(t, c)
	type args struct{ Mail string }
	ran := make(chan args, 10)
	start(t, s, jobs.Table{"mail.send": jobs.Decode(func(_ context.Context, a args, at jobs.Attempt) error {
		if at.Number != 1 || at.Last {
			t.Errorf("attempt %+v", at)
		}
		ran <- a
		return nil
	})})
	var slowest time.Duration
	for range 5 {
		begun := time.Now()
		enqueue(t, s, jobs.New("mail.send", args{"mail_x"}))
		if got := within(t, 10*time.Second, ran, "the job"); got.Mail != "mail_x" {
			t.Errorf("arguments %+v", got)
		}
		slowest = max(slowest, time.Since(begun))
	}
	t.Logf("slowest of five: %v", slowest)
	begun := time.Now()
	enqueue(t, s, jobs.New("mail.send", args{"later"}).At(begun.Add(700*time.Millisecond)))
	within(t, 10*time.Second, ran, "the job of later")
	if d := time.Since(begun); d < 700*time.Millisecond {
		t.Errorf("a job for later ran after %v", d)
	}
}

func triedAgain(t *testing.T, c Config) {
	s := open(t, c)
	attempts := make(chan jobs.Attempt, 10)
	var given atomic.Int32
	start(t, s, jobs.Table{
		"test.fails": func(_ context.Context, a jobs.Attempt) error { attempts <- a; return errors.New("no") },
		"test.gives": func(_ context.Context, a jobs.Attempt) error { given.Add(1); return jobs.Give(errors.New("never")) },
	})
	enqueue(t, s, jobs.New("test.fails", 1).Tries(2), jobs.New("test.gives", 1))
	if a := within(t, 10*time.Second, attempts, "the first attempt"); a.Number != 1 || a.Last {
		t.Errorf("first attempt %+v", a)
	}
	if a := within(t, 10*time.Second, attempts, "the second attempt"); a.Number != 2 || !a.Last {
		t.Errorf("second attempt %+v", a)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := s.Census(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got.JobsFailed == 2 && got.JobsWaiting == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d jobs failed, %d wait; want 2 given up", got.JobsFailed, got.JobsWaiting)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := given.Load(); n != 1 {
		t.Errorf("a job that gives up ran %d times", n)
	}
}

func uniqueOnce(t *testing.T, c Config) {
	s := open(t, c)
	release := make(chan struct{})
	ran := make(chan jobs.Attempt, 10)
	start(t, s, jobs.Table{
		"test.unique": func(ctx context.Context, a jobs.Attempt) error {
			ran <- a
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil
		},
		"test.other": func(_ context.Context, a jobs.Attempt) error { ran <- a; return nil },
	})
	one := jobs.New("test.unique", 1).Once("crl")
	enqueue(t, s, one, one) // in one unit
	within(t, 10*time.Second, ran, "the job")
	enqueue(t, s, one) // while it runs
	if n := jobRows(t, s); n != 1 {
		t.Errorf("%d jobs are stored, want 1", n)
	}
	enqueue(t, s, jobs.New("test.other", 1).Once("crl")) // another kind
	within(t, 10*time.Second, ran, "the job of another kind")
	close(release)
	deadline := time.Now().Add(10 * time.Second)
	for jobRows(t, s) == 2 { // once it is done, the next is stored
		enqueue(t, s, one)
		if time.Now().After(deadline) {
			t.Fatal("the identity of a finished job is still taken")
		}
	}
	within(t, 10*time.Second, ran, "the job after the first was done")
}

func periodicAgain(t *testing.T, c Config) {
	s := open(t, c)
	ticks, once := make(chan jobs.Attempt, 10), make(chan jobs.Attempt, 10)
	start(t, s, jobs.Table{
		"test.tick": func(_ context.Context, a jobs.Attempt) error { ticks <- a; return nil },
		"test.once": func(_ context.Context, a jobs.Attempt) error { once <- a; return nil },
	}, jobs.Periodic{Every: time.Second, Job: jobs.New("test.tick", 7)}, jobs.Periodic{Every: 24 * time.Hour, Job: jobs.New("test.once", 7), AtStart: true})
	within(t, 10*time.Second, once, "the run at the start")
	for range 2 {
		if a := within(t, 10*time.Second, ticks, "the tick"); string(a.Args) != "7" {
			t.Errorf("arguments %s", a.Args)
		}
	}
	if len(once) != 0 {
		t.Error("the daily job ran twice")
	}
	if _, err := s.NewRunner(nil, []jobs.Periodic{{Job: jobs.New("test.tick", 7)}}, nil); err == nil {
		t.Error("a period of nothing was taken")
	}
}

func gracefulStop(t *testing.T, c Config) {
	s := open(t, c)
	running := make(chan struct{})
	var done atomic.Bool
	var once sync.Once
	table := jobs.Table{"test.slow": func(ctx context.Context, a jobs.Attempt) error {
		once.Do(func() { close(running) })
		time.Sleep(300 * time.Millisecond)
		done.Store(ctx.Err() == nil)
		return nil
	}, "test.endless": func(ctx context.Context, a jobs.Attempt) error { <-ctx.Done(); return ctx.Err() }}
	r := start(t, s, table)
	enqueue(t, s, jobs.New("test.slow", 1))
	within(t, 10*time.Second, running, "the slow job")
	if err := r.Stop(t.Context()); err != nil || !done.Load() {
		t.Errorf("stop returns %v, and the job was finished: %v", err, done.Load())
	}
	enqueue(t, s, jobs.New("test.endless", 1))
	r = start(t, s, table)
	time.Sleep(700 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := r.Stop(ctx); err != nil {
		t.Errorf("a hard stop returns %v", err)
	}
	if d := time.Since(begun); d > hardStop {
		t.Errorf("a hard stop took %v", d)
	}
}

func laterRun(t *testing.T, c Config) {
	s := open(t, c)
	ran := make(chan jobs.Attempt, 10)
	var n atomic.Int32
	start(t, s, jobs.Table{"test.later": func(_ context.Context, a jobs.Attempt) error {
		ran <- a
		if n.Add(1) < 3 {
			return jobs.Later{After: 10 * time.Millisecond}
		}
		return nil
	}})
	enqueue(t, s, jobs.New("test.later", 1).Tries(1))
	for range 3 {
		if a := within(t, 10*time.Second, ran, "the run"); a.Number != 1 || !a.Last {
			t.Errorf("attempt %+v, want the first and last each time", a)
		}
	}
}

// A process that dies leaves its job running; on SQLite the next one takes it over at once.
func TestTakeOver(t *testing.T) {
	s := open(t, databases(t)[0].config(t))
	enqueue(t, s, jobs.New("test.left", 1).Once("x"))
	if _, err := s.write.Exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP`); err != nil {
		t.Fatal(err)
	}
	ran := make(chan jobs.Attempt, 1)
	start(t, s, jobs.Table{"test.left": func(_ context.Context, a jobs.Attempt) error { ran <- a; return nil }})
	if a := within(t, 10*time.Second, ran, "the job that was left behind"); a.Number != 2 {
		t.Errorf("attempt %+v", a)
	}
}
