// Package ds18b20 reads the DS18B20, a thermometer of Maxim (±0.5 °C from -10 to 85 °C) on a 1-Wire line, through the kernel's w1-therm.
// It also reads its relatives that the kernel knows: DS18S20, DS1822, DS1825, DS28EA00.
//
// Data sheet: Maxim 19-7487, DS18B20 Programmable Resolution 1-Wire Digital Thermometer: table 1 (temperature), figure 4
// (scratchpad), section "Operation - measuring temperature" (85 °C after power on). The text of w1_slave: the kernel's
// Documentation/w1/slaves/w1_therm.rst.
//
// The value after power on, 85 °C exactly, is refused: a sensor with a bad supply gives it again and again, and one that
// really has it has something else a moment later. A data line that is shorted to ground reads as zeros, whose checksum is
// right: that is 0 °C to the kernel, and a fault here.
package ds18b20

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// Options of one sensor.
type Options struct {
	// ID is the device's, as the kernel shows it: 28-0316a2794bff. "" is the only one on the line.
	ID string `mapstructure:"id"`
	// Quantity is what the temperature is of: water_temperature, temperature, road_temperature, device_temperature.
	Quantity string `mapstructure:"quantity"`
	// Channel tells several thermometers of one sensor apart.
	Channel string `mapstructure:"channel"`
	// Offset corrects what the device shows, in °C.
	Offset float64 `mapstructure:"offset"`
}

// deviceID begins with the family of a thermometer that w1-therm reads.
var deviceID = regexp.MustCompile(`^(10|22|28|3b|42)-[0-9a-f]{12}$`)

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	var faults []error
	if o.ID != "" && !deviceID.MatchString(o.ID) {
		faults = append(faults, fmt.Errorf("id: %q is no thermometer's; it looks like 28-0316a2794bff, in lower case, or is left out", o.ID))
	}
	return errors.Join(append(faults, o.scale().Validate())...)
}

func (o *Options) scale() driver.Scale {
	return driver.Scale{Quantity: o.Quantity, Channel: o.Channel, Unit: "Cel", Offset: o.Offset}
}

// Driver describes it.
func Driver() driver.Driver {
	return driver.Driver{
		Name:     "ds18b20",
		Title:    "Maxim DS18B20: temperature of water, air or a surface",
		Bus:      bus.OneWire,
		Options:  func() driver.Options { return &Options{Quantity: "temperature"} },
		Open:     open,
		Simulate: simulate,
		Probe:    probe,
		Example: `id: pond-1-water
driver: ds18b20
bus: onewire
every: 1m
options:
  id: 28-0316a2794bff
  quantity: water_temperature
`,
	}
}

type sensor struct {
	wires bus.Wires
	id    string
	as    driver.Scale
}

func open(_ context.Context, s driver.Setup) (driver.Sensor, error) {
	o := s.Options.(*Options)
	found, err := thermometers(s.Bus.OneWire)
	if err != nil {
		return nil, err
	}
	id := o.ID
	switch {
	case id == "" && len(found) == 1:
		id = found[0]
	case id == "" && len(found) > 1:
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("%d thermometers are on the line", len(found)), "set id to one of "+strings.Join(found, ", "))
	case !slices.Contains(found, id):
		return nil, absent(id, found, nil)
	}
	return &sensor{wires: s.Bus.OneWire, id: id, as: o.scale()}, nil
}

// thermometers lists the ids of those on the line.
func thermometers(w bus.Wires) ([]string, error) {
	all, err := w.Devices()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(id string) bool { return !deviceID.MatchString(id) }), nil
}

var errAbsent = errors.New("the kernel does not see it")

// absent says which devices are there in its place.
func absent(id string, found []string, err error) error {
	if id == "" {
		id = "a thermometer"
	}
	if err == nil {
		err = fmt.Errorf("%s: %w", id, errAbsent)
	}
	advice := "no thermometer is on the line: look at cable, plug and supply, and at the pull-up resistor (4.7 kΩ)"
	if len(found) > 0 {
		advice = "there is " + strings.Join(found, ", ") + ": set id to one of them, or look at the cable"
	}
	return &fault.Fault{Kind: fault.Absent, Advice: advice, Err: err}
}

