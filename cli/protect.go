package cli

import (
	"fmt"
	"os"
	"strings"

	"chancery.example/app"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/fault"
)

type protectCmd struct {
	houseFlags
	NewPassphraseFile string `placeholder:"FILE" help:"File with the new passphrase; without it, it is asked for."`
	Clear             bool   `help:"Remove the passphrase: the keys open with the file beside them."`
}

// Help is shown by chancery protect --help.
func (*protectCmd) Help() string {
	return `Changes the passphrase that protects the CA keys, or sets the first one. The keys themselves stay as they are. Copies of
the old identity file, in backups for example, still open them.`
}

func (p *protectCmd) Run(c *Console) error {
	set, err := p.load(c)
	if err != nil {
		return err
	}
	fresh, err := p.fresh(c)
	if err != nil {
		return err
	}
	old, asked := passphrase(c, set), false
	if err := app.Protect(set, func() (string, error) { asked = true; return old() }, fresh); err != nil {
		return err
	}
	switch {
	case !p.Clear:
		fmt.Fprintf(c.Stdout, "From now on serve needs the passphrase: from the file that ca.passphrase_file names, from %s, or at a terminal.\n", config.PassphraseVariable)
	case asked:
		fmt.Fprintln(c.Stdout, "The keys now open with keys/house.key beside them; serve asks for no passphrase any more.")
	default: // nobody was asked for a passphrase, so there was none
		fmt.Fprintln(c.Stdout, "No passphrase was set; nothing changed.")
	}
	return nil
}

func (p *protectCmd) fresh(c *Console) (keystore.Protection, error) {
	switch {
	case p.Clear && p.NewPassphraseFile != "":
		return keystore.Protection{}, badUsage("--clear and --new-passphrase-file exclude each other")
	case p.Clear:
		return keystore.Clear(), nil
	case p.NewPassphraseFile == "":
		return newPassphrase(c, "New passphrase of the CA keys: ", false)
	}
	raw, err := os.ReadFile(p.NewPassphraseFile)
	if err != nil {
		return keystore.Protection{}, fault.Wrap(err, fault.Invalid, "passphrase.file", "The file %s cannot be read: %v", p.NewPassphraseFile, err)
	}
	return givenPassphrase(strings.TrimRight(string(raw), "\r\n"))
}

// givenPassphrase refuses an empty one: who asks for protection by nothing has made a mistake.
func givenPassphrase(secret string) (keystore.Protection, error) {
	if secret == "" {
		return keystore.Protection{}, fault.New(fault.Invalid, "passphrase.empty", "No passphrase was set; nothing changed.")
	}
	return keystore.Passphrase(secret), nil
}
