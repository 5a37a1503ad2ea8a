package scd4x_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/scd4x"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func out(bytes ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x62, W: bytes} }

func in(bytes ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x62, R: bytes} }

// The examples of the data sheet: serial number (3.9.2), self-calibration on (3.7.2), offset of 5.4 °C (3.6.1), altitude of
// 1950 m (3.6.3), 987 hPa (3.6.5), data not ready (3.8.2), and the measurement of 500 ppm, 25 °C, 37 % (3.5.2).
func TestReplaysTheDataSheetsExamples(t *testing.T) {
	altitude, pressure := out(0x24, 0x27, 0x07, 0x9e, 0x09), out(0xe0, 0x00, 0x03, 0xdb, 0x42)
	for _, c := range []struct {
		name    string
		options map[string]any
		sets    i2ctest.IO
	}{
		{"altitude", map[string]any{"temperature_offset": 5.4, "altitude_metres": 1950}, altitude},
		{"pressure", map[string]any{"temperature_offset": 5.4, "pressure_hectopascals": 987}, pressure},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
					out(0xe4, 0xb8), in(0x80, 0x00, 0xa2),
					out(0x3f, 0x86),
					out(0x36, 0x82), in(0xf8, 0x96, 0x31, 0x9f, 0x07, 0xc2, 0x3b, 0xbe, 0x89),
					out(0x24, 0x16, 0x00, 0x01, 0xb0),
					out(0x24, 0x1d, 0x07, 0xe6, 0x48),
					c.sets,
					out(0x21, 0xb1),
					out(0xe4, 0xb8), in(0x80, 0x00, 0xa2),
					out(0xe4, 0xb8), in(0x80, 0x06, 0x04),
					out(0xec, 0x05), in(0x01, 0xf4, 0x33, 0x66, 0x67, 0xa2, 0x5e, 0xb9, 0x3c),
					out(0x3f, 0x86),
				}}
				s := drivertest.Open(t, scd4x.Driver(), &bus.Bus{I2C: on}, c.options)
				got := drivertest.Read(t, s)
				for quantity, want := range map[string]float64{"co2": 500, "temperature": 25, "relative_humidity": 0.37} {
					if v := drivertest.Value(t, got, quantity); math.Abs(v-want) > 0.005 {
						t.Errorf("%s is %g, want %g", quantity, v, want)
					}
				}
				if err := errors.Join(s.Close(), on.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestNoiseOnTheLineIsGarbled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			out(0xe4, 0xb8), in(0x80, 0x00, 0xa2), out(0x3f, 0x86),
			out(0x36, 0x82), in(0xf8, 0x96, 0x31, 0x9f, 0x07, 0xc2, 0x3b, 0xbe, 0x89),
			out(0x24, 0x16, 0x00, 0x00, 0x81), out(0x24, 0x1d, 0x00, 0x00, 0x81), out(0x24, 0x27, 0x00, 0x00, 0x81), out(0x21, 0xb1),
			out(0xe4, 0xb8), in(0x80, 0x06, 0x04),
			out(0xec, 0x05), in(0x01, 0xf5, 0x33, 0x66, 0x67, 0xa2, 0x5e, 0xb9, 0x3c),
			out(0xe4, 0xb8), in(0x80, 0x06, 0x04),
			out(0xec, 0x05), in(0x01, 0xf4, 0x33, 0x66, 0x67, 0xa2, 0x5e, 0xb9, 0x3c),
		}}
		s := drivertest.Open(t, scd4x.Driver(), &bus.Bus{I2C: on}, map[string]any{"self_calibration": false, "temperature_offset": 0})
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Garbled, "noise")
		drivertest.Read(t, s)
	})
}

