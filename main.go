// Command chancery is the whole house in one binary. This package answers: what starts the program? What can be typed
// is in the cli package.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"chancery.example/cli"
)

func main() { os.Exit(run()) }

// run is apart from main so that the deferred stop happens before the process ends.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
}
