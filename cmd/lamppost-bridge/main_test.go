package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// asProgram makes the test binary behave as the program itself.
const asProgram = "LAMPPOST_TEST_AS_PROGRAM"

// programs are those that the tests start.
type programs struct {
	// city is lamppost, as `make build` makes it.
	city endtoend.Program
	// bridge is the test binary: under `go test -race` a program that looks for races.
	bridge endtoend.Program
}

// built is set before the first test and never changed.
var built programs

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lamppost-bridge-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if built.city, err = endtoend.Build(dir, "lamppost"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	path, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	built.bridge = endtoend.Program{Path: path, Env: []string{asProgram + "=1"}}
	return m.Run()
}
