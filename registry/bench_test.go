package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

const cityOf = 100_000

func BenchmarkImport(b *testing.B) {
	text := cityCSV(cityOf)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := open(b)
		if report, err := importText(b, r, text); err != nil || report.Created != cityOf {
			b.Fatalf("%v: %+v", err, report)
		}
	}
}

// city returns a registry of 100,000 sensors.
func city(b *testing.B) *registry.Registry {
	r := open(b)
	if _, err := importText(b, r, cityCSV(cityOf)); err != nil {
		b.Fatal(err)
	}
	return r
}

func BenchmarkImportUnchanged(b *testing.B) {
	r := city(b)
	text := cityCSV(cityOf)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if report, err := importText(b, r, text); err != nil || report.Unchanged != cityOf {
			b.Fatalf("%v: %+v", err, report)
		}
	}
}

func BenchmarkPutSensorInLargeCity(b *testing.B) {
	r := city(b)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		sensor := registry.Sensor{ID: "lamp-000001", Title: fmt.Sprint(n), Quantities: []string{"no2"}}
		if _, err := r.PutSensor(b.Context(), by, sensor); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSnapshotSensor(b *testing.B) {
	r := city(b)
	wanted := make([]telemetry.SensorID, 0, 1024)
	for _, s := range r.Snapshot().Sensors()[:1024] {
		wanted = append(wanted, telemetry.SensorID(strings.Clone(string(s.ID))))
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		if _, ok := r.Snapshot().Sensor(wanted[n%len(wanted)]); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	r := city(b)
	for b.Loop() {
		if items, total := r.Snapshot().List(registry.Filter{Q: "lamp 4242", Domain: telemetry.Energy}, registry.Page{}); total == 0 || len(items) == 0 {
			b.Fatal("not found")
		}
	}
}

// What a list of suggestions asks for at each key: few letters that all sensors have.
func BenchmarkSearchOfAll(b *testing.B) {
	r := city(b)
	b.ReportAllocs()
	for b.Loop() {
		if items, total := r.Snapshot().List(registry.Filter{Q: "la"}, registry.Page{}); total != cityOf || items[0].ID != "lamp-000000" {
			b.Fatal("not found")
		}
	}
}
