package store

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"chancery.example/fault"
)

// The schema, one folder a dialect. Files are numbered; one that was released is never changed.
//
//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date: ours by goose, then River's own.
func (s *Store) migrate(ctx context.Context, mustExist bool) error {
	folder, err := fs.Sub(migrations, "migrations/"+s.dialect)
	if err != nil {
		return wrap("read the schema", err)
	}
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler))}
	if s.dialect == PostgreSQL {
		dialect = goose.DialectPostgres
		done, err := s.takeTurn(ctx)
		if err != nil {
			return wrap("wait for other nodes", err)
		}
		defer done()
	}
	provider, err := goose.NewProvider(dialect, s.write, folder, options...)
	if err != nil {
		return wrap("read the schema", err)
	}
	if mustExist {
		if err := s.mustHoldHouse(ctx); err != nil {
			return err
		}
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return wrap("read the schema's version", err)
	}
	if current > target {
		return fault.New(fault.Unavailable, "store.newer",
			"The database was written by a newer version of the house (schema %d, this program knows %d). Start that version.", current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		return wrap("bring the schema up to date", err)
	}
	return wrap("bring the job tables up to date", s.migrateJobs(ctx))
}

// The advisory lock under which the nodes of a house bring its schema up to date: "chan", and where the house is.
const lockTurn, unlockTurn = `SELECT pg_advisory_lock(1667785070, hashtext(current_schema()))`, `SELECT pg_advisory_unlock(1667785070, hashtext(current_schema()))`

// takeTurn lets nodes that start together migrate one after the other.
func (s *Store) takeTurn(ctx context.Context) (done func(), err error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, lockTurn); err != nil {
		conn.Close()
		return nil, err
	}
	return func() {
		conn.ExecContext(context.WithoutCancel(ctx), unlockTurn)
		conn.Close()
	}, nil
}

// mustHoldHouse refuses a database in which no house was ever made.
func (s *Store) mustHoldHouse(ctx context.Context) error {
	var seq int64
	if err := s.write.QueryRowContext(ctx, `SELECT seq FROM audit_head WHERE one = 1`).Scan(&seq); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store.empty",
			"The database is empty: it holds no house. Restore it from a backup, or make a new house in an empty data directory.")
	}
	return nil
}

// migrateJobs runs River's own migrations, which know what was done before.
func (s *Store) migrateJobs(ctx context.Context) error {
	quiet := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	if s.dialect == PostgreSQL {
		m, err := rivermigrate.New(riverpgxv5.New(s.pool), quiet)
		if err != nil {
			return err
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
	m, err := rivermigrate.New(riversqlite.New(s.write), quiet)
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}
