package aht20

import (
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// device behaves like the chip: after a command it is busy for 80 ms, and says so.
type device struct {
	celsius, humidity simbus.Wave
	began             time.Time
	initialised       bool
	data              [answer - 2]byte
	done              time.Time
}

func simulate(s driver.Setup, on *simbus.Bus) error {
	phase := simbus.Phase(string(s.Sensor))
	return on.I2C.Attach(address, &device{
		celsius:  simbus.Wave{Mean: 22, Swing: 10, Period: 24 * time.Hour, Phase: phase},
		humidity: simbus.Wave{Mean: 0.45, Swing: 0.2, Period: 24 * time.Hour, Phase: phase + 0.5},
		began:    time.Now(),
	})
}

// Tx is one transaction.
func (d *device) Tx(w, r []byte) error {
	if len(w) > 0 {
		switch w[0] {
		case 0xbe:
			d.initialised = true
		case 0xac:
			since := time.Since(d.began)
			h := uint32(d.humidity.At(since) * (1 << 20))
			t := uint32((d.celsius.At(since) + 50) / 200 * (1 << 20))
			d.data = [...]byte{byte(h >> 12), byte(h >> 4), byte(h<<4) | byte(t>>16), byte(t >> 8), byte(t)}
			d.done = time.Now().Add(takes)
		}
	}
	said := append([]byte{0x10}, d.data[:]...)
	if d.initialised {
		said[0] |= calibrated
	}
	if time.Now().Before(d.done) {
		said[0] |= 0x80
	}
	copy(r, append(said, chip.CRC8(said)))
	return nil
}
