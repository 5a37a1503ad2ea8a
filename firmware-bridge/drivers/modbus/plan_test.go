package modbus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/modbus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func TestRequestsAreTheFewest(t *testing.T) {
	var far, dense []map[string]any
	for i := range 20 {
		far = append(far, register("address", 100*i, "quantity", "voltage", "channel", fmt.Sprint(i)))
	}
	for i := range 100 {
		dense = append(dense, register("address", 2*i, "type", "u32", "quantity", "voltage", "channel", fmt.Sprint(i)))
	}
	with := func(o map[string]any, key string, value any) map[string]any {
		o[key] = value
		return o
	}
	for _, c := range []struct {
		name    string
		options map[string]any
		want    int
	}{
		{"neighbours", registers(dense[:50]...), 1},
		{"more than fit", registers(dense...), 2},
		{"more than the device allows", with(registers(dense...), "max_registers", 50), 4},
		{"never half a value", with(registers(dense[:10]...), "max_registers", 7), 4},
		{"far apart", registers(far...), 20},
		{"a gap of ten", registers(register("address", 0, "quantity", "voltage"), register("address", 11, "quantity", "current")), 1},
		{"a gap of eleven", registers(register("address", 0, "quantity", "voltage"), register("address", 12, "quantity", "current")), 2},
		{"no gaps", with(registers(register("address", 0, "quantity", "voltage"), register("address", 2, "quantity", "current")), "max_gap", 0), 2},
		{"gaps as wide as may be", with(registers(register("address", 0, "quantity", "voltage"), register("address", 124, "quantity", "current")), "max_gap", 125), 1},
		{"two tables", registers(register("address", 0, "quantity", "voltage"), register("table", "input", "quantity", "current")), 2},
		{"an exponent beside", registers(register("address", 0, "quantity", "voltage", "exponent_register", 5)), 1},
		{"any order in the settings", registers(dense[3], dense[0], dense[2], dense[1]), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := make([]uint16, 2000)
			d := unit(words{0: all})
			d.Blocks = append(d.Blocks, tableUnit(bus.InputRegisters, words{0: all}).Blocks...)
			on := line(t, d)
			got, err := read(t, on, c.options)
			if err != nil || len(got) != len(c.options["registers"].([]any)) || on.Modbus.Requests() != c.want {
				t.Errorf("%d readings, %v; %d requests, want %d", len(got), err, on.Modbus.Requests(), c.want)
			}
		})
	}
}

// holes is a map over a device that has registers 0, 1, 5 and 6 of the ones it asks for, and not 9.
func holes() map[string]any {
	return registers(
		register("address", 0, "quantity", "voltage"), register("address", 1, "quantity", "current"),
		register("address", 5, "quantity", "active_power"), register("address", 6, "quantity", "frequency"),
		register("address", 9, "quantity", "apparent_power"),
	)
}

func TestWhatADeviceRefusesIsReadInPartsFromThenOn(t *testing.T) {
	on := line(t, unit(words{0: {230, 2}, 5: {460, 50}, 20: {0}}))
	d := modbus.Driver()
	setup := drivertest.Setup(t, d, on.Bus(), holes())
	s, err := d.Open(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	requests := func(s driver.Sensor) (n, good int, err error) {
		before := on.Modbus.Requests()
		got, err := s.Read(t.Context())
		return on.Modbus.Requests() - before, len(got), err
	}
	n, good, err := requests(s)
	if good != 4 || n != 4 || fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "apparent_power (holding register 9)") {
		t.Errorf("the first time: %d requests, %d readings, %v", n, good, err)
	}
	if n, good, err = requests(s); good != 4 || n != 3 || fault.KindOf(err) != fault.Refused {
		t.Errorf("the second time: %d requests, %d readings, %v", n, good, err)
	}
	// The next one to be opened knows it at once.
	if s, err = d.Open(t.Context(), setup); err != nil {
		t.Fatal(err)
	}
	if n, good, err = requests(s); good != 4 || n != 3 || fault.KindOf(err) != fault.Refused {
		t.Errorf("after a restart: %d requests, %d readings, %v", n, good, err)
	}
	// With another map it is of no use.
	o := d.Options()
	if err := driver.Decode(o, registers(register("address", 0, "quantity", "voltage"), register("address", 5, "quantity", "current"))); err != nil {
		t.Fatal(err)
	}
	setup.Options = o
	if s, err = d.Open(t.Context(), setup); err != nil {
		t.Fatal(err)
	}
	if n, good, err = requests(s); good != 2 || n != 3 || err != nil {
		t.Errorf("with another map: %d requests, %d readings, %v", n, good, err)
	}
}

