package cli

import (
	"fmt"

	"chancery.example/config"
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
	if _, err := f.load(c); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "%s can be used.\n", k.Check)
	return nil
}
