package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestNumbersAndCadenceCountNothingTwice(t *testing.T) {
	played(t, map[string]play{
		"a sensor that had sent nothing owes it all the same": {func(s *street) {
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.numbered(s.clock)
		}, map[string]int64{"12": 59, "13": 60}},
		"what was sent and lost is counted once, when it was due": {func(s *street) {
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.seq += 119
			s.numbered(s.clock)
		}, map[string]int64{"12": 59, "13": 60}},
		"also over a restart": {func(s *street) {
			s.numbered(0)
			s.restart()
			s.clock = 2 * time.Hour
			s.seq += 119
			s.numbered(s.clock)
			s.restart()
			s.clock += time.Minute
			s.numbered(s.clock)
		}, map[string]int64{"12": 59, "13": 60}},
		"numbers tell more of a sensor that sends more often than it has to": {func(s *street) {
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.seq += 719
			s.numbered(s.clock)
		}, map[string]int64{"12": 59, "13": 60, "14": 600}},
		"and less of one that was off for most of the time": {func(s *street) {
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.seq += 3
			s.numbered(s.clock)
		}, map[string]int64{"12": 59, "13": 60}},
		"numbers alone tell where every report that was due came": {func(s *street) {
			s.numbered(0)
			s.seq += 3
			s.clock = time.Minute
			s.numbered(s.clock)
			s.clock = 11 * time.Minute
			s.numbered(s.clock)
		}, map[string]int64{"12": 3 + 9}},
		"without a cadence numbers alone tell": {func(s *street) {
			s.register(func(all map[telemetry.SensorID]Sensor) { all["loop-1"] = Sensor{} })
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.seq += 9
			s.numbered(s.clock)
			s.seq = 5
			s.clock += time.Hour
			s.numbered(time.Minute) // is taken back where it was counted
		}, map[string]int64{"14": 8}},
		"a publisher that begins to number, and ceases": {func(s *street) {
			s.report(0)
			s.clock = 10 * time.Minute
			s.numbered(s.clock)
			s.clock = 20 * time.Minute
			s.numbered(s.clock)
			s.clock = 30 * time.Minute
			s.report(s.clock)
		}, map[string]int64{"12": 27}},
	})
}

func TestNumberedReportsThatComeLateAreTakenBack(t *testing.T) {
	played(t, map[string]play{
		"a backlog behind the newest takes all of it back": {func(s *street) {
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.publish(fmt.Sprintf(`{"time":%d,"seq":121,"speed":1}`, s.start.Add(s.clock).UnixMilli()))
			for s.seq < 120 {
				s.numbered(time.Duration(s.seq) * time.Minute)
			}
		}, nil},
		"from its end, twice, and from a sensor that sends more often than it has to": {func(s *street) {
			s.numbered(0)
			s.clock = 2 * time.Hour
			s.publish(fmt.Sprintf(`{"time":%d,"seq":241,"speed":1}`, s.start.Add(s.clock).UnixMilli()))
			for range 2 {
				for seq := 239; seq > 0; seq-- {
					s.seq = seq
					s.numbered(time.Duration(seq) * 30 * time.Second)
				}
			}
		}, nil},
		"a late one that is numbered is taken back as well": {func(s *street) {
			s.report(0)
			s.clock = 10 * time.Minute
			s.report(s.clock)
			s.numbered(5 * time.Minute)
		}, map[string]int64{"12": 8}},
	})
}

func TestPublishersMayCountAnew(t *testing.T) {
	played(t, map[string]play{
		"a sensor that starts to count anew": {func(s *street) {
			s.seq = 500
			s.numbered(0)
			s.clock = 10 * time.Minute
			s.seq = 0
			s.numbered(s.clock)
			s.clock += time.Minute
			s.seq += 5 // its numbers are known from then on
			s.numbered(s.clock)
		}, map[string]int64{"12": 9 + 5}},
		"even while ingest was away": {func(s *street) {
			s.seq = 500
			s.numbered(0)
			s.restart()
			s.clock = 10 * time.Minute
			s.seq = 0
			s.numbered(s.clock)
			s.restart()
			s.clock += time.Minute
			s.seq += 5
			s.numbered(s.clock)
		}, map[string]int64{"12": 9 + 5}},
		"a message that is delivered again does not": {func(s *street) {
			s.seq = 7
			s.numbered(0)
			s.clock = time.Minute
			s.numbered(s.clock)
			s.seq = 7
			s.numbered(0)
			s.seq = 9
			s.clock = 2 * time.Minute
			s.numbered(s.clock)
		}, nil},
	})
}

