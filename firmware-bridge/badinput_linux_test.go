package bridge_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
	"github.com/lamppost-city/lamppost/telemetry"
)

// cabinetSettings have two sensors wherever a bus carries two, so that a neighbour of the bad one can be looked at.
const cabinetSettings = `version: 1
buses:
  - {id: i2c-1, type: i2c, device: /dev/i2c-1}
  - {id: i2c-2, type: i2c, device: /dev/i2c-2}
  - {id: dust, type: serial, device: /dev/ttyUSB0}
  - {id: meter, type: serial, device: /dev/ttyUSB1}
  - {id: rs485, type: modbus, device: 'tcp://127.0.0.1:502'}
  - {id: wires, type: onewire}
  - {id: pins, type: gpio}
  - {id: house, type: mqtt, device: 'mqtt://127.0.0.1:1883'}
sensors:
  - {id: air-1, driver: sht3x, bus: i2c-1, every: 5s, options: {address: 0x44}}
  - {id: air-2, driver: mcp9808, bus: i2c-1, every: 5s, options: {address: 0x18}}
  - {id: air-3, driver: mcp9808, bus: i2c-2, every: 5s, options: {address: 0x18}}
  - {id: dust-1, driver: pms5003, bus: dust, every: 5s}
  - {id: grid-1, driver: dsmr, bus: meter, every: 10s}
  - {id: load-1, driver: modbus, bus: rs485, every: 5s, options: {unit: 1, map: eastron-sdm630}}
  - {id: load-2, driver: modbus, bus: rs485, every: 5s, options: {unit: 2, map: eastron-sdm630}}
  - {id: water-1, driver: ds18b20, bus: wires, every: 5s, options: {id: 28-0316a2794bff}}
  - {id: water-2, driver: ds18b20, bus: wires, every: 5s, options: {id: 28-0316a2794b00}}
  - {id: door-1, driver: contact, bus: pins, every: 5s, options: {pin: GPIO27, quantity: door}}
  - {id: door-2, driver: contact, bus: pins, every: 5s, options: {pin: GPIO17, quantity: door}}
  - {id: room-1, driver: mqtt, bus: house, every: 5s, options: {topic: zigbee2mqtt/room 1, mapping: zigbee2mqtt-climate, silence: 10m}}
`

// trouble is something that goes wrong on one bus.
type trouble struct {
	bus string
	// bad are the sensors that fail, with the kind of fault each.
	bad map[telemetry.SensorID]fault.Kind
	// wrong makes it so on the open bus; it is called again where the bridge opens the bus anew. mend ends it.
	wrong, mend func(c *cabinet, b *bus.Bus)
}

// bad is one bad sensor.
func bad(id telemetry.SensorID, kind fault.Kind) map[telemetry.SensorID]fault.Kind {
	return map[telemetry.SensorID]fault.Kind{id: kind}
}

// chip is trouble with the I2C transactions of an address, or of all where that is 0.
func chip(address uint16, kind fault.Kind, do func(c *cabinet, r []byte) error) trouble {
	t := trouble{bus: "i2c-1", bad: map[telemetry.SensorID]fault.Kind{"air-1": kind}}
	if address == 0 {
		t.bad["air-2"] = kind
	}
	t.wrong = func(c *cabinet, b *bus.Bus) {
		b.I2C.(*wires).disturb(func(to uint16, r []byte) error {
			if address != 0 && address != to {
				return nil
			}
			return do(c, r)
		})
	}
	t.mend = func(_ *cabinet, b *bus.Bus) { b.I2C.(*wires).disturb(nil) }
	return t
}

// unit is trouble with unit 1 of the Modbus line.
func unit(err error) trouble {
	return trouble{
		bus: "rs485", bad: bad("load-1", fault.KindOf(err)),
		wrong: func(_ *cabinet, b *bus.Bus) {
			b.Modbus.(*units).disturb(func(unit uint8) error {
				if unit == 1 {
					return err
				}
				return nil
			})
		},
		mend: func(_ *cabinet, b *bus.Bus) { b.Modbus.(*units).disturb(nil) },
	}
}

