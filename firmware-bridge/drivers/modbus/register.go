package modbus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
)

// Type is how a value lies in its registers.
type Type string

// The types.
const (
	U16 Type = "u16"
	I16 Type = "i16"
	U32 Type = "u32"
	I32 Type = "i32"
	U64 Type = "u64"
	I64 Type = "i64"
	F32 Type = "f32"
	F64 Type = "f64"
	// PF4Q is a power factor in all four quadrants as Schneider Electric writes it in an f32: -2 to 2.
	PF4Q Type = "pf4q"
	// Bit is one bit of a register, or a coil or a discrete input.
	Bit Type = "bit"
	// Bits are several bits of a register, as a number.
	Bits Type = "bits"
	// String is text, two characters a register. It is no reading, and identifies the device.
	String Type = "string"
)

func types() []Type {
	return []Type{U16, I16, U32, I32, U64, I64, F32, F64, PF4Q, Bit, Bits, String}
}

// width is how many registers a type has; 0 for a string, which says itself, and for a type that there is not.
func (t Type) width() uint16 {
	switch t {
	case U16, I16, Bit, Bits:
		return 1
	case U32, I32, F32, PF4Q:
		return 2
	case U64, I64, F64:
		return 4
	}
	return 0
}

// Register is one value of a device, in one or more registers.
type Register struct {
	// Table is holding, input, coil or discrete; "" is holding.
	Table string `mapstructure:"table"`
	// Address is the one that goes over the line, from 0. Many manuals count registers from 1, or write the table before it
	// (30001, 400001): then it is the number less that.
	Address uint16 `mapstructure:"address"`
	// Type is u16 if it is "", or bit for coils and discrete inputs.
	Type Type `mapstructure:"type"`
	// Order is the order in which the bytes come, A being the most significant one: ABCD if it is "".
	Order Order `mapstructure:"order"`

	// Scale says what the value means: value × 10^Exponent × Factor + Offset, in a unit.
	driver.Scale `mapstructure:",squash"`
	// Exponent is a power of ten: -1 for tenths. It makes 230.1 of 2301, where a Factor of 0.1 makes 230.10000000000002.
	Exponent int `mapstructure:"exponent"`
	// ExponentRegister is the address of a register of the same table that holds the power of ten (SunSpec's sunssf), as i16.
	ExponentRegister *uint16 `mapstructure:"exponent_register"`

	// Bit is the number of the bit that is wanted, 0 being the least significant.
	Bit uint8 `mapstructure:"bit"`
	// Bits are the first and the last of the bits that are wanted.
	Bits []uint8 `mapstructure:"bits"`

	// Length is how many registers a string has.
	Length uint16 `mapstructure:"length"`
	// Name is what a string tells: model, serial.
	Name string `mapstructure:"name"`
	// Expect is how the string begins if the device is the right one; "" lets it be anything.
	Expect string `mapstructure:"expect"`

	// Invalid are values that mean that there is none, as they lie in the registers, without sign: 0x8000. NaN always does.
	Invalid []uint64 `mapstructure:"invalid"`
}

const maxExponent = 12

// Validate says all that is wrong, each with its key.
func (r *Register) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	table, ok := r.table()
	if !ok {
		fault("table: %q is none of holding, input, coil and discrete", r.Table)
	}
	bits := table == bus.Coils || table == bus.DiscreteInputs
	switch t := r.kind(); {
	case t.width() == 0 && t != String:
		fault("type: %q is none of %v", t, types())
	case bits && t != Bit:
		fault("type: a %s is a bit, not %s", table, t)
	case t == String && (r.Length == 0 || r.Length > bus.MaxRegisters):
		fault("length: %d is outside 1 to %d", r.Length, bus.MaxRegisters)
	case t == Bit && (r.Bit > 15 || bits && r.Bit > 0):
		fault("bit: %d is outside 0 to %d", r.Bit, map[bool]int{true: 0, false: 15}[bits])
	case t == Bits && (len(r.Bits) != 2 || r.Bits[0] > r.Bits[1] || r.Bits[1] > 15):
		fault("bits: %v are not a first and a last one of 0 to 15", r.Bits)
	}
	if err := r.Order.check(r.kind()); err != nil {
		fault("order: %w", err)
	}
	if int(r.Address)+int(r.width()) > 1<<16 {
		fault("address: %d is too high: the value ends beyond 65535", r.Address)
	}
	if r.Exponent < -maxExponent || r.Exponent > maxExponent {
		fault("exponent: %d is outside %d to %d", r.Exponent, -maxExponent, maxExponent)
	}
	if r.ExponentRegister != nil && bits {
		fault("exponent_register: a %s has none", table)
	}
	if r.kind() != String {
		if err := r.Scale.Validate(); err != nil {
			faults = append(faults, err)
		}
	} else if r.Quantity != "" {
		fault("quantity: a string is no reading; leave it out, and set name")
	}
	return errors.Join(faults...)
}