// Of what was lost behind a gateway the cadences of its sensors tell, and its numbers the rest.
func TestGatewayThatWasAwayIsNotCountedBesideItsSensors(t *testing.T) {
	s := newStreet(t)
	s.register(func(all map[telemetry.SensorID]Sensor) {
		all["gateway"] = Sensor{}
		for _, id := range []telemetry.SensorID{"loop-1", "loop-2"} {
			all[id] = Sensor{Cadence: time.Minute, Publisher: "gateway"}
		}
	})
	seq := 0
	send := func(sensor telemetry.SensorID) {
		seq++
		s.publishOn("city/gateway/readings", fmt.Sprintf(`[{"n":"seq","v":%d},{"n":"%s/speed","u":"km/h","t":%d,"v":1}]`, seq, sensor, s.start.Add(s.clock).Unix()))
	}
	send("loop-1")
	send("loop-2")
	s.clock = 10 * time.Minute
	seq += 18
	send("loop-1")
	send("loop-2")
	if got := s.ledger.City().Missing; got != 18 {
		t.Errorf("%d missing, want 18", got)
	}
	s.clock = 20 * time.Minute
	seq += 25 // five of something else
	send("loop-1")
	send("loop-2")
	if got := s.ledger.City().Missing; got != 18+25 {
		t.Errorf("%d missing, want %d", got, 18+25)
	}
	s.clock = 30 * time.Minute
	send("loop-1")
	for ; s.clock < 50*time.Minute; s.clock += time.Minute {
		send("loop-1")
	}
	send("loop-2") // it alone was away
	if got := s.ledger.City().Missing; got != 18+25+9+29 {
		t.Errorf("%d missing, want %d", got, 18+25+9+29)
	}
}

func TestFrameThatStartsOverCountsNumbersOnce(t *testing.T) {
	s := newStreet(t)
	s.numbered(0)
	var f frame.Frame
	s.clock = time.Hour
	s.judge.begin(&f, s, s.start.Add(s.clock), false)
	for range 3 {
		for _, seq := range []int{200, 50, 201, 51} {
			d := delivery("city/loop-1/readings", fmt.Sprintf(`{"time":%d,"seq":%d,"speed":1}`, s.start.UnixMilli()+18_000*int64(seq), seq))
			d.Received = telemetry.MilliOf(s.start.Add(2 * time.Hour))
			s.judge.add(d)
		}
		got := int64(0)
		for _, m := range f.Minutes {
			got += m.Missing
		}
		if got < 196 || got > 198 {
			t.Errorf("%d missing, want about 197", got)
		}
		s.judge.startOver()
	}
}

func TestSequenceNumbersShowWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name string
		seqs []uint64
		want int64
	}{
		{"none missing", []uint64{5, 6, 7}, 0},
		{"a gap", []uint64{5, 9}, 3},
		{"a gap that is filled later", []uint64{5, 9, 6, 8, 7}, 0},
		{"one delivered twice", []uint64{5, 6, 6, 5}, 0},
		{"a missing one delivered twice", []uint64{5, 9, 7, 7}, 2},
		{"the publisher starts anew at nought", []uint64{1 << 40, 0, 1}, 0},
		{"the publisher starts anew far ahead", []uint64{1, 1 << 40}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p numbers
			missing := int64(0)
			for i, seq := range c.seqs {
				_, more := p.number(numbered{seq: seq, message: uint64(i)})
				missing += more
			}
			if missing != c.want {
				t.Errorf("%d missing, want %d", missing, c.want)
			}
		})
	}
}

func TestGapsAreBounded(t *testing.T) {
	var p numbers
	note := func(seq uint64) {
		t.Helper()
		p.number(numbered{seq: seq})
		if len(p.gaps) > maxGaps {
			t.Fatalf("%d gaps are remembered", len(p.gaps))
		}
	}
	for seq := uint64(0); seq < 10*maxGaps; seq += 2 {
		note(seq)
	}
	note(1000 * maxGaps)
	for seq := uint64(20 * maxGaps); seq < 30*maxGaps; seq += 2 { // parts the gap again and again
		note(seq)
	}
}
