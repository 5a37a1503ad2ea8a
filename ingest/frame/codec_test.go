package frame_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

func example() *frame.Frame {
	return &frame.Frame{
		Serial:   1 << 60,
		Received: 1_740_000_000_000,
		Minutes: []frame.Minute{
			{Sensor: "loop-1", Minute: 29_000_000, Newest: 1_740_000_000_123, Counts: frame.Counts{
				Received: 9, Duplicate: 1, Late: 2, Stamped: 3, Accepted: 8, Reports: 4, Missing: -5,
			}},
			{Sensor: "", Minute: -1},
		},
		Rejections: []frame.Rejection{{Sensor: "loop-1", Minute: 29_000_001, Reason: telemetry.ReasonRange, N: 7}},
		Sequences:  []frame.Sequence{{Publisher: "bridge-1", Seq: 1 << 63}},
		Silences: []frame.SensorSilences{
			{Sensor: "loop-1", Open: []frame.Silence{
				{From: 1_740_000_000_000, To: 1_740_000_060_000, End: 1_740_000_090_000, Cadence: 10 * time.Second},
				{From: -5, To: 0, End: 0, Cadence: time.Millisecond},
			}},
			{Sensor: "loop-2"},
		},
		Refused: []frame.Refused{{
			Received: 1_740_000_000_000, Minute: 29_000_000, Topic: "city/bridge-1/readings", Publisher: "bridge-1", Payload: []byte{0, 1, 255}, SizeBytes: 10_000_000,
			Faults: []frame.Fault{{Reason: telemetry.ReasonTooLarge, Counted: "bridge-1", Sensor: "x", Detail: "10 MB", Readings: 1}},
		}},
		Released: []int64{3, -4},
		Lines:    []byte("traffic,sensor=loop-1 speed=47 1740000000123\n"),
		Accepted: []uint16{1, 65535},
		Suspects: []frame.Suspect{{Line: 0, Domain: telemetry.Traffic, Sensor: "loop-1", Quantity: "speed", Channel: "2", Measured: 1_740_000_000_123, Value: -47.25, Late: true}},
	}
}

func TestParseReturnsWhatWasAppended(t *testing.T) {
	parser := frame.NewParser()
	for name, want := range map[string]*frame.Frame{"full": example(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			var got frame.Frame
			if err := parser.Parse(frame.Append(nil, want), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, &got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefusesAFrameThatIsCutAnywhere(t *testing.T) {
	whole := frame.Append(nil, example())
	parser := frame.NewParser()
	for n := range whole {
		var got frame.Frame
		if err := parser.Parse(whole[:n], &got); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a frame", n, len(whole))
		}
	}
	var got frame.Frame
	if err := parser.Parse(append(whole, 0), &got); err == nil {
		t.Error("a byte too many was not noticed")
	}
}

func TestFrameOfAnotherVersionIsToldFromADamagedOne(t *testing.T) {
	data := frame.Append(nil, example())
	data[0]++
	var got frame.Frame
	if err := frame.NewParser().Parse(data, &got); !errors.Is(err, frame.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	if err := frame.NewParser().Parse([]byte{1}, &got); err == nil || errors.Is(err, frame.ErrVersion) {
		t.Errorf("damage: %v", err)
	}
}

// Example as version 1, which knew no silences, and version 2 wrote it.
const (
	byVersion1 = "0180808080808080801080e0a781a46502066c6f6f702d318085d41bf6e1a781a465120204061008090001000000000000000001066c6f6f702d3182" +
		"85d41b0b0e01086272696467652d31808080808080808080010180e0a781a4658085d41b16636974792f6272696467652d312f72656164696e677308" +
		"6272696467652d31030001ff80dac4090102086272696467652d310178053130204d42020206072d747261666669632c73656e736f723d6c6f6f702d" +
		"312073706565643d343720313734303030303030303132330a0201ffff03010001066c6f6f702d310573706565640132f6e1a781a4650000000000a0" +
		"47c001"
	byVersion2 = "0280808080808080801080e0a781a46502066c6f6f702d318085d41bf6e1a781a4650112020406100809000100000000000000000001066c6f6f702d" +
		"318285d41b0b0e01086272696467652d318080808080808080800102066c6f6f702d310280e0a781a465c0a907e0d4038090dfc04a090a0080897a06" +
		"6c6f6f702d32000180e0a781a4658085d41b16636974792f6272696467652d312f72656164696e6773086272696467652d31030001ff80dac4090102" +
		"086272696467652d310178053130204d42020206072d747261666669632c73656e736f723d6c6f6f702d312073706565643d34372031373430303030" +
		"3030303132330a0201ffff03010001066c6f6f702d310573706565640132f6e1a781a4650000000000a047c001"
)

func TestSpoolsOfVersionsBeforeAreRead(t *testing.T) {
	withoutSilences := example()
	withoutSilences.Silences = nil
	for written, want := range map[string]*frame.Frame{byVersion1: withoutSilences, byVersion2: example()} {
		data, err := hex.DecodeString(written)
		if err != nil {
			t.Fatal(err)
		}
		var got frame.Frame
		if err := frame.NewParser().Parse(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, &got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("version %s: %s", written[:2], diff)
		}
	}
}

func TestParseOfKnownSensorsAllocatesNothing(t *testing.T) {
	f := example()
	f.Refused, f.Silences = nil, nil
	data := frame.Append(nil, f)
	parser := frame.NewParser()
	var got frame.Frame
	if err := parser.Parse(data, &got); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = parser.Parse(data, &got) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(frame.Append(nil, example()))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, again frame.Frame
		if frame.NewParser().Parse(data, &first) != nil {
			return
		}
		if err := frame.NewParser().Parse(frame.Append(nil, &first), &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
			t.Error(diff)
		}
	})
}
