package drivers_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
)

// garbage is an I2C bus and an SPI port on which every read gives the next bytes, until there are no more.
type garbage struct{ bytes []byte }

func (g *garbage) Tx(address uint16, _, r []byte) error { return g.read(r) }

func (g *garbage) read(r []byte) error {
	if len(r) > len(g.bytes) {
		return fault.New(fault.Lost, errors.New("no more bytes"), "")
	}
	copy(r, g.bytes)
	g.bytes = g.bytes[len(r):]
	return nil
}

func (g *garbage) SetSpeed(physic.Frequency) error { return nil }
func (g *garbage) String() string                  { return "garbage" }

func (g *garbage) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) {
	return garbageConn{g}, nil
}

type garbageConn struct{ *garbage }

func (c garbageConn) Tx(_, r []byte) error         { return c.read(r) }
func (c garbageConn) TxPackets([]spi.Packet) error { return errors.New("not used") }
func (c garbageConn) Duplex() conn.Duplex          { return conn.Full }

// Whatever a bus says, a driver of a chip returns faults or plausible values, and comes to an end.
func FuzzChipsTakeAnyBytes(f *testing.F) {
	f.Add([]byte{0x60, 0x60, 0x18, 0x80}, uint8(0))
	f.Add([]byte{0x54, 0x49, 0x22, 0x60, 0x00, 0x08}, uint8(5))
	f.Add([]byte{0x80, 0x06, 0x04, 0x01, 0xf4, 0x33, 0x66, 0x67, 0xa2, 0x5e, 0xb9, 0x3c}, uint8(9))
	f.Add([]byte{0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92}, uint8(11))
	var chips []driver.Driver
	for _, d := range drivers.All() {
		if d.Bus == bus.I2C || d.Bus == bus.SPI {
			chips = append(chips, d)
		}
	}
	f.Fuzz(func(t *testing.T, said []byte, which uint8) {
		d := chips[int(which)%len(chips)]
		synctest.Test(t, func(t *testing.T) {
			on := &garbage{bytes: said}
			b := &bus.Bus{I2C: on, SPI: on}
			if d.Probe != nil {
				if _, err := d.Probe(t.Context(), b); err == nil {
					on.bytes = said // nobody is known by these bytes, or all are used
				}
			}
			s, err := d.Open(t.Context(), setup(t, d, b))
			if err != nil {
				return
			}
			for range 3 {
				got, err := s.Read(t.Context())
				if err == nil && len(got) == 0 {
					t.Errorf("%s reads nothing, and that is no fault", d.Name)
				}
				plausible(t, d, got)
			}
			_ = s.Close() // the bus may have come to its end
		})
	})
}

func setup(t *testing.T, d driver.Driver, b *bus.Bus) driver.Setup {
	t.Helper()
	var example struct {
		Options map[string]any `yaml:"options"`
	}
	if err := yaml.Unmarshal([]byte(d.Example), &example); err != nil {
		t.Fatal(err)
	}
	return drivertest.Setup(t, d, b, example.Options)
}

func plausible(t *testing.T, d driver.Driver, got []driver.Measurement) {
	t.Helper()
	for _, m := range got {
		q, ok := telemetry.QuantityByName(m.Quantity)
		if !ok || driver.Plausible(q, m.Value) != nil {
			t.Errorf("%s reads %+v", d.Name, m)
		}
	}
}

// noise is a bus between a driver and its simulated device. It changes what is read by the noise's bytes, until there are no
// more; 0xee loses the transaction altogether.
type noise struct {
	i2c.Bus
	bytes []byte
}

func (n *noise) Tx(address uint16, w, r []byte) error {
	if err := n.Bus.Tx(address, w, r); err != nil {
		return err
	}
	for i := range r {
		if len(n.bytes) == 0 {
			return nil
		}
		b := n.bytes[0]
		n.bytes = n.bytes[1:]
		if b == 0xee {
			return fault.New(fault.Absent, errors.New("not acknowledged"), "")
		}
		r[i] ^= b
	}
	return nil
}

// Noise on the bus makes faults or plausible values. Once it is over, the sensor is read again without anybody's help.
func FuzzChipsRecoverFromNoise(f *testing.F) {
	for which := range uint8(12) {
		f.Add([]byte{}, which)
		f.Add([]byte{0, 0, 0xee, 1, 0xee, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, which)
		f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0x80, 0, 0xee, 0xee, 0xee, 0xee}, which)
	}
	var chips []driver.Driver
	for _, d := range drivers.All() {
		if d.Bus == bus.I2C {
			chips = append(chips, d)
		}
	}
	f.Fuzz(func(t *testing.T, bytes []byte, which uint8) {
		d := chips[int(which)%len(chips)]
		synctest.Test(t, func(t *testing.T) {
			device := drivertest.Bus(t, bus.I2C)
			s := setup(t, d, device.Bus())
			if err := d.Simulate(s, device); err != nil {
				t.Fatal(err)
			}
			on := &noise{Bus: device.I2C}
			s.Bus = &bus.Bus{I2C: on}
			sensor, err := d.Open(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			on.bytes = bytes[:min(len(bytes), 200)]
			for range 5 {
				got, _ := sensor.Read(t.Context())
				plausible(t, d, got)
			}
			on.bytes = nil
			for try := range 5 {
				if _, err = sensor.Read(t.Context()); err == nil {
					break
				}
				if try == 4 {
					t.Errorf("%s does not recover: %v", d.Name, err)
				}
			}
			if err := sensor.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
