package store

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"chancery.example/fault"
	"chancery.example/jobs"
)

// How jobs are run.
const (
	workers       = 16                          // jobs at a time
	jobTimeout    = time.Minute                 // for one attempt; its context ends then
	rescueAfter   = jobTimeout + 30*time.Second // a job that was running on a node that died is tried again after this
	fetchCooldown = 20 * time.Millisecond       // between two looks for new jobs
	fetchPoll     = 500 * time.Millisecond      // a look although nobody rang; also the longest delay when a ring was missed
	keptDone      = 24 * time.Hour
	keptFailed    = censusDays * day
	hardStop      = 5 * time.Second // for jobs to notice that their context ended
)

// Runner runs the jobs of the house: several at a time, again with growing pauses (1 s, 16 s, 81 s, … the fourth power
// of the attempt) until their attempts are used up. A job that was stored is noticed within about 0.1 s.
//
// A job that was running when the process died is run again: at the next start of its node, or after rescueAfter
// by another one. So handlers must bear to be run twice.
type Runner struct {
	store  *Store
	client interface {
		Start(context.Context) error
		Stop(context.Context) error
		StopAndCancel(context.Context) error
	}
}

// NewRunner makes a runner for the handlers of a table. Periodic jobs are enqueued on the clock's grid (every
// hour means at each full hour, UTC) by one node of the house; one that still waits or runs is not enqueued a second time.
func (s *Store) NewRunner(table jobs.Table, periodic []jobs.Periodic, logger *slog.Logger) (*Runner, error) {
	if logger == nil {
		logger = s.log
	}
	for _, p := range periodic {
		if p.Every < time.Second {
			return nil, fault.New(fault.Internal, "job.period", "The period of %q is shorter than a second.", p.Job.Kind)
		}
		if err := checkJobs([]jobs.Job{p.Job}); err != nil {
			return nil, err
		}
	}
	config := &river.Config{
		Logger: logger, Workers: river.NewWorkers(), PeriodicJobs: riverPeriodic(periodic),
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll,
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, MaxAttempts: jobs.DefaultAttempts,
		CompletedJobRetentionPeriod: keptDone, DiscardedJobRetentionPeriod: keptFailed, CancelledJobRetentionPeriod: keptFailed,
	}
	if s.node != "" {
		config.ID = s.node + "." + rand.Text()
	}
	for kind, handler := range table {
		river.AddWorkerArgs(config.Workers, riverArgs{kind: kind}, &worker{handle: handler})
	}
	r := &Runner{store: s}
	var err error
	if s.dialect == PostgreSQL {
		var c *river.Client[pgx.Tx]
		c, err = river.NewClient(riverpgxv5.New(s.pool), config)
		r.client = c
	} else {
		r.client, err = river.NewClient(riversqlite.New(s.write), config)
	}
	return r, wrap("make the runner", err)
}

// Start begins to run jobs and returns. The context's end stops it as Stop does.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.store.takeOver(ctx); err != nil {
		return err
	}
	return wrap("start the runner", r.client.Start(ctx))
}

// Stop takes no more jobs and waits for those that run. When ctx ends first, their contexts end too, and they have
// hardStop to return.
func (r *Runner) Stop(ctx context.Context) error {
	err := r.client.Stop(ctx)
	if err == nil {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), hardStop)
	defer cancel()
	if e := r.client.StopAndCancel(last); e != nil {
		return wrap("stop the runner", errors.Join(err, e))
	}
	return nil
}

// takeOver frees what a process that died held: all of it on SQLite, where this process is the only one, and what this
// node held on PostgreSQL.
func (s *Store) takeOver(ctx context.Context) error {
	statements := []string{
		`UPDATE river_job SET state = 'available' WHERE state = 'running'`,
		`DELETE FROM river_leader`,
	}
	var args []any
	if s.dialect == PostgreSQL {
		if s.node == "" {
			return nil
		}
		statements = []string{
			`UPDATE river_job SET state = 'available' WHERE state = 'running' AND starts_with(attempted_by[array_upper(attempted_by, 1)], $1)`,
			`DELETE FROM river_leader WHERE starts_with(leader_id, $1)`,
		}
		args = []any{s.node + "."}
	}
	for _, statement := range statements {
		if _, err := s.write.ExecContext(ctx, statement, args...); err != nil {
			return wrap("take over the jobs of the last run", err)
		}
	}
	return nil
}

// worker calls a handler for River.
type worker struct {
	river.WorkerDefaults[riverArgs]
	handle jobs.Handler
}

// Work does one attempt and translates what the handler says.
func (w *worker) Work(ctx context.Context, job *river.Job[riverArgs]) error {
	err := w.handle(ctx, jobs.Attempt{Args: job.Args.Args, Number: job.Attempt, Last: job.Attempt >= job.MaxAttempts})
	var later jobs.Later
	switch {
	case err == nil:
		return nil
	case jobs.GivenUp(err):
		return river.JobCancel(err)
	case errors.As(err, &later):
		return river.JobSnooze(max(later.After, 0))
	}
	return err
}

func riverPeriodic(periodic []jobs.Periodic) []*river.PeriodicJob {
	var out []*river.PeriodicJob
	for _, p := range periodic {
		if p.Job.Unique == "" {
			p.Job.Unique = "periodic"
		}
		out = append(out, river.NewPeriodicJob(grid(p.Every), func() (river.JobArgs, *river.InsertOpts) {
			return riverJob(p.Job)
		}, &river.PeriodicJobOpts{RunOnStart: p.AtStart}))
	}
	return out
}

// grid is a schedule at whole multiples of a period, so that restarts do not put a job off for ever.
type grid time.Duration

func (g grid) Next(now time.Time) time.Time {
	return now.Truncate(time.Duration(g)).Add(time.Duration(g))
}
