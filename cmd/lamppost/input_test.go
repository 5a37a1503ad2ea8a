package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// sensorsCSV registers loop-1 (publishes itself), loop-2 (by bridge-1) and air-1.
const sensorsCSV = `sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities
loop-1,Loop 1,corner,Corner,harbour,9.99,53.55,,60,speed intensity
loop-2,Loop 2,corner,Corner,harbour,9.99,53.55,bridge-1,60,speed
air-1,Air 1,park,Park,harbour,9.98,53.56,,60,no2 pm10
`

func register(t *testing.T, city *endtoend.City) {
	t.Helper()
	if err := city.Post("/api/v1/sensors/import", "text/csv", sensorsCSV, nil); err != nil {
		t.Fatal(err)
	}
	endtoend.Eventually(t, 5*time.Second, "ingest knows the sensors", func() error { return city.Get("/api/v1/sensors/air-1", nil) })
}

// session publishes to a city and dials again where the broker has closed the connection.
func session(t *testing.T, city *endtoend.City) *endtoend.Publisher {
	t.Helper()
	p, err := endtoend.Dial(city.MQTT, "test-"+strings.ReplaceAll(t.Name(), "/", "-"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// quarantined is an entry of the API's quarantine.
type quarantined struct {
	ID        int64  `json:"id"`
	Reason    string `json:"reason"`
	Topic     string `json:"topic"`
	Publisher string `json:"publisher"`
	Sensor    string `json:"sensor"`
	Detail    string `json:"detail"`
	Readings  int64  `json:"readings"`
	SizeBytes int64  `json:"size_bytes"`
	Payload   []byte `json:"payload_base64"`
	Truncated bool   `json:"truncated"`
	Faults    []struct {
		Reason string `json:"reason"`
		Sensor string `json:"sensor"`
	} `json:"faults"`
}

type quarantineList struct {
	Items []quarantined `json:"items"`
	Total int           `json:"total"`
}

// refusal is a bad message, and what must become of it.
type refusal struct {
	name, payload string
	// topic is city/loop-1/readings if empty.
	topic string
	// kept is the topic in quarantine, where the broker hands it on as another.
	kept string
	// reasons are all that must be found wrong with it, in the order in which they are found.
	reasons []string
	// survivors are how many readings of it are good.
	survivors int64
	truncated bool
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// badInput is every item of what a city's brokers really get, beside good neighbours in the same message where there is room.
func badInput(t *testing.T) []refusal {
	const at = `"time":"2026-03-01T12:00:%02dZ"`
	second := 0
	next := func() string { second++; return fmt.Sprintf(at, second) }
	whole := encode(t, []map[any]any{{0: "speed", 1: "km/h", 2: 50.5, 6: 1772366400}, {0: "intensity", 2: 12, 6: 1772366400}})
	return []refusal{
		{name: "nothing at all", payload: "", reasons: []string{"malformed"}},
		{name: "text", payload: "hello", reasons: []string{"malformed"}},
		{name: "JSON that ends too early", payload: `{` + next() + `,"speed":1,"intensity":`, reasons: []string{"malformed"}, survivors: 1},
		{name: "JSON with a comma too many", payload: `{"speed":1,}`, reasons: []string{"malformed"}, survivors: 1},
		{name: "JSON that is not an object", payload: `[1,2,3]`, reasons: []string{"malformed"}},
		{name: "CBOR that ends too early", payload: whole[:len(whole)-3], reasons: []string{"malformed"}, survivors: 1},
		{name: "CBOR of something else", payload: encode(t, "a text"), reasons: []string{"malformed"}},
		{name: "bytes of 255", payload: strings.Repeat("\xff", 100), reasons: []string{"malformed"}},
		{name: "ten megabytes", payload: `{"speed":` + strings.Repeat("1", 10<<20) + `}`, reasons: []string{"too_large"}, truncated: true},
		{name: "an unknown sensor", topic: "city/nobody-1/readings", payload: `{` + next() + `,"speed":1}`, reasons: []string{"unregistered"}},
		{
			name: "an unknown sensor beside a known one", payload: `[{"n":"speed","v":3,"u":"km/h","t":1772366500},{"n":"nobody-2/speed","v":3,"u":"km/h","t":1772366500}]`,
			reasons: []string{"unregistered"}, survivors: 1,
		},
		{name: "the sensor of another publisher", payload: `[{"n":"loop-2/speed","v":3,"u":"km/h","t":1772366501}]`, reasons: []string{"not_allowed"}},
		{name: "an unknown quantity", payload: `{` + next() + `,"speed":4,"mood":5}`, reasons: []string{"unknown_quantity"}, survivors: 1},
		{name: "a wrong unit", payload: `[{"n":"speed","v":3,"u":"Cel","t":1772366502},{"n":"intensity","v":7,"t":1772366502}]`, reasons: []string{"unit"}, survivors: 1},
		{name: "NaN in JSON", payload: `{"speed":NaN}`, reasons: []string{"not_a_number"}},
		{name: "NaN and infinity in CBOR", payload: encode(t, []map[any]any{
			{0: "speed", 1: "km/h", 2: math.NaN(), 6: 1772366503}, {0: "intensity", 2: math.Inf(1), 6: 1772366503}, {0: "occupancy", 2: 0.5, 6: 1772366503},
		}), reasons: []string{"not_a_number"}, survivors: 1},
		{name: "a text for a number", payload: `{` + next() + `,"speed":"fast","intensity":8}`, reasons: []string{"not_a_number"}, survivors: 1},
		{name: "a number too large for a float", payload: `{` + next() + `,"speed":1e999,"intensity":8}`, reasons: []string{"not_a_number"}, survivors: 1},
		{name: "a value that cannot be", payload: `{` + next() + `,"speed":-5,"intensity":8}`, reasons: []string{"range"}, survivors: 1},
		{name: "the year 1970", payload: `{"time":"1970-01-01T00:00:00Z","speed":1}`, reasons: []string{"too_old"}},
		{name: "the year 2100", payload: `{"time":"2100-01-01T00:00:00Z","speed":1}`, reasons: []string{"future"}},
		{name: "a time that is none", payload: `{"time":"yesterday","speed":1}`, reasons: []string{"time"}},
		{name: "text that is not UTF-8", payload: "{" + next() + ",\"speed\":1,\"no\xffte\":2}", reasons: []string{"encoding"}, survivors: 1},
		{
			name: "several things at once", payload: `[{"n":"speed","v":3,"u":"Cel","t":1772366504},{"n":"mood","v":7,"t":1772366504},{"n":"speed","v":3,"u":"km/h","t":4102444800},{"n":"intensity","v":9,"t":1772366504}]`,
			reasons: []string{"unit", "unknown_quantity", "future"}, survivors: 1,
		},
		{name: "a topic with a level too many", topic: "city/loop-1/readings/now", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic with a level too few", topic: "city/loop-1", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic that is the root", topic: "city", kept: "city/", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic with an empty level", topic: "city//readings", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic that ends in a slash", topic: "city/loop-1/readings/", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic with another last level", topic: "city/loop-1/reading", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic with capitals", topic: "city/LOOP-1/readings", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic with a full stop", topic: "city/loop.1/readings", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic with umlauts", topic: "city/schläuche/readings", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a topic that looks like a wildcard of another broker", topic: "city/>/readings", payload: `{"speed":1}`, reasons: []string{"topic"}},
		{name: "a long topic", topic: "city/" + strings.Repeat("a", 3000) + "/readings", payload: `{"speed":1}`, reasons: []string{"topic"}},
	}
}

// TestBadInputIsKeptWithItsReasonAndHarmsNobody publishes each bad message between two good ones.
func TestBadInputIsKeptWithItsReasonAndHarmsNobody(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	register(t, city)
	p := session(t, city)
	var accepted int64
	bad := badInput(t)
	for i, b := range bad {
		topic := b.topic
		if topic == "" {
			topic = "city/loop-1/readings"
		}
		good := fmt.Sprintf(`{"time":"2026-03-02T12:%02d:00Z","no2":%d}`, i, i)
		for _, m := range [][2]string{{topic, b.payload}, {"city/air-1/readings", good}} {
			if err := p.Publish(m[0], m[1]); err != nil {
				t.Fatalf("%s: %v", b.name, err)
			}
		}
		accepted += b.survivors + 1
	}
	var list quarantineList
	endtoend.Eventually(t, 30*time.Second, "every bad message is in quarantine", func() error {
		if err := city.Get("/api/v1/quarantine?limit=1000", &list); err != nil || list.Total < len(bad) {
			return fmt.Errorf("%d messages of %d, %w", list.Total, len(bad), err)
		}
		return nil
	})
	if list.Total != len(bad) || len(list.Items) != len(bad) {
		t.Errorf("%d messages are in quarantine, %d listed, want %d", list.Total, len(list.Items), len(bad))
	}
	counted := map[string]int64{}
	for i := range min(len(bad), len(list.Items)) {
		b, got := bad[i], list.Items[len(list.Items)-1-i] // the newest comes first
		t.Run(b.name, func(t *testing.T) { checkRefusal(t, b, got) })
	}
	ledger := city.Settled(accepted, 30*time.Second)
	if ledger.Duplicate != 0 {
		t.Errorf("duplicates: %d", ledger.Duplicate)
	}
	for _, q := range list.Items {
		for _, f := range q.Faults {
			counted[f.Reason]++
		}
	}
	for reason, n := range counted {
		if ledger.Rejected[reason] < n {
			t.Errorf("the ledger counts %d readings refused for %s, the quarantine has %d messages", ledger.Rejected[reason], reason, n)
		}
	}
	stored, err := endtoend.ReadStore(t.Context(), city.Store())
	if err != nil {
		t.Fatal(err)
	}
	if n := stored.Count(); n != accepted {
		t.Errorf("the store has %d readings, want %d", n, accepted)
	}
	city.MustBeClean()
	city.Stop()
}

func checkRefusal(t *testing.T, b refusal, got quarantined) {
	var reasons []string
	for _, f := range got.Faults {
		reasons = append(reasons, f.Reason)
	}
	if diff := cmp.Diff(b.reasons, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if got.Detail == "" {
		t.Error("no detail says what is wrong")
	}
	topic := b.topic
	if topic == "" {
		topic = "city/loop-1/readings"
	}
	if b.kept != "" {
		topic = b.kept
	}
	if got.Topic != topic {
		t.Errorf("topic %q, want %q", got.Topic, topic)
	}
	if got.SizeBytes != int64(len(b.payload)) || got.Truncated != b.truncated {
		t.Errorf("size %d, cut: %t; want %d, %t", got.SizeBytes, got.Truncated, len(b.payload), b.truncated)
	}
	if want := []byte(b.payload); !b.truncated && !bytes.Equal(got.Payload, want) || b.truncated && !bytes.HasPrefix(want, got.Payload) {
		t.Errorf("payload %s", base64.StdEncoding.EncodeToString(got.Payload))
	}
}

// TestNoTopicIsAcknowledgedAndForgotten: for a topic that ingest does not read there is either no PUBACK, or the message is kept.
func TestNoTopicIsAcknowledgedAndForgotten(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	register(t, city)
	var total int
	for _, topic := range []string{
		"readings", "City/loop-1/readings", "/city/loop-1/readings", "town/loop-1/readings", "$share/g/city/loop-1/readings", "$SYS/city", "$JS/API/INFO",
		"city/loop-1/+", "city/#", "city/a\x00b/readings", "city/\xff\xfe/readings", "city/loop 1/readings", "",
	} {
		p, err := endtoend.Dial(city.MQTT, "odd")
		if err != nil {
			t.Fatalf("%q: %v", topic, err)
		}
		err = p.Publish(topic, `{"speed":1}`)
		_ = p.Close()
		var list quarantineList
		if err == nil {
			deadline := time.Now().Add(2 * time.Second)
			for list.Total <= total && time.Now().Before(deadline) {
				if e := city.Get("/api/v1/quarantine?limit=1", &list); e != nil {
					t.Fatal(e)
				}
			}
			if list.Total <= total {
				t.Errorf("a message to %q was acknowledged, and is nowhere", topic)
			}
			total = max(total, list.Total)
		}
		t.Logf("%q: refused: %v", topic, err)
	}
	// And the line goes on.
	p := session(t, city)
	if err := p.Publish("city/loop-1/readings", `{"time":"2026-03-01T12:00:00Z","speed":50}`); err != nil {
		t.Fatal(err)
	}
	city.Settled(1, 10*time.Second)
	city.Stop()
}

// TestQuarantineIsReplayedWhenTheCauseIsMended holds the third promise to its end.
func TestQuarantineIsReplayedWhenTheCauseIsMended(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	p := session(t, city)
	for i := range 50 {
		if err := p.Publish("city/loop-1/readings", fmt.Sprintf(`{"time":"2026-03-01T12:%02d:00Z","speed":%d,"intensity":1}`, i, i)); err != nil {
			t.Fatal(err)
		}
	}
	var before endtoend.Ledger
	endtoend.Eventually(t, 10*time.Second, "all are refused", func() error {
		before = endtoend.Ledger{}
		if err := city.Get("/api/v1/ledger", &before); err != nil || before.Rejected["unregistered"] != 100 {
			return fmt.Errorf("%+v, %w", before, err)
		}
		return nil
	})
	register(t, city)
	endtoend.Eventually(t, 10*time.Second, "all are taken", func() error {
		if err := city.Post("/api/v1/quarantine/replay", "application/json", `{"reason":"unregistered"}`, nil); err != nil {
			return err
		}
		var list quarantineList
		if err := city.Get("/api/v1/quarantine", &list); err != nil || list.Total != 0 {
			return fmt.Errorf("%d messages are left, %w", list.Total, err)
		}
		return nil
	})
	ledger := city.Settled(100, 10*time.Second)
	want := endtoend.Ledger{Received: 100, Late: ledger.Late, Rejected: ledger.Rejected, Accepted: 100, Written: 100}
	if diff := cmp.Diff(want, ledger); diff != "" || ledger.Rejected["unregistered"] != 0 {
		t.Errorf("ledger (-want +got):\n%s rejected %v", diff, ledger.Rejected)
	}
	stored, err := endtoend.ReadStore(context.Background(), city.Store())
	if err != nil || stored.Count() != 100 {
		t.Errorf("the store has %d readings, %v", stored.Count(), err)
	}
	city.MustBeClean()
	city.Stop()
}
