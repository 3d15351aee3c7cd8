// Package store answers: where is all this kept?
//
// It is the only place that knows SQL. It imports the values of the domain's packages and keeps them in SQLite or
// PostgreSQL; each domain package declares the small interface that it needs, and *Store serves them all.
//
// Everything that belongs together is one unit: rows, audit entries and jobs are stored all together or not at all.
// Units of concurrent callers share a database transaction (writer.go), so that a certificate costs less than one
// commit when the house is busy. Each call returns after its unit is durable.
//
// Reads outside a unit see what was committed before them. Instants are kept as whole microseconds in UTC.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/uptrace/bun"

	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/ra/workflow"
)

// The drivers of Config.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgres"
)

// Config says which database to open.
type Config struct {
	// Driver is SQLite (also when empty) or PostgreSQL.
	Driver string
	// Path is the file of an SQLite database. Its folder must exist.
	Path string
	// DSN is the connection string or URL of a PostgreSQL database.
	DSN string
	// MustExist refuses a database that is missing or holds no house, with fault.Unavailable and the codes
	// "store.missing" and "store.empty". Without it a new one is made where there is none.
	MustExist bool
	// Node names this process's place among those that share a PostgreSQL database, the same at every start and
	// another for every place. What a node left running when it died is then taken up at its next start, not only
	// after rescueAfter. Empty where no such name is known.
	Node string
	// Readers bounds the connections that only read; 0 means a number that fits the machine.
	Readers int
	// Logger gets what the background work has to say; nil means slog.Default.
	Logger *slog.Logger
}

// Store is the house's ledger. Its methods may be called from several goroutines.
type Store struct {
	log     *slog.Logger
	node    string
	dialect string        // SQLite or PostgreSQL
	read    *sql.DB       // only reads
	lists   *bun.DB       // the query builder over read
	write   *sql.DB       // the writer's, and River's on SQLite
	pool    *pgxpool.Pool // under write, on PostgreSQL only
	plans   plans
	models  sync.Map // reflect.Type -> *model
	queue   *queue
	closed  sync.Once
}

var (
	_ workflow.Ledger = (*Store)(nil)
	_ status.Ledger   = (*Store)(nil)
)

// Open opens a database, brings its schema up to date and starts the writer.
//
// Errors are of kind fault.Unavailable and say what is missing: "store.missing", "store.empty", "store.unreachable",
// or "store.newer" for a database of a later version of the house.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Readers <= 0 {
		c.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	var s *Store
	var err error
	switch c.Driver {
	case "", SQLite:
		s, err = openSQLite(ctx, c)
	case PostgreSQL:
		s, err = openPostgres(ctx, c)
	default:
		return nil, fault.New(fault.Invalid, "store.driver", "There is no database driver %q. Choose %q or %q.", c.Driver, SQLite, PostgreSQL)
	}
	if err != nil {
		return nil, err
	}
	s.log, s.node = c.Logger, c.Node
	if err := s.prepare(ctx, c.MustExist); err != nil {
		s.disconnect()
		return nil, err
	}
	return s, nil
}

// prepare is what comes between the connections and the first call.
func (s *Store) prepare(ctx context.Context, mustExist bool) error {
	if err := s.migrate(ctx, mustExist); err != nil {
		return err
	}
	node := rand.Text()
	_, err := s.write.ExecContext(ctx, `INSERT INTO writers (node, batch, at) VALUES ($1, 0, $2)`, node, micros(time.Now()))
	if err == nil { // marks of nodes that are long gone serve nobody
		_, err = s.write.ExecContext(ctx, `DELETE FROM writers WHERE at < $1 AND node <> $2`, micros(time.Now().Add(-7*24*time.Hour)), node)
	}
	if err != nil {
		return wrap("start the writer", err)
	}
	s.queue, err = newQueue(s, node)
	return err
}

// Close stores what was taken into the queue, refuses what comes later and closes the database. A Runner must be
// stopped before.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		s.queue.close()
		err = s.disconnect()
	})
	return err
}

func (s *Store) disconnect() error {
	err := s.read.Close()
	s.plans.close()
	if e := s.write.Close(); err == nil {
		err = e
	}
	if s.pool != nil {
		s.pool.Close()
	}
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, `SELECT 1`).Scan(&one); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store.unreachable", "The database does not answer.")
	}
	return nil
}
