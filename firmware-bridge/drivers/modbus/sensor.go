package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
)

// device is a unit on a line.
type device struct {
	line bus.Registers
	unit uint8
	most uint16
}

func (d *device) read(ctx context.Context, s span) ([]uint16, error) {
	return d.line.Read(ctx, d.unit, s.table, s.address, s.n)
}

// identify reads the strings of a map, and compares them with what is expected. One that the device does not have is left
// out.
func (d *device) identify(ctx context.Context, registers []Register) ([]string, error) {
	var found []string
	for i := range registers {
		r := &registers[i]
		if r.kind() != String {
			continue
		}
		words, err := d.read(ctx, r.span())
		if err != nil && fault.KindOf(err) != fault.Refused {
			return nil, fmt.Errorf("read the device's %s: %w", r.Name, err)
		}
		s := text(words, r.Order.flags())
		if !strings.HasPrefix(s, r.Expect) {
			return nil, fault.New(fault.Misconfigured, fmt.Errorf("unit %d: its %s is %q, not %q", d.unit, r.Name, s, r.Expect), "another device answers: look at the unit's id, and choose the map of this model")
		}
		if s != "" {
			found = append(found, s)
		}
	}
	return found, nil
}

// sensor is one unit.
type sensor struct {
	*device
	log       *slog.Logger
	clock     driver.Clock
	state     driver.State
	identity  []string
	registers []Register

	planned   uint64
	blocks    []*block
	places    []place // of the registers
	exponents []place // of those that have one
	out       []driver.Measurement
}

func newSensor(s driver.Setup, d *device, registers []Register, planned []*block, identity []string) *sensor {
	n := &sensor{
		device: d, log: s.Log.With("sensor", s.Sensor), clock: s.Clock, state: s.State,
		identity: identity, registers: registers, planned: fingerprint(planned),
	}
	saved, err := s.State.Load()
	if err != nil {
		n.log.Warn("how a modbus device is read was not remembered", "error", err)
	}
	n.use(recall(saved, planned))
	return n
}

// use sets the blocks, and finds the registers in them.
func (s *sensor) use(blocks []*block) {
	s.blocks = blocks
	s.places, s.exponents = make([]place, len(s.registers)), make([]place, len(s.registers))
	for i := range s.registers {
		s.places[i] = find(blocks, s.registers[i].span())
		if e, ok := s.registers[i].exponentSpan(); ok {
			s.exponents[i] = find(blocks, e)
		}
	}
}

// Identity is what the device says it is, such as maker, model and serial number; "" if its map does not say where it does.
func (s *sensor) Identity() string { return strings.Join(s.identity, " ") }

// Close does nothing: the line is not the sensor's own.
func (s *sensor) Close() error { return nil }

// Read reads all blocks. A register that the device refuses, or that holds nonsense, does not take the others with it.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	var faults []error
	if err := s.fetch(ctx); err != nil {
		faults = append(faults, err)
	}
	s.out = s.out[:0]
	for _, b := range s.blocks {
		if b.err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", s.names(b), b.err))
		}
	}
	for i := range s.registers {
		m, ok, err := s.measure(i)
		if err != nil {
			faults = append(faults, err)
		} else if ok {
			s.out = append(s.out, m)
		}
	}
	return s.out, summary(faults)
}

// most faults that are told at once.
const mostFaults = 4

// summary joins faults; the kind and the advice are those of the first.
func summary(faults []error) error {
	if n := len(faults) - mostFaults; n > 0 {
		faults = append(faults[:mostFaults:mostFaults], fmt.Errorf("and %d more", n))
	}
	return errors.Join(faults...)
}

// names says which values are in a block: the first and how many more.
func (s *sensor) names(b *block) string {
	first, n := "", 0
	for i := range s.registers {
		if at := s.places[i]; at.read() && s.blocks[at.block] == b {
			if n++; n == 1 {
				first = s.registers[i].String()
			}
		}
	}
	switch n {
	case 0:
		return fmt.Sprintf("%s %d", b.table, b.address) // a power of ten
	case 1:
		return first
	}
	return fmt.Sprintf("%s and %d more", first, n-1)
}

// fetch asks for all blocks. An error ended it: the line does not work, or the device is silent. Silence is an answer of a
// poor device to what it does not like, so that the second time, or the first word of all, ends it.
func (s *sensor) fetch(ctx context.Context) error {
	for _, b := range s.blocks {
		b.values, b.err = nil, nil
	}
	answered, silent := false, false
	for i := 0; i < len(s.blocks); i++ {
		b := s.blocks[i]
		b.values, b.err = s.read(ctx, b.span)
		b.at = s.clock.Now()
		switch kind := fault.KindOf(b.err); {
		case b.err == nil:
			answered = true
		case kind == fault.Garbled:
		case kind == fault.Refused:
			answered = true
			if parts := s.takeApart(ctx, b); parts != nil {
				s.learn(i, parts)
				i += len(parts) - 1
			}
		case kind == fault.Timeout && answered && !silent && ctx.Err() == nil:
			silent = true
			b.err = &fault.Fault{Kind: fault.Timeout, Advice: "the unit answers other requests and not this one: set max_gap to 0, and look at the addresses", Err: b.err}
		default:
			err := b.err
			b.err = nil
			return err
		}
	}
	return nil
}

