package bus

import (
	"fmt"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// openPort opens a line for its user alone. The library does not find out, where the user is root, that another program has it:
// `sudo lamppost-bridge init` would take bytes from the service. And it waits for ever in a read of bytes that another program has
// taken first, as a modem manager run by root does: here a read never waits, and that one ends as if the line had hung up, after
// which it is opened again.
func openPort(device string, mode *serial.Mode) (serial.Port, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return serial.Open(device, mode) // it says in its own words what is wrong
	}
	defer unix.Close(fd)
	if taken, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && taken != 0 {
		return nil, errInUse
	}
	p, err := serial.Open(device, mode)
	if err != nil {
		return nil, err
	}
	if err := neverWait(fd); err != nil {
		p.Close()
		return nil, fmt.Errorf("set up reading: %w", err)
	}
	return p, nil
}

// neverWait lets a read return what there is, be it nothing (termios(3): MIN and TIME are 0).
func neverWait(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 0, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS2, t)
}
