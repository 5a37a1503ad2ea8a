package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/telemetry"
)

// TestMain is a child of the bench where it is started as one.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-role") {
		main()
		return
	}
	os.Exit(m.Run())
}

func small() *bench {
	return &bench{settings: settings{messages: 300, packed: 10, sensors: 20, rounds: 1, paced: time.Second / 2}, log: slog.New(slog.DiscardHandler)}
}

// inStore are all values of the load's sensors.
func inStore(t *testing.T, b *bench, at string) map[telemetry.SensorID][]store.Value {
	t.Helper()
	cfg, err := child{store: at}.storeConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := influx.New(cfg, b.log)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all := make(map[telemetry.SensorID][]store.Value)
	for i := range b.sensors {
		id := b.load(threeFields).sensor(i)
		if err := client.Points(t.Context(), telemetry.Traffic, id, beginning().Add(-time.Hour), time.Now(), func(v store.Value) error {
			all[id] = append(all[id], v)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestStoreAloneTakesThePointsThatIngestWrites(t *testing.T) {
	for _, kind := range []string{threeFields, hundred} {
		t.Run(kind, func(t *testing.T) {
			b := small()
			b.dir = t.TempDir()
			l := b.load(kind)
			s, err := b.scene(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			alone, err := b.begin(t.Context(), nil, roleStore, load{}, "-dir", b.folder())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := errors.Join(alone.end(), s.end()); err != nil {
					t.Error(err)
				}
			}()
			if _, err := l.publish(t.Context(), s.broker.address, time.Time{}, b.log); err != nil {
				t.Fatal(err)
			}
			for role, args := range map[string][]string{roleIngest: s.args, roleFill: {"-store", alone.first}} {
				p, err := b.begin(t.Context(), nil, role, l, args...)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.end(); err != nil {
					t.Fatal(err)
				}
			}
			want, got := inStore(t, b, s.store.first), inStore(t, b, alone.first)
			values := 0
			for _, of := range want {
				values += len(of)
			}
			if values != l.messages*l.readings() {
				t.Errorf("ingest has written %d values, want %d", values, l.messages*l.readings())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ingest wrote (-), the store alone was fed with (+):\n%s", diff)
			}
		})
	}
}

func TestTableNamesEveryBarAndRatio(t *testing.T) {
	f := figures{barePerMessage: 10, ingestPerMessage: 4, ingestPerReading: 0.5, bareRate: 40_000, live: liveFigures{rate: 20_000}}
	for _, w := range ways() {
		of := wayFigures{broker: drained{rate: 60_000}, store: drained{rate: 30_000, used: 1, usedByStore: 3}, line: drained{rate: 15_000, used: 2, usedByStore: 4, usedByBroker: 2}}
		want := 20_000.0 // a third of the time for the broker, two thirds for the store
		if w.apart {
			want = 30_000
		}
		if got := w.allowed(of); got != want {
			t.Errorf("%s: allowed are %v messages a second, want %v", w, got, want)
		}
		f.ways = append(f.ways, of)
	}
	var out bytes.Buffer
	small().print(&out, medians{f, f, f})
	for _, text := range []string{
		"≤ 1.0 of bare paho", "≤ 1 µs", "≤ 150 MB", "≤ 150 ms", "≤ 1000 ms", "≥ 0.9 of the store", // the bars
		"0.40", "90000", "45000", "0.50", "0.75",
	} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is not in the table:\n%s", text, out.String())
		}
	}
	if (findMosquitto() == "") != strings.Contains(out.String(), "Mosquitto: not installed") {
		t.Error("the table does not say whether Mosquitto is installed")
	}
}
