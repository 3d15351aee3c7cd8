package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/jobs"
)

// Bounds of the writer.
const (
	maxWaiting   = 4096             // units that wait for the writer; who comes later waits to be let in
	maxBatch     = 256              // units that share one transaction
	batchTimeout = 60 * time.Second // for one transaction, from taking the connection to the answer of COMMIT
	settling     = 15 * time.Second // to find out what became of a COMMIT that was not answered
)

// unit is what one caller wants stored, all or nothing.
type unit struct {
	// run writes the rows. It may run more than once: when another unit of the batch is refused or fails, it is run
	// again in a fresh transaction. So it only reads what was handed in and what is in the transaction, and changes
	// nothing outside.
	run func(ctx context.Context, t *tx) error
	// audit follows the rows; the entries of a unit stand beside each other in the chain.
	audit []audit.Entry
	jobs  []jobs.Job
}

// The states of a request. A caller may withdraw only what was not taken.
const (
	waiting int32 = iota
	taken
	withdrawn
)

type request struct {
	unit
	state atomic.Int32
	done  chan error // holds one answer
}

// queue leads the units of all callers to one writer.
//
// The writer takes what waits, up to maxBatch, and runs it in one transaction. When a unit of it is refused, which is
// rare, the transaction is begun again with each unit in a savepoint of its own, so that a refused one is rolled back
// alone; doing so always would cost a fifth of the speed on SQLite and two messages a unit on PostgreSQL. After the one
// COMMIT all are answered. While it commits, the next batch gathers; there is no timer, so a lone unit waits for nobody.
type queue struct {
	store    *Store
	node     string
	in       chan *request
	stopping chan struct{}
	stopped  chan struct{}
	once     sync.Once
	enqueue  enqueuer
	batch    int64 // the number of the last transaction of this node
	// settleTime is settling, and shorter in a test.
	settleTime time.Duration

	commits, units, refused atomic.Int64
}

// Stats counts what the writer did since the store was opened.
type Stats struct {
	Commits int64 // database transactions committed
	Units   int64 // units that they stored
	Refused int64 // units that were refused or failed
}

// Stats returns the counts so far.
func (s *Store) Stats() Stats {
	return Stats{Commits: s.queue.commits.Load(), Units: s.queue.units.Load(), Refused: s.queue.refused.Load()}
}

func newQueue(s *Store, node string) (*queue, error) {
	e, err := s.newEnqueuer()
	if err != nil {
		return nil, err
	}
	q := &queue{store: s, node: node, enqueue: e, settleTime: settling, in: make(chan *request, maxWaiting),
		stopping: make(chan struct{}), stopped: make(chan struct{})}
	go q.write()
	return q, nil
}

func (q *queue) close() {
	q.once.Do(func() { close(q.stopping) })
	<-q.stopped
}

var errClosing = fault.New(fault.Unavailable, "store.closing", "The house is closing. Please try again in a moment.")

// commit stores a unit and returns when it is durable. A context that ends while the unit waits withdraws it; once
// the writer has taken it, the answer is waited for, so that nobody is told "failed" about what was stored.
//
// Errors: what the unit's run returned; fault.Unavailable "store.closing", "store.not-stored" (the database failed,
// and nothing of the unit is there) or "store.unknown" (the database went away during COMMIT: look before repeating).
func (s *Store) commit(ctx context.Context, u unit) error {
	if err := checkJobs(u.jobs); err != nil {
		return err
	}
	r := &request{unit: u, done: make(chan error, 1)}
	select {
	case <-s.queue.stopping:
		return errClosing
	default:
	}
	select {
	case s.queue.in <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.queue.stopping:
		return errClosing
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
	case <-s.queue.stopped:
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return errClosing
		}
	}
	return <-r.done
}

// write is the writer's goroutine.
func (q *queue) write() {
	defer close(q.stopped)
	for {
		select {
		case r := <-q.in:
			q.storeBatch(q.gather(r))
		case <-q.stopping:
			for { // what came before closing is stored
				select {
				case r := <-q.in:
					q.storeBatch(q.gather(r))
				default:
					return
				}
			}
		}
	}
}

// gather takes the units that wait now.
func (q *queue) gather(first *request) []*request {
	batch := make([]*request, 0, maxBatch)
	for r := first; ; {
		if r.state.CompareAndSwap(waiting, taken) {
			batch = append(batch, r)
		}
		if len(batch) == maxBatch {
			return batch
		}
		select {
		case r = <-q.in:
		default:
			return batch
		}
	}
}

