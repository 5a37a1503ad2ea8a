package modbus_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/modbus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func TestSimulated(t *testing.T) { drivertest.Simulated(t, modbus.Driver()) }

// words are registers of a device, beginning at addresses.
type words map[uint16][]uint16

// unit is a device with holding registers; what it does not have it refuses.
func unit(w words) *simbus.Device { return tableUnit(bus.HoldingRegisters, w) }

func tableUnit(table bus.Table, w words) *simbus.Device {
	d := &simbus.Device{Strict: true}
	for address, values := range w {
		d.Blocks = append(d.Blocks, simbus.Block{Table: table, Address: address, Words: func() []uint16 { return values }})
	}
	return d
}

// line is a simulated line with one unit, 1.
func line(t *testing.T, u simbus.Unit) *simbus.Bus {
	t.Helper()
	on, err := simbus.New(bus.Config{ID: "modbus-1", Type: bus.Modbus})
	if err != nil {
		t.Fatal(err)
	}
	if err := on.Modbus.Attach(1, u); err != nil {
		t.Fatal(err)
	}
	return on
}

// registers are options with a map of their own.
func registers(list ...map[string]any) map[string]any {
	all := make([]any, len(list))
	for i, r := range list {
		all[i] = r
	}
	return map[string]any{"registers": all}
}

// register is one entry: key, value, key, value.
func register(keysAndValues ...any) map[string]any {
	r := map[string]any{}
	for i := 0; i < len(keysAndValues); i += 2 {
		r[keysAndValues[i].(string)] = keysAndValues[i+1]
	}
	return r
}

func read(t *testing.T, on *simbus.Bus, options map[string]any) ([]driver.Measurement, error) {
	t.Helper()
	return drivertest.Open(t, modbus.Driver(), on.Bus(), options).Read(t.Context())
}

