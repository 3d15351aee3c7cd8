// Package store answers: where is all this kept?
//
// It is the only place that knows SQL. It imports the values of the domain's packages and keeps them in SQLite or
// PostgreSQL; each domain package declares the small interface that it needs, and *Store serves them all.
package store

import (
	"context"
	"log/slog"

	"chancery.example/ca/status"
	"chancery.example/ra/workflow"
)

// Config says which database to open.
type Config struct {
	// Driver is "sqlite" (also when empty) or "postgres".
	Driver string
	// Path is the file of an SQLite database.
	Path string
	// DSN is the connection string or URL of a PostgreSQL database.
	DSN string
	// MustExist refuses a database that is missing or holds no house, with fault.Unavailable and the codes
	// "store.missing" and "store.empty". Without it a new one is made.
	MustExist bool
	// Readers bounds the connections that only read; 0 means a number that fits the machine.
	Readers int
	// Logger gets what the background work has to say; nil means slog.Default.
	Logger *slog.Logger
}

// Store is the house's ledger.
type Store struct{}

var (
	_ workflow.Ledger = (*Store)(nil)
	_ status.Ledger   = (*Store)(nil)
)

// Open opens a database, brings its schema up to date and starts the writer.
func Open(ctx context.Context, c Config) (*Store, error) { return nil, errNotYet }

// Close waits for what was taken into the ledger and closes the database.
func (s *Store) Close() error { return nil }
