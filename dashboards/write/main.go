// Command write makes the dashboards' files. Nothing comes in but the code of package dashboards; JSON goes out to the
// folder that is named, for Grafana to provision.
//
//	go run ./dashboards/write dashboards/provisioned          writes them
//	go run ./dashboards/write -check dashboards/provisioned   says which ones are not as they would be written
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/lamppost-city/lamppost/dashboards"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("write", flag.ContinueOnError)
	check := flags.Bool("check", false, "only say which files are not as they would be written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name the folder, for instance dashboards/provisioned")
	}
	if !*check {
		return dashboards.Write(flags.Arg(0))
	}
	if err := dashboards.Check(flags.Arg(0)); err != nil {
		return fmt.Errorf("%w\nrun `make dashboards`", err)
	}
	return nil
}
