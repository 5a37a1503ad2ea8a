package command_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/internal/command"
)

func run(args ...string) (out string, err error) {
	leaf := func(use string) *cobra.Command {
		return &cobra.Command{Use: use, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { cmd.Print("did " + use); return nil }}
	}
	root := &cobra.Command{Use: "lamppost", SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs}
	group := &cobra.Command{Use: "config", Short: "Show or check it", Args: cobra.NoArgs}
	group.AddCommand(leaf("check"), leaf("print"))
	root.AddCommand(group, leaf("version"))
	command.Strict(root)
	var said bytes.Buffer
	root.SetOut(&said)
	root.SetErr(&said)
	root.SetArgs(args)
	err = root.Execute()
	return said.String(), err
}

func TestAMistypedCommandIsAnErrorThatSaysWhatThereIs(t *testing.T) {
	for line, want := range map[string]string{
		"bogus":          `lamppost has no command "bogus"; it has config, version`,
		"vrsion":         `lamppost has no command "vrsion"; do you mean lamppost version?`,
		"config chek":    `lamppost config has no command "chek"; do you mean lamppost config check?`,
		"config bogus x": `lamppost config has no command "bogus"; it has check, print`,
	} {
		if out, err := run(strings.Fields(line)...); err == nil || err.Error() != want || out != "" {
			t.Errorf("%s: %v, and said %q", line, err, out)
		}
	}
}

func TestWithoutACommandTheHelpIsShown(t *testing.T) {
	for _, line := range []string{"", "config", "config --help"} {
		if out, err := run(strings.Fields(line)...); err != nil || !strings.Contains(out, "Available Commands") {
			t.Errorf("%q: %v:\n%s", line, err, out)
		}
	}
	if out, err := run("config", "check"); err != nil || out != "did check" {
		t.Errorf("check: %v, %s", err, out)
	}
}
