package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

func TestHistoryOfPlaces(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	no2, temperature, speed, intensity := quantity(t, "no2"), quantity(t, "temperature"), quantity(t, "speed"), quantity(t, "intensity")
	type quantities = []telemetry.QuantityID
	type ids = []telemetry.SensorID
	type places = []string
	for _, c := range []struct {
		query string
		want  query.HistoryQuery
	}{
		{"?site=market", query.HistoryQuery{Sites: places{"market"}, Quantities: quantities{no2, temperature}, Expect: 3}},
		{"?site=ring,market&domain=traffic", query.HistoryQuery{Sites: places{"market", "ring"}, Quantities: quantities{intensity, speed}, Expect: 2}},
		{"?site=ring&site=market&quantity=no2", query.HistoryQuery{Sites: places{"market", "ring"}, Quantities: quantities{no2}, Expect: 2}},
		{"?district=harbour&quantity=speed", query.HistoryQuery{Districts: places{"harbour"}, Quantities: quantities{speed}, Expect: 1}},
		{"?district=harbour&sensor=loop-1", query.HistoryQuery{Sensors: ids{"loop-1"}, Districts: places{"harbour"}, Quantities: quantities{intensity, speed}}},
		{"?bbox=13.39,52.4,13.41,52.6", query.HistoryQuery{Sites: places{"market"}, Quantities: quantities{no2, temperature}, Expect: 3}},
		{"?bbox=13.45,-90,13.35,90", query.HistoryQuery{Sites: places{"ring"}, Quantities: quantities{intensity, speed}, Expect: 2}}, // round the world
		{"?bbox=13,52,14,53&district=old-town", query.HistoryQuery{Sites: places{"market"}, Quantities: quantities{no2, temperature}, Expect: 3}},
		{"?domain=safety", query.HistoryQuery{Sensors: ids{"air-1", "air-2"}, Quantities: quantities{no2, temperature}}},
		{"?domain=safety&group=domain&step=1h", query.HistoryQuery{Quantities: quantities{no2, temperature}, Group: query.ByDomain, Step: step.Length{Every: time.Hour}, Expect: 2}},
		{"?quantity=no2&group=site&group=channel&step=1h&agg=max", query.HistoryQuery{
			Quantities: quantities{no2}, Group: query.BySite | query.ByChannel, Step: step.Length{Every: time.Hour}, Agg: query.Max, Expect: 1,
		}},
		{"?site=market&quantity=no2&points=500", query.HistoryQuery{
			Sites: places{"market"}, Quantities: quantities{no2}, Points: 500, Shortest: time.Minute, Expect: 2,
		}},
		{"?sensor=loop-1&quantity=speed&points=500", query.HistoryQuery{Sensors: ids{"loop-1"}, Quantities: quantities{speed}, Points: 500}},
	} {
		s.history.asked = query.HistoryQuery{}
		s.get("/api/v1/history" + c.query).want(http.StatusOK)
		if diff := cmp.Diff(c.want, s.history.asked, cmpopts.IgnoreFields(query.HistoryQuery{}, "From", "To", "Zone")); diff != "" {
			t.Errorf("%s asks (-want +got):\n%s", c.query, diff)
		}
	}
	for _, nothing := range []string{"?bbox=0,0,1,1", "?bbox=0,0,1,1&quantity=no2", "?site=elsewhere", "?domain=energy", "?quantity=no2&domain=traffic&sensor=air-1"} {
		s.history.asked = query.HistoryQuery{}
		got := decode[api.HistoryAnswer](s.get("/api/v1/history" + nothing))
		if len(got.Series) != 0 || s.history.asked.Quantities != nil {
			t.Errorf("%s asks the store for %+v", nothing, s.history.asked)
		}
	}
}

// Where sensors are combined each should have a part in every step; where they are not, nothing of the quickest is lost.
func TestStepsSuitTheCadence(t *testing.T) {
	s := start(t, nil)
	s.change("POST", "/api/v1/sensors/import", header+
		"air-1,,,,,,,,10,no2\nair-2,,,,,,,,300,no2\nair-3,,,,,,,,0,no2\nair-4,,,,,,,,3600,temperature\n").want(http.StatusOK)
	for query, want := range map[string]time.Duration{
		"?quantity=no2&points=100":              10 * time.Second,
		"?quantity=no2&points=100&group=domain": 5 * time.Minute,
		"?quantity=no2&points=100&group=sensor": 10 * time.Second,
		"?sensor=air-2,air-3&points=100":        5 * time.Minute,
		"?sensor=air-3&points=100":              0,
	} {
		s.get("/api/v1/history" + query).want(http.StatusOK)
		if got := s.history.asked.Shortest; got != want {
			t.Errorf("%s: steps of at least %s, want %s", query, got, want)
		}
	}
}

