package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/audit"
	"chancery.example/fault"
)

var openCases = map[string]func(*testing.T, Config){
	"a missing or empty database is refused when one must exist": mustExist,
	"a house is found again":                                     foundAgain,
	"a database of a newer house is refused":                     newerHouse,
	"two nodes or openings share one chain":                      twoNodes,
}

func mustExist(t *testing.T, c Config) {
	c.MustExist = true
	want := "store.missing"
	if c.Driver == PostgreSQL {
		want = "store.empty"
	}
	_, err := Open(t.Context(), c)
	if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != want {
		t.Errorf("opening what is not there gives %v, want %s", err, want)
	}
	if c.Driver == PostgreSQL {
		c.DSN = "postgres://postgres@127.0.0.1:1/x?sslmode=disable"
		if _, err := Open(t.Context(), c); fault.CodeOf(err) != "store.unreachable" || strings.Contains(fault.Sentence(err), "127") {
			t.Errorf("a server that does not answer gives %v", err)
		}
		return
	}
	if _, err := os.Stat(c.Path); err == nil {
		t.Error("opening what is not there has made it")
	}
	for name, content := range map[string]string{"store.empty": "", "store.unreachable": strings.Repeat("this is no database ", 100)} {
		c.Path = filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(c.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), c); fault.CodeOf(err) != name || !fault.Is(err, fault.Unavailable) {
			t.Errorf("a file with %.10q gives %v, want %s", content, err, name)
		}
	}
	c.Path = t.TempDir()
	if _, err := Open(t.Context(), c); fault.CodeOf(err) != "store.missing" {
		t.Errorf("a folder gives %v", err)
	}
}

func foundAgain(t *testing.T, c Config) {
	first, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Driver != PostgreSQL {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if info, err := os.Stat(c.Path + suffix); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file %q is there for others: %v, %v", suffix, info, err)
			}
		}
	}
	if err := first.SetSetting(t.Context(), "house.id", "x", audit.New(noon, alice, "house.make", "house", nil)); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c.MustExist = true
	s := open(t, c)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := s.Setting(t.Context(), "house.id"); got != "x" || err != nil {
		t.Errorf("the setting reads %q, %v", got, err)
	}
	if err := s.AppendAudit(t.Context(), audit.New(noon, alice, "house.open", "house", nil)); err != nil {
		t.Fatal(err)
	}
	if n := verified(t, s); n != 2 {
		t.Errorf("%d entries", n)
	}
	if _, err := s.read.Exec(`DELETE FROM settings`); err == nil {
		t.Error("a reader can write")
	}
}

func newerHouse(t *testing.T, c Config) {
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, $1)`, true); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(t.Context(), c); fault.CodeOf(err) != "store.newer" {
		t.Errorf("a newer database gives %v", err)
	}
}

func twoNodes(t *testing.T, c Config) {
	opened := make(chan *Store, 2)
	open1 := func() {
		s, err := Open(context.WithoutCancel(t.Context()), c)
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}
	go open1()
	if c.Driver != PostgreSQL { // two houses never make one file together
		first := <-opened
		go open1()
		second := <-opened
		opened <- first
		opened <- second
	} else {
		go open1()
	}
	a, b := <-opened, <-opened
	if a == nil || b == nil {
		t.FailNow()
	}
	defer a.Close()
	defer b.Close()
	done := make(chan error, 200)
	for i := range cap(done) {
		node := []*Store{a, b}[i%2]
		go func() {
			done <- node.AppendAudit(context.Background(), audit.New(noon, alice, "test.node", nth(i), nil), audit.New(noon, alice, "test.node", nth(i), nil))
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := verified(t, a); n != int64(2*cap(done)) {
		t.Errorf("%d entries", n)
	}
}
