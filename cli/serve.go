package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/fault"
)

// houseFlags are what every command about a house takes.
type houseFlags struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration in YAML. Without one, the defaults are used."`
	Data   string `short:"d" placeholder:"DIR" help:"Data directory (default ./chancery-data)."`
}

// load reads the configuration; flags win over it.
func (f *houseFlags) load(c *Console) (config.Config, error) {
	set, err := config.Load(f.Config, os.Environ())
	if err != nil {
		return set, err
	}
	if f.Data != "" {
		set.Data = f.Data
	}
	return set, nil
}

type serveCmd struct {
	houseFlags
}

// Help is shown by chancery serve --help.
func (*serveCmd) Help() string {
	return `With an empty data directory, a house for this machine is made first: a private root and issuing CA with keys that
are encrypted on disk, and an SQLite database. "chancery init" makes one with names, key types and a passphrase of your
choice. Later starts find all of it, or say what is missing.`
}

func (s *serveCmd) Run(c *Console) error {
	set, err := s.load(c)
	if err != nil {
		return err
	}
	log := logger(c, set.Log)
	exists, err := app.Exists(set)
	if err != nil {
		return err
	}
	if !exists {
		if err := firstStart(c, set); err != nil {
			return err
		}
	}
	house, err := app.Open(c.Ctx, set, app.Options{Passphrase: passphrase(c, set), Log: log})
	if err != nil {
		return err
	}
	err = house.Run(c.Ctx, func(d app.Doors) { announce(c, house, d) })
	return errors.Join(err, house.Close())
}

// firstStart makes a house on the defaults.
func firstStart(c *Console, set config.Config) error {
	fmt.Fprintf(c.Stdout, "No house in %s yet: making one for this machine.\n", set.Data)
	plan := ceremony.Default()
	plan.PublicURL = "http://localhost:" + portOf(set.Public.Listen)
	protection, err := protectionFor(c, set)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(set.Data, 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "house.directory", "The data directory %s cannot be made: %v", set.Data, err)
	}
	return app.Make(c.Ctx, set, app.Making{Plan: plan, Protection: protection, By: audit.Actor{Kind: audit.Operator}, Now: c.Now(),
		Say: func(s string) { fmt.Fprintf(c.Stdout, "  %s\n", s) }})
}

func portOf(listen string) string {
	if i := strings.LastIndexByte(listen, ':'); i >= 0 {
		return listen[i+1:]
	}
	return "80"
}

// announce tells where the doors are, and what a careful operator does next.
func announce(c *Console, h *app.House, d app.Doors) {
	what := "CRL, OCSP, CA certificates"
	if named := h.Record.PublicURL; !samePlace(named, d.Public) {
		what = "certificates name " + named
	}
	fmt.Fprintf(c.Stdout, "\nChancery is ready.\n\n  Portal   %s\n  Public   %s   (%s)\n", d.Portal, d.Public, what)
	if d.Setup != "" {
		fmt.Fprintf(c.Stdout, "\n  Set up the first administrator here; the link works once:\n  %s\n", d.Setup)
	}
	if !h.Keys.Protected() {
		fmt.Fprintf(c.Stdout, "\n%s\n", clearNote("stop, and run", d.Data))
	}
	fmt.Fprintln(c.Stdout)
}

// clearNote is said of a house whose keys no passphrase protects.
func clearNote(how, data string) string {
	return "  Note: the CA keys are encrypted, but what opens them lies beside them. Set a passphrase\n" +
		"  when this becomes more than a trial: " + how + " chancery protect --data " + data
}

// samePlace reports whether two http URLs lead to the same door, by whichever name of this machine.
func samePlace(a, b string) bool {
	own := strings.NewReplacer("//127.0.0.1", "//localhost", "//[::1]", "//localhost", "//[::]", "//localhost", "//0.0.0.0", "//localhost")
	return own.Replace(a) == own.Replace(b)
}

// logger writes to standard error, so that standard output stays for what a person asked for.
func logger(c *Console, set config.Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: set.Level}
	if set.Format == "json" {
		return slog.New(slog.NewJSONHandler(c.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(c.Stderr, opts))
}

// passphrase finds the passphrase of the CA keys: in the file that is configured, in the environment, or at a terminal.
func passphrase(c *Console, set config.Config) func() (string, error) {
	return func() (string, error) {
		secret, err := storedPassphrase(c, set)
		if err != nil || secret != "" {
			return secret, err
		}
		secret, err = prompt(c, "Passphrase of the CA keys: ")
		if errors.Is(err, errNoTerminal) {
			return "", fault.New(fault.Unavailable, "passphrase.none", "The CA keys are protected by a passphrase. Name a file in ca.passphrase_file, set %s, or start at a terminal.", config.PassphraseVariable)
		}
		return secret, err
	}
}

// storedPassphrase is the passphrase from file or environment; empty where neither is set.
func storedPassphrase(c *Console, set config.Config) (string, error) {
	if set.CA.PassphraseFile == "" {
		return c.Getenv(config.PassphraseVariable), nil
	}
	raw, err := os.ReadFile(set.CA.PassphraseFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault.Wrap(err, fault.Unavailable, "passphrase.file", "The file %s of ca.passphrase_file is not there.", set.CA.PassphraseFile)
	}
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "passphrase.file", "The file %s of ca.passphrase_file cannot be read: %v", set.CA.PassphraseFile, err)
	}
	secret := strings.TrimRight(string(raw), "\r\n")
	if secret == "" {
		return "", fault.New(fault.Invalid, "passphrase.file", "The file %s of ca.passphrase_file is empty: it protects nothing.", set.CA.PassphraseFile)
	}
	return secret, nil
}

// protectionFor is how a new house's keys are protected when nobody is asked: by the passphrase that is set, or not.
func protectionFor(c *Console, set config.Config) (keystore.Protection, error) {
	secret, err := storedPassphrase(c, set)
	if err != nil || secret == "" {
		return keystore.Clear(), err
	}
	return keystore.Passphrase(secret), nil
}

var errNoTerminal = errors.New("standard input is no terminal")

// prompt asks for a secret at the terminal, without showing it.
func prompt(c *Console, question string) (string, error) {
	f, ok := c.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", errNoTerminal
	}
	fmt.Fprint(c.Stderr, question)
	secret, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(c.Stderr)
	return string(secret), err
}
