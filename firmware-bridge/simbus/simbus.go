// Package simbus has buses that exist in memory only, with the interfaces of real ones (package bus): what
// `lamppost-bridge run --simulate` and the drivers' tests run on. Each driver brings a simulated counterpart of its device
// and attaches it.
package simbus

import (
	"fmt"
	"math"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
)

// Bus is a simulated bus: what belongs to its kind is set. Devices attach to that.
type Bus struct {
	Config  bus.Config
	I2C     *I2CBus
	SPI     *SPIPort
	Pins    *Pins
	OneWire *Wires
	Serial  *SerialLine
	Modbus  *ModbusLine
	Topics  *Broker
}

// New makes the simulated counterpart of a bus.
func New(cfg bus.Config) (*Bus, error) {
	b := &Bus{Config: cfg}
	switch cfg.Type {
	case bus.I2C:
		b.I2C = &I2CBus{name: cfg.ID}
	case bus.SPI:
		b.SPI = &SPIPort{name: cfg.ID}
	case bus.GPIO:
		b.Pins = &Pins{name: cfg.ID, began: time.Now()}
	case bus.OneWire:
		b.OneWire = &Wires{name: cfg.ID}
	case bus.Serial:
		b.Serial = &SerialLine{cfg: cfg, changed: make(chan struct{})}
	case bus.Modbus:
		b.Modbus = &ModbusLine{name: cfg.ID}
	case bus.MQTT:
		b.Topics = &Broker{name: cfg.ID, changed: make(chan struct{}), retained: make(map[string][]byte), ears: make(map[*ear]bool)}
	default:
		return nil, fmt.Errorf("simulate bus %s: there is no simulated %s bus", cfg.ID, cfg.Type)
	}
	return b, nil
}

// Bus returns it as drivers see it.
func (b *Bus) Bus() *bus.Bus {
	open := &bus.Bus{Config: b.Config}
	if b.I2C != nil {
		open.I2C = b.I2C
	}
	if b.SPI != nil {
		open.SPI = b.SPI
	}
	if b.Pins != nil {
		open.Pins = b.Pins
	}
	if b.OneWire != nil {
		open.OneWire = b.OneWire
	}
	if b.Serial != nil {
		open.Serial = b.Serial
	}
	if b.Modbus != nil {
		open.Modbus = b.Modbus
	}
	if b.Topics != nil {
		open.Topics = b.Topics
	}
	return open
}

// Wave is what a simulated device measures: a level that goes up and down. The same time gives the same value.
type Wave struct {
	Mean, Swing float64
	// Period is one turn up and down.
	Period time.Duration
	// Phase moves the wave, 0 to 1 of a turn, so that two devices differ.
	Phase float64
}

// At returns the value at a time since the simulation began.
func (w Wave) At(since time.Duration) float64 {
	return w.Mean + w.Swing*math.Sin(2*math.Pi*(since.Seconds()/w.Period.Seconds()+w.Phase))
}
