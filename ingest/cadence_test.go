package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// street is a judge with a ledger, and a registry and a clock that tests set.
type street struct {
	t       *testing.T
	path    string
	ledger  *ledger.Ledger
	judge   *judge
	frames  int
	sensors map[telemetry.SensorID]Sensor
	version uint64
	start   time.Time
	clock   time.Duration // since start
	seq     int
}

func (s *street) Sensors() Sensors                            { return s }
func (s *street) Version() uint64                             { return s.version }
func (s *street) Publisher(telemetry.SensorID) bool           { return false }
func (s *street) Sensor(id telemetry.SensorID) (Sensor, bool) { v, ok := s.sensors[id]; return v, ok }

func newStreet(t *testing.T) *street {
	s := &street{
		t: t, path: filepath.Join(t.TempDir(), "ledger.db"), version: 1, start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		sensors: map[telemetry.SensorID]Sensor{"loop-1": {Cadence: time.Minute}},
	}
	s.restart()
	t.Cleanup(func() { _ = s.ledger.Close() })
	return s
}

// restart ends the process and begins another.
func (s *street) restart() {
	s.t.Helper()
	if s.ledger != nil {
		if err := s.ledger.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	var err error
	if s.ledger, err = ledger.Open(context.Background(), s.path, ledger.DefaultConfig(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err != nil {
		s.t.Fatal(err)
	}
	sequences, err := s.ledger.Sequences(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	silences, err := s.ledger.Silences(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.judge = newJudge(DefaultConfig(), memory{newest: s.ledger.Newest(), sequences: sequences, silences: silences})
}

func (s *street) register(edit func(map[telemetry.SensorID]Sensor)) {
	s.sensors = maps.Clone(s.sensors)
	edit(s.sensors)
	s.version++
}

// publish has a payload judged that arrives now, in a frame of its own, which goes to the ledger.
func (s *street) publish(payloads ...string) {
	s.t.Helper()
	s.publishOn("city/loop-1/readings", payloads...)
}

func (s *street) publishOn(topic string, payloads ...string) {
	s.t.Helper()
	var f, copied frame.Frame
	now := s.start.Add(s.clock)
	s.judge.begin(&f, s, now, false)
	for i, payload := range payloads {
		s.judge.add(&mqtt.Delivery{Topic: []byte(topic), Payload: []byte(payload), SizeBytes: int64(len(payload)), Received: telemetry.MilliOf(now) + telemetry.UnixMilli(i)})
	}
	if err := frame.NewParser().Parse(frame.Append(nil, &f), &copied); err != nil {
		s.t.Fatal(err)
	}
	s.frames++
	if err := s.ledger.Record(s.t.Context(), &copied, spool.Position{Segment: 1, Offset: int64(s.frames)}); err != nil {
		s.t.Fatal(err)
	}
}

// report publishes what was measured at a time after start; numbered with a sequence number.
func (s *street) report(measured time.Duration) {
	s.t.Helper()
	s.publish(fmt.Sprintf(`{"time":%d,"speed":1,"occupancy":0.5}`, s.start.Add(measured).UnixMilli()))
}

func (s *street) numbered(measured time.Duration) {
	s.t.Helper()
	s.seq++
	s.publish(fmt.Sprintf(`{"time":%d,"seq":%d,"speed":1}`, s.start.Add(measured).UnixMilli(), s.seq))
}

// every lets the sensor report at each of its cadences, up to a time.
func (s *street) every(cadence, until time.Duration) {
	s.t.Helper()
	for ; s.clock <= until; s.clock += cadence {
		s.report(s.clock)
	}
	s.clock -= cadence
}

// missing is what the ledger holds, by hour of the day.
func (s *street) missing() map[string]int64 {
	s.t.Helper()
	if err := s.ledger.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	minutes, err := s.ledger.Minutes(s.t.Context(), "loop-1", s.start.AddDate(0, 0, -2), s.start.AddDate(0, 0, 4))
	if err != nil {
		s.t.Fatal(err)
	}
	all := make(map[string]int64)
	for _, m := range minutes {
		if m.Missing < 0 {
			s.t.Errorf("%s has %d missing", m.Time, m.Missing)
		}
		if m.Missing != 0 {
			all[m.Time.Format("15")] += m.Missing
		}
	}
	return all
}

// play is what happens in a street, and what is missing then by hour of the day.
type play struct {
	act  func(*street)
	want map[string]int64
}

func played(t *testing.T, plays map[string]play) {
	t.Helper()
	for name, p := range plays {
		t.Run(name, func(t *testing.T) {
			s := newStreet(t)
			p.act(s)
			if diff := cmp.Diff(p.want, s.missing(), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReportsThatDoNotComeAreMissing(t *testing.T) {
	played(t, map[string]play{
		"a sensor that is on time misses none": {func(s *street) { s.every(time.Minute, time.Hour) }, nil},
		"one that is a little slow neither":    {func(s *street) { s.every(89*time.Second, time.Hour) }, nil},
		"nor one that is fast":                 {func(s *street) { s.every(7*time.Second, time.Hour) }, nil},
		"the first report ends no silence": {func(s *street) {
			s.clock = 5 * time.Hour
			s.report(s.clock)
		}, nil},
		"reports that did not come": {func(s *street) {
			s.report(0)
			s.clock = 5 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 4}},
		"are counted in the hours in which they were due": {func(s *street) {
			s.clock = 50 * time.Minute
			s.report(s.clock)
			s.clock = 2*time.Hour + 11*time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 9, "13": 60, "14": 11}},
	})
}

func TestReportsThatComeLateAreTakenBack(t *testing.T) {
	played(t, map[string]play{
		"what comes late after all is taken back, once": {func(s *street) {
			s.report(0)
			s.clock = 2 * time.Hour
			s.report(s.clock)
			for range 2 {
				for _, after := range []time.Duration{30 * time.Minute, time.Minute, 119 * time.Minute, 31 * time.Minute} {
					s.report(after)
				}
			}
		}, map[string]int64{"12": 59 - 3, "13": 60 - 1}},
		"also after a restart, and another": {func(s *street) {
			s.report(0)
			s.clock = 2 * time.Hour
			s.report(s.clock)
			s.restart()
			for after := time.Minute; after < 2*time.Hour; after += time.Minute {
				s.report(after)
				if after == time.Hour {
					s.restart()
				}
			}
		}, nil},
		"a backlog in order misses none": {func(s *street) {
			s.report(0)
			s.restart()
			s.clock = 3 * time.Hour
			for after := time.Minute; after < 3*time.Hour; after += time.Minute {
				s.report(after)
			}
		}, nil},
		"a silence over a restart is counted": {func(s *street) {
			s.report(0)
			s.restart()
			s.clock = 10 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 9}},
		"a report of which everything is refused is missing": {func(s *street) {
			s.report(0)
			s.clock = time.Minute
			s.publish(fmt.Sprintf(`{"time":%d,"speed":5e9}`, s.start.Add(s.clock).UnixMilli()))
			s.clock = 2 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 1}},
	})
}

func TestMissingFollowsTheRegistry(t *testing.T) {
	played(t, map[string]play{
		"another cadence counts from the next silence on": {func(s *street) {
			s.report(0)
			s.clock = 10 * time.Minute
			s.report(s.clock)
			s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{Cadence: time.Second} })
			for after := time.Minute; after < 10*time.Minute; after += time.Minute {
				s.report(after)
			}
			s.clock += 10 * time.Second
			s.report(s.clock)
		}, map[string]int64{"12": 9}},
		"a silence that ended before the sensor had a cadence is none": {func(s *street) {
			s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{} })
			s.report(0)
			s.clock = 5 * time.Hour
			s.report(s.clock)
			s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{Cadence: time.Minute} })
			s.clock += time.Minute
			s.report(s.clock)
		}, nil},
		"a sensor that moves stays what it was": {func(s *street) {
			s.report(0)
			s.clock = 10 * time.Minute
			s.report(s.clock)
			s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{Site: "park", Cadence: time.Minute} })
			s.report(5 * time.Minute)
			s.clock = 13 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 8 + 2}},
		"nothing is missing of the time in which it was not registered": {func(s *street) {
			s.report(0)
			s.clock = 10 * time.Minute
			s.report(s.clock)
			s.register(func(all map[telemetry.SensorID]Sensor) { delete(all, "loop-1") })
			s.clock = 20 * time.Minute
			s.report(s.clock)
			s.clock = 30 * time.Minute
			s.register(func(all map[telemetry.SensorID]Sensor) {
				all["loop-1"] = Sensor{Cadence: time.Minute, Since: telemetry.MilliOf(s.start.Add(s.clock))}
			})
			s.report(5 * time.Minute) // late, from before
			s.clock = 35 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 8 + 4}},
	})
}

func TestClocksThatAreWrongMakeNothingMissing(t *testing.T) {
	played(t, map[string]play{
		"a clock that begins in another year": {func(s *street) {
			s.register(func(all map[telemetry.SensorID]Sensor) {
				all["loop-1"] = Sensor{Cadence: time.Minute, Since: telemetry.MilliOf(s.start)}
			})
			s.publish(`{"time":"2000-01-01T00:00:00Z","speed":1}`)
			s.restart()
			s.clock = 3 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 2}},
		"a clock that falls back for a while": {func(s *street) {
			s.every(time.Minute, 10*time.Minute)
			for range 5 {
				s.clock += time.Minute
				s.publish(fmt.Sprintf(`{"time":%d,"speed":1}`, s.start.Add(s.clock-26*365*24*time.Hour).UnixMilli()))
			}
			s.clock += time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 5}},
		"a clock that is ahead, and is set right": {func(s *street) {
			s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{Cadence: time.Second} })
			s.every(time.Second, 20*time.Second)
			for range 20 {
				s.clock += time.Second
				s.report(s.clock + 299*time.Second + 500*time.Millisecond)
			}
			s.clock += time.Second
			s.every(time.Second, 20*time.Minute)
		}, nil},
		"a clock that is ahead hides no silence": {func(s *street) {
			s.report(4 * time.Minute)
			s.clock = 10 * time.Minute
			s.report(14 * time.Minute)
		}, map[string]int64{"12": 9}},
	})
}

