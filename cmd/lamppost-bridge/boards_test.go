package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
)

// board is a kind of board that scripts/bridge.sh builds for, and the processor that QEMU shows to its program: the oldest
// that the program is for.
type board struct {
	kind    string
	machine elf.Machine
	qemu    string
	cpu     string
}

func boards() []board {
	return []board{
		{"armv6", elf.EM_ARM, "qemu-arm", "arm1176"}, // Raspberry Pi 1 and Zero
		{"armv7", elf.EM_ARM, "qemu-arm", "cortex-a7"},
		{"arm64", elf.EM_AARCH64, "qemu-aarch64", "cortex-a53"},
		{"amd64", elf.EM_X86_64, "qemu-x86_64", "qemu64"}, // what weighs most
		{"riscv64", elf.EM_RISCV, "qemu-riscv64", "rv64"},
	}
}

// boardsVariable names the kinds of boards to try: building for one takes a while where it was not built before. All of them:
//
//	LAMPPOST_TEST_BOARDS=armv6,armv7,arm64,amd64,riscv64 go test -run Boards ./cmd/lamppost-bridge
const boardsVariable = "LAMPPOST_TEST_BOARDS"

// TestBoardsRunTheProgramThatIsDelivered builds as `make bridge` does, the bound of the size included.
func TestBoardsRunTheProgramThatIsDelivered(t *testing.T) {
	wanted := "armv6,arm64,amd64"
	if set := os.Getenv(boardsVariable); set != "" {
		wanted = set
	}
	folder := t.TempDir()
	for _, b := range boards() {
		if !strings.Contains(","+wanted+",", ","+b.kind+",") {
			continue
		}
		t.Run(b.kind, func(t *testing.T) {
			command := b.emulator(t)
			build := exec.CommandContext(t.Context(), filepath.Join("..", "..", "scripts", "bridge.sh"), "--programs", folder, b.kind)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
			program := filepath.Join(folder, "lamppost-bridge-"+b.kind)
			checkStatic(t, program, b.machine)
			run := func(args ...string) string {
				cmd := exec.CommandContext(t.Context(), "env", slices.Concat(command, []string{program}, args)...)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
				}
				return string(out)
			}
			if out := run("version"); !strings.HasPrefix(out, "lamppost-bridge ") || !strings.Contains(out, "linux/") {
				t.Errorf("version prints %q", out)
			}
			out := run("check", "--simulate", "--data", t.TempDir())
			for _, d := range drivers.All() {
				if !strings.Contains(out, d.Name) {
					t.Errorf("check --simulate says nothing of driver %s:\n%s", d.Name, out)
				}
			}
		})
	}
}

// emulator is what a program is run by: nothing on a machine of its own kind. Distributions call QEMU's differently where it
// is static.
func (b board) emulator(t *testing.T) []string {
	t.Helper()
	if b.kind == runtime.GOARCH {
		return nil
	}
	for _, name := range []string{b.qemu + "-static", b.qemu} {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path, "-cpu", b.cpu}
		}
	}
	t.Skipf("%s is not installed; scripts/prepare-tests.sh installs it on Debian", b.qemu)
	return nil
}

// checkStatic sees that the program is for the machine, and needs no loader and no library.
func checkStatic(t *testing.T, program string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine {
		t.Errorf("is for %s", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("is not static: has %s", p.Type)
		}
	}
}
