package bus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// String names one entry of the table, as in "holding register".
func (t Table) String() string {
	switch t {
	case Coils:
		return "coil"
	case DiscreteInputs:
		return "discrete input"
	case InputRegisters:
		return "input register"
	case HoldingRegisters:
		return "holding register"
	}
	return fmt.Sprintf("table %d", uint8(t))
}

// bits tells whether the table's entries are bits, not registers.
func (t Table) bits() bool { return t == Coils || t == DiscreteInputs }

// The most that one request may read (Modbus Application Protocol V1.1b3, sections 6.1 to 6.4).
const (
	MaxRegisters = 125
	MaxBits      = 2000
)

// exceptionFlag is set in the function code of an answer that is an exception (section 7).
const exceptionFlag = 0x80

// modbusRequest is a read.
type modbusRequest struct {
	unit    uint8
	table   Table
	address uint16
	n       uint16
}

// String says what was asked of whom.
func (r modbusRequest) String() string {
	if r.n == 1 {
		return fmt.Sprintf("unit %d, %s %d", r.unit, r.table, r.address)
	}
	return fmt.Sprintf("unit %d, %ss %d to %d", r.unit, r.table, r.address, int(r.address)+int(r.n)-1)
}

func (r modbusRequest) check() error {
	most := uint16(MaxRegisters)
	if r.table.bits() {
		most = MaxBits
	}
	switch {
	case r.table < Coils || r.table > HoldingRegisters:
		return fmt.Errorf("%s: there is no such table", r)
	case r.n == 0 || r.n > most:
		return fmt.Errorf("%s: one request reads 1 to %d", r, most)
	case int(r.address)+int(r.n) > 1<<16:
		return fmt.Errorf("%s: the last address is 65535", r)
	}
	return nil
}

// function is the code that reads the table (sections 6.1 to 6.4).
func (r modbusRequest) function() byte {
	return [...]byte{Coils: 1, DiscreteInputs: 2, HoldingRegisters: 3, InputRegisters: 4}[r.table]
}

// pdu is the request without what the line puts around it.
func (r modbusRequest) pdu() []byte {
	p := []byte{r.function()}
	p = binary.BigEndian.AppendUint16(p, r.address)
	return binary.BigEndian.AppendUint16(p, r.n)
}

// size is how many bytes of data the answer has.
func (r modbusRequest) size() int {
	if r.table.bits() {
		return (int(r.n) + 7) / 8
	}
	return 2 * int(r.n)
}

var errNoAnswerToThat = errors.New("the answer is none to the request")

// values reads the answer: function code, number of bytes, data. An exception is a fault of kind Refused.
func (r modbusRequest) values(pdu []byte) ([]uint16, error) {
	switch {
	case len(pdu) == 2 && pdu[0] == r.function()|exceptionFlag:
		return nil, fmt.Errorf("%s: %w", r, Exception(pdu[1]).Fault(r.unit))
	case len(pdu) != 2+r.size() || pdu[0] != r.function() || int(pdu[1]) != r.size():
		return nil, fault.New(fault.Garbled, fmt.Errorf("%s: %w: % x", r, errNoAnswerToThat, pdu[:min(len(pdu), 8)]), "the unit does not keep to Modbus, or two units have the same id")
	}
	values, data := make([]uint16, r.n), pdu[2:]
	for i := range values {
		if r.table.bits() {
			values[i] = uint16(data[i/8]>>(i%8)) & 1
		} else {
			values[i] = binary.BigEndian.Uint16(data[2*i:])
		}
	}
	return values, nil
}

// Exception is the answer of a unit that will not (section 7).
type Exception uint8

// The exceptions.
const (
	IllegalFunction     Exception = 1
	IllegalAddress      Exception = 2
	IllegalValue        Exception = 3
	DeviceFailure       Exception = 4
	Acknowledge         Exception = 5
	DeviceBusy          Exception = 6
	MemoryParity        Exception = 8
	GatewayPath         Exception = 10
	GatewayNoneAnswered Exception = 11
)

// Error gives the specification's name and the number.
func (e Exception) Error() string { return fmt.Sprintf("%s (exception %d)", e.name(), uint8(e)) }

func (e Exception) name() string {
	switch e {
	case IllegalFunction:
		return "illegal function"
	case IllegalAddress:
		return "illegal data address"
	case IllegalValue:
		return "illegal data value"
	case DeviceFailure:
		return "server device failure"
	case Acknowledge:
		return "acknowledge"
	case DeviceBusy:
		return "server device busy"
	case MemoryParity:
		return "memory parity error"
	case GatewayPath:
		return "gateway path unavailable"
	case GatewayNoneAnswered:
		return "gateway target device failed to respond"
	}
	return "an exception that Modbus does not know"
}

// Fault is the exception as a fault of kind Refused, with what it means.
func (e Exception) Fault(unit uint8) error {
	var advice string
	switch e {
	case IllegalFunction:
		advice = "the unit has no such table: look at the register's table (holding or input), and at the model"
	case IllegalAddress:
		advice = "the unit has no such register: look at the register map and at the unit's model; some manuals count registers from 1, then every address is one too high"
	case IllegalValue:
		advice = "the unit does not read so many registers at once, or not from there: set max_registers lower"
	case DeviceFailure:
		advice = "the unit reports a failure of its own: look at its display"
	case Acknowledge, DeviceBusy:
		advice = "the unit is busy: read it less often"
	case MemoryParity:
		advice = "the unit's memory is damaged: replace it"
	case GatewayPath:
		advice = fmt.Sprintf("the gateway has no way to unit %d: look at its settings", unit)
	case GatewayNoneAnswered:
		advice = fmt.Sprintf("the gateway answers, unit %d behind it does not: look at the unit's id and power, at the wires A and B, and at the gateway's baud rate", unit)
	}
	return fault.New(fault.Refused, e, advice)
}
