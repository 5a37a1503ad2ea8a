package ina219

import (
	"math"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// simulate attaches a chip between a battery of 12 V and a load. It computes current and power from its calibration register as
// the real one does (section 8.5.1, equations 4 and 5).
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	phase := simbus.Phase(string(s.Sensor))
	volts := simbus.Wave{Mean: 12.6, Swing: 0.8, Period: 24 * time.Hour, Phase: phase}
	load := simbus.Wave{Mean: 0.4 * o.MaxAmperes, Swing: 0.3 * o.MaxAmperes, Period: time.Hour, Phase: phase}
	began := time.Now()
	shunt := func() float64 { return load.At(time.Since(began)) * o.ShuntOhms / 10e-6 }
	voltage := func() float64 { return volts.At(time.Since(began)) / 4e-3 }
	c := &simbus.Words{}
	current := func() float64 { return shunt() * float64(c.Written(registerCalibration)&^1) / 4096 }
	c.Values = map[byte]func() uint16{
		registerConfig: func() uint16 {
			if config := c.Written(registerConfig); config != 0 {
				return config
			}
			return afterReset
		},
		registerCalibration: func() uint16 { return c.Written(registerCalibration) &^ 1 }, // its lowest bit is not used
		registerShunt:       func() uint16 { return uint16(int16(math.Round(shunt()))) },
		registerVoltage:     func() uint16 { return uint16(math.Round(voltage()))<<3 | 2 }, // with CNVR
		registerCurrent:     func() uint16 { return uint16(int16(math.Round(current()))) },
		registerPower:       func() uint16 { return uint16(math.Round(math.Abs(current()) * voltage() / 5000)) },
	}
	return on.I2C.Attach(o.Address, c)
}
