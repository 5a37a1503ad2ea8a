package bmx280_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/bmx280"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func drivers() []driver.Driver {
	return []driver.Driver{bmx280.BME280(), bmx280.BME280SPI(), bmx280.BMP280(), bmx280.BMP280SPI()}
}

func named(t *testing.T, name string, on bus.Kind) driver.Driver {
	t.Helper()
	all := drivers()
	i := slices.IndexFunc(all, func(d driver.Driver) bool { return d.Name == name && d.Bus == on })
	if i < 0 {
		t.Fatalf("no driver %s on %s", name, on)
	}
	return all[i]
}

// example is the chip of BST-BMP280-DS001, section 3.12: the calibration and the raw numbers 519888 and 415148, which are
// 25.08 °C and 100653.27 Pa.
func example() *simbus.Bytes {
	c := &simbus.Bytes{Pairs: true}
	c.Registers[0xd0] = 0x58
	for i, word := range []int{27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000} {
		c.Registers[0x88+2*i], c.Registers[0x89+2*i] = byte(word), byte(word>>8)
	}
	copy(c.Registers[0xf7:], []byte{0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00})
	c.Written = func(register, value byte) {
		if register == 0xf4 && value&3 == 1 {
			value &^= 3 // measured, and asleep again
		}
		c.Registers[register] = value
	}
	return c
}

func wantExample(t *testing.T, got []driver.Measurement) {
	t.Helper()
	if v := drivertest.Value(t, got, "temperature"); math.Abs(v-25.08) > 1e-6 {
		t.Errorf("temperature %g, want 25.08 °C", v)
	}
	if v := drivertest.Value(t, got, "pressure"); math.Abs(v-1006.5327) > 1e-3 {
		t.Errorf("pressure %g, want 1006.5327 hPa", v)
	}
	if len(got) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestReadsTheDataSheetsExample(t *testing.T) {
	t.Run("I2C", func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		if err := on.I2C.Attach(0x77, example()); err != nil {
			t.Fatal(err)
		}
		wantExample(t, drivertest.Read(t, drivertest.Open(t, named(t, "bmp280", bus.I2C), on.Bus(), map[string]any{"address": "0x77"})))
	})
	t.Run("SPI", func(t *testing.T) {
		on := drivertest.Bus(t, bus.SPI)
		if err := on.SPI.Attach(simbus.OnSPI{Bytes: example()}); err != nil {
			t.Fatal(err)
		}
		wantExample(t, drivertest.Read(t, drivertest.Open(t, named(t, "bmp280", bus.SPI), on.Bus(), nil)))
	})
}

