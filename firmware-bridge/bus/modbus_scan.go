package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// scanPatience is how long a scan waits for each unit but the first: meters begin their answer within a tenth of a second.
const scanPatience = 300 * time.Millisecond

// UnitFound is a unit that ScanModbus has heard.
type UnitFound struct {
	Unit uint8
	// Err is nil, or a fault of kind Garbled: somebody answers, but badly; often two units with the same id.
	Err error
}

// ScanModbus asks the units from and to, and those between, for one register, and returns those that answer, be it with an
// exception. It takes up to 0.3 s a unit. An error means that the line itself cannot be used, or that ctx has ended; what
// was found until then is returned beside it.
func ScanModbus(ctx context.Context, line Registers, from, to uint8) ([]UnitFound, error) {
	var found []UnitFound
	for unit := int(from); unit <= int(to); unit++ {
		// The first one may have to wait until the line is open.
		err := probe(ctx, line, uint8(unit), unit > int(from))
		if ctx.Err() != nil {
			return found, fmt.Errorf("scan units %d to %d, at %d: %w", from, to, unit, ctx.Err())
		}
		var exception Exception
		answered := errors.As(err, &exception) && exception != GatewayPath && exception != GatewayNoneAnswered
		switch kind := fault.KindOf(err); {
		case err == nil, answered:
			found = append(found, UnitFound{Unit: uint8(unit)})
		case kind == fault.Garbled:
			found = append(found, UnitFound{Unit: uint8(unit), Err: err})
		case kind == fault.Timeout, kind == fault.Refused, kind == fault.Absent:
		default:
			return found, fmt.Errorf("scan units %d to %d, at %d: %w", from, to, unit, err)
		}
	}
	return found, nil
}

func probe(ctx context.Context, line Registers, unit uint8, hurry bool) error {
	var err error
	if l, ok := line.(*modbusLine); ok && hurry {
		_, err = l.read(ctx, modbusRequest{unit, HoldingRegisters, 0, 1}, min(l.timeout, scanPatience))
	} else {
		_, err = line.Read(ctx, unit, HoldingRegisters, 0, 1)
	}
	return err
}
