package cli

import "chancery.example/fault"

type signCmd struct{}

func (c *signCmd) Run(console *Console) error {
	return fault.New(fault.Internal, "cli.unfinished", "sign is being built")
}
