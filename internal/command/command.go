// Package command is what the command lines of the programs have in common. Their trees of commands come in, and refuse what is
// mistyped when they go out; the mains call it.
//
//	root of cmd/lamppost, cmd/lamppost-bridge ──► Strict
package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// near is how many letters a mistyped command may differ in for one to be suggested.
const near = 2

// Strict makes a command that only holds others, and those of its kind below it, refuse what is none of them in one sentence.
// Cobra would show the help and call that success. Without arguments they show their help. Call it when all commands are there.
func Strict(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		Strict(sub)
	}
	if cmd.Runnable() || !cmd.HasSubCommands() {
		return
	}
	cmd.SuggestionsMinimumDistance = near
	cmd.DisableFlagsInUseLine = true
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknown(cmd, args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func unknown(cmd *cobra.Command, name string) error {
	if likely := cmd.SuggestionsFor(name); len(likely) > 0 {
		return fmt.Errorf("%s has no command %q; do you mean %s %s?", cmd.CommandPath(), name, cmd.CommandPath(), likely[0])
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("%s has no command %q; it has %s", cmd.CommandPath(), name, strings.Join(names, ", "))
}
