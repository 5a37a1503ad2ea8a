package clock

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func bootTime() Instant {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil { // only an imitation of Linux lacks it
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	}
	return Instant(ts.Nano())
}

// timesyncPath is a file that systemd-timesyncd touches whenever it has synchronised the clock (systemd-timesyncd(8)).
const timesyncPath = "/run/systemd/timesync/synchronized"

// synchronised asks the kernel (adjtimex(2)). A service that may not ask, as under systemd's ProtectClock=yes, looks
// whether systemd has ever synchronised the clock in this boot.
func synchronised() (time.Duration, bool) {
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err == nil {
		return time.Duration(t.Maxerror) * time.Microsecond, state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	}
	_, err := os.Stat(timesyncPath)
	return time.Second, err == nil
}
