package cli

import "chancery.example/fault"

type inspectCmd struct{}

func (c *inspectCmd) Run(console *Console) error {
	return fault.New(fault.Internal, "cli.unfinished", "inspect is being built")
}
