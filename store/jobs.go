package store

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"chancery.example/fault"
	"chancery.example/jobs"
)

// riverArgs carries any job of the house through River.
type riverArgs struct {
	kind   jobs.Kind
	Unique string          `json:"unique,omitempty" river:"unique"`
	Args   json.RawMessage `json:"args"`
}

// Kind is the name under which River keeps the job.
func (a riverArgs) Kind() string { return string(a.kind) }

// alive are the states in which a job with an identity keeps others of the same identity out.
var alive = []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
	rivertype.JobStateRetryable, rivertype.JobStateScheduled}

func riverJob(j jobs.Job) (riverArgs, *river.InsertOpts) {
	args := riverArgs{kind: j.Kind, Unique: j.Unique, Args: j.Args}
	if len(args.Args) == 0 {
		args.Args = json.RawMessage("null")
	}
	opts := &river.InsertOpts{MaxAttempts: j.MaxAttempts, ScheduledAt: j.RunAt}
	if opts.MaxAttempts <= 0 {
		opts.MaxAttempts = jobs.DefaultAttempts
	}
	if j.Unique != "" {
		opts.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: alive}
	}
	return args, opts
}

// enqueuer stores jobs in a transaction.
type enqueuer func(ctx context.Context, t *tx, todo []jobs.Job) error

// newEnqueuer makes the client of River that stores jobs and never runs any.
func (s *Store) newEnqueuer() (enqueuer, error) {
	config := &river.Config{Logger: slog.New(slog.DiscardHandler), FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll}
	if s.dialect == PostgreSQL {
		client, err := river.NewClient(riverpgxv5.New(s.pool), config)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, t *tx, todo []jobs.Job) error {
			params := insertParams(todo)
			if len(params) == 0 {
				return nil
			}
			return withPgx(t.conn, func(tx pgx.Tx) error {
				_, err := client.InsertManyTx(ctx, tx, params)
				return err
			})
		}, nil
	}
	client, err := river.NewClient(riversqlite.New(s.write), config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, t *tx, todo []jobs.Job) error {
		params := insertParams(todo)
		if len(params) == 0 {
			return nil
		}
		_, err := client.InsertManyTx(ctx, t.sql, params)
		return err
	}, nil
}

// insertParams gives each job to River, and each identity once: PostgreSQL refuses to meet a conflict twice in one
// statement.
func insertParams(todo []jobs.Job) []river.InsertManyParams {
	type identity struct {
		kind   jobs.Kind
		unique string
	}
	seen := map[identity]bool{}
	params := make([]river.InsertManyParams, 0, len(todo))
	for _, j := range todo {
		if id := (identity{j.Kind, j.Unique}); j.Unique != "" {
			if seen[id] {
				continue
			}
			seen[id] = true
		}
		args, opts := riverJob(j)
		params = append(params, river.InsertManyParams{Args: args, InsertOpts: opts})
	}
	return params
}

// kindForm is what River takes as the name of a kind.
var kindForm = regexp.MustCompile(`\A[a-z][a-z0-9.\-]{1,100}\z`)

// checkJobs refuses what River would refuse later, when it would take the whole batch with it.
func checkJobs(todo []jobs.Job) error {
	for _, j := range todo {
		if !kindForm.MatchString(string(j.Kind)) {
			return fault.New(fault.Internal, "job.kind", "The kind of a job must be lower-case words with dots, not %q.", j.Kind)
		}
		if len(j.Args) > 0 && !json.Valid(j.Args) {
			return fault.Wrap(errors.New("arguments are not JSON"), fault.Internal, "job.args", "A job of the kind %q cannot be stored.", j.Kind)
		}
	}
	return nil
}

// EnqueueJobs stores jobs that belong to no other change.
func (s *Store) EnqueueJobs(ctx context.Context, todo ...jobs.Job) error {
	return s.commit(ctx, unit{jobs: todo})
}
