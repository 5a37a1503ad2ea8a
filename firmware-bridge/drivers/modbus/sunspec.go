package modbus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Model is one or more models of SunSpec that lie alike.
type Model struct {
	// IDs are the models' numbers.
	IDs []uint16 `mapstructure:"ids"`
	// Registers have addresses from the model's own number on, which is at 0.
	Registers []Register `mapstructure:"registers"`
}

// Where a SunSpec device may begin, and with what (Information Model Specification V1.9, section 6.2).
const (
	sunSpecHigh = 0x5375 // "Su"
	sunSpecLow  = 0x6e53 // "nS"
	endModel    = 0xffff
	commonModel = 1
	// mostModels is where a chain that does not end is given up.
	mostModels = 100
)

func sunSpecBases() []uint16 { return []uint16{40000, 50000, 0} }

// common are the strings of model 1: maker, model, version and serial number.
func common() []Register {
	return []Register{
		{Address: 2, Type: String, Length: 16, Name: "maker"},
		{Address: 18, Type: String, Length: 16, Name: "model"},
		{Address: 42, Type: String, Length: 8, Name: "version"},
		{Address: 50, Type: String, Length: 16, Name: "serial number"},
	}
}

// discover finds the device's first model that is among those given, and returns its registers where they really are, with
// what the device says it is.
func (d *device) discover(ctx context.Context, models []Model) ([]Register, []string, error) {
	at, err := d.base(ctx)
	if err != nil {
		return nil, nil, err
	}
	var (
		identity []string
		chain    []string
	)
	for range mostModels {
		head, err := d.read(ctx, span{bus.HoldingRegisters, at, 2})
		if err != nil {
			return nil, nil, fmt.Errorf("read the SunSpec model at %d: %w", at, err)
		}
		id, n := head[0], head[1]
		if id == endModel {
			break
		}
		chain = append(chain, fmt.Sprint(id))
		if id == commonModel {
			if identity, err = d.identify(ctx, moved(common(), at, n)); err != nil {
				return nil, nil, err
			}
		}
		if i := slices.IndexFunc(models, func(m Model) bool { return slices.Contains(m.IDs, id) }); i >= 0 {
			return moved(models[i].Registers, at, n), identity, nil
		}
		if int(at)+2+int(n) > 0xffff-1 {
			break
		}
		at += 2 + n
	}
	return nil, nil, fault.New(fault.Misconfigured, fmt.Errorf("unit %d has the SunSpec models %s, and none that this map reads", d.unit, strings.Join(chain, ", ")), "the device is of another kind, or this is the unit id of its gateway: look at the unit's id and at the map")
}

// base finds the word "SunS".
func (d *device) base(ctx context.Context) (uint16, error) {
	var silent error
	for _, base := range sunSpecBases() {
		mark, err := d.read(ctx, span{bus.HoldingRegisters, base, 2})
		switch kind := fault.KindOf(err); {
		case err == nil && mark[0] == sunSpecHigh && mark[1] == sunSpecLow:
			return base + 2, nil
		case err == nil, kind == fault.Refused:
			silent = nil
		case kind == fault.Timeout && ctx.Err() == nil:
			silent = err // some say nothing to an address that they do not have
		default:
			return 0, fmt.Errorf("look for SunSpec at %d: %w", base, err)
		}
	}
	if silent != nil {
		return 0, fmt.Errorf("look for SunSpec: %w", silent)
	}
	return 0, fault.New(fault.Misconfigured, fmt.Errorf("unit %d has no SunSpec at %v", d.unit, sunSpecBases()), "switch SunSpec on in the device's Modbus settings, or choose the map of its maker")
}

// moved returns the registers of a model that begins at an address and has n registers after its head. Those that a shorter
// model does not have are left out.
func moved(registers []Register, at, n uint16) []Register {
	var there []Register
	for _, r := range registers {
		end := int(r.Address) + int(r.width())
		if r.ExponentRegister != nil {
			end = max(end, int(*r.ExponentRegister)+1)
			e := at + *r.ExponentRegister
			r.ExponentRegister = &e
		}
		r.Address += at
		if end <= 2+int(n) && int(at)+end <= 1<<16 {
			there = append(there, r)
		}
	}
	return there
}
