package cli

import "chancery.example/fault"

type encryptCmd struct{}

func (c *encryptCmd) Run(console *Console) error {
	return fault.New(fault.Internal, "cli.unfinished", "encrypt is being built")
}
