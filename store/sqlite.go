package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"chancery.example/fault"
)

// openSQLite opens a file with one connection that writes and a few that only read. SQLite has one writer at a time
// anyway; a pool of one makes the waiting fair and cheap instead of a series of SQLITE_BUSY.
func openSQLite(ctx context.Context, c Config) (*Store, error) {
	if c.Path == "" {
		return nil, fault.New(fault.Invalid, "store.path", "No file is named for the SQLite database.")
	}
	if err := fileThere(c.Path); err != nil && (c.MustExist || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fault.Wrap(err, fault.Unavailable, "store.missing",
			"The database file %s is missing or cannot be read. Restore it from a backup; the house does not start without its ledger.", c.Path)
	}
	if err := touch(c.Path); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "store.unreachable",
			"The database file %s cannot be made. Look whether its folder exists and can be written to.", c.Path)
	}
	write, err := sql.Open("sqlite", sqliteDSN(c.Path, false))
	if err != nil {
		return nil, wrap("open", err)
	}
	write.SetMaxOpenConns(1)
	write.SetMaxIdleConns(1)
	// The first connection makes the file and switches it to WAL, before readers come.
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, fault.Wrap(err, fault.Unavailable, "store.unreachable",
			"The database file %s cannot be opened. Look whether it is damaged, and whether its folder can be written to.", c.Path)
	}
	read, err := sql.Open("sqlite", sqliteDSN(c.Path, true))
	if err != nil {
		write.Close()
		return nil, wrap("open", err)
	}
	read.SetMaxOpenConns(c.Readers)
	read.SetMaxIdleConns(c.Readers)
	return &Store{dialect: SQLite, read: read, write: write, lists: bun.NewDB(read, sqlitedialect.New())}, nil
}

// fileThere says whether there is a file.
func fileThere(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	return nil
}

// touch makes the file where there is none, for the house's user alone: it is full of personal data. SQLite gives its
// other files the same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// sqliteDSN names a file and how to use it. synchronous=FULL makes a commit in WAL mode survive a loss of power.
// The larger WAL before a checkpoint lets pages that are written again and again reach the file once.
func sqliteDSN(path string, readOnly bool) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-32768)",
		"wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "temp_store(MEMORY)",
	}}
	if readOnly {
		q = url.Values{"_pragma": {"busy_timeout(10000)", "query_only(1)", "cache_size(-16384)", "mmap_size(268435456)", "temp_store(MEMORY)"}}
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}
