package bh1750

import (
	"math"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Device is a simulated chip. Tests make their own.
type Device struct {
	// Lux is what falls on it.
	Lux func() float64
	// Takes is how long a measurement takes, with the ordinary measurement time.
	Takes time.Duration

	length int
	last   uint16
	next   uint16
	done   time.Time
}

// Tx is one transaction. A read before the measurement is done returns the one before.
func (d *Device) Tx(w, r []byte) error {
	if d.length == 0 {
		d.length = ordinary
	}
	if !time.Now().Before(d.done) {
		d.last = d.next
	}
	if len(w) == 1 {
		switch command := w[0]; {
		case command&0xf8 == timeHigh:
			d.length = d.length&0x1f | int(command&7)<<5
		case command&0xe0 == timeLow:
			d.length = d.length&0xe0 | int(command&0x1f)
		case command == 0x20, command == 0x21, command == 0x23:
			counts := d.Lux() * 1.2 * float64(d.length) / ordinary
			if command == 0x21 {
				counts *= 2
			}
			d.next = uint16(min(math.Round(counts), saturated))
			d.done = time.Now().Add(d.Takes * time.Duration(d.length) / ordinary)
		}
	}
	copy(r, []byte{byte(d.last >> 8), byte(d.last)})
	return nil
}

// simulate attaches a chip in a street: dark with lamps at night, bright at noon.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	day := simbus.Wave{Mean: 5000, Swing: 20_000, Period: 24 * time.Hour, Phase: simbus.Phase(string(s.Sensor))}
	began := time.Now()
	return on.I2C.Attach(o.Address, &Device{
		Lux:   func() float64 { return max(12, day.At(time.Since(began))) },
		Takes: 120 * time.Millisecond,
	})
}
