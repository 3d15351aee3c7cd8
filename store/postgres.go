package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"chancery.example/fault"
)

// openPostgres opens two pools: one for the writer and River, whose few statements are prepared and kept, and one
// for reading, where the query builder makes ever new statements that are not worth keeping.
func openPostgres(ctx context.Context, c Config) (*Store, error) {
	if c.DSN == "" {
		return nil, fault.New(fault.Invalid, "store.dsn", "No connection string is given for the PostgreSQL database.")
	}
	config, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.dsn", "The connection string of the PostgreSQL database cannot be read.")
	}
	if !strings.Contains(c.DSN, "pool_max_conns") { // the writer, River's listener, and what River does beside
		config.MaxConns = max(config.MaxConns, 10)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, unreachable(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err)
	}
	reading := config.ConnConfig.Copy()
	reading.DefaultQueryExecMode = pgx.QueryExecModeExec
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	read := stdlib.OpenDB(*reading)
	read.SetMaxOpenConns(c.Readers)
	read.SetMaxIdleConns(c.Readers)
	return &Store{dialect: PostgreSQL, read: read, write: stdlib.OpenDBFromPool(pool), pool: pool,
		lists: bun.NewDB(read, pgdialect.New())}, nil
}

func unreachable(err error) error {
	return fault.Wrap(err, fault.Unavailable, "store.unreachable",
		"The PostgreSQL database does not answer. Look whether it runs, and whether the connection string is right.")
}

// pgxTx shows a transaction of database/sql to River, which speaks pgx. It lives as long as the transaction; beginning
// and ending are the business of who began it.
type pgxTx struct{ c *pgx.Conn }

// withPgx gives f the pgx transaction under a transaction that runs on conn.
func withPgx(conn *sql.Conn, f func(pgx.Tx) error) error {
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("store: not a pgx connection")
		}
		return f(pgxTx{c.Conn()})
	})
}

var errNotOurs = errors.New("store: the transaction is ended by who began it")

func (t pgxTx) Begin(context.Context) (pgx.Tx, error) { return nil, errNotOurs }
func (t pgxTx) Commit(context.Context) error          { return errNotOurs }
func (t pgxTx) Rollback(context.Context) error        { return errNotOurs }
func (t pgxTx) LargeObjects() pgx.LargeObjects        { return pgx.LargeObjects{} }
func (t pgxTx) Conn() *pgx.Conn                       { return t.c }

func (t pgxTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return t.c.CopyFrom(ctx, table, columns, src)
}

func (t pgxTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.c.SendBatch(ctx, b)
}

func (t pgxTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.c.Prepare(ctx, name, sql)
}

func (t pgxTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.c.Exec(ctx, sql, args...)
}

func (t pgxTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.c.Query(ctx, sql, args...)
}

func (t pgxTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.c.QueryRow(ctx, sql, args...)
}
