package mcp9808_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mcp9808"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// opening is what goes over the bus before the first reading: maker, type, resolution, configuration.
func opening() []i2ctest.IO {
	return []i2ctest.IO{
		{Addr: 0x18, W: []byte{0x06}, R: []byte{0x00, 0x54}},
		{Addr: 0x18, W: []byte{0x07}, R: []byte{0x04, 0x00}},
		{Addr: 0x18, W: []byte{0x08, 0x03}},
		{Addr: 0x18, W: []byte{0x01, 0x00, 0x00}},
	}
}

// The examples of DS25095A, section 5.1.3.1: 25.25 °C is 0xC194 with all alert flags, and minus temperatures have the sign bit.
func TestReadsTheDataSheetsExamples(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []byte
		want  float64
	}{
		{"25.25 °C, alert flags set", []byte{0xc1, 0x94}, 25.25},
		{"0 °C", []byte{0x00, 0x00}, 0},
		{"-0.0625 °C", []byte{0x1f, 0xff}, -0.0625},
		{"-40 °C", []byte{0x1d, 0x80}, -40},
		{"125 °C", []byte{0x07, 0xd0}, 125},
	} {
		t.Run(c.name, func(t *testing.T) {
			on := &i2ctest.Playback{DontPanic: true, Ops: append(opening(), i2ctest.IO{Addr: 0x18, W: []byte{0x05}, R: c.bytes})}
			s := drivertest.Open(t, mcp9808.Driver(), &bus.Bus{I2C: on}, map[string]any{"quantity": "device_temperature"})
			got, err := s.Read(t.Context())
			if err != nil || len(got) != 1 || got[0].Quantity != "device_temperature" || math.Abs(got[0].Value-c.want) > 1e-6 {
				t.Errorf("got %v, %v; want %g °C", got, err, c.want)
			}
		})
	}
}

func TestAnotherChipAtTheAddressIsNamed(t *testing.T) {
	on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x18, W: []byte{0x06}, R: []byte{0x12, 0x34}},
		{Addr: 0x18, W: []byte{0x07}, R: []byte{0x00, 0x00}},
	}}
	drivertest.WantFault(t, drivertest.OpenError(t, mcp9808.Driver(), &bus.Bus{I2C: on}, nil), fault.Misconfigured, "another chip", "A0 to A2")
}

func TestTheAddressAtWhichItAnswersIsTold(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	d := mcp9808.Driver()
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "nothing answers at 0x18")
	drivertest.Attach(t, d, on, map[string]any{"address": 0x1b})
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "an MCP9808 answers at 0x1b: set address: 0x1b")
	found, err := d.Probe(t.Context(), on.Bus())
	if err != nil || len(found) != 1 || found[0].Options["address"] != uint16(0x1b) {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestAChipThatGoesAwayIsAbsentUntilItIsBack(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	d := mcp9808.Driver()
	drivertest.Attach(t, d, on, nil)
	s := drivertest.Open(t, d, on.Bus(), nil)
	on.I2C.Detach(0x18)
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
	drivertest.Attach(t, d, on, nil)
	drivertest.Read(t, s)
}

// sleeper converts only while it is not asleep, and takes its time for it.
type sleeper struct {
	simbus.Words
	outside func() uint16
	asleep  bool
	shown   uint16
	since   time.Time
}

func (c *sleeper) Tx(w, r []byte) error {
	if len(w) == 3 && w[0] == 0x01 {
		if asleep := w[1]&0x01 != 0; asleep != c.asleep {
			c.asleep, c.since = asleep, time.Now()
		}
	}
	if !c.asleep && time.Since(c.since) >= 250*time.Millisecond {
		c.shown = c.outside()
	}
	return c.Words.Tx(w, r)
}

func TestAChipThatWasAsleepDoesNotSayWhatItMeasuredBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		celsius := uint16(5)
		c := &sleeper{outside: func() uint16 { return celsius << 4 }, since: time.Now()}
		c.Values = map[byte]func() uint16{
			0x05: func() uint16 { return c.shown }, 0x06: func() uint16 { return 0x0054 }, 0x07: func() uint16 { return 0x0400 },
		}
		on := drivertest.Bus(t, bus.I2C)
		if err := on.I2C.Attach(0x18, c); err != nil {
			t.Fatal(err)
		}
		for _, celsius = range []uint16{5, 30} {
			s, err := mcp9808.Driver().Open(t.Context(), drivertest.Setup(t, mcp9808.Driver(), on.Bus(), nil))
			if err != nil {
				t.Fatal(err)
			}
			if v := drivertest.Value(t, drivertest.Read(t, s), "temperature"); math.Abs(v-float64(celsius)) > 1e-6 {
				t.Errorf("%g °C, and it is %d", v, celsius)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, mcp9808.Driver()) })
}
