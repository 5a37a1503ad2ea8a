package ads1x15

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Device is a simulated chip. Tests make their own.
type Device struct {
	// Volts is what lies between pins.
	Volts func(pins string) float64
	// Takes is how long a conversion takes.
	Takes time.Duration
	// Bits are 16 or 12.
	Bits int

	pointer byte
	config  uint16
	last    int16 // what the conversion register holds
	next    int16 // what it will hold once the running conversion is done
	done    time.Time
}

// Tx is one transaction.
func (d *Device) Tx(w, r []byte) error {
	if d.config == 0 {
		d.config = 0x0583 // after a reset
	}
	if len(w) > 0 {
		d.pointer = w[0]
	}
	if len(w) == 3 && d.pointer == registerConfig {
		d.config = binary.BigEndian.Uint16(w[1:]) &^ start
		if w[1]&(start>>8) != 0 {
			d.convert()
		}
	}
	if len(r) < 2 {
		return nil
	}
	busy := time.Now().Before(d.done)
	value := uint16(0x7fff)
	switch d.pointer {
	case registerConversion:
		if !busy {
			d.last = d.next
		}
		value = uint16(d.last)
	case registerConfig:
		value = d.config
		if !busy {
			value |= start
		}
	case registerLow:
		value = 0x8000
	}
	binary.BigEndian.PutUint16(r, value)
	return nil
}

func (d *Device) convert() {
	if !time.Now().Before(d.done) {
		d.last = d.next
	}
	full := ranges()[min(int(d.config>>gainShift&7), 5)]
	code := d.Volts(pins()[d.config>>muxShift&7]) / full * (1 << 15)
	d.next = int16(math.Round(min(max(code, -1<<15), 1<<15-1))) &^ (1<<(16-d.Bits) - 1)
	d.done = time.Now().Add(d.Takes)
}

// simulate gives every input a voltage whose quantity is plausible.
func simulate(s driver.Setup, on *simbus.Bus) error {
	o := s.Options.(*Options)
	began := time.Now()
	waves := make(map[string]simbus.Wave)
	for _, in := range o.Inputs {
		waves[in.Pins] = in.wave(simbus.Phase(string(s.Sensor) + in.Pins))
	}
	return on.I2C.Attach(o.Address, &Device{
		Volts: func(pins string) float64 {
			w, ok := waves[pins]
			if !ok {
				return 0
			}
			return w.At(time.Since(began))
		},
		Takes: time.Second / time.Duration(o.Rate) * 11 / 10, // as slow as it may be
		Bits:  o.model.bits,
	})
}

// wave goes up and down in the middle of what is plausible.
func (in Input) wave(phase float64) simbus.Wave {
	var good []float64
	for step := range 256 {
		volts := in.volts() * float64(step) / 256
		_, err := in.Measure(volts)
		if err == nil && (in.LeastVolts == in.MostVolts || volts >= in.LeastVolts && volts <= in.MostVolts) {
			good = append(good, volts)
		}
	}
	w := simbus.Wave{Period: time.Hour, Phase: phase}
	if len(good) > 0 {
		least, most := slices.Min(good), slices.Max(good)
		w.Mean, w.Swing = (least+most)/2, (most-least)/4
	}
	return w
}