// storeBatch stores a batch in one transaction, or, where that failed as a whole, each unit in its own.
func (q *queue) storeBatch(batch []*request) {
	if len(batch) == 0 {
		return
	}
	outcomes, err := q.attempt(batch, false)
	if errors.Is(err, errRefusal) {
		outcomes, err = q.attempt(batch, true)
	}
	if err == nil {
		for i, r := range batch {
			q.answer(r, outcomes[i])
		}
		return
	}
	q.store.log.Warn("a transaction of the ledger failed", "units", len(batch), "error", err)
	if len(batch) == 1 || errors.Is(err, errUnknown) || errors.Is(err, errNoTransaction) {
		for _, r := range batch {
			q.answer(r, refusal(err))
		}
		return
	}
	for _, r := range batch {
		q.storeBatch([]*request{r})
	}
}

func (q *queue) answer(r *request, err error) {
	if err != nil {
		q.refused.Add(1)
	} else {
		q.units.Add(1)
	}
	r.done <- err
}

var (
	errNoTransaction = errors.New("no transaction could be begun")
	errUnknown       = errors.New("the outcome of COMMIT is not known")
	errRefusal       = errors.New("a unit was refused")
)

// refusal is what a caller is told of a failed transaction. Faults and errors of the statements pass.
func refusal(err error) error {
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	if errors.Is(err, errUnknown) {
		return fault.Wrap(err, fault.Unavailable, "store.unknown",
			"The database went away while this was being stored. Look whether it is there before you repeat it.")
	}
	return fault.Wrap(err, fault.Unavailable, "store.not-stored", "The database failed and nothing of this was stored. Please try again.")
}

// attempt runs a batch in one transaction, with savepoints or without. It returns the outcome of each unit, or an error
// when nothing of the batch was stored: errRefusal when it must be run again with savepoints. After errUnknown it
// cannot be told what was stored.
func (q *queue) attempt(batch []*request, savepoints bool) ([]error, error) {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	t, err := q.store.begin(ctx)
	if err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	defer func() { t.end(ctx) }()
	// Step 1: the head of the audit chain. On PostgreSQL its lock makes the nodes of a house take turns, so that
	// entries, revocations and lists are numbered in the order in which they become visible.
	head, err := t.takeHead(ctx)
	if err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	// Step 2: the rows of each unit.
	outcomes := make([]error, len(batch))
	var entries []audit.Entry
	var todo []jobs.Job
	stored := 0
	for i, r := range batch {
		if outcomes[i], err = t.runUnit(ctx, r, savepoints); err != nil {
			return nil, err
		}
		if outcomes[i] != nil && !savepoints && len(batch) > 1 {
			return nil, errRefusal
		}
		if outcomes[i] == nil {
			entries = append(entries, r.audit...)
			todo = append(todo, r.jobs...)
			stored++
		}
	}
	if stored == 0 {
		return outcomes, nil
	}
	// Step 3: what all units share: the chain, the jobs, and the mark that tells later what became of this COMMIT.
	if err := t.appendAudit(ctx, head, entries); err != nil {
		return nil, err
	}
	if err := q.enqueue(ctx, t, todo); err != nil {
		return nil, err
	}
	q.batch++
	if _, err := t.exec(ctx, `UPDATE writers SET batch = $1, at = $2 WHERE node = $3`, q.batch, micros(time.Now()), q.node); err != nil {
		return nil, err
	}
	// Step 4: durable, or not.
	if err := t.sql.Commit(); err != nil {
		t.end(ctx)
		if err := q.settle(err); err != nil {
			return nil, err
		}
	}
	q.commits.Add(1)
	return outcomes, nil
}

// runUnit runs one unit. The first error is the unit's own; in a savepoint, everything that it wrote is undone. The
// second error says that the transaction cannot go on.
func (t *tx) runUnit(ctx context.Context, r *request, savepoint bool) (refused, broken error) {
	if r.run == nil {
		return nil, nil
	}
	if !savepoint {
		return r.run(ctx, t), nil
	}
	if _, err := t.exec(ctx, `SAVEPOINT unit`); err != nil {
		return nil, err
	}
	refused = r.run(ctx, t)
	if refused != nil {
		if _, err := t.exec(ctx, `ROLLBACK TO SAVEPOINT unit`); err != nil {
			return nil, errors.Join(refused, err)
		}
	}
	_, broken = t.exec(ctx, `RELEASE SAVEPOINT unit`)
	return refused, broken
}

// settle finds out what became of a COMMIT that returned an error: nil when it was stored after all. The mark is read
// in a transaction that waits for the one in doubt.
func (q *queue) settle(cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), q.settleTime)
	defer cancel()
	for {
		batch, err := q.readMark(ctx)
		if err == nil {
			if batch == q.batch {
				return nil
			}
			return cause
		}
		select {
		case <-ctx.Done():
			return errors.Join(errUnknown, cause, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (q *queue) readMark(ctx context.Context) (batch int64, err error) {
	t, err := q.store.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer t.end(ctx)
	query := `SELECT batch FROM writers WHERE node = $1`
	if q.store.dialect == PostgreSQL {
		query += ` FOR UPDATE`
	}
	err = t.row(ctx, query, []any{q.node}, &batch)
	return batch, err
}