// noise is trouble on a serial line.
func noise(on string, id telemetry.SensorID, garble func([]byte) []byte) trouble {
	return trouble{
		bus: on, bad: bad(id, fault.Garbled),
		wrong: func(_ *cabinet, b *bus.Bus) { b.Serial.(*simbus.SerialLine).Garble(garble) },
		mend:  func(_ *cabinet, b *bus.Bus) { b.Serial.(*simbus.SerialLine).Garble(nil) },
	}
}

func troubles() map[string]trouble {
	return map[string]trouble{
		"a sensor hangs": chip(0x44, fault.Timeout, func(c *cabinet, _ []byte) error {
			<-c.mended
			return nil
		}),
		"a sensor answers garbage": chip(0x44, fault.Garbled, func(_ *cabinet, r []byte) error {
			for i := range r {
				r[i] = byte(31 * i)
			}
			return nil
		}),
		"a sensor disappears": chip(0x44, fault.Absent, func(*cabinet, []byte) error { return bus.I2CFault("/dev/i2c-1", 0x44, unix.EREMOTEIO) }),
		"a bus is stuck low": chip(0, fault.Lost, func(*cabinet, []byte) error {
			time.Sleep(time.Second) // so long the kernel waits for the adapter
			return bus.I2CFault("/dev/i2c-1", 0x44, unix.ETIMEDOUT)
		}),
		"an adapter is unplugged": chip(0, fault.Lost, func(*cabinet, []byte) error { return bus.I2CFault("/dev/i2c-1", 0x44, unix.ENODEV) }),
		"a serial line has noise": noise("dust", "dust-1", func(b []byte) []byte {
			for i := range b {
				b[i] ^= byte(0x5a + 7*i)
			}
			return b
		}),
		"a telegram's CRC is wrong": noise("meter", "grid-1", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("*kWh"), []byte("*kVh")) }),
		"a plug is pulled": {
			bus: "meter", bad: bad("grid-1", fault.Lost),
			wrong: func(_ *cabinet, b *bus.Bus) { b.Serial.(*simbus.SerialLine).Unplug(true) },
			mend:  func(_ *cabinet, b *bus.Bus) { b.Serial.(*simbus.SerialLine).Unplug(false) },
		},
		"a unit of a line is silent":  unit(fault.New(fault.Timeout, errors.New("unit 1: no answer"), "look at A and B")),
		"a unit's CRC is wrong":       unit(fault.New(fault.Garbled, errors.New("unit 1: the answer is damaged"), "look at the termination")),
		"a unit refuses its register": unit(bus.IllegalAddress.Fault(1)),
		"a thermometer's CRC is wrong": {
			bus: "wires", bad: bad("water-1", fault.Garbled),
			wrong: func(_ *cabinet, b *bus.Bus) { b.OneWire.(*drops).disturb(true) },
			mend:  func(_ *cabinet, b *bus.Bus) { b.OneWire.(*drops).disturb(false) },
		},
		"a contact bounces without end": {
			bus: "pins", bad: bad("door-1", fault.Garbled),
			wrong: func(_ *cabinet, b *bus.Bus) {
				b.Pins.(*simbus.Pins).Line("GPIO27").Follow(func(after time.Duration) (time.Duration, gpio.Level) {
					return after + 60*time.Millisecond, after/(60*time.Millisecond)%2 == 0
				})
			},
			mend: func(_ *cabinet, b *bus.Bus) {
				b.Pins.(*simbus.Pins).Line("GPIO27").Follow(func(after time.Duration) (time.Duration, gpio.Level) { return after + time.Hour, gpio.Low })
			},
		},
		"a device floods the local broker": {
			bus: "house", bad: bad("room-1", fault.Other),
			wrong: func(c *cabinet, b *bus.Bus) {
				c.all.Go(func() {
					for {
						select {
						case <-c.mended:
							return
						case <-time.After(50 * time.Millisecond):
						}
						for range 100 {
							b.Topics.(*simbus.Broker).Publish("zigbee2mqtt/room 1", []byte(`{"temperature":21.5}`), false)
						}
					}
				})
			},
			mend: func(*cabinet, *bus.Bus) {},
		},
		"the local broker is away": {
			bus: "house", bad: bad("room-1", fault.Lost),
			wrong: func(_ *cabinet, b *bus.Bus) { b.Topics.(*simbus.Broker).Leave(true) },
			mend:  func(_ *cabinet, b *bus.Bus) { b.Topics.(*simbus.Broker).Leave(false) },
		},
	}
}

