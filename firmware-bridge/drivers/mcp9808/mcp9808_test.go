package mcp9808_test

import (
	"math"
	"testing"

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
	err := drivertest.OpenError(t, mcp9808.Driver(), &bus.Bus{I2C: on}, nil)
	if fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("got %v (%s)", err, fault.KindOf(err))
	}
}

func TestChipThatGoesAwayIsAbsent(t *testing.T) {
	on, err := simbus.New(bus.Config{ID: "i2c-1", Type: bus.I2C})
	if err != nil {
		t.Fatal(err)
	}
	d := mcp9808.Driver()
	if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), nil), on); err != nil {
		t.Fatal(err)
	}
	s := drivertest.Open(t, d, on.Bus(), nil)
	on.I2C.Detach(0x18)
	if _, err := s.Read(t.Context()); fault.KindOf(err) != fault.Absent {
		t.Errorf("got %v (%s)", err, fault.KindOf(err))
	}
}

func TestSimulated(t *testing.T) { drivertest.Simulated(t, mcp9808.Driver()) }
