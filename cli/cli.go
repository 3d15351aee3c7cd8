// Package cli answers: what can be typed?
//
// One file holds one command. Each command is a struct whose fields are its flags and arguments (kong tags), with a
// Run method that gets the [Console], does the work and returns an error. The exit status is a contract with scripts
// and is decided in exit.go only.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// root lists every command, in the order in which the help shows them. A command is one file of this package.
type root struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	// The house: starts and administers it; all but the first four speak to a running one.
	Serve   serveCmd   `cmd:"" group:"house" help:"Start everything, on embedded defaults when nothing is configured."`
	Init    initCmd    `cmd:"" group:"house" help:"Make a new house: root, issuing CA, database."`
	Config  configCmd  `cmd:"" group:"house" help:"Print a configuration with every setting, or check one."`
	Protect protectCmd `cmd:"" group:"house" help:"Set, change or remove the passphrase of the CA keys."`
	Order   orderCmd   `cmd:"" group:"house" help:"Order certificates and see how far orders are."`
	Cert    certCmd    `cmd:"" group:"house" help:"Search, see and revoke certificates."`
	Audit   auditCmd   `cmd:"" group:"house" help:"Read and prove the audit log."`

	// The mail craft: works on files, needs no running house.
	Sign    signCmd    `cmd:"" group:"mail" help:"Sign a mail."`
	Encrypt encryptCmd `cmd:"" group:"mail" help:"Encrypt a mail for one or more certificates."`
	Decrypt decryptCmd `cmd:"" group:"mail" help:"Open an encrypted mail."`
	Verify  verifyCmd  `cmd:"" group:"mail" help:"Check a mail: who signed it, and may it be believed?"`
	Trust   trustCmd   `cmd:"" group:"mail" help:"Check a certificate: may it be believed?"`
	Inspect inspectCmd `cmd:"" group:"mail" help:"Say what a file is: mail, CMS, certificate, request, CRL or PKCS#12."`
}

// groups are the headings under which the help shows the commands.
var groups = []kong.Group{
	{Key: "house", Title: "The house:"},
	{Key: "mail", Title: "Mail (works on files, needs no running house):"},
	{Key: "certificates", Title: "Certificates:"},
}

// Console is all of the outside world that a command may touch, so that a test can hand in its own.
type Console struct {
	Ctx    context.Context // ends at SIGINT and SIGTERM
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
}

// Warn writes one line for the person to standard error.
func (c *Console) Warn(format string, args ...any) {
	fmt.Fprintf(c.Stderr, "chancery: "+format+"\n", args...)
}

// ask writes to the person without a line end.
func (c *Console) ask(format string, args ...any) {
	fmt.Fprintf(c.Stderr, format, args...)
}

// Main runs one command line (without the program's name) and returns the exit status: 0 done or valid, 1 could not
// be processed, 2 usage, 3 invalid, 4 untrusted, 5 unsigned.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	console := &Console{Ctx: ctx, Stdin: stdin, Stdout: stdout, Stderr: stderr, Getenv: getenv, Now: time.Now}
	if len(args) == 0 {
		fmt.Fprint(stdout, welcome)
		return StatusDone
	}
	helped := false // --help and --version print and are done; kong would go on and miss arguments
	parser, err := kong.New(&root{},
		kong.Name("chancery"),
		kong.Description("Everything S/MIME in one program."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.Vars{"version": version()},
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(console),
	)
	if err != nil { // the root struct itself is wrong: a mistake of ours, seen by every test
		return report(console, err)
	}
	parsed, err := parser.Parse(args)
	if helped {
		return StatusDone
	}
	if err != nil {
		return report(console, usageOf(err))
	}
	return report(console, parsed.Run())
}

const welcome = `Chancery: everything S/MIME in one program.

  chancery serve                         start the house and print the portal's address
  chancery sign --p12 me.p12 mail.eml    sign a mail
  chancery encrypt --to her.pem mail.eml encrypt it for somebody
  chancery decrypt --p12 me.p12 mail.eml open what you got
  chancery verify --ca root.pem mail.eml check who signed it

chancery --help lists every command, chancery COMMAND --help explains one.
`

// usageOf takes the sentence out of kong's error and points to the help of the command that was understood.
func usageOf(err error) error {
	usage := &usageError{sentence: err.Error()}
	if own := (*usageError)(nil); errors.As(err, &own) {
		usage.sentence = own.sentence
	}
	if parse := (*kong.ParseError)(nil); errors.As(err, &parse) && parse.Context != nil {
		usage.command, _, _ = strings.Cut(parse.Context.Command(), " <")
	}
	return usage
}

// version is what the build recorded of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "chancery (unknown build)"
	}
	text := "chancery " + info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			text += " " + setting.Value
		}
	}
	return text + " " + info.GoVersion
}
