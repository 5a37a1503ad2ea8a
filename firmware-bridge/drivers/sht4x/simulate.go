package sht4x

import (
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// simulate attaches a chip that takes as long as a real one and acknowledges no command that it does not know.
func simulate(s driver.Setup, on *simbus.Bus) error {
	phase := simbus.Phase(string(s.Sensor))
	celsius := simbus.Wave{Mean: 14, Swing: 8, Period: 24 * time.Hour, Phase: phase}
	humidity := simbus.Wave{Mean: 0.65, Swing: 0.2, Period: 24 * time.Hour, Phase: phase + 0.5}
	began := time.Now()
	return on.I2C.Attach(s.Options.(*Options).Address, &simbus.Commands{
		Answer: func(command []byte) ([]byte, time.Duration, error) {
			if len(command) == 1 && command[0] == serialNumber {
				return chip.AppendWord(chip.AppendWord(nil, 0x0f12), 0x34ab), time.Millisecond, nil
			}
			for _, m := range measurements() {
				if len(command) == 1 && command[0] == m.command {
					since := time.Since(began)
					t := chip.AppendWord(nil, uint16((celsius.At(since)+45)/175*65535))
					return chip.AppendWord(t, uint16((humidity.At(since)+0.06)/1.25*65535)), m.takes, nil
				}
			}
			return nil, 0, simbus.NotAcknowledged()
		},
	})
}