// Bytes that a BME280 has said, from the tests of periph's driver.
func TestReplaysABME280(t *testing.T) {
	id := i2ctest.IO{Addr: 0x76, W: []byte{0xd0}, R: []byte{0x60}}
	settings := i2ctest.IO{Addr: 0x76, W: []byte{0xf2}, R: []byte{0x02, 0x00, 0x4c, 0xa0}}
	on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{id}}
	for range 2 { // the calibration has no checksum, and is read twice
		on.Ops = append(on.Ops, id,
			i2ctest.IO{Addr: 0x76, W: []byte{0x88}, R: []byte{
				0x10, 0x6e, 0x6c, 0x66, 0x32, 0x00, 0x5d, 0x95, 0xb8, 0xd5, 0xd0, 0x0b, 0x77, 0x1e, 0x9d, 0xff, 0xf9, 0xff, 0xac, 0x26, 0x0a, 0xd8, 0xbd, 0x10, 0x00, 0x4b,
			}},
			i2ctest.IO{Addr: 0x76, W: []byte{0xe1}, R: []byte{0x6e, 0x01, 0x00, 0x13, 0x05, 0x00, 0x1e}},
			i2ctest.IO{Addr: 0x76, W: []byte{0xf4, 0x4c, 0xf2, 0x02, 0xf5, 0xa0, 0xf4, 0x4c}})
	}
	first, second := on.Ops[2], on.Ops[3]
	on.Ops = append(on.Ops, id, settings, first, second, first, second,
		i2ctest.IO{Addr: 0x76, W: []byte{0xf4, 0x4d}},
		i2ctest.IO{Addr: 0x76, W: []byte{0xf3}, R: []byte{0x08}},
		i2ctest.IO{Addr: 0x76, W: []byte{0xf3}, R: []byte{0x00}},
		i2ctest.IO{Addr: 0x76, W: []byte{0xf7}, R: []byte{0x4a, 0x52, 0xc0, 0x80, 0x96, 0xc0, 0x7a, 0x76}},
		id, settings,
		i2ctest.IO{Addr: 0x76, W: []byte{0xfa}, R: []byte{0x80, 0x96, 0xc0, 0x7a, 0x76}})
	s := drivertest.Open(t, named(t, "bme280", bus.I2C), &bus.Bus{I2C: on}, nil)
	got := drivertest.Read(t, s)
	for quantity, want := range map[string]float64{"temperature": 23.72, "relative_humidity": 0.653056, "pressure": 1009.42695} {
		if v := drivertest.Value(t, got, quantity); math.Abs(v-want) > 1e-4 {
			t.Errorf("%s is %g, want %g", quantity, v, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := on.Close(); err != nil {
		t.Error(err)
	}
}

// The numbers beside the registers are those of Bosch's formulas (data sheet of the BME280, section 8.1), computed apart: dig_H4
// and dig_H5 have 12 bits and a sign.
func TestTheCalibrationOfTheHumidityHasASign(t *testing.T) {
	for _, c := range []struct {
		name   string
		damp   []byte // 0xe4 to 0xe6
		raw    uint16
		expect float64
	}{
		{"positive", []byte{0x13, 0x05, 0x00}, 0x7a76, 0.6530612},
		{"dig_H5 is -4", []byte{0x13, 0xc5, 0xff}, 0x7a76, 0.6536705},
		{"dig_H5 is -32", []byte{0x13, 0x05, 0xfe}, 0x7a76, 0.6579354},
		{"dig_H4 is -75", []byte{0xfb, 0x05, 0x00}, 0x1a76, 0.6530612},
	} {
		for _, kind := range []bus.Kind{bus.I2C, bus.SPI} {
			on := drivertest.Bus(t, kind)
			s := &simbus.Bytes{Pairs: true}
			s.Registers[0xd0] = 0x60
			copy(s.Registers[0x88:], []byte{
				0x10, 0x6e, 0x6c, 0x66, 0x32, 0x00, 0x5d, 0x95, 0xb8, 0xd5, 0xd0, 0x0b, 0x77, 0x1e, 0x9d, 0xff, 0xf9, 0xff, 0xac, 0x26, 0x0a, 0xd8, 0xbd, 0x10, 0x00, 0x4b,
			})
			copy(s.Registers[0xe1:], []byte{0x6e, 0x01, 0x00, c.damp[0], c.damp[1], c.damp[2], 0x1e})
			copy(s.Registers[0xf7:], []byte{0x4a, 0x52, 0xc0, 0x80, 0x96, 0xc0, byte(c.raw >> 8), byte(c.raw)})
			s.Written = func(register, value byte) {
				if register == 0xf4 && value&3 == 1 {
					value &^= 3
				}
				s.Registers[register] = value
			}
			var err error
			if kind == bus.I2C {
				err = on.I2C.Attach(0x76, s)
			} else {
				err = on.SPI.Attach(simbus.OnSPI{Bytes: s})
			}
			if err != nil {
				t.Fatal(err)
			}
			got := drivertest.Read(t, drivertest.Open(t, named(t, "bme280", kind), on.Bus(), nil))
			if v := drivertest.Value(t, got, "relative_humidity"); math.Abs(v-c.expect) > 1e-6 {
				t.Errorf("%s on %s: %.7f, want %.7f", c.name, kind, v, c.expect)
			}
		}
	}
}

// flipped changes a bit of the first answer to a question for the calibration.
type flipped struct {
	i2c.Bus
	done bool
}

func (f *flipped) Tx(address uint16, w, r []byte) error {
	err := f.Bus.Tx(address, w, r)
	if len(w) == 1 && w[0] == 0x88 && !f.done {
		r[3] ^= 0x04
		f.done = true
	}
	return err
}

func TestNoiseInTheCalibrationIsGarbled(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	d := named(t, "bme280", bus.I2C)
	drivertest.Attach(t, d, on, nil)
	noisy := &bus.Bus{I2C: &flipped{Bus: on.I2C}}
	drivertest.WantFault(t, drivertest.OpenError(t, d, noisy, nil), fault.Garbled, "noise")
	drivertest.Read(t, drivertest.Open(t, d, noisy, nil))
}

func TestTheWrongDriverIsNamed(t *testing.T) {
	for _, kind := range []bus.Kind{bus.I2C, bus.SPI} {
		on := drivertest.Bus(t, kind)
		drivertest.Attach(t, named(t, "bmp280", kind), on, nil)
		drivertest.WantFault(t, drivertest.OpenError(t, named(t, "bme280", kind), on.Bus(), nil), fault.Misconfigured, "a BMP280", "set driver: bmp280")
	}
	on := drivertest.Bus(t, bus.I2C)
	other := &simbus.Bytes{}
	other.Registers[0xd0] = 0x61
	if err := on.I2C.Attach(0x76, other); err != nil {
		t.Fatal(err)
	}
	drivertest.WantFault(t, drivertest.OpenError(t, named(t, "bme280", bus.I2C), on.Bus(), nil), fault.Misconfigured, "BME680")
}

func TestTheOtherAddressIsToldWhereItAnswers(t *testing.T) {
	d := named(t, "bme280", bus.I2C)
	on := drivertest.Bus(t, bus.I2C)
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "nothing answers at 0x76", "SDO")
	drivertest.Attach(t, d, on, map[string]any{"address": 0x77})
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "a BME280 answers at 0x77: set address: 0x77")
}

