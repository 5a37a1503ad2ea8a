package scd4x

import (
	"encoding/binary"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// device behaves like the chip: it acknowledges nothing while it stops, and only a few commands while it measures.
type device struct {
	co2, celsius, humidity simbus.Wave

	began   time.Time // of the simulation
	stopped time.Time // when it is idle after having been stopped
	started time.Time // zero while it does not measure
	read    int       // measurements up to this one were read
}

func simulate(s driver.Setup, on *simbus.Bus) error {
	phase := simbus.Phase(string(s.Sensor))
	d := &device{
		co2:      simbus.Wave{Mean: 480, Swing: 60, Period: 12 * time.Hour, Phase: phase},
		celsius:  simbus.Wave{Mean: 16, Swing: 7, Period: 24 * time.Hour, Phase: phase},
		humidity: simbus.Wave{Mean: 0.6, Swing: 0.2, Period: 24 * time.Hour, Phase: phase + 0.5},
		began:    time.Now(),
	}
	return on.I2C.Attach(address, &simbus.Commands{Answer: d.answer})
}

func (d *device) answer(out []byte) (answer []byte, after time.Duration, err error) {
	now := time.Now()
	if len(out) < 2 || now.Before(d.stopped) {
		return nil, 0, simbus.NotAcknowledged()
	}
	command := binary.BigEndian.Uint16(out)
	measuring := !d.started.IsZero()
	made := int(now.Sub(d.started) / interval)
	switch {
	case command == stopMeasuring:
		d.started, d.stopped = time.Time{}, now.Add(takesStop)
	case command == dataReady:
		ready := uint16(0x8000)
		if measuring && made > d.read {
			ready |= 6
		}
		return chip.AppendWord(nil, ready), takesCommand, nil
	case command == readMeasurement && measuring && made > d.read:
		d.read = made
		since := now.Sub(d.began)
		answer = chip.AppendWord(nil, uint16(d.co2.At(since)))
		answer = chip.AppendWord(answer, uint16((d.celsius.At(since)+45)/175*65535))
		answer = chip.AppendWord(answer, uint16(d.humidity.At(since)*65535))
		return answer, takesCommand, nil
	case measuring || command == readMeasurement:
		return nil, 0, simbus.NotAcknowledged()
	case command == startMeasuring:
		d.started, d.read = now, 0
	case command == serialNumber:
		return chip.AppendWord(chip.AppendWord(chip.AppendWord(nil, 0xf896), 0x9f07), 0x3bbe), takesCommand, nil
	}
	return nil, 0, nil
}
