// Command lamppost carries a city's sensor readings from the broker to the store and to the people who need them, and
// can prove that none was lost on the way. `lamppost up` runs all of it in one process; the other commands look after
// what it keeps, or play the city.
//
// This package is wiring, and only wiring: it joins the configurations of the parts, makes the parts, and hands them to
// service.Group in the order in which they stand on one another.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/internal/command"
)

func main() {
	if err := run(); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(os.Stderr, "lamppost: "+err.Error())
		}
		os.Exit(1)
	}
}

// run ends in order when the process is asked to.
func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return root().ExecuteContext(ctx)
}

// errSaid ends a command with exit code 1 whose output has said why.
var errSaid = errors.New("the output says what is wrong")

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "lamppost",
		Short:         "A city's sensor readings, from the street to the people who need them",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	cmd.AddCommand(upCommand(), simulateCommand(), replayCommand(), auditCommand(), sensorsCommand(), publishersCommand(), bridgesCommand(), configCommand(), versionCommand())
	command.Strict(cmd)
	return cmd
}