// What goes wrong with a sensor or its bus is named in status and health; all other sensors are read as if nothing were; and
// when the cause is gone everything works again, without anybody's help.
func TestWhateverGoesWrongTheOthersGoOnAndNothingNeedsAHand(t *testing.T) {
	for name, one := range troubles() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				c := newCabinet(t, dir)
				defer c.end()
				c.worksWithin(2*time.Minute, "at the start")
				before := c.readings()
				c.begins(one)
				time.Sleep(2 * time.Minute)
				for range 20 { // a fault that lasts is named all the time
					c.names(one.bad)
					time.Sleep(3 * time.Second)
				}
				c.wentOn(before, c.readings(), one.bad, 3*time.Minute)
				for _, kind := range one.bad {
					if c.faults(kind) == 0 {
						t.Errorf("the health counts no fault of kind %s", kind)
					}
				}
				c.isMended(one)
				c.worksWithin(3*time.Minute, "when the cause is gone")
				before = c.readings()
				time.Sleep(time.Minute)
				c.wentOn(before, c.readings(), nil, time.Minute)
			})
		})
	}
}

// Settings from the city that cannot be used are refused with the reason, and change nothing.
func TestSettingsThatCannotBeUsedChangeNothing(t *testing.T) {
	overlapping := `  - id: load-3
    driver: modbus
    bus: rs485
    every: 5s
    options:
      unit: 3
      registers:
        - {quantity: voltage, address: 10, table: input, type: f32}
        - {quantity: current, address: 11, table: input, type: f32}
`
	for name, c := range map[string]struct{ text, says string }{
		"for another version":          {strings.Replace(cabinetSettings, "version: 1", "version: 2", 1), "version"},
		"a register map that overlaps": {cabinetSettings + overlapping, "share some"},
		"garbage":                      {"\x00\xff{{{", ""},
		"more than there may be":       {"version: 1\n#" + strings.Repeat("x", 300<<10), "at most 262144"},
		"more than can be sent":        {"version: 1\n#" + strings.Repeat("x", 2<<20), "at most 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				b := newCabinet(t, dir)
				defer b.end()
				b.worksWithin(2*time.Minute, "at the start")
				before := b.readings()
				b.hear(control.TopicConfig, c.text)
				time.Sleep(time.Minute)
				s := b.status()
				if s.Settings == nil || s.Settings.Source != control.FromFile || s.Settings.Refused == nil || !strings.Contains(s.Settings.Refused.Error, c.says) {
					t.Errorf("the status says %+v", s.Settings)
				}
				b.worksWithin(0, "beside refused settings")
				b.wentOn(before, b.readings(), nil, time.Minute)
				b.hear(control.TopicConfig, strings.Replace(cabinetSettings, "  - {id: air-3, driver: mcp9808, bus: i2c-2, every: 5s, options: {address: 0x18}}\n", "", 1))
				time.Sleep(10 * time.Second)
				b.worksWithin(2*time.Minute, "with good settings")
				if s := b.status(); s.Settings.Refused != nil || s.Settings.Source != control.FromRemote || len(s.Sensors) != 11 {
					t.Errorf("the status says %+v", s.Settings)
				}
			})
		})
	}
}
