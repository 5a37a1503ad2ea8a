package bmx280

import (
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func simulateI2C(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	return on.I2C.Attach(o.Address, simulated(string(s.Sensor), o.model))
}

func simulateSPI(s driver.Setup, on *simbus.Bus) error {
	return on.SPI.Attach(simbus.OnSPI{Bytes: simulated(string(s.Sensor), s.Options.(*SPIOptions).model)})
}

// simulated is a chip whose calibration makes the compensation of section 3.11.3 linear: its raw numbers are
// 400000 + 5120 °C, 1048576 - 4 Pa, and 256 for each percent of humidity.
func simulated(name string, m model) *simbus.Bytes {
	c := &simbus.Bytes{Pairs: true}
	c.Registers[chip.BoschID] = m.id
	word := func(register byte, value uint16) {
		c.Registers[register], c.Registers[register+1] = byte(value), byte(value>>8)
	}
	word(0x88, 25000) // dig_T1
	word(0x8a, 16384) // dig_T2
	word(0x8e, 25000) // dig_P1
	if m.humid {
		word(0xe1, 256) // dig_H2
	}
	phase := simbus.Phase(name)
	day := simbus.Wave{Mean: 14, Swing: 8, Period: 24 * time.Hour, Phase: phase}
	damp := simbus.Wave{Mean: 65, Swing: 20, Period: 24 * time.Hour, Phase: phase + 0.5} // dry when it is warm
	front := simbus.Wave{Mean: 101_300, Swing: 1_200, Period: 5 * 24 * time.Hour, Phase: phase}
	began := time.Now()
	measure := func() {
		since := time.Since(began)
		t := uint32(400_000 + 5_120*day.At(since))
		p := uint32(1_048_576 - 4*front.At(since))
		h := uint16(256 * damp.At(since))
		copy(c.Registers[0xf7:], []byte{
			byte(p >> 12), byte(p >> 4), byte(p << 4), byte(t >> 12), byte(t >> 4), byte(t << 4), byte(h >> 8), byte(h),
		})
	}
	c.Written = func(register, value byte) {
		if register == registerMeasure && value&modeBits != modeSleep {
			measure()
			if value&modeBits != modeBits {
				value &^= modeBits // forced: measures once and sleeps
			}
		}
		c.Registers[register] = value
	}
	c.Refresh = func() {
		if c.Registers[registerMeasure]&modeBits == modeBits {
			measure()
		}
	}
	return c
}
