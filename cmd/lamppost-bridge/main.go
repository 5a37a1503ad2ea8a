// Command lamppost-bridge runs in a cabinet at the kerb: it reads the sensors there and keeps every reading until the city's
// broker has acknowledged it. Its other commands are for the technician who stands before it.
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
	"github.com/lamppost-city/lamppost/service"
)

func main() {
	if err := run(); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(os.Stderr, "lamppost-bridge: "+err.Error())
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
		Use:           "lamppost-bridge",
		Short:         "A cabinet's sensors, read and brought to the city, whatever happens to power and link",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	cmd.AddCommand(runCommand(), checkCommand(), initCommand(), driversCommand(), configCommand(), versionCommand())
	command.Strict(cmd)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "lamppost-bridge", service.Version())
		return err
	}}
}
