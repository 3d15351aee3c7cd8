package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/fault"
)

type initCmd struct {
	houseFlags
	Organisation    string `placeholder:"NAME" help:"Organisation, in every CA certificate."`
	Country         string `placeholder:"CC" help:"Country (ISO 3166-1 alpha-2, or XX)."`
	RootName        string `placeholder:"NAME" help:"Common name of the root (default \"ORGANISATION Root CA\")."`
	IssuingName     string `placeholder:"NAME" help:"Common name of the issuing CA (default \"ORGANISATION Mail CA\")."`
	RootKey         string `placeholder:"TYPE" enum:"P-256,P-384,P-521,RSA-4096" default:"P-384" help:"Key of the root: P-256, P-384, P-521, RSA-4096."`
	IssuingKey      string `placeholder:"TYPE" enum:"P-256,P-384,RSA-4096" default:"P-256" help:"Key of the issuing CA: P-256, P-384, RSA-4096."`
	RootYears       int    `placeholder:"N" help:"Validity of the root in years (default 20)."`
	IssuingYears    int    `placeholder:"N" help:"Validity of the issuing CA in years (default 10)."`
	PublicURL       string `placeholder:"URL" help:"Plain-http base URL for CRLs, OCSP and CA certificates. It stands for ever in every certificate."`
	PassphraseFile  string `placeholder:"FILE" help:"File with the passphrase that protects the CA keys."`
	Passphrase      bool   `help:"Ask for a passphrase that protects the CA keys."`
	Yes             bool   `short:"y" help:"Ask nothing: take the flags and the defaults."`
	defaultedPublic bool
}

// Help is shown by chancery init --help.
func (*initCmd) Help() string {
	return `The ceremony of a new house, step by step: root, issuing CA, OCSP responder, database. At a terminal it asks for what
no flag says. Afterwards the root's private key (keys/root.age) may be moved to a medium in a safe; it is needed again
only to certify a new issuing CA and once a year for the root's revocation list.

The passphrase of the CA keys comes from --passphrase-file, the environment (CHANCERY_CA_PASSPHRASE) or --passphrase.`
}

func (i *initCmd) Run(c *Console) error {
	set, err := i.load(c)
	if err != nil {
		return err
	}
	if i.PassphraseFile != "" {
		set.CA.PassphraseFile = i.PassphraseFile
	}
	switch exists, err := app.Exists(set); {
	case err != nil:
		return err
	case exists:
		return fault.New(fault.Conflict, "house.exists", "There is already a house in %s. Nothing was changed. Start it with: chancery serve --data %s", set.Data, set.Data)
	}
	a := &asker{c: c, silent: i.Yes || !interactive(c)}
	plan, err := i.plan(a, "http://localhost:"+portOf(set.Public.Listen))
	if err != nil {
		return err
	}
	protection, err := protectionFor(c, set)
	if err == nil && i.Passphrase && protection.String() == keystore.Clear().String() {
		protection, err = newPassphrase(c)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "Making the house of %s in %s.\n", plan.Organisation, set.Data)
	if err := app.Make(c.Ctx, set, app.Making{Plan: plan, Protection: protection, By: audit.Actor{Kind: audit.Operator}, Now: c.Now(),
		Say: func(s string) { fmt.Fprintf(c.Stdout, "  %s\n", s) }}); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "Done. Start it with: chancery serve --data %s\n", set.Data)
	if i.defaultedPublic {
		c.Warn("the public base URL is %s, which only this machine can reach; certificates for others need --public-url", plan.PublicURL)
	}
	return nil
}

// plan is what the flags and, at a terminal, the answers say.
func (i *initCmd) plan(a *asker, localURL string) (ceremony.Plan, error) {
	p := ceremony.Default()
	p.Organisation = a.ask("Organisation", i.Organisation, p.Organisation)
	p.Country = strings.ToUpper(a.ask("Country (two letters, XX for none)", i.Country, p.Country))
	p.RootName = a.ask("Name of the root", i.RootName, p.Organisation+" Root CA")
	p.IssuingName = a.ask("Name of the issuing CA", i.IssuingName, p.Organisation+" Mail CA")
	p.PublicURL = a.ask("Public base URL (plain http, for ever in every certificate)", i.PublicURL, localURL)
	i.defaultedPublic = p.PublicURL == localURL
	p.RootKey, p.IssuingKey = keystore.Algorithm(i.RootKey), keystore.Algorithm(i.IssuingKey)
	if i.RootYears < 0 || i.IssuingYears < 0 || i.RootYears > 50 || i.IssuingYears > 50 {
		return p, badUsage("--root-years and --issuing-years are between 1 and 50")
	}
	p.RootValidity = time.Duration(i.RootYears) * 365 * 24 * time.Hour
	p.IssuingValidity = time.Duration(i.IssuingYears) * 365 * 24 * time.Hour
	return p, a.err
}

// asker asks at a terminal for what no flag said.
type asker struct {
	c      *Console
	silent bool
	in     *bufio.Reader
	err    error
}

func (a *asker) ask(question, flag, fallback string) string {
	if flag != "" || a.silent || a.err != nil {
		return or(flag, fallback)
	}
	if a.in == nil {
		a.in = bufio.NewReader(a.c.Stdin)
	}
	fmt.Fprintf(a.c.Stdout, "%s [%s]: ", question, fallback)
	line, err := a.in.ReadString('\n')
	if err != nil {
		a.err = fault.Wrap(err, fault.Invalid, "init.answer", "The answers ended before the last question. Nothing was made.")
	}
	return or(strings.TrimSpace(line), fallback)
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func interactive(c *Console) bool {
	f, ok := c.Stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newPassphrase asks twice.
func newPassphrase(c *Console) (keystore.Protection, error) {
	first, err := prompt(c, "New passphrase of the CA keys: ")
	if err != nil {
		return keystore.Protection{}, fault.Wrap(err, fault.Invalid, "passphrase.ask", "A passphrase can only be asked for at a terminal. Use --passphrase-file or %s.", config.PassphraseVariable)
	}
	second, err := prompt(c, "Once more: ")
	if err != nil {
		return keystore.Protection{}, err
	}
	if first != second {
		return keystore.Protection{}, fault.New(fault.Invalid, "passphrase.differs", "The two passphrases differ. Nothing was changed; please start again.")
	}
	return keystore.Passphrase(first), nil
}
