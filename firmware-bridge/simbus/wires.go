package simbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Wires is a simulated 1-Wire line.
type Wires struct {
	name string

	mu      sync.Mutex
	devices map[string]func() string
}

var _ bus.Wires = (*Wires)(nil)

var errGone = errors.New("no such device")

// Attach hangs a device with an id like 28-0316a2794bff on the line; measure gives what the kernel's w1_slave would say.
func (w *Wires) Attach(id string, measure func() string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.devices[id] != nil {
		return fmt.Errorf("attach to %s: there is a device %s already", w.name, id)
	}
	if w.devices == nil {
		w.devices = make(map[string]func() string)
	}
	w.devices[id] = measure
	return nil
}

// Detach takes a device away.
func (w *Wires) Detach(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.devices, id)
}

// Devices lists the ids, in order.
func (w *Wires) Devices() ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make([]string, 0, len(w.devices))
	for id := range w.devices {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Measure asks a device.
func (w *Wires) Measure(ctx context.Context, id string) (string, error) {
	w.mu.Lock()
	measure := w.devices[id]
	w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if measure == nil {
		return "", fault.New(fault.Absent, fmt.Errorf("1-Wire device %s: %w", id, errGone), "")
	}
	return measure(), nil
}
