package store

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"crypto/rand"
	"crypto/sha256"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/internal/tools/pgtest"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// The suite runs on both databases. A case is a function of a database; it is listed in cases, in the file that has it.

type database struct {
	name string
	// config of an empty database of this kind.
	config func(t testing.TB) Config
}

func databases(t testing.TB) []database {
	all := []database{{SQLite, func(t testing.TB) Config { return Config{Path: filepath.Join(t.TempDir(), "house.db")} }}}
	if testing.Short() {
		return all
	}
	return append(all, database{PostgreSQL, func(t testing.TB) Config {
		dsn, err := postgresServer(t).NewSchema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return Config{Driver: PostgreSQL, DSN: dsn}
	}})
}

// One server serves the whole run.
var postgres struct {
	once   sync.Once
	server *pgtest.Server
	err    error
}

func postgresServer(t testing.TB) *pgtest.Server {
	postgres.once.Do(func() { postgres.server, postgres.err = pgtest.Start() })
	if postgres.err != nil {
		t.Fatal(postgres.err)
	}
	return postgres.server
}

func TestMain(m *testing.M) {
	if os.Getenv(childConfig) != "" {
		childMain() // never returns: it is killed
	}
	// Most cases of the runner wait for a clock, not for a processor.
	flag.Parse()
	flag.Set("test.parallel", "16")
	code := m.Run()
	if postgres.server != nil {
		postgres.server.Stop()
	}
	os.Exit(code)
}

// open opens a database for a test and closes it at the end.
func open(t testing.TB, c Config) *Store {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	s, err := Open(context.WithoutCancel(t.Context()), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil { // a test that ended cannot be written to
		w.t.Logf("%s", bytes.TrimSpace(p))
	}
	return len(p), nil
}

func TestConformance(t *testing.T) {
	suites := []map[string]func(*testing.T, Config){ledgerCases, listCases, writerCases, runnerCases, openCases}
	for _, db := range databases(t) {
		t.Run(db.name, func(t *testing.T) {
			t.Parallel()
			for _, cases := range suites {
				for name, f := range cases {
					t.Run(name, func(t *testing.T) { t.Parallel(); f(t, db.config(t)) })
				}
			}
		})
	}
}

// The values that the cases speak of.

var (
	noon  = time.Date(2026, 3, 4, 12, 0, 0, 123456000, time.UTC)
	alice = audit.Actor{Kind: audit.Person, ID: "acc_alice"}
)

func address(t testing.TB, s string) mailbox.Address {
	t.Helper()
	a, err := mailbox.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newOrder is a submitted order, not stored.
func newOrder(t testing.TB, at string) order.Order {
	return order.Order{ID: order.NewID(), State: order.Confirming, Mailbox: address(t, at), Profile: "mv-strict", Language: "de",
		Agreement: approval.Agreement{Version: "1", Language: "de", SHA256: "ab", At: noon, By: "applicant"}, By: alice, CreatedAt: noon}
}

func entry(o order.Order, action string) audit.Entry {
	return audit.New(noon, alice, action, o.Subject(), map[string]string{"mailbox": o.Mailbox.String()})
}

// submitted stores a new order and returns it as the ledger has it.
func submitted(t testing.TB, s *Store, at string) order.Order {
	t.Helper()
	o := newOrder(t, at)
	commit(t, s, workflow.Step{Order: o, Audit: []audit.Entry{entry(o, "order.submit")}})
	return reread(t, s, o.ID)
}

func commit(t testing.TB, s *Store, st workflow.Step) {
	t.Helper()
	if err := s.Commit(t.Context(), st); err != nil {
		t.Fatal(err)
	}
}

func reread(t testing.TB, s *Store, id order.ID) order.Order {
	t.Helper()
	o, err := s.Order(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// intentOf is an open intent for an order, with bytes that parse as a TBSCertificate's outer form.
func intentOf(o order.Order) issuance.Intent {
	serial := issuance.NewSerial()
	return issuance.Intent{Serial: serial, Issuer: "issuing", Order: string(o.ID), Profile: o.Profile, Mailbox: o.Mailbox.String(),
		TBS: sequence([]byte(serial)), KeyKept: true, At: noon, State: issuance.Open}
}

func sequence(content []byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
	if err != nil {
		panic(err)
	}
	return der
}

// signed is the certificate that closes an intent.
func signed(i issuance.Intent, end time.Time) issuance.Certificate {
	filler := make([]byte, 100)
	rand.Read(filler)
	der := sequence(append(bytes.Clone(i.TBS), filler...))
	sum := sha256.Sum256(der)
	return issuance.Certificate{Serial: i.Serial, Issuer: i.Issuer, Order: i.Order, Profile: i.Profile, Mailbox: i.Mailbox, DER: der,
		SHA256: hex.EncodeToString(sum[:]), SPKI: hex.EncodeToString(sum[:]), NotBefore: noon, NotAfter: end, IssuedAt: i.At}
}

// issued stores an order that went all the way, and its certificate.
func issued(t testing.TB, s *Store, at string, end time.Time) (order.Order, issuance.Certificate) {
	t.Helper()
	o := submitted(t, s, at)
	i := intentOf(o)
	o.State, o.Serial = order.Issuing, string(i.Serial)
	commit(t, s, workflow.Step{Order: o, Intent: &i})
	o = reread(t, s, o.ID)
	o.State = order.Issued
	c := signed(i, end)
	commit(t, s, workflow.Step{Order: o, Issued: &c})
	return reread(t, s, o.ID), c
}

// verified checks the whole audit chain and returns how many entries it has.
func verified(t testing.TB, s *Store) int64 {
	t.Helper()
	head, err := s.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := audit.Verify(s.AuditLog(t.Context()), head)
	if err != nil {
		t.Fatal(err)
	}
	if p.Broken != nil {
		t.Fatalf("the audit chain is broken: %v", p.Broken)
	}
	return p.Entries
}

// jobRows counts what River holds in any state.
func jobRows(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM river_job`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mailTo(t testing.TB, at string) notify.Mail {
	m, _ := notify.New("confirm", address(t, at), "en", noon)
	return m
}

func nth(i int) string { return fmt.Sprintf("user%04d@example.com", i) }
