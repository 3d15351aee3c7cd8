package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/fault"
)

// childEnv holds the data directory for a child process: this test binary, started again to be killed while it makes a house.
const childEnv = "CHANCERY_APP_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		c := config.Default()
		c.Data = dir
		err := Make(context.Background(), c, making(func(s string) { os.Stdout.WriteString(s + "\n") }))
		if err != nil {
			os.Stdout.WriteString("failed: " + err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("made\n")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func making(say func(string)) Making {
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	return Making{Plan: plan, Protection: keystore.Clear(), By: audit.Actor{Kind: audit.Operator}, Now: time.Now(), Say: say}
}

func newConfig(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.Portal.Listen, c.Public.Listen = freePort(t), freePort(t)
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newHouse(t *testing.T, change ...func(*Making)) config.Config {
	t.Helper()
	c, m := newConfig(t), making(func(string) {})
	for _, f := range change {
		f(&m)
	}
	if err := Make(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	return c
}

var silent = slog.New(slog.DiscardHandler)

// open opens a house and closes it again.
func open(t *testing.T, c config.Config, passphrase ...string) error {
	t.Helper()
	o := Options{Log: silent}
	if len(passphrase) > 0 {
		o.Passphrase = func() (string, error) { return passphrase[0], nil }
	}
	h, err := Open(t.Context(), c, o)
	if err == nil {
		err = h.Close()
	}
	return err
}

// mustBe checks a refusal, and that its sentence names what it is about.
func mustBe(t *testing.T, err error, code string, names ...string) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != code {
		t.Fatalf("got %v (%s), want %s", err, fault.CodeOf(err), code)
	}
	for _, n := range names {
		if !strings.Contains(fault.Sentence(err), n) {
			t.Errorf("the sentence does not name %q: %s", n, fault.Sentence(err))
		}
	}
}

// copyDir copies a data directory, as a backup does.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tree lists what lies in a data directory with its content, to see that nothing was changed.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockFile || strings.HasPrefix(d.Name(), databaseFile) {
			return err
		}
		raw, err := os.ReadFile(path)
		b.WriteString(path + "\n" + string(raw) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAHouseThatLostSomethingSaysWhat(t *testing.T) {
	whole := newHouse(t)
	for _, c := range []struct {
		lost, code string
		names      []string
	}{
		{"keys", "house.keys-missing", []string{"keys"}},
		{"keys/house.key", "", []string{"house.key"}},
		{"keys/issuing.age", "keystore.incomplete", []string{"issuing"}},
		{"keys/responder.age", "keystore.incomplete", []string{"responder"}},
		{"chancery.db", "store.missing", []string{"chancery.db"}},
		{"access.key", "house.seal-missing", []string{"access.key"}},
		{"house.json", "house.record-missing", []string{"house.json", "keys"}},
	} {
		t.Run("without "+c.lost, func(t *testing.T) {
			there := whole
			there.Data = filepath.Join(t.TempDir(), "data")
			copyDir(t, whole.Data, there.Data)
			if err := os.RemoveAll(filepath.Join(there.Data, c.lost)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, there.Data)
			for range 2 { // and never remade in between
				err := open(t, there)
				code := c.code
				if code == "" {
					code = fault.CodeOf(err)
				}
				mustBe(t, err, code, c.names...)
				if !fault.Is(err, fault.Unavailable) {
					t.Errorf("the kind is %v", fault.KindOf(err))
				}
			}
			if exists, err := Exists(there); err == nil && !exists {
				t.Error("it counts as empty: serve would make another house here")
			}
			if err := Make(t.Context(), there, making(func(string) {})); err == nil {
				t.Error("another house was made over it")
			}
			if after := tree(t, there.Data); after != before {
				t.Error("files were changed")
			}
		})
	}
	t.Run("without the root's private key, which may be offline", func(t *testing.T) {
		there := whole
		there.Data = filepath.Join(t.TempDir(), "data")
		copyDir(t, whole.Data, there.Data)
		if err := os.Remove(filepath.Join(there.Data, "keys", "root.age")); err != nil {
			t.Fatal(err)
		}
		if err := open(t, there); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(there.Data, "keys", "root.age"), []byte("scratched"), 0o600); err != nil {
			t.Fatal(err)
		}
		mustBe(t, open(t, there), "keystore.damaged", "root.age")
	})
}

func TestPartsOfTwoHousesAreRefused(t *testing.T) {
	one, other := newHouse(t), newHouse(t)
	for _, c := range []struct{ part, code string }{{"chancery.db", "house.strangers"}, {"keys", "house.keys-strangers"}} {
		there := one
		there.Data = filepath.Join(t.TempDir(), "data")
		copyDir(t, one.Data, there.Data)
		if err := os.RemoveAll(filepath.Join(there.Data, c.part)); err != nil {
			t.Fatal(err)
		}
		from := filepath.Join(other.Data, c.part)
		if info, err := os.Stat(from); err != nil || !info.IsDir() {
			raw, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(there.Data, c.part), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		} else {
			copyDir(t, from, filepath.Join(there.Data, c.part))
		}
		mustBe(t, open(t, there), c.code)
	}
	another := one
	another.Database.Driver = config.PostgreSQL
	mustBe(t, open(t, another), "house.database", "sqlite")
}

func TestDamagedRecord(t *testing.T) {
	for _, content := range []string{"", "{", `{"format":2}`, `{"format":1}`, "[]"} {
		c := newHouse(t)
		if err := os.WriteFile(filepath.Join(c.Data, recordFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		mustBe(t, open(t, c), "house.record-damaged", recordFile)
	}
}

func TestMovingTheHouse(t *testing.T) {
	c := newHouse(t)
	h, err := Open(t.Context(), c, Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	serial := h.Hierarchy.Issuing.SerialNumber
	h.Close()
	moved := c
	moved.Data = filepath.Join(t.TempDir(), "another", "machine")
	copyDir(t, c.Data, moved.Data)
	if err := os.RemoveAll(c.Data); err != nil {
		t.Fatal(err)
	}
	h, err = Open(t.Context(), moved, Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.Hierarchy.Issuing.SerialNumber.Cmp(serial) != 0 {
		t.Error("another hierarchy")
	}
	for _, name := range []string{recordFile, sealFile} {
		raw, err := os.ReadFile(filepath.Join(moved.Data, name))
		if err != nil || bytes.Contains(raw, []byte(c.Data)) {
			t.Errorf("%s names the old path, %v", name, err)
		}
	}
}

func TestOnlyOneProcessWorksOnADirectory(t *testing.T) {
	c := newHouse(t)
	h, err := Open(t.Context(), c, Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	mustBe(t, open(t, c), "house.in-use", c.Data)
	_, err = Exists(c)
	mustBe(t, err, "house.in-use")
	mustBe(t, Make(t.Context(), c, making(func(string) {})), "house.in-use")
	mustBe(t, Protect(c, nil, keystore.Clear()), "house.in-use")
}

// A second process that looks at the directory must not clear away what the first one is making.
func TestADirectoryThatEverybodyMayWriteToIsRefused(t *testing.T) {
	there := newHouse(t)
	for _, mode := range []fs.FileMode{0o777, 0o702, 0o777 | fs.ModeSticky} {
		if err := os.Chmod(there.Data, mode); err != nil {
			t.Fatal(err)
		}
		mustBe(t, open(t, there), "house.directory-open", there.Data, "chmod o-w")
		if _, err := Exists(there); err == nil {
			t.Errorf("%v: a look at it does not mind", mode)
		}
	}
	empty := newConfig(t)
	if err := os.MkdirAll(empty.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(empty.Data, 0o777); err != nil { // past the umask
		t.Fatal(err)
	}
	mustBe(t, Make(t.Context(), empty, making(func(string) {})), "house.directory-open")
	if parts, err := os.ReadDir(empty.Data); err != nil || len(parts) > 0 {
		t.Errorf("left behind: %v, %v", parts, err)
	}
	if err := os.Chmod(there.Data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := open(t, there); err != nil {
		t.Errorf("one that others may only look at: %v", err)
	}
}

func TestLookingDoesNotDisturbAMaking(t *testing.T) {
	c := newConfig(t)
	var looked sync.Once
	err := Make(t.Context(), c, making(func(string) {
		looked.Do(func() {
			_, err := Exists(c)
			mustBe(t, err, "house.in-use")
		})
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, c); err != nil {
		t.Error(err)
	}
}

// The process is killed after each thing that it tells. Then there is a whole house or none, and one can be had.
func TestKilledWhileMaking(t *testing.T) {
	for step := range 6 {
		dir := filepath.Join(t.TempDir(), "data")
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for buf := make([]byte, 1); said <= step; {
			if _, err := io.ReadFull(out, buf); err != nil {
				break
			}
			if buf[0] == '\n' {
				said++
			}
		}
		child.Process.Signal(syscall.SIGKILL)
		io.Copy(io.Discard, out)
		child.Wait()
		c := config.Default()
		c.Data = dir
		exists, err := Exists(c)
		if err != nil {
			t.Fatalf("killed after step %d: %v", step, err)
		}
		if !exists {
			if err := Make(t.Context(), c, making(func(string) {})); err != nil {
				t.Fatalf("killed after step %d: %v", step, err)
			}
		}
		if err := open(t, c); err != nil {
			t.Errorf("killed after step %d: %v", step, err)
		}
		if _, err := os.Stat(filepath.Join(dir, makingFolder)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("killed after step %d, the making folder is still there", step)
		}
	}
}

// A new house is moved into place part by part. Wherever the power went, the next start goes on.
func TestInterruptedMoving(t *testing.T) {
	whole := newHouse(t)
	parts, err := os.ReadDir(whole.Data)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range parts {
		if p.Name() != lockFile && p.Name() != recordFile {
			names = append(names, p.Name())
		}
	}
	names = append(names, recordFile)
	for moved := range len(names) + 1 {
		c := whole
		c.Data = filepath.Join(t.TempDir(), "data")
		copyDir(t, whole.Data, c.Data)
		making := filepath.Join(c.Data, makingFolder)
		if err := os.Mkdir(making, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, n := range names[moved:] {
			if err := os.Rename(filepath.Join(c.Data, n), filepath.Join(making, n)); err != nil {
				t.Fatal(err)
			}
		}
		if exists, err := Exists(c); err != nil || !exists {
			t.Errorf("with %d of %d parts moved: %v, %v", moved, len(names), exists, err)
		}
		if err := open(t, c); err != nil {
			t.Errorf("with %d of %d parts moved: %v", moved, len(names), err)
		}
	}
	t.Run("what was not complete is cleared away", func(t *testing.T) {
		c := whole
		c.Data = filepath.Join(t.TempDir(), "data")
		copyDir(t, whole.Data, filepath.Join(c.Data, makingFolder))
		if err := os.Remove(filepath.Join(c.Data, makingFolder, recordFile)); err != nil {
			t.Fatal(err)
		}
		if exists, err := Exists(c); err != nil || exists {
			t.Errorf("%v, %v", exists, err)
		}
		if left, err := os.ReadDir(c.Data); err != nil || len(left) != 1 || left[0].Name() != lockFile {
			t.Errorf("left are %v, %v", left, err)
		}
	})
}

func TestAMakingThatFailsLeavesNoKeys(t *testing.T) {
	c, m := newConfig(t), making(func(string) {})
	m.Plan.Country = "Germany"
	if err := Make(t.Context(), c, m); err == nil {
		t.Fatal("a country that is none")
	}
	if left, err := os.ReadDir(c.Data); err != nil || len(left) != 1 || left[0].Name() != lockFile {
		t.Errorf("left are %v, %v", left, err)
	}
	if err := Make(t.Context(), c, making(func(string) {})); err != nil {
		t.Error(err)
	}
}

func TestAHouseIsNotMadeTwice(t *testing.T) {
	c := newHouse(t)
	mustBe(t, Make(t.Context(), c, making(func(string) {})), "house.exists", c.Data)
	nowhere := newConfig(t)
	mustBe(t, open(t, nowhere), "house.none", nowhere.Data)
	if exists, err := Exists(newConfig(t)); exists || err != nil {
		t.Errorf("%v, %v", exists, err)
	}
}

func TestPassphrase(t *testing.T) {
	const secret, fresh = "correct horse battery", "another horse entirely"
	c := newHouse(t, func(m *Making) { m.Protection = keystore.Passphrase(secret).WithWorkFactor(10) })
	if err := open(t, c, secret); err != nil {
		t.Error(err)
	}
	if err := open(t, c, "wrong wrong wrong"); err == nil || fault.Is(err, fault.Internal) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if err := open(t, c); err == nil {
		t.Error("no passphrase at all opens it")
	}
	says := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
	if err := Protect(c, says("wrong wrong wrong"), keystore.Clear()); err == nil {
		t.Error("a wrong passphrase changes it")
	}
	if err := Protect(c, says(secret), keystore.Passphrase(fresh).WithWorkFactor(10)); err != nil {
		t.Fatal(err)
	}
	if err := open(t, c, secret); err == nil {
		t.Error("the old passphrase still opens it")
	}
	if err := open(t, c, fresh); err != nil {
		t.Error(err)
	}
	mustBe(t, Protect(newConfig(t), nil, keystore.Clear()), "house.none")
}

func TestResponderIsRenewedAtHalfOfItsLife(t *testing.T) {
	c := newHouse(t)
	for days, fresh := range map[int]bool{1: false, 14: false, 16: true, 40: true} {
		there := c
		there.Data = filepath.Join(t.TempDir(), "data")
		copyDir(t, c.Data, there.Data)
		at := time.Now().Add(time.Duration(days) * 24 * time.Hour)
		h, err := Open(t.Context(), there, Options{Log: silent, Clock: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		if got := at.Sub(h.Hierarchy.Responder.NotBefore) < time.Hour; got != fresh {
			t.Errorf("after %d days it is new: %v", days, got)
		}
		h.Close()
	}
}

// get fetches an address.
func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(raw)
}
