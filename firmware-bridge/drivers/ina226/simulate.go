package ina226

import (
	"math"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// simulate attaches a chip between a battery of 12 V and a load. It computes current and power from its calibration register as
// the real one does (section 7.5.1, equations 3 and 4).
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	phase := simbus.Phase(string(s.Sensor))
	volts := simbus.Wave{Mean: 12.6, Swing: 0.8, Period: 24 * time.Hour, Phase: phase}
	load := simbus.Wave{Mean: 0.4 * o.MaxAmperes, Swing: 0.3 * o.MaxAmperes, Period: time.Hour, Phase: phase}
	began := time.Now()
	shunt := func() float64 { return load.At(time.Since(began)) * o.ShuntOhms / 2.5e-6 }
	voltage := func() float64 { return volts.At(time.Since(began)) / 1.25e-3 }
	c := &simbus.Words{}
	current := func() float64 { return shunt() * float64(c.Written(registerCalibration)) / 2048 }
	c.Values = map[byte]func() uint16{
		chip.TexasMaker: func() uint16 { return chip.TexasInstruments },
		chip.TexasDie:   func() uint16 { return chip.INA226Die },
		registerShunt:   func() uint16 { return uint16(int16(math.Round(shunt()))) },
		registerVoltage: func() uint16 { return uint16(math.Round(voltage())) },
		registerCurrent: func() uint16 { return uint16(int16(math.Round(current()))) },
		registerPower:   func() uint16 { return uint16(math.Round(math.Abs(current()) * voltage() / 20_000)) },
		registerMask:    func() uint16 { return ready },
	}
	return on.I2C.Attach(o.Address, c)
}