func (r *Register) table() (bus.Table, bool) {
	switch r.Table {
	case "", "holding":
		return bus.HoldingRegisters, true
	case "input":
		return bus.InputRegisters, true
	case "coil":
		return bus.Coils, true
	case "discrete":
		return bus.DiscreteInputs, true
	}
	return 0, false
}

// kind is the type, or what it is where none is set.
func (r *Register) kind() Type {
	if r.Type != "" {
		return r.Type
	}
	if r.Table == "coil" || r.Table == "discrete" {
		return Bit
	}
	return U16
}

func (r *Register) width() uint16 {
	if r.kind() == String {
		return r.Length
	}
	return r.kind().width()
}

// String says which register it is, for people.
func (r *Register) String() string {
	name := r.Quantity
	if r.Channel != "" {
		name += " " + r.Channel
	}
	if name == "" {
		name = r.Name
	}
	table, _ := r.table()
	return strings.TrimSpace(fmt.Sprintf("%s (%s %d)", name, table, r.Address))
}

// contradictions returns what cannot be right in a map: the same reading twice, values that overlap in part, and the same
// registers as different numbers. That a number lies within a longer one, or is read twice as the same, is not: meters give
// halves of counters, words of status with bit fields in them, and one power as import and as export.
func contradictions(registers []Register) error {
	var faults []error
	for i := range registers {
		for j := range registers[:i] {
			a, b := &registers[j], &registers[i]
			if a.Quantity != "" && a.Quantity == b.Quantity && a.Channel == b.Channel {
				faults = append(faults, fmt.Errorf("registers[%d].quantity: %s is read by registers[%d] already; set a channel to tell them apart", i, b, j))
			}
			if what := overlap(a, b); what == inPart || what == asOther {
				faults = append(faults, fmt.Errorf("registers[%d].address: %s and registers[%d], %s, %s; look at the addresses and types in the device's manual", i, b, j, a, what))
			}
		}
	}
	return errors.Join(faults...)
}

// overlaps names the pairs of values of which one lies within the other: allowed, and often a mistake.
func overlaps(registers []Register) []string {
	var pairs []string
	for i := range registers {
		for j := range registers[:i] {
			if overlap(&registers[j], &registers[i]) == within {
				pairs = append(pairs, fmt.Sprintf("%s, %s", &registers[j], &registers[i]))
			}
		}
	}
	return pairs
}

type overlapping string

const (
	apart   overlapping = ""
	same    overlapping = "are the same registers"
	within  overlapping = "lie one within the other"
	inPart  overlapping = "share some of their registers"
	asOther overlapping = "are the same registers, as different numbers"
)

// overlap says how two values lie to each other.
func overlap(a, b *Register) overlapping {
	tableA, _ := a.table()
	tableB, _ := b.table()
	beginA, endA := int(a.Address), int(a.Address)+int(a.width())
	beginB, endB := int(b.Address), int(b.Address)+int(b.width())
	field := func(r *Register) bool { return r.kind() == Bit || r.kind() == Bits }
	switch {
	case tableA != tableB || endA <= beginB || endB <= beginA:
		return apart
	case beginA == beginB && endA == endB:
		if !field(a) && !field(b) && (a.kind() != b.kind() || a.Order.flags() != b.Order.flags()) {
			return asOther
		}
		return same
	case beginA <= beginB && endB <= endA || beginB <= beginA && endA <= endB:
		return within
	}
	return inPart
}
