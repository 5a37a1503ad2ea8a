package clock

import (
	"crypto/rand"
	"os"
	"runtime/debug"
	"time"
)

// Machine is what a clock asks of the machine.
type Machine struct {
	// Boot names the present start of the machine.
	Boot func() Boot
	// Now is the machine's own clock: it never jumps, goes on while the machine sleeps, and begins with its start.
	Now func() Instant
	// Date is the system's clock, right or wrong.
	Date func() time.Time
	// Synchronised says whether the system's clock follows a better one, and how far off it may be.
	Synchronised func() (within time.Duration, ok bool)
	// Built is when the program was made: no date before it is believed.
	Built time.Time
}

// ThisMachine asks the operating system.
func ThisMachine() Machine {
	boot := bootOf(bootPath)
	return Machine{Boot: func() Boot { return boot }, Now: bootTime, Date: time.Now, Synchronised: synchronised, Built: built()}
}

const bootPath = "/proc/sys/kernel/random/boot_id"

// bootOf reads the kernel's boot id. Where there is none every process counts as a boot of its own.
func bootOf(path string) (b Boot) {
	text, err := os.ReadFile(path)
	if err == nil {
		b, err = ParseBoot(string(text))
	}
	if err != nil {
		rand.Read(b[:])
	}
	return b
}

// built is when the program's source was committed, as the Go tool has noted it; without that, when this was written.
func built() time.Time {
	oldest := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return oldest
	}
	for _, s := range info.Settings {
		if s.Key != "vcs.time" {
			continue
		}
		if t, err := time.Parse(time.RFC3339, s.Value); err == nil && t.After(oldest) {
			return t
		}
	}
	return oldest
}
