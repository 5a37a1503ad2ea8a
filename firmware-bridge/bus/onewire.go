package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// wires is the folder in which the kernel's w1 driver shows its devices.
type wires struct {
	root string
	// turn is held by the one who measures: the kernel lets one device after another onto the line anyway, and so no more
	// than one read can hang in it.
	turn chan struct{}
}

const (
	wiresRoot   = "/sys/bus/w1/devices"
	adviseWires = "enable 1-Wire (raspi-config, or dtoverlay=w1-gpio in config.txt, and the module w1-therm), and restart the board"
)

func openOneWire(cfg Config) (*Bus, error) {
	root := cfg.Device
	if root == "" {
		root = wiresRoot
	}
	w := &wires{root: root, turn: make(chan struct{}, 1)}
	if _, err := w.Devices(); err != nil {
		return nil, err
	}
	return &Bus{Config: cfg, OneWire: w, Closer: w}, nil
}

// wireID is the name of a device's folder: family and serial number. Bus masters (w1_bus_master1) are none.
var wireID = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{12}$`)

// Devices lists the devices that the kernel has found, in order.
func (w *wires) Devices() ([]string, error) {
	entries, err := os.ReadDir(w.root)
	if err != nil {
		return nil, wiresFault("look for 1-Wire devices", err)
	}
	var ids []string
	for _, e := range entries {
		if wireID.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

func wiresFault(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	if errors.Is(err, os.ErrPermission) {
		return fault.New(fault.Denied, err, "this user may not read the kernel's 1-Wire files: look at the unit's ProtectKernelTunables and at the files' rights")
	}
	return fault.New(fault.Lost, err, adviseWires)
}

// Measure reads the device's w1_slave, which makes it measure. The kernel cannot be interrupted in that: if ctx ends first, the
// read goes on behind the next caller's back for up to a second or so.
func (w *wires) Measure(ctx context.Context, id string) (string, error) {
	if !wireID.MatchString(id) {
		return "", fault.New(fault.Misconfigured, fmt.Errorf("%q is no id of a 1-Wire device", id), "ids look like 28-0316a2794bff")
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return "", fault.New(fault.Timeout, fmt.Errorf("wait for the 1-Wire line: %w", ctx.Err()), "many devices on one line take a second each: read them less often")
	}
	type answer struct {
		text []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-w.turn }()
		text, err := os.ReadFile(filepath.Join(w.root, id, "w1_slave"))
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return "", w.deviceFault(id, a.err)
		}
		return string(a.text), nil
	case <-ctx.Done():
		return "", fault.New(fault.Timeout, fmt.Errorf("measure with %s: %w", id, ctx.Err()), "look at the line's pull-up resistor (4.7 kΩ) and its length")
	}
}

// deviceFault tells a device that is gone from a line that is gone.
func (w *wires) deviceFault(id string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		if _, lost := w.Devices(); lost != nil {
			return lost
		}
		return fault.New(fault.Absent, fmt.Errorf("1-Wire device %s: %w", id, err), "")
	}
	if errors.Is(err, os.ErrPermission) {
		return wiresFault("measure with "+id, err)
	}
	return fault.New(fault.Absent, fmt.Errorf("1-Wire device %s does not answer: %w", id, err), "look at its cable and plug, and at the pull-up resistor (4.7 kΩ)")
}

// Close waits for a read that still hangs in the kernel.
func (w *wires) Close() error {
	w.turn <- struct{}{}
	<-w.turn
	return nil
}
