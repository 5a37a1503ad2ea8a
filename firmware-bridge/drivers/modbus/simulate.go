package modbus

import (
	"math"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// simulate attaches a device with the map's registers: a meter of a load that follows the day, or a SunSpec inverter.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	m, err := o.resolve()
	if err != nil {
		return err
	}
	began := time.Now()
	d := &twin{
		mains: simbus.Mains{Began: began, Phase: simbus.Phase(string(s.Sensor)), Generates: len(m.Models) > 0},
		now:   time.Now,
	}
	return on.Modbus.Attach(o.Unit, &simbus.Device{Blocks: d.blocks(m), Most: m.MaxRegisters})
}

// twin makes registers of a simulated connection to the mains.
type twin struct {
	mains simbus.Mains
	now   func() time.Time
}

func (t *twin) blocks(m Map) []simbus.Block {
	registers := m.Registers
	var blocks []simbus.Block
	if len(m.Models) > 0 {
		const at = 40002
		blocks = chain(m.Models[0].IDs[0], m.Models[0].Registers, at)
		registers = moved(m.Models[0].Registers, at+2+commonLength, length(m.Models[0].Registers))
	}
	for _, r := range registers {
		table, _ := r.table()
		blocks = append(blocks, simbus.Block{Table: table, Address: r.Address, Words: func() []uint16 { return t.words(r) }})
		if r.ExponentRegister != nil {
			e := uint16(usualExponent(r.Quantity))
			blocks = append(blocks, simbus.Block{Table: table, Address: *r.ExponentRegister, Words: func() []uint16 { return []uint16{e} }})
		}
	}
	return blocks
}

// commonLength is that of model 1.
const commonLength = 66

// length is how long a model with the registers is, after its head.
func length(registers []Register) uint16 {
	end := uint16(2)
	for _, r := range registers {
		end = max(end, r.Address+r.width())
		if r.ExponentRegister != nil {
			end = max(end, *r.ExponentRegister+1)
		}
	}
	return end - 2
}

// chain is what lies around the values of a SunSpec device whose models begin at an address.
func chain(id uint16, registers []Register, at uint16) []simbus.Block {
	fixed := func(address uint16, words ...uint16) simbus.Block {
		return simbus.Block{Table: bus.HoldingRegisters, Address: address, Words: func() []uint16 { return words }}
	}
	n := length(registers)
	model := at + 2 + commonLength
	blocks := []simbus.Block{
		fixed(at-2, sunSpecHigh, sunSpecLow), fixed(at, commonModel, commonLength), fixed(at+2, make([]uint16, commonLength)...),
		fixed(model, id, n), fixed(model+2, make([]uint16, n)...), fixed(model+2+n, endModel, 0),
	}
	for i, s := range []string{"Lamppost", "Simulated inverter", "1.0", "0001"} {
		r := common()[i]
		blocks = append(blocks, fixed(at+r.Address, letters(s, r.Length)...))
	}
	return blocks
}

func letters(s string, n uint16) []uint16 {
	words := make([]uint16, n)
	for i := range min(len(s), int(2*n)) {
		words[i/2] |= uint16(s[i]) << (8 - 8*(i%2))
	}
	return words
}

// words are what a register holds now.
func (t *twin) words(r Register) []uint16 {
	if r.kind() == String {
		s := r.Expect
		if s == "" {
			s = "simulated"
		}
		return letters(s, r.Length)
	}
	q, ok := telemetry.QuantityByName(r.Quantity)
	if !ok {
		return make([]uint16, r.width())
	}
	value, ok := t.mains.Value(r.Quantity, r.Channel, t.now())
	if !ok {
		value = something(q, t.now().Sub(t.mains.Began))
	}
	return r.encode(value, q, usualExponent(r.Quantity))
}

// something is a value that a quantity can have.
func something(q *telemetry.Quantity, since time.Duration) float64 {
	switch q.Kind {
	case telemetry.State:
		return 0
	case telemetry.Counter:
		return 100 + since.Hours()
	}
	w := simbus.Wave{Mean: 20, Swing: 5, Period: 24 * time.Hour}
	if q.Max <= 1 {
		w.Mean, w.Swing = 0.5, 0.2
	}
	return min(max(w.At(since), q.Min), q.Max)
}

// usualExponent is the power of ten that an inverter uses for a quantity, so that its values fit an i16.
func usualExponent(quantity string) int {
	switch quantity {
	case "voltage", "phase_to_phase_voltage", "device_temperature":
		return -1
	case "current", "frequency", "power_factor":
		return -2
	}
	return 0
}

// encode is the way back from value: what lies in the registers if a device measures a value of the quantity, in its unit.
// power is what the exponent register holds, if there is one.
func (r *Register) encode(value float64, q *telemetry.Quantity, power int) []uint16 {
	if r.Unit != "" {
		if v, err := telemetry.Express(value, r.Unit, q); err == nil {
			value = v
		}
	}
	factor := r.Factor
	if factor == 0 {
		factor = 1
	}
	shift := r.Exponent
	if r.ExponentRegister != nil {
		shift += power
	}
	value = tenTo((value-r.Offset)/factor, -shift)
	return scatter(r.raw(value), r.width(), r.Order.flags())
}

// raw is a number as the type has it, the nearest one that there is.
func (r *Register) raw(value float64) uint64 {
	signed := func(bits int) uint64 {
		limit := math.Ldexp(1, bits-1)
		return uint64(int64(math.Round(min(max(value, -limit), limit-1)))) & (1<<bits - 1)
	}
	unsigned := func(bits int) uint64 { return uint64(math.Round(min(max(value, 0), math.Ldexp(1, bits)-1))) }
	switch r.kind() {
	case I16:
		return signed(16)
	case U32:
		return unsigned(32)
	case I32:
		return signed(32)
	case U64:
		return unsigned(63)
	case I64:
		return uint64(int64(math.Round(value)))
	case F32, PF4Q:
		return uint64(math.Float32bits(float32(value)))
	case F64:
		return math.Float64bits(value)
	case Bit:
		return unsigned(1) << r.Bit
	case Bits:
		return unsigned(int(r.Bits[1]-r.Bits[0]+1)) << r.Bits[0]
	}
	return unsigned(16)
}
