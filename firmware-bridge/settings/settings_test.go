package settings_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/internal/faults"
)

type thermometer struct {
	Address uint16 `mapstructure:"address"`
}

func (o *thermometer) Validate() error {
	if o.Address > 0x7f {
		return fmt.Errorf("address: %#x is above 0x7f", o.Address)
	}
	return nil
}

// known are drivers for a thermometer on two kinds of bus, and for a door.
func known() []driver.Driver {
	thermo := func(name string, on bus.Kind) driver.Driver {
		return driver.Driver{
			Name: name, Bus: on, Options: func() driver.Options { return &thermometer{Address: 0x18} },
			Open: func(context.Context, driver.Setup) (driver.Sensor, error) { return nil, errors.New("not here") },
		}
	}
	return []driver.Driver{thermo("thermo", bus.I2C), thermo("thermo", bus.SPI), thermo("door", bus.GPIO)}
}

const good = `version: 1
buses:
  - {id: i2c-1, type: i2c, device: /dev/i2c-1}
  - {id: spi-0, type: spi, device: /dev/spidev0.0}
sensors:
  - {id: air-1, driver: thermo, bus: i2c-1, every: 1m, options: {address: 0x19}}
  - {id: air-2, driver: thermo, bus: spi-0, every: 250ms, timeout: 2s}
`

func TestGoodSettingsAreRead(t *testing.T) {
	s, err := settings.Parse([]byte(good), known())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Buses) != 2 || len(s.Sensors) != 2 || s.Sensors[0].Every != time.Minute || s.Sensors[1].Patience() != 2*time.Second || s.Sensors[0].Patience() != time.Minute {
		t.Errorf("got %+v", s)
	}
	for i, kind := range []bus.Kind{bus.I2C, bus.SPI} {
		if d, _ := s.Sensors[i].How(); d.Bus != kind {
			t.Errorf("sensor %d has the driver for %s, want the one for %s", i, d.Bus, kind)
		}
	}
	if _, o := s.Sensors[0].How(); o.(*thermometer).Address != 0x19 {
		t.Errorf("options %+v", o)
	}
}

func TestJSONIsReadAsWell(t *testing.T) {
	s, err := settings.Parse([]byte(`{"version":1,"buses":[{"id":"i2c-1","type":"i2c","device":"/dev/i2c-1"}],
		"sensors":[{"id":"air-1","driver":"thermo","bus":"i2c-1","every":"10s","options":{"address":"0x1a"}}]}`), known())
	if err != nil {
		t.Fatal(err)
	}
	if _, o := s.Sensors[0].How(); o.(*thermometer).Address != 0x1a {
		t.Errorf("options %+v", o)
	}
}

func TestEveryFaultIsToldAtOnceWithItsKey(t *testing.T) {
	_, err := settings.Parse([]byte(`version: 1
buses:
  - {id: i2c-1, type: i2c}
  - {id: i2c-1, type: tape, device: /dev/tape}
sensors:
  - {id: AIR, driver: thermo, bus: i2c-2, every: 1ms}
  - {id: air-2, driver: barometer, bus: i2c-1, every: 1m}
  - {id: air-3, driver: door, bus: i2c-1, every: 1m, timeout: 2h, options: {address: 0xff}}
  - {id: air-3, driver: thermo, bus: i2c-1, every: 1m, options: {colour: 1}}
`), known())
	if err == nil {
		t.Fatal("no fault")
	}
	all := make([]string, 0, 16)
	for _, f := range faults.Split(err) {
		all = append(all, f.Error())
	}
	for _, want := range []string{
		"buses[0].device: ", "buses[1].type: ", "buses[1].id: ", "sensors[0].id: ", "sensors[0].every: ", "sensors[0].bus: ",
		"sensors[1].driver: ", "sensors[2].timeout: ", "sensors[2].bus: ", "sensors[2].options.address: ", "sensors[3].id: ", "sensors[3].options.",
	} {
		found := false
		for _, f := range all {
			found = found || strings.HasPrefix(f, want)
		}
		if !found {
			t.Errorf("nothing says %q; there is\n%s", want, strings.Join(all, "\n"))
		}
	}
}

func TestWhatIsNoSettingsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"garbage":         "\x00\x01\x02",
		"a list":          "[1, 2]",
		"no version":      "buses: []",
		"another version": "version: 2\nbuses: []\nsensors: []",
		"unknown keys":    "version: 1\nbuses: []\nsensors: []\nshell: /bin/sh",
		"two documents":   good + "---\n" + good,
		"too large":       "version: 1\n#" + strings.Repeat("x", settings.MaxBytes),
		"too many buses":  "version: 1\nbuses: [" + strings.Repeat("{id: a, type: gpio},", settings.MaxBuses+1) + "]",
	} {
		if _, err := settings.Parse([]byte(text), known()); err == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"version":1,"buses":[],"sensors":[{"id":"a1","driver":"door","bus":"x","every":"1s","options":{"a":{"b":[1]}}}]}`))
	f.Add([]byte("version: 1\na: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := settings.Parse(text, known())
		if (s == nil) == (err == nil) {
			t.Errorf("got %v, %v", s, err)
		}
	})
}
