package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

func TestCityAndQuantities(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.CityName, s.cfg.CityZone = "Aveiro", "Europe/Lisbon" })
	if got := decode[api.City](s.get("/api/v1/city")); got != (api.City{Name: "Aveiro", Zone: "Europe/Lisbon", Version: "1.2.3", API: 1}) {
		t.Errorf("city is %+v", got)
	}
	a := s.get("/api/v1/quantities")
	list := decode[api.QuantityList](a)
	if len(list.Items) != len(telemetry.Quantities()) {
		t.Errorf("%d quantities, the catalogue has %d", len(list.Items), len(telemetry.Quantities()))
	}
	for _, q := range list.Items {
		if q.Name == "speed" && (q.Unit != "km/h" || q.Domain != "traffic" || q.Kind != "gauge" || q.Max != 300) {
			t.Errorf("speed is %+v", q)
		}
	}
	s.get("/api/v1/quantities", "If-None-Match", a.header.Get("Etag")).want(http.StatusNotModified)
}

func TestLatest(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	list := func(query string) string {
		got := decode[api.ReadingList](s.get("/api/v1/latest" + query))
		text := ""
		for _, r := range got.Items {
			text += r.Sensor + "/" + r.Quantity + " "
		}
		return fmt.Sprint(text, got.Total)
	}
	for query, want := range map[string]string{
		"":                               "air-1/no2 air-1/temperature air-2/no2 3",
		"?sensor=air-2":                  "air-2/no2 1",
		"?sensor=air-2&sensor=air-1":     "air-1/no2 air-1/temperature air-2/no2 3",
		"?sensor=loop-1":                 "0",
		"?sensor=unknown":                "0",
		"?quantity=no2":                  "air-1/no2 air-2/no2 2",
		"?district=harbour":              "0",
		"?district=old-town":             "air-1/no2 air-1/temperature air-2/no2 3",
		"?district=harbour&sensor=air-1": "0",
		"?domain=energy":                 "0",
		"?site=market":                   "air-1/no2 air-1/temperature air-2/no2 3",
		"?site=ring,market&sensor=air-2": "air-2/no2 1",
		"?bbox=13,52,13.45,53":           "air-1/no2 air-1/temperature air-2/no2 3",
		"?bbox=13.45,52,14,53":           "0",
	} {
		if got := list(query); got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
}

func TestLatestWithPlaces(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.change("PUT", "/api/v1/sensors/stray-1", `{"title":"Stray","quantities":["no2"]}`).want(http.StatusCreated)
	s.latest.readings["stray-1"] = []telemetry.Reading{{Sensor: "stray-1", Quantity: quantity(t, "no2"), Value: 1, Measured: telemetry.MilliOf(time.Now().Add(time.Hour))}}
	got := decode[api.ReadingList](s.get("/api/v1/latest?quantity=no2&place=true")).Items
	for i, age := range []float64{131, 100, -3600} {
		if math.Abs(got[i].AgeS-age) > 60 {
			t.Errorf("%s is %v s old, want about %v", got[i].Sensor, got[i].AgeS, age)
		}
		got[i].AgeS, got[i].Reading = 0, api.Reading{Sensor: got[i].Sensor}
	}
	lon, lat := 13.4, 52.5
	want := []api.PlacedReading{
		{
			Reading: api.Reading{Sensor: "air-1"}, Site: "market", SiteTitle: "Market Square", District: "old-town", Lon: &lon, Lat: &lat,
			SensorTitle: "Air at the market", SensorState: "silent",
		},
		{Reading: api.Reading{Sensor: "air-2"}, Site: "market", SiteTitle: "Market Square", District: "old-town", Lon: &lon, Lat: &lat, SensorTitle: "air-2", SensorState: "ok"},
		{Reading: api.Reading{Sensor: "stray-1"}, SensorTitle: "Stray", SensorState: "ok"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readings with places (-want +got):\n%s", diff)
	}
	if plain := s.get("/api/v1/latest?quantity=no2"); strings.Contains(string(plain.body), "age_s") {
		t.Errorf("places come unasked: %s", plain.body)
	}
}

// A map of a large city is one call: 10,000 sensors with a reading each, and as a list with every field, are below 5 MB.
func TestTenThousandSensorsAreOneAnswer(t *testing.T) {
	s := start(t, nil)
	aLargeCity(s, 10_000)
	for _, c := range []struct {
		path  string
		items int
	}{
		{"/api/v1/latest?quantity=no2&place=true", 10_000},
		{"/api/v1/latest?bbox=13.3,52.4,13.6,52.7&quantity=no2&place=true", 10_000},
		{"/api/v1/sensors?limit=10000", 10_000},
	} {
		began := time.Now()
		a := s.get(c.path)
		took := time.Since(began)
		list := decode[struct{ Items []json.RawMessage }](a)
		if len(list.Items) != c.items || len(a.body) > 5_000_000 {
			t.Errorf("%s: %d items in %d bytes", c.path, len(list.Items), len(a.body))
		}
		t.Logf("%s: %d bytes in %s", c.path, len(a.body), took)
		packed := s.get(c.path, "Accept-Encoding", "gzip").want(http.StatusOK)
		if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body) > len(a.body)/4 {
			t.Errorf("%s: %d bytes are packed into %d", c.path, len(a.body), len(packed.body))
		}
	}
}

// aLargeCity registers sensors with ids and titles of an ordinary length, each with a reading.
func aLargeCity(s *server, n int) {
	s.t.Helper()
	csv := []byte(header)
	no2, now := quantity(s.t, "no2"), telemetry.MilliOf(time.Now())
	for i := range n {
		id := telemetry.SensorID(fmt.Sprintf("air-quality-%05d", i))
		csv = fmt.Appendf(csv, "%s,Air quality at lamp post %d,site-%04d,Corner of street %d,district-%02d,%.5f,%.5f,bridge-%03d,60,no2 temperature\n",
			id, i, i/3, i/3, i/3%30, 13.3+float64(i/3%100)*0.003, 52.4+float64(i/300)*0.008, i%400)
		s.latest.readings[id] = []telemetry.Reading{{Sensor: id, Quantity: no2, Value: float64(i%500) / 10, Measured: now - telemetry.UnixMilli(i%60_000)}}
	}
	s.change("POST", "/api/v1/sensors/import", string(csv)).want(http.StatusOK)
}

func TestReadingsAreExactInJSON(t *testing.T) {
	s := start(t, nil)
	s.change("PUT", "/api/v1/sensors/odd-1", `{"quantities":["no2"]}`).want(http.StatusCreated)
	var state *telemetry.Quantity
	for i := range telemetry.Quantities() {
		if q := &telemetry.Quantities()[i]; q.Kind == telemetry.State {
			state = q
		}
	}
	if state == nil {
		t.Fatal("the catalogue has no state")
	}
	no2 := quantity(t, "no2")
	values := []float64{0, -0.1, 1e-7, 123456789.123456789, 1e21, 5e-324, math.MaxFloat64, 1.0 / 3}
	var readings []telemetry.Reading
	for i, v := range values {
		readings = append(readings, telemetry.Reading{Sensor: "odd-1", Quantity: no2, Channel: fmt.Sprintf("c\"\\\n%d\u2028é", i), Value: v, Measured: 1, Stamped: i%2 == 0})
	}
	last := len(state.States) - 1
	readings = append(readings, telemetry.Reading{Sensor: "odd-1", Quantity: state.ID, Value: float64(last), Measured: 253402300799999})
	s.latest.readings["odd-1"] = readings

	listed := decode[api.ReadingList](s.get("/api/v1/latest")).Items
	single := decode[api.SensorWithLatest](s.get("/api/v1/sensors/odd-1")).Latest
	var plain []api.Reading
	for _, r := range listed {
		plain = append(plain, r.Reading)
	}
	if diff := cmp.Diff(single, plain); diff != "" {
		t.Errorf("the same readings differ between the two ways to encode them (-single +listed):\n%s", diff)
	}
	for i, v := range values {
		if listed[i].Value != v || listed[i].Channel != readings[i].Channel || listed[i].Stamped != readings[i].Stamped {
			t.Errorf("%+v became %+v", readings[i], listed[i])
		}
	}
	if got := listed[len(values)]; got.State != state.States[last] || got.Time != 253402300799999 {
		t.Errorf("the state became %+v", got)
	}
}

func TestLatestSaysWhereItIsTruncated(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.MaxLatest = 2 })
	aCity(s)
	if got := decode[api.ReadingList](s.get("/api/v1/latest")); len(got.Items) != 2 || got.Total != 3 || !got.Truncated {
		t.Errorf("got %d of %d, truncated %v", len(got.Items), got.Total, got.Truncated)
	}
}

