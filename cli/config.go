package cli

import (
	"fmt"

	"chancery.example/config"
	"chancery.example/fault"
)

type configCmd struct {
	Check string `placeholder:"FILE" help:"Check a configuration and say what is wrong, instead of printing one."`
}

// Help is shown by chancery config --help.
func (*configCmd) Help() string {
	return `Prints a configuration with every setting, each with its default and what it means:

  chancery config > chancery.yaml`
}

func (k *configCmd) Run(c *Console) error {
	if k.Check == "" {
		_, err := fmt.Fprint(c.Stdout, config.Example())
		return err
	}
	f := houseFlags{Config: k.Check}
	switch _, err := f.load(c); {
	case fault.CodeOf(err) == "config.missing":
		return fault.Wrap(err, fault.NotFound, "config.missing", "There is no configuration file %s to check. Make one with: chancery config > %s", k.Check, k.Check)
	case err != nil:
		return err
	}
	fmt.Fprintf(c.Stdout, "%s can be used.\n", k.Check)
	return nil
}
