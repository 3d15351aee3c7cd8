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
	s.Stop() // with the connection still open
	if err := c.Ping(t.Context()); err == nil {
		t.Error("the server still answers after Stop")
	}
}