func TestASensorThatWasUnpluggedIsSetUpAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := scd4x.Driver()
		drivertest.Attach(t, d, on, nil)
		s := drivertest.Open(t, d, on.Bus(), nil)
		drivertest.Read(t, s)
		on.I2C.Detach(0x62)
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Absent)
		drivertest.Attach(t, d, on, nil)
		drivertest.Read(t, s)
		on.I2C.Detach(0x62)
		drivertest.Attach(t, d, on, nil) // between two readings: it does not measure now
		drivertest.WantFault(t, drivertest.ReadError(t, s), fault.Timeout, "without supply")
		drivertest.Read(t, s)
	})
}

func TestASensorThatMeasuresAlreadyCanBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := scd4x.Driver()
		drivertest.Attach(t, d, on, nil)
		drivertest.Open(t, d, on.Bus(), nil) // and not closed: the process was killed
		s := drivertest.Open(t, d, on.Bus(), nil)
		drivertest.Read(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		drivertest.Read(t, drivertest.Open(t, d, on.Bus(), nil)) // at once, while it still stops
	})
}

func TestReadWaitsForTheNextMeasurementUnlessItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := scd4x.Driver()
		drivertest.Attach(t, d, on, nil)
		s := drivertest.Open(t, d, on.Bus(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		drivertest.Read(t, s)
		if took := time.Since(began); took < 5*time.Second || took > 5500*time.Millisecond {
			t.Errorf("the first measurement came after %s", took)
		}
	})
}

func TestZeroIsNoConcentration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		if err := on.I2C.Attach(0x62, &simbus.Commands{Answer: func(command []byte) ([]byte, time.Duration, error) {
			switch command[0] {
			case 0xe4:
				return []byte{0x80, 0x06, 0x04}, 0, nil
			case 0xec:
				return []byte{0x00, 0x00, 0x81, 0x66, 0x67, 0xa2, 0x5e, 0xb9, 0x3c}, 0, nil
			}
			return []byte{0xf8, 0x96, 0x31, 0x9f, 0x07, 0xc2, 0x3b, 0xbe, 0x89}, 0, nil
		}}); err != nil {
			t.Fatal(err)
		}
		got, err := drivertest.Open(t, scd4x.Driver(), on.Bus(), nil).Read(t.Context())
		drivertest.WantFault(t, err, fault.Implausible, "covered")
		if len(got) != 2 { // temperature and humidity are good
			t.Errorf("got %+v", got)
		}
	})
}

func TestAnEmptyAddressIsAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		drivertest.WantFault(t, drivertest.OpenError(t, scd4x.Driver(), on.Bus(), nil), fault.Absent, "nothing answers at 0x62")
	})
}

func TestAnotherChipAtTheAddressIsNoSCD4x(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		lamps := &simbus.Bytes{}
		if err := on.I2C.Attach(0x62, lamps); err != nil {
			t.Fatal(err)
		}
		found, err := scd4x.Driver().Probe(t.Context(), on.Bus())
		if err != nil || len(found) != 0 || lamps.Registers != [256]byte{} {
			t.Errorf("found %+v, %v, or wrote into it", found, err)
		}
		drivertest.WantFault(t, drivertest.OpenError(t, scd4x.Driver(), on.Bus(), nil), fault.Garbled, "is no SCD4x")
	})
}

func TestProbeFindsItMeasuringOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := drivertest.Bus(t, bus.I2C)
		d := scd4x.Driver()
		drivertest.Attach(t, d, on, nil)
		for range 2 {
			found, err := d.Probe(t.Context(), on.Bus())
			if err != nil || len(found) != 1 {
				t.Errorf("found %+v, %v", found, err)
			}
			drivertest.Open(t, d, on.Bus(), nil)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for key, options := range map[string]map[string]any{
		"quantity":              {"quantity": "co2"},
		"altitude_metres":       {"altitude_metres": 3001},
		"pressure_hectopascals": {"pressure_hectopascals": 1000, "altitude_metres": 10},
		"temperature_offset":    {"temperature_offset": -1},
	} {
		drivertest.OptionError(t, scd4x.Driver(), key, options)
	}
}

func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { drivertest.Simulated(t, scd4x.Driver()) })
}