func TestADeviceThatReadsFewRegistersAtOnceIsFoundOut(t *testing.T) {
	u := unit(words{0: make([]uint16, 200)})
	u.Most = 30
	on := line(t, u)
	var list []map[string]any
	for i := range 60 {
		list = append(list, register("address", 2*i, "type", "u32", "quantity", "voltage", "channel", fmt.Sprint(i)))
	}
	s := drivertest.Open(t, modbus.Driver(), on.Bus(), registers(list...))
	for range 2 {
		if got, err := s.Read(t.Context()); err != nil || len(got) != 60 {
			t.Fatalf("%d readings, %v", len(got), err)
		}
	}
	before := on.Modbus.Requests()
	if _, err := s.Read(t.Context()); err != nil || on.Modbus.Requests()-before != 4 {
		t.Errorf("%d requests, %v", on.Modbus.Requests()-before, err)
	}
}

// moody is a unit that fails in a way of its own at some addresses.
type moody struct {
	*simbus.Device
	fails func(address, n uint16) error
}

func (m *moody) Read(table bus.Table, address, n uint16) ([]uint16, error) {
	if err := m.fails(address, n); err != nil {
		return nil, err
	}
	return m.Device.Read(table, address, n)
}

func TestOneBadRegisterDoesNotTakeTheOthers(t *testing.T) {
	silence := func() error { return fault.New(fault.Timeout, errors.New("no answer"), "look at A and B") }
	for _, c := range []struct {
		name     string
		fails    func(address, n uint16) error
		good     int
		kind     fault.Kind
		advice   string
		requests int
	}{
		{"a busy device is not taken apart", func(uint16, uint16) error { return bus.DeviceBusy }, 0, fault.Refused, "less often", 3},
		{"a table that is not there is not taken apart", func(uint16, uint16) error { return bus.IllegalFunction }, 0, fault.Refused, "no such table", 3},
		{"noise in one request", func(address, _ uint16) error {
			if address == 100 {
				return fault.New(fault.Garbled, errors.New("noise"), "")
			}
			return nil
		}, 4, fault.Garbled, "", 3},
		{"silence to one request", func(address, _ uint16) error {
			if address == 100 {
				return silence()
			}
			return nil
		}, 4, fault.Timeout, "max_gap", 3},
		{"silence to two", func(address, _ uint16) error {
			if address >= 100 {
				return silence()
			}
			return nil
		}, 2, fault.Timeout, "A and B", 3},
		{"silence from the beginning", func(uint16, uint16) error { return silence() }, 0, fault.Timeout, "A and B", 1},
		{"a line that is gone", func(uint16, uint16) error { return fault.New(fault.Lost, errors.New("gone"), "plug") }, 0, fault.Lost, "plug", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			on := line(t, &moody{unit(words{0: {1, 2}, 100: {3, 4}, 200: {5, 6}}), c.fails})
			var list []map[string]any
			for i, address := range []int{0, 1, 100, 101, 200, 201} {
				list = append(list, register("address", address, "quantity", "voltage", "channel", fmt.Sprint(i)))
			}
			got, err := read(t, on, registers(list...))
			if len(got) != c.good || fault.KindOf(err) != c.kind || !strings.Contains(fault.AdviceOf(err), c.advice) || on.Modbus.Requests() != c.requests {
				t.Errorf("%d readings, %v (%s), %d requests", len(got), err, fault.AdviceOf(err), on.Modbus.Requests())
			}
		})
	}
}