func TestMessagesWithoutATimeThatWaitedAreNotMissing(t *testing.T) {
	played(t, map[string]play{
		"a reading stamped on receipt": {func(s *street) {
			s.publish(`{"speed":1}`)
			s.clock = 10 * time.Minute
			s.publish(`{"speed":1}`)
			s.clock = 11 * time.Minute
			s.publish(`{"speed":1}`)
		}, map[string]int64{"12": 9}},
		"stamped ones that had waited together are none that did not come": {func(s *street) {
			s.publish(`{"speed":1}`)
			s.clock = 100 * time.Minute
			s.publish(strings.Split(strings.Repeat(`{"speed":1} `, 50), " ")[:50]...)
			s.clock += time.Second
			s.publish(strings.Split(strings.Repeat(`{"speed":2} `, 47), " ")[:47]...)
			s.clock += time.Minute
			s.publish(`{"speed":1}`) // is no more of them
			s.clock += time.Second
			s.publish(`{"speed":1}`)
		}, map[string]int64{"13": 3}},
		"nor are there ever less than none": {func(s *street) {
			s.publish(`{"speed":1}`)
			s.clock = 3 * time.Minute
			s.publish(strings.Split(strings.Repeat(`{"speed":1} `, 50), " ")[:50]...)
		}, nil},
	})
}

// A frame that is begun anew, because one of its messages makes judging panic, counts what is missing once.
func TestFrameThatStartsOverCountsMissingOnce(t *testing.T) {
	s := newStreet(t)
	s.report(0)
	s.clock = time.Hour
	s.report(s.clock)
	s.restart()
	var f frame.Frame
	s.judge.begin(&f, s, s.start.Add(s.clock), false)
	want := int64(-2 + 7) // 62 parts what lies between 61 and 70
	for range 3 {
		for _, minute := range []int64{61, 5, 70, 62, 8} {
			d := delivery("city/loop-1/readings", fmt.Sprintf(`{"time":%d,"speed":1}`, s.start.UnixMilli()+60_000*minute))
			d.Received = telemetry.MilliOf(s.start.Add(2 * time.Hour))
			s.judge.add(d)
		}
		got := int64(0)
		for _, m := range f.Minutes {
			got += m.Missing
		}
		if got != want || len(f.Silences) != 1 || len(f.Silences[0].Open) != 4 {
			t.Errorf("%d more missing, want %d; silences %+v", got, want, f.Silences)
		}
		s.judge.startOver()
	}
}
