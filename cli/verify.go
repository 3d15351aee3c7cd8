package cli

import "chancery.example/fault"

type verifyCmd struct{}

func (c *verifyCmd) Run(console *Console) error {
	return fault.New(fault.Internal, "cli.unfinished", "verify is being built")
}