func TestFigures(t *testing.T) {
	s := start(t, func(s *server) {
		q, _ := telemetry.QuantityByName("speed")
		s.figures = []query.Figure{
			{Domain: telemetry.Traffic, Quantity: q, Title: "Mean speed", Unit: q.Unit, Agg: query.Mean, Value: 42.5, Sensors: 3, Time: 1772366400000},
			{Domain: telemetry.Traffic, Quantity: q, Title: "Fastest", Unit: q.Unit, Agg: query.Max},
		}
	})
	got := decode[api.FigureList](s.get("/api/v1/figures"))
	at := api.Time(1772366400000)
	want := api.FigureList{Items: []api.Figure{
		{Domain: "traffic", Quantity: "speed", Title: "Mean speed", Unit: "km/h", Agg: "mean", Value: 42.5, Sensors: 3, Time: &at},
		{Domain: "traffic", Quantity: "speed", Title: "Fastest", Unit: "km/h", Agg: "max"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

// A sensor counts on the wall for as long as the list of sensors says that it reports.
func TestFiguresCountSensorsThatAreNotSilent(t *testing.T) {
	latest := query.NewLatest(query.DefaultConfig(), prometheus.NewRegistry())
	s := start(t, func(s *server) {
		s.deps.Latest = latest
		s.deps.Figures = func(now time.Time, maxAge func(telemetry.SensorID) time.Duration) []query.Figure {
			return query.Figures(latest, now, maxAge)
		}
	})
	now := time.Now()
	for _, c := range []struct {
		sensor  telemetry.SensorID
		cadence string // as in the CSV; "none" is not registered
		age     time.Duration
		counts  bool
	}{
		{"hourly", "3600", 2 * time.Hour, true},
		{"hourly-gone", "3600", 2*time.Hour + time.Minute, false},
		{"minutely", "60", 2 * time.Minute, true},
		{"minutely-gone", "60", 3 * time.Minute, false},
		{"whenever", "0", 14 * time.Minute, true},
		{"whenever-gone", "0", 16 * time.Minute, false},
		{"deleted", "none", 0, false},
	} {
		t.Run(string(c.sensor), func(t *testing.T) {
			q := quantity(t, "no2")
			latest.Add([]telemetry.Reading{{Sensor: c.sensor, Quantity: q, Value: 1, Measured: telemetry.MilliOf(now.Add(-c.age))}})
			count := func() int {
				for _, f := range decode[api.FigureList](s.get("/api/v1/figures")).Items {
					if f.Quantity == "no2" {
						return f.Sensors
					}
				}
				return -1
			}
			before := count()
			if c.cadence != "none" {
				s.change("POST", "/api/v1/sensors/import", header+string(c.sensor)+",,,,,,,,"+c.cadence+",no2\n").want(http.StatusOK)
				if state := decode[api.SensorWithLatest](s.get("/api/v1/sensors/" + string(c.sensor))).State; c.cadence != "0" && (state == "ok") != c.counts {
					t.Errorf("the sensor is %s", state)
				}
			}
			if got := count() - before; (got == 1) != c.counts {
				t.Errorf("%d sensors more count, counts should be %v", got, c.counts)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	lisbon, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(s *server) { s.cfg.CityZone = lisbon.String() })
	aCity(s)
	no2, temperature := quantity(t, "no2"), quantity(t, "temperature")
	s.history.result = query.HistoryResult{Truncated: true, Series: []query.HistorySeries{
		{Sensor: "air-1", Quantity: no2, Channel: "a", Points: []query.Point{{Time: 1, Value: 1.5}, {Time: 2, Value: -2e-9}}},
		{Sensor: "air-1", Quantity: temperature},
	}}
	got := decode[api.HistoryAnswer](s.get("/api/v1/history?sensor=air-1"))
	want := api.HistoryAnswer{Truncated: true, Series: []api.HistorySeries{
		{Sensor: "air-1", Quantity: "no2", Channel: "a", Unit: "µg/m³", Points: [][2]float64{{1, 1.5}, {2, -2e-9}}},
		{Sensor: "air-1", Quantity: "temperature", Unit: "°C", Points: [][2]float64{}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	asked := s.history.asked
	if !reflect.DeepEqual(asked.Quantities, []telemetry.QuantityID{no2, temperature}) || asked.Channel != nil || !asked.Step.IsZero() {
		t.Errorf("without parameters it asks %+v", asked)
	}
	if span := asked.To.Sub(asked.From); span != 24*time.Hour || time.Since(asked.To) > time.Minute {
		t.Errorf("without parameters it asks from %v to %v", asked.From, asked.To)
	}

	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	empty, lane := "", "lane1"
	from, to := at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")
	const span = "&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"
	for _, c := range []struct {
		query string
		want  query.HistoryQuery
	}{
		{"?sensor=air-2&sensor=air-1&quantity=no2&quantity=temperature" + span, query.HistoryQuery{Sensors: []telemetry.SensorID{"air-1", "air-2"}, Quantities: []telemetry.QuantityID{no2, temperature}, From: from, To: to}},
		{"?sensor=air-1,gone-1&quantity=no2,no2" + span, query.HistoryQuery{Sensors: []telemetry.SensorID{"air-1", "gone-1"}, Quantities: []telemetry.QuantityID{no2}, From: from, To: to}},
		{"?sensor=air-2&channel=&agg=p95&step=5m" + span, query.HistoryQuery{Sensors: []telemetry.SensorID{"air-2"}, Quantities: []telemetry.QuantityID{no2}, Channel: &empty, Agg: query.P95, Step: step.Length{Every: 5 * time.Minute}, From: from, To: to}},
		{"?sensor=air-2&channel=lane1&agg=mean&step=1d" + span, query.HistoryQuery{Sensors: []telemetry.SensorID{"air-2"}, Quantities: []telemetry.QuantityID{no2}, Channel: &lane, Agg: query.Mean, Step: step.Length{Days: 1}, From: from, To: to}},
		{"?sensor=air-2&step=0&from=1772323200000&to=2026-03-02T01:00:00+01:00", query.HistoryQuery{Sensors: []telemetry.SensorID{"air-2"}, Quantities: []telemetry.QuantityID{no2}, From: from, To: to}},
	} {
		s.get("/api/v1/history" + c.query).want(http.StatusOK)
		c.want.Zone = lisbon
		if diff := cmp.Diff(c.want, s.history.asked, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
			t.Errorf("%s asks (-want +got):\n%s", c.query, diff)
		}
	}
	before := time.Now()
	s.get("/api/v1/history?sensor=air-2&from=-7d&to=-90m").want(http.StatusOK)
	if got := s.history.asked; got.To.Sub(got.From) != 7*24*time.Hour-90*time.Minute || got.To.Before(before.Add(-91*time.Minute)) {
		t.Errorf("relative times ask from %v to %v", got.From, got.To)
	}
}

func TestHistoryOfAQuantityAsksForEverySensorRegisteredWithIt(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	decode[api.HistoryAnswer](s.get("/api/v1/history?quantity=no2"))
	var want []telemetry.SensorID
	for _, sensor := range s.registry.Snapshot().Sensors() {
		if slices.Contains(sensor.Quantities, "no2") {
			want = append(want, sensor.ID)
		}
	}
	if len(want) == 0 || !slices.Equal(want, s.history.asked.Sensors) {
		t.Errorf("asks for %v, want %v", s.history.asked.Sensors, want)
	}
	s.history.asked = query.HistoryQuery{}
	if got := decode[api.HistoryAnswer](s.get("/api/v1/history?quantity=pm1")); len(got.Series) != 0 {
		t.Errorf("of a quantity that nobody measures there are %d series", len(got.Series))
	}
}

func TestHistoryOfCountsHasNoUnit(t *testing.T) {
	s := start(t, nil)
	s.history.result.Series = []query.HistorySeries{{Sensor: "air-1", Quantity: quantity(t, "no2"), Points: []query.Point{{Time: 1, Value: 3}}}}
	got := decode[api.HistoryAnswer](s.get("/api/v1/history?sensor=air-1&quantity=no2&step=1h&agg=count"))
	if got.Series[0].Unit != "" {
		t.Errorf("a number of readings has the unit %q", got.Series[0].Unit)
	}
}