func TestTypesAndOrders(t *testing.T) {
	const q, unit32 = "quantity", "power_factor"
	for _, c := range []struct {
		name  string
		words []uint16
		entry map[string]any
		want  float64
	}{
		{"u16", []uint16{0xfffe}, register(q, "active_power"), 65534},
		{"u16 BA", []uint16{0x1234}, register(q, "active_power", "order", "BA"), 0x3412},
		{"i16", []uint16{0xfffe}, register(q, "active_power", "type", "i16"), -2},
		{"u32 ABCD", []uint16{0x0102, 0x0304}, register(q, "active_power", "type", "u32"), 0x01020304},
		{"u32 CDAB", []uint16{0x0304, 0x0102}, register(q, "active_power", "type", "u32", "order", "CDAB"), 0x01020304},
		{"u32 BADC", []uint16{0x0201, 0x0403}, register(q, "active_power", "type", "u32", "order", "BADC"), 0x01020304},
		{"u32 DCBA", []uint16{0x0403, 0x0201}, register(q, "active_power", "type", "u32", "order", "DCBA"), 0x01020304},
		{"i32", []uint16{0xffff, 0xff00}, register(q, "active_power", "type", "i32"), -256},
		{"u64", []uint16{0, 1, 0x0203, 0x0405}, register(q, "energy_import", "type", "u64"), 0x102030405},
		{"u64 GHEFCDAB", []uint16{0x0405, 0x0203, 1, 0}, register(q, "energy_import", "type", "u64", "order", "GHEFCDAB"), 0x102030405},
		{"u64 BADCFEHG", []uint16{0, 0x0100, 0x0302, 0x0504}, register(q, "energy_import", "type", "u64", "order", "BADCFEHG"), 0x102030405},
		{"u64 HGFEDCBA", []uint16{0x0504, 0x0302, 0x0100, 0}, register(q, "energy_import", "type", "u64", "order", "HGFEDCBA"), 0x102030405},
		{"u64 in the order of a whole device", []uint16{0x0405, 0x0203, 1, 0}, register(q, "energy_import", "type", "u64", "order", "CDAB"), 0x102030405},
		{"i64", []uint16{0xffff, 0xffff, 0xffff, 0xff00}, register(q, "active_power", "type", "i64"), -256},
		{"f32", []uint16{0x4366, 0x3333}, register(q, "voltage", "type", "f32"), 230.199997},
		{"f64", []uint16{0x406c, 0xc666, 0x6666, 0x6666}, register(q, "voltage", "type", "f64"), 230.2},
		{"pf4q, quadrant 1", []uint16{0x3f4c, 0xcccd}, register(q, unit32, "type", "pf4q"), 0.8},
		{"pf4q, quadrant 2", []uint16{0xbf4c, 0xcccd}, register(q, unit32, "type", "pf4q"), -0.8},
		{"pf4q, quadrant 3", []uint16{0xbf99, 0x999a}, register(q, unit32, "type", "pf4q"), -0.8},
		{"pf4q, quadrant 4", []uint16{0x3f99, 0x999a}, register(q, unit32, "type", "pf4q"), 0.8},
		{"bit", []uint16{0x0008}, register(q, "door", "type", "bit", "bit", 3), 1},
		{"another bit", []uint16{0x0008}, register(q, "door", "type", "bit", "bit", 4), 0},
		{"bit BA", []uint16{0x0008}, register(q, "door", "type", "bit", "bit", 11, "order", "BA"), 1},
		{"bits", []uint16{0x00a0}, register(q, "container_status", "type", "bits", "bits", []any{5, 7}), 5},
		{"bits 0 to 15", []uint16{3}, register(q, "container_status", "type", "bits", "bits", []any{0, 15}), 3},
		{"a bit turned round", []uint16{1}, register(q, "door", "type", "bit", "factor", -1, "offset", 1), 0},
		{"factor, offset and unit", []uint16{500}, register(q, "temperature", "factor", 0.1, "offset", 223.15, "unit", "K"), 0},
		{"tenths", []uint16{2301}, register(q, "voltage", "exponent", -1), 230.1},
		{"hundreds", []uint16{23}, register(q, "active_power", "exponent", 2), 2300},
		{"text for numbers", []uint16{0, 0, 7}, register(q, "active_power", "address", "0x0002"), 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(t, line(t, unit(words{0: c.words})), registers(c.entry))
			if err != nil || len(got) != 1 || math.Abs(got[0].Value-c.want) > 1e-6 {
				t.Errorf("got %v, %v; want %g", got, err, c.want)
			}
		})
	}
}

func TestCoilsAndDiscreteInputs(t *testing.T) {
	for table, name := range map[bus.Table]string{bus.Coils: "coil", bus.DiscreteInputs: "discrete"} {
		on := line(t, tableUnit(table, words{10: {0, 1, 0}}))
		got, err := read(t, on, registers(
			register("table", name, "address", 11, "quantity", "door"),
			register("table", name, "address", 12, "quantity", "motion"),
		))
		if err != nil || len(got) != 2 || got[0].Value != 1 || got[1].Value != 0 || on.Modbus.Requests() != 1 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestValuesThatAreNotThereAreLeftOut(t *testing.T) {
	on := line(t, unit(words{0: {0x8000, 0x7fc0, 0x0000, 0xffff, 0xffff, 5, 0x8000, 7, 2}}))
	got, err := read(t, on, registers(
		register("address", 0, "type", "i16", "invalid", []any{0x8000}, "quantity", "active_power"),
		register("address", 1, "type", "f32", "quantity", "voltage"),
		register("address", 3, "type", "u32", "invalid", []any{uint64(0xffffffff)}, "quantity", "current"),
		register("address", 5, "exponent_register", 6, "quantity", "apparent_power"),
		register("address", 7, "exponent_register", 8, "quantity", "reactive_power"),
	))
	if err != nil || len(got) != 1 || got[0].Quantity != "reactive_power" || got[0].Value != 700 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWrongByteOrderIsSeenAndTheRightOneNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		words  []uint16
		entry  map[string]any
		advice string
	}{
		{"an integer", []uint16{0x08fd, 0x0000}, register("type", "i32", "exponent", -1, "quantity", "voltage"), "CDAB gives 230.1 V, DCBA gives 6478 V"},
		{"a float that becomes negative", []uint16{0x999a, 0x4366}, register("type", "f32", "quantity", "voltage"), "CDAB gives 230.6 V"},
		{"a float that becomes next to nothing", []uint16{0x0000, 0x4366}, register("type", "f32", "quantity", "voltage"), "CDAB gives 230 V"},
		{"one register", []uint16{0xfd08}, register("quantity", "voltage", "factor", 100), "BA gives"},
		{"none is right", []uint16{0xffff, 0xffff}, register("type", "u32", "quantity", "frequency"), "no order of the bytes gives a better value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(t, line(t, unit(words{0: c.words})), registers(c.entry))
			if fault.KindOf(err) != fault.Implausible || !strings.Contains(fault.AdviceOf(err), c.advice) {
				t.Errorf("got %v (%s)", err, fault.AdviceOf(err))
			}
		})
	}
}