func TestAnEmptyChipSelectIsAbsent(t *testing.T) {
	on := drivertest.Bus(t, bus.SPI)
	d := named(t, "bme280", bus.SPI)
	drivertest.WantFault(t, drivertest.OpenError(t, d, on.Bus(), nil), fault.Absent, "MISO")
	drivertest.Attach(t, d, on, nil)
	s := drivertest.Open(t, d, on.Bus(), nil) // the port was given back
	drivertest.Read(t, s)
	on.SPI.Detach()
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent, "MISO")
	drivertest.Attach(t, d, on, nil)
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "without supply")
	drivertest.Read(t, s)
}

// A chip that was away has lost its settings. What it then says of the humidity looks like a value.
func TestAChipThatComesBackIsSetUpAnew(t *testing.T) {
	for _, filter := range []int{0, 4} {
		d := named(t, "bme280", bus.I2C)
		on := drivertest.Bus(t, bus.I2C)
		drivertest.Attach(t, d, on, nil)
		s := drivertest.Open(t, d, on.Bus(), map[string]any{"filter": filter})
		before := drivertest.Value(t, drivertest.Read(t, s), "relative_humidity")
		on.I2C.Detach(0x76)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
		drivertest.Attach(t, d, on, nil)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "without supply")
		if after := drivertest.Value(t, drivertest.Read(t, s), "relative_humidity"); math.Abs(after-before) > 0.01 {
			t.Errorf("humidity was %g, is %g", before, after)
		}
	}
}

func TestAChipThatNeverEndsMeasuringIsATimeout(t *testing.T) {
	c := example()
	on := drivertest.Bus(t, bus.I2C)
	if err := on.I2C.Attach(0x76, c); err != nil {
		t.Fatal(err)
	}
	s := drivertest.Open(t, named(t, "bmp280", bus.I2C), on.Bus(), nil)
	c.Registers[0xf3] = 0x08
	drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Timeout)
	c.Registers[0xf3] = 0
	wantExample(t, drivertest.Read(t, s))
}

func TestReadEndsWithItsContext(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	d := named(t, "bmp280", bus.I2C)
	drivertest.Attach(t, d, on, nil)
	s := drivertest.Open(t, d, on.Bus(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	drivertest.Read(t, s)
}

func TestWhatTheChipCannotMeasureIsImplausible(t *testing.T) {
	c := example()
	on := drivertest.Bus(t, bus.I2C)
	if err := on.I2C.Attach(0x76, c); err != nil {
		t.Fatal(err)
	}
	s := drivertest.Open(t, named(t, "bmp280", bus.I2C), on.Bus(), nil)
	copy(c.Registers[0xf7:], []byte{0xff, 0xff, 0xf0, 0xff, 0xff, 0xf0})
	got, err := s.Read(t.Context())
	drivertest.WantFault(t, err, fault.Implausible, "replace")
	if len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCloseStopsAChipThatMeasuresByItself(t *testing.T) {
	c := example()
	on := drivertest.Bus(t, bus.I2C)
	if err := on.I2C.Attach(0x76, c); err != nil {
		t.Fatal(err)
	}
	s := drivertest.Open(t, named(t, "bmp280", bus.I2C), on.Bus(), map[string]any{"filter": 16})
	wantExample(t, drivertest.Read(t, s))
	// 0.5 s between measurements, filter 16; oversampling 2 and 4, normal mode (sections 4.3.4 and 4.3.5).
	if c.Registers[0xf5] != 0x90 || c.Registers[0xf4] != 0x4f {
		t.Errorf("settings % x", c.Registers[0xf4:0xf6])
	}
	if err := s.Close(); err != nil || c.Registers[0xf4]&3 != 0 {
		t.Errorf("after Close: %v, mode %d", err, c.Registers[0xf4]&3)
	}
}

func TestProbeTellsTheChipsApart(t *testing.T) {
	on := drivertest.Bus(t, bus.I2C)
	drivertest.Attach(t, named(t, "bme280", bus.I2C), on, nil)
	drivertest.Attach(t, named(t, "bmp280", bus.I2C), on, map[string]any{"address": 0x77})
	for name, want := range map[string]uint16{"bme280": 0x76, "bmp280": 0x77} {
		found, err := named(t, name, bus.I2C).Probe(t.Context(), on.Bus())
		if err != nil || len(found) != 1 || found[0].Options["address"] != want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"address":                  {"address": 0x75},
		"quantity":                 {"quantity": "pressure"},
		"temperature_oversampling": {"temperature_oversampling": 0},
		"pressure_oversampling":    {"pressure_oversampling": 3},
		"filter":                   {"filter": 5},
		"humidity_oversampling":    {"humidity_oversampling": 1},
	} {
		drivertest.OptionError(t, named(t, "bmp280", bus.I2C), key, options)
	}
}

func TestSimulated(t *testing.T) {
	for _, d := range drivers() {
		t.Run(d.Title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, d) })
		})
	}
}
