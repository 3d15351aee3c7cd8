package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
)

// TestHouseScripts runs the commands that administer a house against one that was started for the script in this process,
// in the folder "house" of the script's own, with the settings of house.yaml where the script has one. $PORTAL is where it is.
func TestHouseScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "house"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup:               startHouse,
	})
}

// startHouse starts a house on ports that the kernel chose, and stops it after the script.
func startHouse(env *testscript.Env) error {
	settings := filepath.Join(env.WorkDir, "house.yaml")
	if _, err := os.Stat(settings); errors.Is(err, fs.ErrNotExist) {
		settings = ""
	}
	set, err := config.Load(settings, nil)
	if err != nil {
		return err
	}
	set.Data = filepath.Join(env.WorkDir, "house")
	for _, listen := range []*string{&set.Portal.Listen, &set.Public.Listen} {
		if *listen, err = freePort(); err != nil {
			return err
		}
	}
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	if err := app.Make(context.Background(), set, app.Making{Plan: plan, Protection: keystore.Clear(), By: audit.Actor{Kind: audit.Operator},
		Now: time.Now(), Say: func(string) {}}); err != nil {
		return err
	}
	house, err := app.Open(context.Background(), set, app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan app.Doors, 1), make(chan error, 1)
	go func() {
		err := house.Run(ctx, func(d app.Doors) { ready <- d })
		done <- errors.Join(err, house.Close())
	}()
	select {
	case doors := <-ready:
		env.Setenv("PORTAL", doors.Portal)
	case err := <-done:
		stop()
		return err
	}
	env.Defer(func() {
		stop()
		if err := <-done; err != nil {
			env.T().Fatal("the house ended with ", err)
		}
	})
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func TestOneDoorUnderSeveralNames(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"http://localhost:8441", "http://127.0.0.1:8441", true},
		{"http://localhost:8441", "http://[::]:8441", true},
		{"http://localhost:8441", "http://127.0.0.1:18441", false},
		{"http://pki.example.com", "http://127.0.0.1:8441", false},
	} {
		if got := samePlace(c.a, c.b); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
