package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

var writerCases = map[string]func(*testing.T, Config){
	"two thousand units at once are all stored, and share commits": manyUnits,
	"a unit that is refused is undone alone":                       refusedAlone,
	"a unit that COMMIT refuses takes no other with it":            refusedByCommit,
	"a unit that kills its connection takes no other with it":      brokenConnection,
	"a caller who leaves while waiting stores nothing":             callerLeaves,
	"a closed store takes nothing more":                            closedStore,
	"every unit that was answered survives kill -9":                killed,
}

func manyUnits(t *testing.T, c Config) {
	s := open(t, c)
	const units, callers = 2000, 100
	before := s.Stats()
	work := make(chan int)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range work {
				o := newOrder(t, nth(i))
				err := s.Commit(t.Context(), workflow.Step{Order: o, Jobs: []jobs.Job{jobs.New("test.many", i)},
					Audit: []audit.Entry{entry(o, "order.submit"), entry(o, "order.second")}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range units {
		work <- i
	}
	close(work)
	wg.Wait()
	var orders int
	if err := s.read.QueryRow(`SELECT count(*) FROM orders`).Scan(&orders); err != nil || orders != units {
		t.Errorf("%d orders (%v), want %d", orders, err, units)
	}
	if n := jobRows(t, s); n != units {
		t.Errorf("%d jobs, want %d", n, units)
	}
	if n := verified(t, s); n != 2*units {
		t.Errorf("%d entries, want %d", n, 2*units)
	}
	// The entries of a unit stand beside each other.
	var previous audit.Entry
	for e, err := range s.AuditLog(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq%2 == 0 && (e.Subject != previous.Subject || e.Action != "order.second") {
			t.Fatalf("entry %d is of %s, the one before it of %s", e.Seq, e.Subject, previous.Subject)
		}
		previous = e
	}
	after := s.Stats()
	commits, stored := after.Commits-before.Commits, after.Units-before.Units
	if stored != units || commits >= units/2 {
		t.Errorf("%d units were stored by %d commits; %d callers should share them", stored, commits, callers)
	}
}

// together makes units wait for each other, so that they share a transaction: a first unit holds the writer until
// the others have queued up.
func together(t *testing.T, s *Store, units ...unit) []error {
	t.Helper()
	release, held := make(chan struct{}), make(chan struct{})
	go s.commit(t.Context(), unit{run: func(context.Context, *tx) error { close(held); <-release; return nil }})
	<-held
	errs := make([]error, len(units))
	var wg sync.WaitGroup
	for i, u := range units {
		wg.Go(func() { errs[i] = s.commit(t.Context(), u) })
	}
	for len(s.queue.in) < len(units) {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	return errs
}

// setting is a unit that leaves a trace of every kind.
func setting(key string, also func(ctx context.Context, t *tx) error) unit {
	return unit{audit: []audit.Entry{audit.New(noon, alice, "test."+key, key, nil)}, jobs: []jobs.Job{jobs.New("test.unit", key)},
		run: func(ctx context.Context, t *tx) error {
			if _, err := t.exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, 'x')`, key); err != nil || also == nil {
				return err
			}
			return also(ctx, t)
		}}
}

// expectTraces looks for the traces of all units but the lost one (none when it is -1).
func expectTraces(t *testing.T, s *Store, errs []error, lost int) {
	t.Helper()
	for i, err := range errs {
		_, missing := s.Setting(t.Context(), fmt.Sprint("unit", i))
		if (i == lost) != (err != nil) || (i == lost) != fault.Is(missing, fault.NotFound) {
			t.Errorf("unit %d: answered %v, and its row: %v", i, err, missing)
		}
	}
	want := len(errs)
	if lost >= 0 {
		want--
	}
	if n := jobRows(t, s); n != want {
		t.Errorf("%d jobs, want %d", n, want)
	}
	if n := verified(t, s); n != int64(want) {
		t.Errorf("%d entries, want %d", n, want)
	}
}

func refusedAlone(t *testing.T, c Config) {
	s := open(t, c)
	before := s.Stats()
	refuse := func(context.Context, *tx) error { return fault.New(fault.Conflict, "test.no", "No.") }
	errs := together(t, s, setting("unit0", nil), setting("unit1", refuse), setting("unit2", nil))
	expectTraces(t, s, errs, 1)
	if fault.CodeOf(errs[1]) != "test.no" {
		t.Errorf("the refused unit is told %v", errs[1])
	}
	clash := func(ctx context.Context, t *tx) error { // a statement that the database refuses
		_, err := t.exec(ctx, `INSERT INTO settings (key, value) VALUES ('unit0', 'y')`)
		return err
	}
	errs = together(t, s, setting("more0", nil), setting("more1", clash), setting("more2", nil))
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("beside a unit that the database refuses: %v", errs)
	}
	after := s.Stats()
	if commits, refused := after.Commits-before.Commits, after.Refused-before.Refused; commits != 4 || refused != 2 {
		t.Errorf("%d commits, %d refusals; want two shared commits beside two of those that held the writer, and 2", commits, refused)
	}
	if n := verified(t, s); n != 4 {
		t.Errorf("%d entries, want 4", n)
	}
}

func refusedByCommit(t *testing.T, c Config) {
	s := open(t, c)
	for _, ddl := range []string{`CREATE TABLE test_parent (id BIGINT PRIMARY KEY)`,
		`CREATE TABLE test_child (id BIGINT REFERENCES test_parent (id) DEFERRABLE INITIALLY DEFERRED)`} {
		if _, err := s.write.Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	orphan := func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO test_child (id) VALUES (1)`)
		return err
	}
	errs := together(t, s, setting("unit0", nil), setting("unit1", orphan), setting("unit2", nil))
	expectTraces(t, s, errs, 1)
	if !fault.Is(errs[1], fault.Unavailable) || fault.CodeOf(errs[1]) != "store.not-stored" {
		t.Errorf("the unit that COMMIT refuses is told %v", errs[1])
	}
}

func brokenConnection(t *testing.T, c Config) {
	if c.Driver != PostgreSQL {
		return // SQLite has no connection that could break
	}
	s := open(t, c)
	suicide := func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	}
	errs := together(t, s, setting("unit0", nil), setting("unit1", suicide), setting("unit2", nil))
	expectTraces(t, s, errs, 1)
}

func callerLeaves(t *testing.T, c Config) {
	s := open(t, c)
	release, held := make(chan struct{}), make(chan struct{})
	holder := make(chan error)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		holder <- s.commit(ctx, setting("taken", func(context.Context, *tx) error { close(held); <-release; return nil }))
	}()
	<-held
	waiter := make(chan error)
	go func() { waiter <- s.commit(ctx, setting("waiting", nil)) }()
	for len(s.queue.in) == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-waiter; !errors.Is(err, context.Canceled) {
		t.Errorf("who waited is told %v", err)
	}
	close(release)
	if err := <-holder; err != nil {
		t.Errorf("who was taken is told %v", err)
	}
	if err := s.SetSetting(t.Context(), "after", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Setting(t.Context(), "taken"); err != nil {
		t.Errorf("the unit that was taken: %v", err)
	}
	if _, err := s.Setting(t.Context(), "waiting"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the unit that was withdrawn: %v", err)
	}
	if err := s.SetSetting(ctx, "late", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended gives %v", err)
	}
}

func closedStore(t *testing.T, c Config) {
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var stored, refused int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := s.SetSetting(context.Background(), nth(i), "x")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				stored++
			case fault.CodeOf(err) == "store.closing":
				refused++
			default:
				t.Error(err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.SetSetting(t.Context(), "late", "x"); fault.CodeOf(err) != "store.closing" {
		t.Errorf("after closing: %v", err)
	}
	var n int
	s = open(t, c)
	if err := s.read.QueryRow(`SELECT count(*) FROM settings`).Scan(&n); err != nil || n != stored || stored+refused != 200 {
		t.Errorf("%d are stored (%v); %d were told so, %d refused", n, err, stored, refused)
	}
}

// The child of the kill test is this test binary again.
const childConfig = "STORE_TEST_CHILD"

// childMain commits from several goroutines for ever and says which units were answered.
func childMain() {
	var c Config
	if err := json.Unmarshal([]byte(os.Getenv(childConfig)), &c); err != nil {
		panic(err)
	}
	s, err := Open(context.Background(), c)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	for worker := range 16 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("w%d-%d", worker, i)
				o := order.Order{ID: order.NewID(), State: order.Confirming, CreatedAt: noon}
				err := s.Commit(context.Background(), workflow.Step{Order: o, Audit: []audit.Entry{audit.New(noon, alice, "order.submit", o.Subject(), nil)},
					Jobs: []jobs.Job{jobs.New("test.child", key)}})
				if err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Println(o.ID)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func killed(t *testing.T, c Config) {
	raw, err := json.Marshal(map[string]any{"Driver": c.Driver, "Path": c.Path, "DSN": c.DSN})
	if err != nil {
		t.Fatal(err)
	}
	var answered []string
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childConfig+"="+string(raw))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			answered = append(answered, strings.TrimSpace(lines.Text()))
			if n == 100+50*round {
				child.Process.Kill() // what it still says until then is read to the end
			}
		}
		child.Wait()
	}
	s := open(t, c)
	for _, id := range answered {
		if len(id) == 30 { // the last line may be cut
			reread(t, s, order.ID(id))
		}
	}
	var orders int64
	if err := s.read.QueryRow(`SELECT count(*) FROM orders`).Scan(&orders); err != nil {
		t.Fatal(err)
	}
	if entries, waiting := verified(t, s), int64(jobRows(t, s)); entries != orders || waiting != orders {
		t.Errorf("%d orders, %d entries, %d jobs: units were torn", orders, entries, waiting)
	}
	if len(answered) < 300 || orders < int64(len(answered))-3 {
		t.Errorf("%d units were answered, %d are there", len(answered), orders)
	}
}
