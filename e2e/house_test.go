// Package e2e holds the numbered stories that start the whole house, with real databases and real peers.
package e2e

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/internal/tools/pgtest"
	"chancery.example/ra/workflow"
)

// house is a running house under test.
type house struct {
	t      *testing.T
	config config.Config
	*app.House
	doors app.Doors
	stop  func()
	log   *syncBuffer
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// databases are the kinds of database that every story runs on.
var databases = []config.Driver{config.SQLite, config.PostgreSQL}

var postgres struct {
	sync.Mutex
	server *pgtest.Server
}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	code := m.Run()
	if postgres.server != nil {
		postgres.server.Stop()
	}
	os.Exit(code)
}

// newDatabase names an empty database of a kind.
func newDatabase(t *testing.T, d config.Driver) config.Database {
	t.Helper()
	if d == config.SQLite {
		return config.Database{Driver: d}
	}
	postgres.Lock()
	defer postgres.Unlock()
	if postgres.server == nil {
		s, err := pgtest.Start()
		if err != nil {
			t.Fatalf("PostgreSQL cannot be started; make test installs it: %v", err)
		}
		postgres.server = s
	}
	dsn, err := postgres.server.NewDatabase(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return config.Database{Driver: d, DSN: config.Secret(dsn)}
}

// freePort is a port that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// newConfig is the configuration of a house on loopback, with a data directory of its own.
func newConfig(t *testing.T, d config.Driver) config.Config {
	t.Helper()
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.Portal.Listen = "127.0.0.1:" + freePort(t)
	c.Public.Listen = "127.0.0.1:" + freePort(t)
	c.Database = newDatabase(t, d)
	return c
}

// makeHouse makes a house in a data directory.
func makeHouse(t *testing.T, c config.Config, change ...func(*app.Making)) {
	t.Helper()
	plan := ceremony.Default()
	plan.PublicURL = "http://" + c.Public.Listen
	m := app.Making{Plan: plan, Protection: keystore.Clear(), By: audit.Actor{Kind: audit.Operator}, Now: time.Now(), Say: func(string) {}}
	for _, f := range change {
		f(&m)
	}
	if err := app.Make(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
}

// start opens the house of a configuration and its doors. It is stopped at the end of the test, or by stop.
func start(t *testing.T, c config.Config, change ...func(*app.Options)) *house {
	t.Helper()
	h := &house{t: t, config: c, log: &syncBuffer{}}
	o := app.Options{Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelInfo}))}
	for _, f := range change {
		f(&o)
	}
	var err error
	if h.House, err = app.Open(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, done := make(chan app.Doors, 1), make(chan error, 1)
	go func() { done <- h.Run(ctx, func(d app.Doors) { ready <- d }) }()
	select {
	case h.doors = <-ready:
	case err := <-done:
		cancel()
		t.Fatalf("the house did not open: %v\n%s", err, h.log)
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatalf("the house did not open in 30 seconds\n%s", h.log)
	}
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the house did not stop well: %v", err)
		}
		if err := h.Close(); err != nil {
			t.Errorf("the house did not close well: %v", err)
		}
		if t.Failed() {
			t.Logf("the house's log:\n%s", h.log)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// letter is a mail in the outbox.
type letter struct {
	ID, To, Subject, Text string
}

// links finds the addresses in a letter whose path begins with prefix.
func (l letter) link(prefix string) string {
	m := regexp.MustCompile(`http://[^\s]+` + regexp.QuoteMeta(prefix) + `[a-z2-7]{32}`).FindString(l.Text)
	return m
}

// letters reads the outbox, oldest first.
func (h *house) letters() []letter {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.config.Data, "outbox", "*.eml"))
	if err != nil {
		h.t.Fatal(err)
	}
	type dated struct {
		letter
		at time.Time
	}
	var all []dated
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, dated{must[letter](h.t)(parseLetter(f)), info.ModTime()})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].at.Before(all[j].at) })
	var out []letter
	for _, d := range all {
		out = append(out, d.letter)
	}
	return out
}

// parseLetter reads the plain text of a mail as its receiver would.
func parseLetter(file string) (letter, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return letter{}, err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return letter{}, err
	}
	l := letter{ID: strings.TrimSuffix(filepath.Base(file), ".eml"), To: m.Header.Get("To")}
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, err
	}
	parsed, err := gomail.EMLToMsgFromReader(bytes.NewReader(raw))
	if err != nil {
		return l, err
	}
	for _, p := range parsed.GetParts() {
		if p.GetContentType() == gomail.TypeTextPlain {
			text, err := p.GetContent()
			if err != nil {
				return l, err
			}
			l.Text = string(text)
		}
	}
	return l, nil
}

// await waits until the outbox has a letter that fits, and gives the newest of them.
func (h *house) await(what string, fits func(letter) bool) letter {
	h.t.Helper()
	var found letter
	within(h.t, 15*time.Second, "a letter: "+what, func() bool {
		ok := false
		for _, l := range h.letters() {
			if fits(l) {
				found, ok = l, true
			}
		}
		return ok
	})
	return found
}

// hasLink fits letters to an address that have a link with that path.
func hasLink(to, prefix string) func(letter) bool {
	return func(l letter) bool { return strings.Contains(l.To, to) && l.link(prefix) != "" }
}

// within repeats a look until it is content, for a bounded time.
func within(t testing.TB, d time.Duration, what string, look func() bool) {
	t.Helper()
	deadline := time.Now().Add(d)
	for !look() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// secretOf is the secret of a link.
func secretOf(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

// application is an order for an address, with the agreement that is in force.
func (h *house) application(address string) workflow.Application {
	return applicationFor(h.t, address)
}

// proveAudit proves the chain of the audit log.
func (h *house) proveAudit() {
	h.t.Helper()
	head, err := h.Store.AuditHead(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := audit.Verify(audit.Upto(h.Store.AuditLog(h.t.Context()), head), head)
	if err != nil {
		h.t.Fatal(err)
	}
	if p.Broken != nil {
		h.t.Errorf("the audit chain is broken: %s", p.Broken)
	}
	if p.Entries == 0 {
		h.t.Error("the audit log is empty")
	}
}

// must fails the test on an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// body reads an answer whole.
func body(t testing.TB, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
