package telemetry_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lamppost-city/lamppost/telemetry"
)

func quantity(t testing.TB, name string) *telemetry.Quantity {
	t.Helper()
	q, ok := telemetry.QuantityByName(name)
	if !ok {
		t.Fatalf("no quantity %s", name)
	}
	return q
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		quantity, code string
		value, want    float64
		within         float64 // 0: to the last bit
	}{
		{"speed", "km/h", 47.5, 47.5, 0},
		{"speed", "", 47.5, 47.5, 0},
		{"speed", "m/s", 12.5, 45, 0},
		{"speed", "mph", 90, 144.84096, 1e-12},
		{"speed", "[mi_i]/h", 100, 160.9344, 1e-12},
		{"wind_speed", "km/h", 36, 10, 0},
		{"wind_speed", "kn", 1, 1852.0 / 3600, 1e-15},
		{"occupancy", "%", 3.06, 0.0306, 1e-17},
		{"occupancy", "/100", 22.28, 0.2228, 0},
		{"occupancy", "/1000", 760, 0.76, 0},
		{"relative_humidity", "%RH", 48.9, 0.489, 0},
		{"battery_level", "%EL", 80, 0.8, 0},
		{"battery_level", "EL", 0.8, 0.8, 0},
		{"temperature", "K", 293.15, 20, 1e-12},
		{"temperature", "[degF]", 212, 100, 0},
		{"temperature", "°F", -40, -40, 0},
		{"pressure", "Pa", 97224.53, 972.2453, 0},
		{"pressure", "kPa", 101.325, 1013.25, 1e-12},
		{"vapour_pressure", "kPa", 0.7578, 7.578, 1e-15},
		{"active_power", "kW", 4.216, 4216, 0},
		{"reactive_power", "kvar", 0.418, 418, 0},
		{"energy_import", "Wh", 1234, 1.234, 0},
		{"energy_import", "J", 3.6e6, 1, 0},
		{"energy_import", "MJ", 3.6, 1, 1e-15},
		{"energy_used", "Wh", 17, 17, 0},
		{"energy_used", "kWh", 0.017, 17, 1e-14},
		{"current", "mA", 20, 0.02, 0},
		{"voltage", "mV", 3300, 3.3, 0},
		{"voltage", "kV", 20, 20000, 0},
		{"precipitation", "L/m2", 2.5, 2.5, 0},
		{"travel_time", "min", 9.4, 564, 1e-12},
		{"water_flow", "l/s", 10, 36, 0},
		{"conductivity", "S/m", 0.05, 500, 0},
		{"signal_strength", "dBW", -120, -90, 0},
		{"laeq", "dB(A)", 67.8, 67.8, 0},
		{"laeq", "Bspl", 6.5, 65, 0},
		{"co", "mg/m3", 2.6, 2600, 0},
		{"co", "mg/m³", 2.6, 2600, 0},
		{"dissolved_oxygen", "ug/l", 8500, 8.5, 0},
		{"no2", "ppb", 1, 1.9125, 5e-4},
		{"no", "ppb", 1, 1.2474, 5e-4},
		{"o3", "ppb", 1, 1.9954, 5e-4},
		{"so2", "ppb", 1, 2.6630, 5e-4},
		{"co", "ppm", 1, 1164.4, 0.2},
		{"c6h6", "ppb", 1, 3.2474, 5e-4},
		{"nox", "[ppb]", 166, 317.47, 0.05},
		{"co2", "mg/m3", 1829.5, 1000, 0.1},
		{"door", "1", 1, 1, 0},
		{"door", "/", 1, 1, 0},
	} {
		t.Run(c.quantity+" from "+c.code, func(t *testing.T) {
			got, err := telemetry.Convert(c.value, c.code, quantity(t, c.quantity))
			if err != nil || math.Abs(got-c.want) > c.within {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestConvertRefusesWhatMeasuresSomethingElse(t *testing.T) {
	for _, c := range []struct{ quantity, code, word string }{
		{"speed", "furlong", "not known"},
		{"speed", "KM/H", "not known"},
		{"speed", "Cel", "cannot become km/h"},
		{"pm25", "ppb", "cannot become µg/m³"},
		{"nmhc", "ppb", "cannot become µg/m³"},
		{"intensity", "%", "bare number"},
		{"occupancy", "count", "ratio"},
		{"active_power", "kvar", "cannot become W"},
		{"active_power", "kWh", "cannot become W"},
		{"door", "%", "cannot become"},
		{"soil_moisture", "mg/m3", "cannot become"},
	} {
		t.Run(c.quantity+" from "+c.code, func(t *testing.T) {
			got, err := telemetry.Convert(1, c.code, quantity(t, c.quantity))
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("got %v, %v; want an error with %q", got, err, c.word)
			}
			if _, back := telemetry.Express(1, c.code, quantity(t, c.quantity)); back == nil {
				t.Error("the way back is open")
			}
		})
	}
}

// Every unit that can become a quantity's own can be reached from it again, and nothing is lost on the way but the last bits.
func TestConversionThereAndBack(t *testing.T) {
	all, units := telemetry.Quantities(), telemetry.Units()
	rapid.Check(t, func(t *rapid.T) {
		q := &all[rapid.IntRange(0, len(all)-1).Draw(t, "quantity")]
		unit := rapid.SampledFrom(units).Draw(t, "unit")
		value := rapid.Float64Range(-1e6, 1e6).Draw(t, "value")
		for _, code := range []string{unit.SenML, unit.UCUM, unit.Symbol} {
			there, err := telemetry.Convert(value, code, q)
			if err != nil {
				continue
			}
			back, err := telemetry.Express(there, code, q)
			// An offset of 273.15 leaves the rounding of values of its own size.
			if err != nil || math.Abs(back-value) > 1e-12*max(math.Abs(value), 300) {
				t.Fatalf("%v %s is %v as %s and comes back as %v, %v", value, code, there, q.Name, back, err)
			}
		}
	})
}

func TestEveryCodeMeansOneUnit(t *testing.T) {
	all := telemetry.Quantities()
	for _, unit := range telemetry.Units() {
		for _, code := range []string{unit.SenML, unit.UCUM, unit.Symbol} {
			found, ok := telemetry.UnitByCode(code)
			if !ok {
				t.Errorf("code %q of %v is not found", code, unit)
			}
			if code == "" || code == "1" || unit.SenML == "" || found.SenML == "" {
				continue
			}
			// Units that share a code must convert alike.
			for i := range all {
				a, errA := telemetry.Convert(3, found.SenML, &all[i])
				b, errB := telemetry.Convert(3, unit.SenML, &all[i])
				if (errA == nil) != (errB == nil) || a != b {
					t.Errorf("code %q: %v and %v differ for %s", code, found, unit, all[i].Name)
				}
			}
		}
	}
	for i := range all {
		if u := all[i].Unit; all[i].Kind != telemetry.State {
			if _, ok := telemetry.UnitByCode(u.SenML); !ok {
				t.Errorf("unit of %s is not in the table", all[i].Name)
			}
		}
	}
	if one, ok := telemetry.UnitByCode("1"); one != telemetry.One || !ok {
		t.Errorf(`"1" is %v`, one)
	}
	if _, ok := telemetry.UnitByCode("smoot"); ok {
		t.Error("smoot is a unit")
	}
}

func TestConvertAllocatesNothing(t *testing.T) {
	speed, no2 := quantity(t, "speed"), quantity(t, "no2")
	if n := testing.AllocsPerRun(100, func() {
		_, _ = telemetry.Convert(1, "km/h", speed)
		_, _ = telemetry.Convert(1, "mph", speed)
		_, _ = telemetry.Convert(1, "ppb", no2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, c := range []struct{ quantity, code string }{{"speed", "km/h"}, {"speed", "mph"}, {"no2", "ppb"}} {
		b.Run(c.quantity+" from "+strings.ReplaceAll(c.code, "/", " per "), func(b *testing.B) {
			q := quantity(b, c.quantity)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = telemetry.Convert(47.5, c.code, q)
			}
		})
	}
}