// Read makes the device measure; with 12 bits that takes 750 ms.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	text, err := s.wires.Measure(ctx, s.id)
	if fault.KindOf(err) == fault.Absent {
		if found, others := thermometers(s.wires); others == nil {
			return nil, absent(s.id, found, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("measure with %s: %w", s.id, err)
	}
	celsius, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.id, err)
	}
	m, err := s.as.Measure(celsius)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.id, err)
	}
	return []driver.Measurement{m}, nil
}

// Close has nothing to give back.
func (s *sensor) Close() error { return nil }

const (
	powerOn = 85 // °C, table 1
	lowest  = -55
	highest = 125
)

var (
	errCRC     = errors.New("the checksum is wrong")
	errNoText  = errors.New("this is not what w1-therm writes")
	errShort   = errors.New("the line is held low")
	errNobody  = errors.New("nothing drives the line")
	errPowerOn = errors.New("85 °C is what it shows before it has measured")
)

// Parse reads the text of w1_slave: nine bytes of scratchpad, "crc=XX YES", and the bytes again with t= and thousandths of
// a degree.
func Parse(text string) (celsius float64, err error) {
	first, second, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\n")
	raw, checked, ok := strings.Cut(first, " : crc=")
	pad, notHex := hex.DecodeString(strings.ReplaceAll(raw, " ", ""))
	_, value, hasValue := strings.Cut(second, " t=")
	if !ok || notHex != nil || len(pad) != 9 || !hasValue {
		return 0, fault.New(fault.Garbled, fmt.Errorf("%w: %.80q", errNoText, text), "")
	}
	switch {
	case len(bytes.Trim(pad, "\x00")) == 0:
		return 0, fault.New(fault.Garbled, errShort, "the data line is shorted to ground, or the sensor has no supply")
	case len(bytes.Trim(pad, "\xff")) == 0:
		return 0, fault.New(fault.Absent, errNobody, "look at cable and plug, and at the pull-up resistor (4.7 kΩ)")
	case !strings.HasSuffix(checked, "YES"):
		return 0, fault.New(fault.Garbled, errCRC, "look at the cable's length and screen, and at the pull-up resistor (4.7 kΩ)")
	}
	thousandths, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32)
	if err != nil {
		return 0, fault.New(fault.Garbled, fmt.Errorf("%w: %.80q", errNoText, text), "")
	}
	celsius = float64(thousandths) / 1000
	switch {
	case celsius == powerOn:
		return 0, fault.New(fault.Implausible, errPowerOn, "the supply breaks down while it measures: connect VDD, or shorten the line")
	case celsius < lowest || celsius > highest:
		return 0, fault.New(fault.Implausible, fmt.Errorf("%g °C is outside what it can measure, %d to %d", celsius, lowest, highest), "")
	}
	return celsius, nil
}

func probe(_ context.Context, b *bus.Bus) ([]driver.Found, error) {
	ids, err := thermometers(b.OneWire)
	var found []driver.Found
	for _, id := range ids {
		found = append(found, driver.Found{Where: "device " + id, Options: map[string]any{"id": id}})
	}
	return found, err
}

// simulate hangs a thermometer on the line that follows the day.
func simulate(s driver.Setup, on *simbus.Bus) error {
	id := s.Options.(*Options).ID
	if id == "" {
		id = "28-000000000001"
	}
	began := time.Now()
	wave := simbus.Wave{Mean: 12, Swing: 4, Period: 24 * time.Hour, Phase: simbus.Phase(string(s.Sensor))}
	return on.OneWire.Attach(id, func() string { return Text(wave.At(time.Since(began))) })
}

// Text is what w1_slave says of a temperature in °C: the scratchpad of figure 4 with 12 bits, and its checksum.
func Text(celsius float64) string {
	sixteenths := int16(math.Round(celsius * 16))
	pad := []byte{byte(sixteenths), byte(sixteenths >> 8), 0x4b, 0x46, 0x7f, 0xff, byte(16 - sixteenths&15), 0x10}
	crc := crc8(pad)
	raw := fmt.Sprintf("% x", append(pad, crc))
	return fmt.Sprintf("%s : crc=%02x YES\n%s t=%d\n", raw, crc, raw, int(sixteenths)*1000/16)
}

// crc8 is the checksum of 1-Wire: x^8 + x^5 + x^4 + 1, least bit first (section "CRC generation").
func crc8(b []byte) byte {
	var crc byte
	for _, c := range b {
		crc ^= c
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low == 1 {
				crc ^= 0x8c
			}
		}
	}
	return crc
}
