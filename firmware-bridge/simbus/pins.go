package simbus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Pins are the lines of a simulated GPIO chip: as many as are asked for, GPIO0 to GPIO999. "17" is GPIO17.
type Pins struct {
	name  string
	began time.Time

	mu   sync.Mutex
	pins map[string]*Pin
}

var _ bus.Pins = (*Pins)(nil)

var errNoPin = errors.New("there is no such pin")

// Pin gives out a line to the one who reads it.
func (p *Pins) Pin(name string) (bus.Pin, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "GPIO"))
	if err != nil || n < 0 || n > 999 {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("%s, pin %q: %w", p.name, name, errNoPin), "use a number, or a name like GPIO17")
	}
	pin := p.Line(name)
	pin.mu.Lock()
	defer pin.mu.Unlock()
	if pin.taken {
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("pin %s of %s is taken by another sensor of this bridge", name, p.name), "one pin serves one sensor: look at the settings for a second sensor on it")
	}
	pin.taken = true
	return pin, nil
}

// Line is the other side of a pin: what is wired to it.
func (p *Pins) Line(name string) *Pin {
	name = "GPIO" + strings.TrimPrefix(name, "GPIO")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pins == nil {
		p.pins = make(map[string]*Pin)
	}
	pin := p.pins[name]
	if pin == nil {
		pin = &Pin{name: name, began: p.began, changed: make(chan struct{})}
		p.pins[name] = pin
	}
	return pin
}

// Pin is a simulated line. The bridge has the methods of bus.Pin; the device or the test has Set, Follow and Break.
type Pin struct {
	name  string
	began time.Time

	mu      sync.Mutex
	taken   bool
	level   gpio.Level
	edges   gpio.Edge // that are waited for
	pull    gpio.Pull
	armed   bool
	broken  error
	queue   []bus.Edge
	lost    int
	changed chan struct{} // closed and replaced when anything changes
	next    func(after time.Duration) (time.Duration, gpio.Level)
	due     bus.Edge // what next said
}

// queueLength is how many edges are kept unread, as in the kernel.
const queueLength = 1024

// Set drives the line to a level, now.
func (p *Pin) Set(l gpio.Level) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	p.edge(bus.Edge{Level: l, At: p.Now()})
	p.wake()
}

// Follow lets a device drive the line by itself: next is told the time of the edge before, since the simulation began, and
// says when the next one is and where the line goes to. It is asked only when somebody looks.
func (p *Pin) Follow(next func(after time.Duration) (at time.Duration, l gpio.Level)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
	p.due.At, p.due.Level = next(p.Now())
	p.wake()
}

// Break makes every use of the line fail, as if the chip had been unplugged; nil mends it.
func (p *Pin) Break(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = err
	p.wake()
}

// Lose makes the next edge say that n were lost before it.
func (p *Pin) Lose(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost += n
}

// advance takes over what the device has done meanwhile.
func (p *Pin) advance() {
	for now := p.Now(); p.next != nil && p.due.At <= now; {
		p.edge(p.due)
		p.due.At, p.due.Level = p.next(p.due.At)
	}
}

// edge notes a change.
func (p *Pin) edge(e bus.Edge) {
	if e.Level == p.level {
		return
	}
	p.level = e.Level
	wanted := p.edges == gpio.BothEdges || p.edges == gpio.RisingEdge && bool(e.Level) || p.edges == gpio.FallingEdge && !bool(e.Level)
	if !p.armed || !wanted {
		return
	}
	if len(p.queue) == queueLength {
		p.queue[1].Lost += 1 + p.queue[0].Lost
		p.queue = p.queue[1:]
	}
	e.Lost, p.lost = p.lost, 0
	p.queue = append(p.queue, e)
}

func (p *Pin) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Pin) fault(err error) error {
	return fault.New(fault.Lost, fmt.Errorf("pin %s: %w", p.name, err), "")
}

// In makes the line an input. Edges from before are forgotten.
func (p *Pin) In(pull gpio.Pull, edge gpio.Edge) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.fault(p.broken)
	}
	p.advance()
	p.pull, p.edges, p.armed, p.queue = pull, edge, true, nil
	p.wake()
	return nil
}

// Level is the present level.
func (p *Pin) Level() (gpio.Level, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.broken != nil:
		return gpio.Low, p.fault(p.broken)
	case !p.armed:
		return gpio.Low, p.fault(os.ErrClosed)
	}
	p.advance()
	return p.level, nil
}

// Read is Level, and low where that cannot be told.
func (p *Pin) Read() gpio.Level {
	l, err := p.Level()
	return l && err == nil
}

// NextEdge waits for an edge.
func (p *Pin) NextEdge(ctx context.Context) (bus.Edge, error) {
	for {
		e, wait, changed, err := p.pop()
		if err != nil || wait == 0 {
			return e, err
		}
		var due <-chan time.Time
		var t *time.Timer
		if wait > 0 {
			t = time.NewTimer(wait)
			due = t.C
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if t != nil {
			t.Stop()
		}
		if err != nil {
			return bus.Edge{}, err
		}
	}
}

// pop returns the oldest edge, or how long to wait for the device's next: less than 0 for as long as nothing changes.
func (p *Pin) pop() (e bus.Edge, wait time.Duration, changed <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.broken != nil:
		return e, 0, nil, p.fault(p.broken)
	case !p.armed:
		return e, 0, nil, p.fault(os.ErrClosed)
	}
	p.advance()
	if len(p.queue) > 0 {
		e, p.queue = p.queue[0], p.queue[1:]
		return e, 0, nil, nil
	}
	if p.next == nil {
		return e, -1, p.changed, nil
	}
	return e, max(1, p.due.At-p.Now()), p.changed, nil
}

// WaitForEdge waits for an edge for so long; for ever if timeout is negative.
func (p *Pin) WaitForEdge(timeout time.Duration) bool {
	ctx := context.Background()
	if timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	_, err := p.NextEdge(ctx)
	return err == nil
}

// Now is the time since the simulation began.
func (p *Pin) Now() time.Duration { return time.Since(p.began) }

// Halt gives the pin back, and ends who waits for its edges.
func (p *Pin) Halt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken, p.armed, p.queue = false, false, nil
	p.wake()
	return nil
}

// String names the pin.
func (p *Pin) String() string { return p.name }

// Name names the pin.
func (p *Pin) Name() string { return p.name }

// Number is the number in the name.
func (p *Pin) Number() int {
	n, err := strconv.Atoi(strings.TrimPrefix(p.name, "GPIO"))
	if err != nil {
		return -1
	}
	return n
}

// Function is that of an input.
func (p *Pin) Function() string { return "IN" }

// Pull is what In was told.
func (p *Pin) Pull() gpio.Pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pull
}

// DefaultPull is not known.
func (p *Pin) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Out is not simulated: the bridge reads.
func (p *Pin) Out(gpio.Level) error { return errors.ErrUnsupported }

// PWM is not simulated.
func (p *Pin) PWM(gpio.Duty, physic.Frequency) error { return errors.ErrUnsupported }
