package cli

import "chancery.example/fault"

type decryptCmd struct{}

func (c *decryptCmd) Run(console *Console) error {
	return fault.New(fault.Internal, "cli.unfinished", "decrypt is being built")
}
