package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// asProgram makes the test binary behave as the program itself. Under `go test -race` that is a program that looks for races,
// which the built one is not: it would be several times slower, and the tests that kill and cut would be of another line than
// the one that users run.
const asProgram = "LAMPPOST_TEST_AS_PROGRAM"

// programs are the two that the tests start.
type programs struct {
	// built is the program as `make build` makes it.
	built endtoend.Program
	// itself is the test binary, with the race detector if the tests run with it.
	itself endtoend.Program
}

// lamppost is set before the first test and never changed.
var lamppost programs

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lamppost-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if lamppost.built, err = endtoend.Build(dir, "lamppost"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	path, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lamppost.itself = endtoend.Program{Path: path, Env: []string{asProgram + "=1"}}
	return m.Run()
}

// full tells whether the tests are to run at full size: hours of a city instead of minutes.
func full() bool { return os.Getenv("LAMPPOST_TEST_FULL") != "" }
