package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/cli"
)

// chancery runs a command line as a person would type it, and gives what it printed and its exit status.
func chancery(t *testing.T, stdin []byte, args ...string) (stdout []byte, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = cli.Main(t.Context(), args, bytes.NewReader(stdin), &out, &errs, os.Getenv)
	return out.Bytes(), errs.String(), status
}

// wants runs a command line and fails the test when its exit status is another one.
func wants(t *testing.T, status int, args ...string) []byte {
	t.Helper()
	out, errs, got := chancery(t, nil, args...)
	if got != status {
		t.Fatalf("chancery %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, status, errs, out)
	}
	return out
}

// peer runs somebody else's program; it must succeed.
func peer(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	out, err := peerMay(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// peerMay runs somebody else's program, which may fail.
func peerMay(t *testing.T, stdin []byte, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if e := (*exec.Error)(nil); err != nil && asError(err, &e) {
		t.Fatalf("%s is missing; make test installs it: %v", name, err)
	}
	return string(out), err
}

func asError(err error, into **exec.Error) bool {
	e, ok := err.(*exec.Error)
	*into = e
	return ok
}

// file writes a file into a folder and gives its path.
func file(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
