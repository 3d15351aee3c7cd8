package cli

import (
	"fmt"
	"os"
	"strings"

	"chancery.example/app"
	"chancery.example/ca/keystore"
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
	if err := app.Protect(set, passphrase(c, set), fresh); err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout, "Done. The next start needs it as it is now.")
	return nil
}

func (p *protectCmd) fresh(c *Console) (keystore.Protection, error) {
	switch {
	case p.Clear && p.NewPassphraseFile != "":
		return keystore.Protection{}, badUsage("--clear and --new-passphrase-file exclude each other")
	case p.Clear:
		return keystore.Clear(), nil
	case p.NewPassphraseFile == "":
		return newPassphrase(c)
	}
	raw, err := os.ReadFile(p.NewPassphraseFile)
	if err != nil {
		return keystore.Protection{}, fault.Wrap(err, fault.Invalid, "passphrase.file", "The file %s cannot be read: %v", p.NewPassphraseFile, err)
	}
	return keystore.Passphrase(strings.TrimRight(string(raw), "\r\n")), nil
}
