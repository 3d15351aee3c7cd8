package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"chancery.example/smime"
)

type verifyCmd struct {
	beliefFlags
	identityFlags
	From    string `help:"The address that the signer must have, in place of that in the mail." placeholder:"ADDRESS"`
	Content string `help:"The text beside a bare detached signature." placeholder:"FILE"`
	Inform  string `enum:"auto,smime,der,pem" default:"auto" help:"What IN is; auto finds out. One of ${enum}."`
	JSON    bool   `name:"json" help:"Write one JSON object."`
	In      string `arg:"" optional:"" help:"The mail; standard input if left out."`
}

// Validate checks what tags cannot say.
func (c *verifyCmd) Validate() error {
	if err := c.identityFlags.Validate(); err != nil {
		return err
	}
	return c.beliefFlags.Validate()
}

// Help is shown by verify --help.
func (c *verifyCmd) Help() string {
	return `Exit status: 0 valid, 3 invalid (broken, altered, forbidden or revoked), 4 untrusted (intact, but something does not hold), 5 unsigned; 1 the mail could not be read, 2 usage.`
}

// verdictStatus is the one table from verdicts to exit statuses.
var verdictStatus = map[smime.Verdict]int{
	smime.Valid: StatusDone, smime.Invalid: StatusInvalid, smime.Untrusted: StatusUntrusted, smime.Unsigned: StatusUnsigned,
}

// Run verifies.
func (c *verifyCmd) Run(console *Console) error {
	opts, err := c.options(console)
	if err != nil {
		return err
	}
	if opts.Keys, err = c.decryptionKeys(console); err != nil {
		return err
	}
	opts.From = c.From
	in, done, err := console.openInput(c.In)
	if err != nil {
		return err
	}
	defer done()
	report, err := c.open(console, in, opts)
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(console.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(report)
	} else {
		_, err = io.WriteString(console.Stdout, describeReport(report))
	}
	if err != nil {
		return err
	}
	return withStatus(verdictStatus[report.Verdict])
}

func (c *verifyCmd) open(console *Console, in io.Reader, opts smime.Options) (*smime.Report, error) {
	in, form := formOfInput(in, c.Inform)
	if form == "smime" {
		if c.Content != "" {
			return nil, badUsage("--content is for a bare signature; a mail brings its own text")
		}
		return smime.Open(console.Ctx, in, nil, opts)
	}
	if c.Content == "" {
		return smime.OpenCMS(console.Ctx, in, nil, nil, opts)
	}
	content, done, err := console.openInput(c.Content)
	if err != nil {
		return nil, err
	}
	defer done()
	return smime.OpenCMS(console.Ctx, in, content, nil, opts)
}

// verdictWords say each verdict in one line.
var verdictWords = map[smime.Verdict]string{
	smime.Valid:     "valid: the mail is from its signer and unaltered",
	smime.Untrusted: "untrusted: the signature is intact, but something about it does not hold",
	smime.Invalid:   "invalid: do not believe this mail",
	smime.Unsigned:  "unsigned: nobody signed this mail",
}

// describeReport is a report for a person.
func describeReport(r *smime.Report) string {
	var text strings.Builder
	fmt.Fprintln(&text, verdictWords[r.Verdict])
	if r.From != "" {
		fmt.Fprintf(&text, "  from        %s\n", printable(r.From))
	}
	for _, layer := range r.Layers {
		switch {
		case layer.Cipher != "":
			fmt.Fprintf(&text, "  encrypted   %s, for %d\n", layer.Cipher, layer.Recipients)
		case !layer.Opened:
			fmt.Fprintf(&text, "  encrypted   not opened: no key was given\n")
		}
	}
	if r.Encrypted && !r.Authenticated {
		fmt.Fprintf(&text, "              nothing tells whether the text was altered on its way\n")
	}
	for _, name := range slices.Sorted(maps.Keys(r.ProtectedHeaders)) {
		if p := r.ProtectedHeaders[name]; p.Differs || p.Altered || p.Encrypted {
			fmt.Fprintf(&text, "  protected   %s: %s%s\n", printable(name), printable(p.Value), outsideOf(p))
		}
	}
	for _, s := range r.Signatures {
		fmt.Fprintf(&text, "  signature   %s\n", s.Verdict)
		if s.Signer != "" {
			fmt.Fprintf(&text, "    by        %s\n", printable(s.Signer))
		}
		if len(s.Addresses) > 0 {
			fmt.Fprintf(&text, "    for       %s\n", printable(strings.Join(s.Addresses, ", ")))
		}
		if s.SigningTime != nil {
			fmt.Fprintf(&text, "    claims    to be signed at %s\n", s.SigningTime.UTC().Format(time.RFC3339))
		}
		if s.DigestAlgorithm != "" {
			fmt.Fprintf(&text, "    with      %s, %s\n", s.SignatureAlgorithm, s.DigestAlgorithm)
		}
		for i, link := range s.Chain {
			if i > 0 {
				fmt.Fprintf(&text, "    under     %s\n", printable(link.Subject))
			}
		}
		if s.Part != "" {
			fmt.Fprintf(&text, "    covers    part %s only\n", s.Part)
		}
		for _, reason := range s.Reasons {
			fmt.Fprintf(&text, "    because   %s (%s)\n", printable(reason.Text), reason.Code)
		}
	}
	for _, reason := range r.Reasons {
		if len(r.Signatures) == 0 {
			fmt.Fprintf(&text, "  because     %s (%s)\n", printable(reason.Text), reason.Code)
		}
	}
	return text.String()
}

// outsideOf says how a protected field stands outside.
func outsideOf(p smime.ProtectedHeader) string {
	switch {
	case p.Altered && p.Outer == nil:
		return " (lost outside on its way)"
	case p.Altered:
		return " (outside altered to: " + printable(*p.Outer) + ")"
	case p.Outer == nil:
		return " (not outside)"
	case p.Differs:
		return " (outside: " + printable(*p.Outer) + ")"
	}
	return ""
}

// printable keeps what a stranger wrote from moving the cursor or colouring the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, text)
}