func TestStringsIdentifyTheDevice(t *testing.T) {
	u := unit(words{0: {230}, 10: {0x4c50, 0x2d37, 0x2000, 0x4142}})
	options := func(expect string) map[string]any {
		return registers(
			register("quantity", "voltage"),
			register("type", "string", "address", 10, "length", 4, "name", "model", "expect", expect),
		)
	}
	s := drivertest.Open(t, modbus.Driver(), line(t, u).Bus(), options("LP-"))
	if got := s.(interface{ Identity() string }).Identity(); got != "LP-7" {
		t.Errorf("it is a %q", got)
	}
	if got, err := s.Read(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	err := drivertest.OpenError(t, modbus.Driver(), line(t, u).Bus(), options("EM340"))
	if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), `its model is "LP-7", not "EM340"`) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	voltage := func(more ...any) map[string]any {
		return registers(register(append([]any{"quantity", "voltage"}, more...)...))
	}
	for _, c := range []struct {
		name    string
		options map[string]any
		want    string // "" is no fault
	}{
		{"nothing", nil, "map: neither map nor registers is set; name one of carlo-gavazzi-em340, eastron-sdm630"},
		{"both", map[string]any{"map": "eastron-sdm630", "registers": voltage()["registers"]}, "map: both"},
		{"an unknown map", map[string]any{"map": "sdm"}, `map: "sdm" is none of`},
		{"a quantity that is not there", map[string]any{"map": "eastron-sdm630", "quantities": []any{"temperature"}}, `quantities: "temperature" is not in the map; it has active_power,`},
		{"bounds", map[string]any{"map": "eastron-sdm630", "max_gap": 126, "max_registers": 126}, "max_registers: 126"},
		{"table", voltage("table", "flash"), `registers[0].table: "flash"`},
		{"type", voltage("type", "u24"), `registers[0].type: "u24"`},
		{"order", voltage("order", "DABC"), `registers[0].order: "DABC"`},
		{"an order that does not fit", voltage("type", "f32", "order", "BA"), "registers[0].order: "},
		{"number in a coil", voltage("table", "coil", "type", "u16"), "registers[0].type: a coil is a bit"},
		{"beyond the end", voltage("address", 65535, "type", "u32"), "registers[0].address: "},
		{"bit", voltage("type", "bit", "bit", 16), "registers[0].bit: "},
		{"bits", voltage("type", "bits", "bits", []any{7, 4}), "registers[0].bits: "},
		{"exponent", voltage("exponent", 13), "registers[0].exponent: "},
		{"string", registers(register("type", "string")), "registers[0].length: "},
		{"a string that is measured", voltage("type", "string", "length", 2), "registers[0].quantity: "},
		{"unit", voltage("unit", "km"), "registers[0].unit: "},
		{"a key that there is not", voltage("colour", 3), "colour"},
		{"the same reading twice", registers(register("quantity", "voltage"), register("quantity", "voltage", "address", 7)), "registers[1].quantity: voltage (holding register 7) is read by registers[0]"},
		{"values that overlap in part", registers(register("quantity", "voltage", "type", "f32"), register("quantity", "current", "type", "f32", "address", 1)), "registers[1].address: current (holding register 1) and registers[0], voltage (holding register 0), share some"},
		{"one number as two", registers(register("quantity", "voltage", "type", "f32"), register("quantity", "current", "type", "u32")), "as different numbers"},
		{"one number in two orders", registers(register("quantity", "voltage", "type", "f32"), register("quantity", "current", "type", "f32", "order", "CDAB")), "as different numbers"},
		{"one within another is allowed", registers(register("quantity", "voltage", "type", "u32"), register("quantity", "current", "address", 1)), ""},
		{"one number read twice is allowed", registers(register("quantity", "energy_import", "type", "u32"), register("quantity", "energy_export", "type", "u32", "factor", 2)), ""},
		{"bit fields of one word are allowed", registers(register("quantity", "door", "type", "bit"), register("quantity", "motion", "type", "bit", "bit", 1)), ""},
		{"the same address of two tables is allowed", registers(register("quantity", "voltage", "type", "f32"), register("quantity", "current", "table", "input", "address", 1)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := driver.Decode(modbus.Driver().Options(), c.options)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOnlyTheWantedQuantitiesAreRead(t *testing.T) {
	d := modbus.Driver()
	options := map[string]any{"map": "eastron-sdm630", "quantities": []any{"energy_import", "frequency"}}
	on, err := simbus.New(bus.Config{ID: "modbus-1", Type: bus.Modbus})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Simulate(drivertest.Setup(t, d, on.Bus(), options), on); err != nil {
		t.Fatal(err)
	}
	got, err := read(t, on, options)
	var names []string
	for _, m := range got {
		names = append(names, m.Quantity)
	}
	slices.Sort(names)
	if want := "[energy_import energy_import energy_import energy_import frequency]"; err != nil || fmt.Sprint(names) != want || on.Modbus.Requests() != 2 {
		t.Errorf("got %v, %v with %d requests", names, err, on.Modbus.Requests())
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	on := line(t, unit(words{0: {230}}))
	s := drivertest.Open(t, modbus.Driver(), on.Bus(), registers(register("quantity", "voltage")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzValues(f *testing.F) {
	f.Add([]byte{0x43, 0x66, 0x33, 0x33, 0, 0, 0, 0}, uint8(0), uint8(0), int8(0))
	f.Add([]byte{0x7f, 0xc0, 0, 0, 0xff, 0xff, 0xff, 0xff}, uint8(3), uint8(2), int8(-3))
	types := []string{"u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "pf4q"}
	orders := []string{"", "CDAB", "BADC", "DCBA"}
	f.Fuzz(func(t *testing.T, b []byte, kind, order uint8, exponent int8) {
		content := make([]uint16, 8)
		for i := range min(len(b), 16) {
			content[i/2] |= uint16(b[i]) << (8 - 8*(i%2))
		}
		got, err := read(t, line(t, unit(words{0: content})), registers(
			register("type", types[int(kind)%len(types)], "order", orders[int(order)%4], "exponent", int(exponent%13), "quantity", "voltage"),
			register("address", 4, "type", "u32", "exponent_register", 6, "quantity", "current"),
			register("address", 4, "type", "string", "length", 4, "name", "model"),
		))
		for _, m := range got {
			if math.IsNaN(m.Value) || m.Value < -100_000 || m.Value > 1_000_000 {
				t.Errorf("%s is %g", m.Quantity, m.Value)
			}
		}
		if err != nil && fault.KindOf(err) != fault.Implausible {
			t.Errorf("%v", err)
		}
	})
}