// partly tells whether a device that refuses a block may let its parts be read.
func partly(err error) bool {
	var e bus.Exception
	return errors.As(err, &e) && (e == bus.IllegalAddress || e == bus.IllegalValue || e == bus.DeviceFailure)
}

// takeApart reads a block that was refused in parts, and those again in theirs. It returns them if any could be read.
func (s *sensor) takeApart(ctx context.Context, b *block) []*block {
	if b.stubborn || !partly(b.err) {
		return nil
	}
	var parts []*block
	good := false
	for _, p := range b.split() {
		p.values, p.err = s.read(ctx, p.span)
		p.at = s.clock.Now()
		if fault.KindOf(p.err) == fault.Refused {
			if smaller := s.takeApart(ctx, p); smaller != nil {
				parts, good = append(parts, smaller...), true
				continue
			}
		} else if p.err != nil {
			return nil // not the time to learn
		}
		good = good || p.err == nil
		parts = append(parts, p)
	}
	if !good {
		b.stubborn = true
		return nil
	}
	return parts
}

// learn puts the parts in the place of a block, now and after a restart.
func (s *sensor) learn(i int, parts []*block) {
	s.log.Info("modbus device refuses registers in one request, and lets them be read in several", "unit", s.unit, "requests", len(parts))
	blocks := append(append(append([]*block{}, s.blocks[:i]...), parts...), s.blocks[i+1:]...)
	s.use(blocks)
	saved, err := remember(s.planned, blocks)
	if err == nil {
		err = s.state.Save(saved)
	}
	if err != nil {
		s.log.Warn("how a modbus device is read cannot be remembered", "error", err)
	}
}

// measure decodes a register. ok is false if there is no value: the block was not read, or the device says so.
func (s *sensor) measure(i int) (m driver.Measurement, ok bool, err error) {
	r := &s.registers[i]
	words, b := s.words(s.places[i], r.width())
	if words == nil {
		return m, false, nil
	}
	shift := r.Exponent
	if r.ExponentRegister != nil {
		power, _ := s.words(s.exponents[i], 1)
		if power == nil {
			return m, false, nil
		}
		e, valid := exponent(power[0])
		if !valid {
			return m, false, nil
		}
		shift += e
	}
	if m, ok, err = r.value(words, r.Order.flags(), shift); err != nil {
		return m, false, fault.New(fault.Implausible, fmt.Errorf("%s: %w", r, unwrapped(err)), r.advise(words, shift))
	}
	m.At = b.at
	return m, ok, nil
}

// words returns what was read at a place, and with which block; nil if it was not.
func (s *sensor) words(at place, n uint16) ([]uint16, *block) {
	if !at.read() || s.blocks[at.block].values == nil {
		return nil, nil
	}
	b := s.blocks[at.block]
	return b.values[at.offset:][:n], b
}

// unwrapped is an error without the fault around it, so that another advice can be given.
func unwrapped(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Err
	}
	return err
}

// value decodes words in an order.
func (r *Register) value(words []uint16, f flags, shift int) (driver.Measurement, bool, error) {
	number, ok, err := r.number(words, f)
	if err != nil || !ok {
		return driver.Measurement{}, false, err
	}
	m, err := r.Measure(tenTo(number, shift))
	return m, err == nil, err
}

// advise tries the orders that were not meant, and says which would be plausible, the one nearest to 1 first: in a wrong order
// most values are far too big.
func (r *Register) advise(words []uint16, shift int) string {
	q, ok := telemetry.QuantityByName(r.Quantity)
	if !ok || r.width() == 0 {
		return ""
	}
	type guess struct {
		order Order
		value float64
	}
	var guesses []guess
	for _, o := range orders(r.width()) {
		if o.flags() == r.Order.flags() {
			continue
		}
		m, ok, err := r.value(words, o.flags(), shift)
		if err != nil || !ok || m.Value == 0 {
			continue
		}
		at := 0
		for at < len(guesses) && math.Abs(math.Log(math.Abs(guesses[at].value))) <= math.Abs(math.Log(math.Abs(m.Value))) {
			at++
		}
		guesses = append(guesses[:at], append([]guess{{o, m.Value}}, guesses[at:]...)...)
	}
	if len(guesses) == 0 {
		return "no order of the bytes gives a better value: look at the address, the type, the factor and the unit"
	}
	var parts []string
	for _, g := range guesses {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s gives %.4g %s", g.order, g.value, q.Unit.Symbol)))
	}
	return "the order of the bytes may be wrong: " + strings.Join(parts, ", ")
}