func TestHistoryInColumns(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	no2, speed, intensity := quantity(t, "no2"), quantity(t, "speed"), quantity(t, "intensity")
	s.history.result = query.HistoryResult{Step: step.Length{Every: time.Minute}, Truncated: true, Series: []query.HistorySeries{
		{Sensor: "air-1", Quantity: no2, Channel: "a", Points: []query.Point{{Time: 60_000, Value: 1.5}, {Time: 120_000, Value: -2e-9}}},
		{Site: "ring", Quantity: speed},
		{District: "north", Quantity: intensity, Points: []query.Point{{Time: 0, Value: 7}}},
	}}
	got := decode[api.HistoryColumns](s.get("/api/v1/history?domain=traffic&format=columns&step=1m"))
	title := func(id telemetry.QuantityID) string { return id.Quantity().Title }
	want := api.HistoryColumns{StepMS: 60_000, Step: "1m", Agg: "natural", Truncated: true, Series: []api.ColumnsSeries{
		{
			Sensor: "air-1", Site: "market", District: "old-town", Channel: "a", Domain: "safety", Quantity: "no2", Title: title(no2),
			Unit: "µg/m³", Agg: "mean", Times: []int64{60_000, 120_000}, Values: []float64{1.5, -2e-9},
		},
		{
			Site: "ring", District: "harbour", Domain: "traffic", Quantity: "speed", Title: title(speed), Unit: "km/h", Agg: "mean",
			Times: []int64{}, Values: []float64{},
		},
		{
			District: "north", Domain: "traffic", Quantity: "intensity", Title: title(intensity), Unit: intensity.Quantity().Unit.Symbol,
			Agg: "sum", Times: []int64{0}, Values: []float64{7},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	s.history.result.Series = s.history.result.Series[:2]
	if got := decode[api.HistoryColumns](s.get("/api/v1/history?domain=traffic&format=columns&step=1m")); got.Agg != "mean" {
		t.Errorf("one aggregate of all series is shown as %q", got.Agg)
	}
	s.history.result.Step = step.Length{}
	if got := decode[api.HistoryColumns](s.get("/api/v1/history?domain=traffic&format=columns")); got.Agg != "" || got.StepMS != 0 || got.Step != "" {
		t.Errorf("readings as they are have the aggregate %q and a step of %d ms", got.Agg, got.StepMS)
	}
	if got := decode[api.HistoryColumns](s.get("/api/v1/history?site=nowhere&format=columns")); len(got.Series) != 0 {
		t.Errorf("of nothing there are %d series", len(got.Series))
	}
	grouped := decode[api.HistoryAnswer](s.get("/api/v1/history?domain=traffic&step=1m&group=site"))
	if grouped.Series[1].Site != "ring" || grouped.Series[0].Site != "" {
		t.Errorf("grouped by site: %+v", grouped.Series)
	}
}

func TestWrongChoicesAreNamed(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	for path, says := range map[string]string{
		"/api/v1/history?bbox=1,2,3":                       "query.bbox",
		"/api/v1/history?bbox=1,2,3,x":                     "query.bbox",
		"/api/v1/history?bbox=1,2,181,3":                   "query.bbox",
		"/api/v1/history?bbox=1,2,3,NaN":                   "query.bbox",
		"/api/v1/history?bbox=1,3,2,2":                     "query.bbox",
		"/api/v1/history?site=A":                           "query.site",
		"/api/v1/history?district=no%20district":           "query.district",
		"/api/v1/history?domain=weather":                   "query.domain",
		"/api/v1/history?sensor=air-1&group=street":        "query.group",
		"/api/v1/history?sensor=air-1&format=arrow":        "query.format",
		"/api/v1/history?sensor=air-1&points=10001":        "query.points",
		"/api/v1/history?sensor=air-1&points=-1":           "query.points",
		"/api/v1/history?site=" + strings.Repeat("x", 64):  "query.site",
		"/api/v1/history?bbox=" + strings.Repeat("1", 121): "query.bbox",
	} {
		s.get(path).problem(http.StatusUnprocessableEntity, says)
	}
}
