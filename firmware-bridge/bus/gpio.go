package bus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Pin is a GPIO line. Beside what every pin of periph does it says when an edge was and whether one is missing, and tells
// faults: a pulse counter and a door contact live on that.
type Pin interface {
	// PinIO's In requests the line from the kernel and forgets the edges before. WaitForEdge and NextEdge have one caller at a
	// time; both end when the pin is halted.
	gpio.PinIO
	// NextEdge waits for the next of the edges that In was told of. They are kept while nobody waits, the newest 1024. It
	// returns ctx's error when ctx ends, but an edge that is there already even then.
	NextEdge(ctx context.Context) (Edge, error)
	// Now is the present moment on the clock of Edge.At.
	Now() time.Duration
	// Level is what Read returns, with what is wrong.
	Level() (gpio.Level, error)
}

// Edge is a change of a pin's level.
type Edge struct {
	// Level is what the pin went to.
	Level gpio.Level
	// At is when, on the clock that the pin's Now shows. The kernel notes it, so it does not depend on who reads it when.
	At time.Duration
	// Lost is how many edges before this one came too fast to be kept.
	Lost int
}

// chipLine is what the kernel says of a line.
type chipLine struct {
	name     string
	used     bool
	consumer string
}

// chipDevice is a GPIO chip as the kernel shows it.
type chipDevice interface {
	lines() ([]chipLine, error)
	pin(offset int, name string, halted func()) Pin
	Close() error
}

// chip gives out the pins of a GPIO chip, each to one user.
type chip struct {
	path   string
	device chipDevice

	mu    sync.Mutex
	taken map[int]bool
}

func openGPIO(cfg Config) (*Bus, error) {
	path := cfg.Device
	if path == "" {
		found, err := filepath.Glob("/dev/gpiochip*")
		if err != nil || len(found) == 0 {
			return nil, fault.New(fault.Lost, errors.New("this machine has no GPIO chip"), adviseGPIO)
		}
		path = mainChip(found)
	}
	device, err := openChip(path)
	if err != nil {
		return nil, err
	}
	c := &chip{path: path, device: device, taken: make(map[int]bool)}
	return &Bus{Config: cfg, Pins: c, Closer: device}, nil
}

// mainChip is the chip with the pins of the header, as far as that can be told: on a Raspberry Pi the one whose label
// begins with pinctrl-, elsewhere the first.
func mainChip(paths []string) string {
	slices.SortFunc(paths, func(a, b string) int { return chipNumber(a) - chipNumber(b) })
	for _, path := range paths {
		if strings.HasPrefix(chipLabel(path), "pinctrl-") {
			return path
		}
	}
	return paths[0]
}

func chipNumber(path string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "gpiochip"))
	if err != nil {
		return 1 << 16
	}
	return n
}

// Pin finds a line by its name or number.
func (c *chip) Pin(name string) (Pin, error) {
	lines, err := c.device.lines()
	if err != nil {
		return nil, err
	}
	offset := slices.IndexFunc(lines, func(l chipLine) bool { return l.name == name })
	if n, err := strconv.Atoi(name); offset < 0 && err == nil && n >= 0 && n < len(lines) {
		offset = n
	}
	if offset < 0 {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("%s has no pin %q", c.path, name), adviseNames(lines))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[offset] {
		return nil, pinTaken(c.path, name, "another sensor of this bridge")
	}
	if lines[offset].used {
		return nil, pinTaken(c.path, name, lines[offset].consumer)
	}
	c.taken[offset] = true
	return c.device.pin(offset, name, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.taken, offset)
	}), nil
}

func pinTaken(path, name, by string) error {
	if by == "" {
		by = "another program"
	}
	return fault.New(fault.Misconfigured, fmt.Errorf("pin %s of %s is taken by %s", name, path, by),
		"one pin serves one sensor: look at the settings for a second sensor on it, and at config.txt and other programs")
}

// adviseNames says what pins there are.
func adviseNames(lines []chipLine) string {
	var names []string
	for _, l := range lines {
		if l.name != "" && len(names) < 40 {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("its pins have no names: use a number from 0 to %d", len(lines)-1)
	}
	return fmt.Sprintf("use a number from 0 to %d, or one of %s", len(lines)-1, strings.Join(names, ", "))
}

const (
	adviseGPIO = "set device to the chip with the header's pins, such as /dev/gpiochip0"
	groupGPIO  = "gpio"
)
