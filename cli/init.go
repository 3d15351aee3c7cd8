package cli

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"golang.org/x/text/language"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/ca/profile"
	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/rules"
)

type initCmd struct {
	houseFlags
	Organisation    string `placeholder:"NAME" help:"Organisation, in every CA certificate."`
	Country         string `placeholder:"CC" help:"Country (ISO 3166-1 alpha-2, or XX)."`
	RootName        string `placeholder:"NAME" help:"Common name of the root (default \"ORGANISATION Root CA\")."`
	IssuingName     string `placeholder:"NAME" help:"Common name of the issuing CA (default \"ORGANISATION Mail CA\")."`
	RootKey         string `placeholder:"TYPE" enum:"P-256,P-384,P-521,RSA-4096" default:"P-384" help:"Key of the root: P-256, P-384, P-521, RSA-4096."`
	IssuingKey      string `placeholder:"TYPE" enum:"P-256,P-384,RSA-4096" default:"P-256" help:"Key of the issuing CA: P-256, P-384, RSA-4096."`
	RootYears       *int   `placeholder:"N" help:"Validity of the root in years (default 20)."`
	IssuingYears    *int   `placeholder:"N" help:"Validity of the issuing CA in years (default 10); never longer than the root's."`
	PublicURL       string `placeholder:"URL" help:"Plain-http base URL for CRLs, OCSP and CA certificates. It stands for ever in every certificate."`
	PassphraseFile  string `placeholder:"FILE" help:"File with the passphrase that protects the CA keys."`
	Passphrase      bool   `help:"Insist on a passphrase that protects the CA keys."`
	Yes             bool   `short:"y" help:"Ask nothing: take the flags and the defaults."`
	defaultedPublic bool
}

// Help is shown by chancery init --help.
func (*initCmd) Help() string {
	return `The ceremony of a new house, step by step: root, issuing CA, OCSP responder, database. At a terminal it asks for what
no flag says. Afterwards the root's private key (keys/root.age) may be moved to a medium in a safe; it is needed again
only to certify a new issuing CA and once a year for the root's revocation list.

The passphrase of the CA keys comes from --passphrase-file or the environment (CHANCERY_CA_PASSPHRASE); at a terminal it is asked
for, and may be left empty unless --passphrase is given.`
}

// maxYears bounds the validity of a CA certificate.
const maxYears = 50

// Validate looks at the years.
func (i *initCmd) Validate() error {
	for _, y := range []struct {
		flag  string
		years *int
	}{{"--root-years", i.RootYears}, {"--issuing-years", i.IssuingYears}} {
		if y.years != nil && (*y.years < 1 || *y.years > maxYears) {
			return badUsage("%s is %d; it goes from 1 to %d", y.flag, *y.years, maxYears)
		}
	}
	return nil
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
	case fault.CodeOf(err) == "house.in-use":
		return fault.Wrap(err, fault.Conflict, "house.exists", "There is already a house in %s, and chancery is running on it. Nothing was changed.", set.Data)
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
	if err := check(plan, c.Now()); err != nil {
		return err
	}
	protection, err := i.protection(a, set)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "Making the house of %s in %s.\n", plan.Organisation, set.Data)
	if err := app.Make(c.Ctx, set, app.Making{Plan: plan, Protection: protection, By: audit.Actor{Kind: audit.Operator}, Now: c.Now(),
		Say: func(s string) { fmt.Fprintf(c.Stdout, "  %s\n", s) }}); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "Done. Start it with: chancery serve --data %s\n", set.Data)
	if protection.String() == keystore.Clear().String() {
		fmt.Fprintf(c.Stdout, "\n%s\n", clearNote("run", set.Data))
	}
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
	p.RootValidity, p.IssuingValidity = years(i.RootYears), years(i.IssuingYears)
	return p, a.err
}

// years is a validity; zero, the rules' own, where nothing is said.
func years(n *int) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * 365 * 24 * time.Hour
}

// check refuses a plan whose certificates could not be made, before any key is made.
func check(p ceremony.Plan, now time.Time) error {
	region, err := language.ParseRegion(p.Country)
	if p.Country != "XX" && (err != nil || len(p.Country) != 2 || !region.IsCountry() || region.Canonicalize() != region) {
		return fault.New(fault.Invalid, "init.country", "%q is not a country code. Write the two letters of ISO 3166-1, like DE or GB, or XX for none.", p.Country)
	}
	root := p.RootValidity
	if root == 0 {
		root = rules.Duration(rules.RootValidity, now)
	}
	if p.IssuingValidity > root {
		return fault.New(fault.Invalid, "init.years", "The issuing CA cannot outlive its root: it would be valid for %.0f years, the root for %.0f. Give a smaller --issuing-years or a larger --root-years.",
			p.IssuingValidity.Hours()/24/365, root.Hours()/24/365)
	}
	// The names are tried as the certificates will have them, on a key that is thrown away.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, name := range []string{p.RootName, p.IssuingName} {
		if _, err := profile.Root(profile.Authority{Serial: issuance.NewSerial().Int(), CommonName: name, Organisation: p.Organisation, Country: p.Country, NotBefore: now, PublicKey: key.Public()}); err != nil {
			return err
		}
	}
	if p.RootName == p.IssuingName {
		return fault.New(fault.Invalid, "init.names", "The root and the issuing CA are both called %q. Give each a name of its own: who checks a certificate tells them apart by it.", p.RootName)
	}
	return nil
}

// protection is by the passphrase that is set; else, at a terminal, by one that is asked for.
func (i *initCmd) protection(a *asker, set config.Config) (keystore.Protection, error) {
	stored, err := protectionFor(a.c, set)
	switch {
	case err != nil || stored.String() != keystore.Clear().String():
		return stored, err
	case i.Passphrase:
		return newPassphrase(a.c, "New passphrase of the CA keys: ", false)
	case a.silent:
		return keystore.Clear(), nil
	}
	return newPassphrase(a.c, "Passphrase of the CA keys (empty for none): ", true)
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

// newPassphrase asks twice; where none is allowed, an empty answer means that the keys open with what lies beside them.
func newPassphrase(c *Console, question string, noneAllowed bool) (keystore.Protection, error) {
	first, err := prompt(c, question)
	if err != nil {
		return keystore.Protection{}, fault.Wrap(err, fault.Invalid, "passphrase.ask", "A passphrase can only be asked for at a terminal. Use --passphrase-file or %s.", config.PassphraseVariable)
	}
	if first == "" && noneAllowed {
		return keystore.Clear(), nil
	}
	if first == "" {
		return givenPassphrase(first)
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
