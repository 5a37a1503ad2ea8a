package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

func publishersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "publishers", Short: "Give publishers passwords for the embedded broker", Args: cobra.NoArgs,
		Long: "As long as no publisher has a password anybody on this machine may publish, and nobody from elsewhere can connect.\n" +
			"From the first password on every session needs one: a running Lamppost ends those without, and those whose password is\n" +
			"changed or removed, within 5 s. A broker of your own knows nothing of these passwords.",
	}
	add := &cobra.Command{Use: "add PUBLISHER", Short: "Make a new password and print it, once", Args: cobra.ExactArgs(1)}
	everything := add.Flags().Bool("all", false, "let it publish in every publisher's name: gateways, simulators")
	inRegistry := withRegistry(func(cmd *cobra.Command, args []string, r *registry.Registry) error {
		password, err := r.NewPassword(cmd.Context(), commandActor, registry.Publisher{ID: telemetry.SensorID(args[0]), MayPublishAll: *everything})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), password.Reveal())
		return err
	})
	add.RunE = func(cmd *cobra.Command, args []string) error {
		if err := telemetry.SensorID(args[0]).Check(); err != nil { // before a data folder is made for it
			return fmt.Errorf("publisher %w", err)
		}
		return inRegistry(cmd, args)
	}
	list := &cobra.Command{Use: "list", Short: "List publishers that have a password", Args: cobra.NoArgs}
	list.RunE = withKnownRegistry(func(cmd *cobra.Command, _ []string, r *registry.Registry) error {
		all, err := r.ListPublishers(cmd.Context())
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "publisher\tmay publish for\tsince")
		for _, p := range all {
			may := string(p.ID)
			if p.MayPublishAll {
				may = "everybody"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", p.ID, may, p.CreatedAt.Format(time.RFC3339))
		}
		return w.Flush()
	})
	remove := &cobra.Command{
		Use: "remove PUBLISHER", Short: "Take a publisher's password away", Args: cobra.ExactArgs(1),
		Long: "Take a publisher's password away. A running Lamppost ends its sessions, and lets no new one in, within 5 s.\n" +
			"With the last password gone anybody on this machine may publish again, and nobody from elsewhere.",
	}
	remove.RunE = withKnownRegistry(func(cmd *cobra.Command, args []string, r *registry.Registry) error {
		if err := r.RemovePublisher(cmd.Context(), commandActor, telemetry.SensorID(args[0])); err != nil {
			return err
		}
		text := "removed; a running lamppost ends its sessions within 5 s"
		if !r.Required() {
			text += "\nno publisher has a password any more: anybody on this machine may publish"
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	})
	for _, sub := range []*cobra.Command{add, list, remove} {
		addConfigFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}
