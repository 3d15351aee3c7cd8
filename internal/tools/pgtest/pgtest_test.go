package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestStart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := s.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRow(t.Context(), "SELECT 6 * 7").Scan(&n); err != nil || n != 42 {
		t.Errorf("6 * 7 is %d, %v", n, err)
	}
	schema, err := s.NewSchema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inSchema, err := pgx.Connect(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inSchema.Exec(t.Context(), "CREATE TABLE t (i int)"); err != nil {
		t.Fatal(err)
	}
	var tables int
	if err := inSchema.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("a new schema with one table has %d, %v", tables, err)
	}
	s.Stop() // with the connection still open
	if err := c.Ping(t.Context()); err == nil {
		t.Error("the server still answers after Stop")
	}
}
