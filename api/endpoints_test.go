package api_test

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/telemetry"
)

const header = "sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities\n"

// aCity imports three sensors at two sites: air-1 silent, air-2 well, loop-1 never seen.
func aCity(s *server) {
	s.t.Helper()
	s.change("POST", "/api/v1/sensors/import", header+
		"air-1,Air at the market,market,Market Square,old-town,13.4,52.5,,60,no2 temperature\n"+
		"air-2,,market,Market Square,old-town,13.4,52.5,bridge-1,60,no2\n"+
		"loop-1,Loop,ring,Ring Road,harbour,13.5,52.6,,0,speed intensity\n").want(http.StatusOK)
	now := telemetry.MilliOf(time.Now())
	no2 := quantity(s.t, "no2")
	s.latest.readings["air-1"] = []telemetry.Reading{
		{Sensor: "air-1", Quantity: no2, Value: 40, Measured: now - 131_000},
		{Sensor: "air-1", Quantity: quantity(s.t, "temperature"), Value: 12.5, Measured: now - 3_600_000},
	}
	s.latest.readings["air-2"] = []telemetry.Reading{{Sensor: "air-2", Quantity: no2, Value: 41, Measured: now - 100_000}}
}

func TestSensors(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	ids := func(query string) string {
		list := decode[api.SensorList](s.get("/api/v1/sensors" + query))
		var found []string
		for _, sensor := range list.Items {
			found = append(found, sensor.ID)
		}
		return fmt.Sprint(list.Total, found)
	}
	for query, want := range map[string]string{
		"":                           "3 [air-1 air-2 loop-1]",
		"?q=market":                  "2 [air-1 air-2]",
		"?q=MARKET+air-2":            "1 [air-2]",
		"?district=harbour":          "1 [loop-1]",
		"?domain=traffic":            "1 [loop-1]",
		"?state=silent":              "1 [air-1]",
		"?state=ok":                  "1 [air-2]",
		"?state=never":               "1 [loop-1]",
		"?state=never&domain=safety": "0 []",
		"?limit=1":                   "3 [air-1]",
		"?limit=2&offset=1":          "3 [air-2 loop-1]",
		"?offset=1000":               "3 []",
		"?limit=1000":                "3 [air-1 air-2 loop-1]",
	} {
		if got := ids(query); got != want {
			t.Errorf("%q lists %s, want %s", query, got, want)
		}
	}

	got := decode[api.SensorWithLatest](s.get("/api/v1/sensors/air-1"))
	seen := s.latest.readings["air-1"][0].Measured
	lon, lat, at := 13.4, 52.5, api.Time(seen)
	want := api.Sensor{
		ID: "air-1", Title: "Air at the market", Site: "market", SiteTitle: "Market Square", District: "old-town",
		Lon: &lon, Lat: &lat, Publisher: "air-1", CadenceS: 60, Quantities: []string{"no2", "temperature"},
		Domains: []string{"safety"}, State: "silent", LastSeen: &at,
	}
	if diff := cmp.Diff(want, got.Sensor); diff != "" {
		t.Errorf("sensor (-want +got):\n%s", diff)
	}
	if len(got.Latest) != 2 || got.Latest[0].Quantity != "no2" || got.Latest[0].Value != 40 {
		t.Errorf("latest is %+v", got.Latest)
	}
	s.get("/api/v1/sensors/none").problem(http.StatusNotFound, "none")
	s.get("/api/v1/sensors/BIG").problem(http.StatusUnprocessableEntity, "path.id")
}

func TestPutAndDeleteSensor(t *testing.T) {
	s := start(t, nil)
	s.change("PUT", "/api/v1/districts/old-town", `{"title":"Old Town"}`).want(http.StatusCreated)
	s.change("PUT", "/api/v1/sites/market", `{"title":"Market","district":"old-town","lon":13.4,"lat":52.5}`).want(http.StatusCreated)
	s.change("PUT", "/api/v1/sites/market", `{"title":"Market Square","district":"old-town","lon":13.4,"lat":52.5}`).want(http.StatusOK)
	body := `{"title":"Lamp","site":"market","publisher":"bridge-1","cadence_s":0.25,"quantities":["active_power"]}`
	s.change("PUT", "/api/v1/sensors/lamp-1", body).want(http.StatusCreated)
	s.change("PUT", "/api/v1/sensors/lamp-1", body).want(http.StatusOK)
	got := decode[api.SensorWithLatest](s.get("/api/v1/sensors/lamp-1"))
	if got.CadenceS != 0.25 || got.Publisher != "bridge-1" || got.SiteTitle != "Market Square" || got.State != "never" {
		t.Errorf("registered as %+v", got)
	}
	for _, c := range []struct{ path, body, says string }{
		{"/api/v1/sensors/lamp-2", `{"quantities":["happiness"]}`, "body.quantities"},
		{"/api/v1/sensors/lamp-2", `{"quantities":["no2"],"site":"nowhere"}`, "body.site"},
		{"/api/v1/sensors/lamp-2", `{"quantities":[]}`, "body.quantities"},
		{"/api/v1/sensors/lamp-2", `{}`, "quantities"},
		{"/api/v1/sensors/lamp-2", `{"quantities":["no2"],"colour":"red"}`, "colour"},
		{"/api/v1/sensors/lamp-2", `{"quantities":["no2"],"cadence_s":-1}`, "cadence_s"},
		{"/api/v1/sensors/no2", `{"quantities":["no2"]}`, "path.id"},
		{"/api/v1/sensors/Lamp", `{"quantities":["no2"]}`, "path.id"},
		{"/api/v1/sites/park", `{"lon":200,"lat":0}`, "body.lon"},
		{"/api/v1/sites/park", `{"lon":0,"lat":0,"district":"nowhere"}`, "body.district"},
		{"/api/v1/sites/P", `{"lon":0,"lat":0}`, "path.id"},
	} {
		s.change("PUT", c.path, c.body).problem(http.StatusUnprocessableEntity, c.says)
	}
	s.change("PUT", "/api/v1/sensors/lamp-2", `{"quantities":`).problem(http.StatusBadRequest)
	s.change("PUT", "/api/v1/sensors/lamp-2", ``).problem(http.StatusBadRequest)
	s.change("DELETE", "/api/v1/sensors/lamp-1", "").want(http.StatusNoContent)
	s.change("DELETE", "/api/v1/sensors/lamp-1", "").problem(http.StatusNotFound)
	s.get("/api/v1/sensors/lamp-1").problem(http.StatusNotFound)
}

func TestImportAndExport(t *testing.T) {
	s := start(t, nil)
	good := header + "air-1,,,,,,,,60,no2\n" + "air-2,,,,,,,,60,no2\n"
	type report struct {
		DryRun                            bool `json:"dry_run"`
		Rows, Created, Updated, Unchanged int
		Errors                            []struct {
			Row     int
			Column  string
			Message string
		}
	}
	if got := decode[report](s.change("POST", "/api/v1/sensors/import?dry_run=true", good)); !got.DryRun || got.Created != 2 || got.Errors == nil {
		t.Errorf("the dry run reports %+v", got)
	}
	if got := decode[api.SensorList](s.get("/api/v1/sensors")); got.Total != 0 {
		t.Errorf("a dry run registered %d sensors", got.Total)
	}
	a := s.change("POST", "/api/v1/sensors/import", good+"Bad Id,,,,,,,,60,no2\nair-3,,,,,,,,60,happiness\n")
	a.problem(http.StatusUnprocessableEntity)
	var got report
	a.into(&got)
	if len(got.Errors) != 2 || got.Errors[0].Row != 4 || got.Errors[0].Column != "sensor" || got.Errors[1].Column != "quantities" || got.Rows != 4 {
		t.Errorf("the report beside the problem is %+v", got)
	}
	if got := decode[api.SensorList](s.get("/api/v1/sensors")); got.Total != 0 {
		t.Errorf("a file with faults registered %d sensors", got.Total)
	}
	if got := decode[report](s.change("POST", "/api/v1/sensors/import", good)); got.Created != 2 {
		t.Errorf("the import reports %+v", got)
	}

	export := s.get("/api/v1/sensors/export").want(http.StatusOK)
	if !strings.HasPrefix(string(export.body), header) || strings.Count(string(export.body), "\n") != 3 {
		t.Errorf("exported:\n%s", export.body)
	}
	if got := decode[report](s.change("POST", "/api/v1/sensors/import", string(export.body))); got.Unchanged != 2 {
		t.Errorf("importing what was exported reports %+v", got)
	}
	tag := export.header.Get("Etag")
	if got := s.get("/api/v1/sensors/export", "If-None-Match", tag).want(http.StatusNotModified); len(got.body) != 0 {
		t.Errorf("304 with a body: %s", got.body)
	}
	s.change("DELETE", "/api/v1/sensors/air-2", "").want(http.StatusNoContent)
	s.get("/api/v1/sensors/export", "If-None-Match", tag).want(http.StatusOK)
	s.change("POST", "/api/v1/sensors/import?dry_run=perhaps", good).problem(http.StatusUnprocessableEntity, "dry_run")
	s.change("POST", "/api/v1/sensors/import", "").problem(http.StatusBadRequest)
	s.ask("POST", "/api/v1/sensors/import?dry_run=true", good).problem(http.StatusUnauthorized)
}

func TestSitesAndDistricts(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	got := decode[api.SiteList](s.get("/api/v1/sites"))
	want := api.SiteList{Total: 2, Items: []api.Site{
		{ID: "market", Title: "Market Square", District: "old-town", Lon: 13.4, Lat: 52.5, Domains: []string{"safety"}, Sensors: 2, Silent: 1, State: "silent"},
		{ID: "ring", Title: "Ring Road", District: "harbour", Lon: 13.5, Lat: 52.6, Domains: []string{"traffic"}, Sensors: 1, Never: 1, State: "never"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sites (-want +got):\n%s", diff)
	}
	districts := decode[api.DistrictList](s.get("/api/v1/districts"))
	wantDistricts := api.DistrictList{Items: []api.District{
		{ID: "harbour", Title: "harbour", Sites: 1, Sensors: 1}, {ID: "old-town", Title: "old-town", Sites: 1, Sensors: 2},
	}}
	if diff := cmp.Diff(wantDistricts, districts); diff != "" {
		t.Errorf("districts (-want +got):\n%s", diff)
	}
}

func TestPlan(t *testing.T) {
	s := start(t, nil)
	s.get("/api/v1/plan").problem(http.StatusNotFound)
	plan := `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString","coordinates":[[13.4,52.5],[13.5,52.5]]},"properties":{"kind":"street","name":"Ring"}}]}`
	kept := decode[api.PlanKept](s.change("PUT", "/api/v1/plan", plan))
	if kept.Features != 1 {
		t.Errorf("kept %+v", kept)
	}
	got := s.get("/api/v1/plan").want(http.StatusOK)
	if got.header.Get("Content-Type") != "application/geo+json" || string(got.body) != plan {
		t.Errorf("got %s: %s", got.header.Get("Content-Type"), got.body)
	}
	s.get("/api/v1/plan", "If-None-Match", got.header.Get("Etag")).want(http.StatusNotModified)
	s.get("/api/v1/plan", "If-None-Match", `"other", W/"another"`).want(http.StatusOK)
	s.change("PUT", "/api/v1/plan", `{"type":"Feature"}`).problem(http.StatusUnprocessableEntity, "FeatureCollection")
	s.ask("PUT", "/api/v1/plan", plan).problem(http.StatusUnauthorized)
}

func TestCityAndQuantities(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.CityName, s.cfg.CityZone = "Aveiro", "Europe/Lisbon" })
	if got := decode[api.City](s.get("/api/v1/city")); got != (api.City{Name: "Aveiro", Zone: "Europe/Lisbon"}) {
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
	} {
		if got := list(query); got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
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
	if diff := cmp.Diff(single, listed); diff != "" {
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

func TestHistory(t *testing.T) {
	s := start(t, nil)
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
	if !reflect.DeepEqual(asked.Quantities, []telemetry.QuantityID{no2, temperature}) || asked.Channel != nil || asked.Step != 0 {
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
		{"?sensor=air-2&channel=&agg=p95&step=5m" + span, query.HistoryQuery{Sensors: []telemetry.SensorID{"air-2"}, Quantities: []telemetry.QuantityID{no2}, Channel: &empty, Agg: query.P95, Step: 5 * time.Minute, From: from, To: to}},
		{"?sensor=air-2&channel=lane1&agg=mean&step=1d" + span, query.HistoryQuery{Sensors: []telemetry.SensorID{"air-2"}, Quantities: []telemetry.QuantityID{no2}, Channel: &lane, Agg: query.Mean, Step: 24 * time.Hour, From: from, To: to}},
		{"?sensor=air-2&step=0&from=1772323200000&to=2026-03-02T01:00:00+01:00", query.HistoryQuery{Sensors: []telemetry.SensorID{"air-2"}, Quantities: []telemetry.QuantityID{no2}, From: from, To: to}},
	} {
		s.get("/api/v1/history" + c.query).want(http.StatusOK)
		if diff := cmp.Diff(c.want, s.history.asked); diff != "" {
			t.Errorf("%s asks (-want +got):\n%s", c.query, diff)
		}
	}
	before := time.Now()
	s.get("/api/v1/history?sensor=air-2&from=-7d&to=-90m").want(http.StatusOK)
	if got := s.history.asked; got.To.Sub(got.From) != 7*24*time.Hour-90*time.Minute || got.To.Before(before.Add(-91*time.Minute)) {
		t.Errorf("relative times ask from %v to %v", got.From, got.To)
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

func TestLedger(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.ledger.totals = ledger.Totals{
		Counts: frame.Counts{Received: 10, Duplicate: 1, Late: 2, Stamped: 3, Accepted: 7, Missing: 4}, Written: 5,
		Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 2},
	}
	s.ledger.minutes = []ledger.Minute{
		{Time: time.UnixMilli(1772366400000), Totals: ledger.Totals{Counts: frame.Counts{Received: 2, Accepted: 2}, Written: 1}},
		{Time: time.UnixMilli(1772366460000), Totals: ledger.Totals{Counts: frame.Counts{Received: 3, Accepted: 2}, Written: 2, Rejected: map[telemetry.Reason]int64{telemetry.ReasonRange: 1}}},
	}
	want := api.LedgerCounts{Received: 10, Duplicate: 1, Late: 2, Stamped: 3, Rejected: map[string]int64{"range": 2}, Accepted: 7, Written: 5, Waiting: 2, Missing: 4}
	if diff := cmp.Diff(want, decode[api.LedgerCounts](s.get("/api/v1/ledger?from=-1h&to=now"))); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	a := s.get("/api/v1/ledger/sensors/air-1")
	got := decode[api.LedgerOfSensor](a)
	want = api.LedgerCounts{Received: 5, Accepted: 4, Written: 3, Waiting: 1, Rejected: map[string]int64{"range": 1}}
	if diff := cmp.Diff(want, got.LedgerCounts); diff != "" {
		t.Errorf("totals of a sensor (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(a.body), `"minutes":[{"time":"2026-03-01T12:00:00.000Z","received":2,"accepted":2,"written":1,"waiting":1},{`) {
		t.Errorf("minutes: %s", a.body)
	}
	s.get("/api/v1/ledger/sensors/none").problem(http.StatusNotFound)
	s.get("/api/v1/ledger/sensors/air-1?from=-8d").problem(http.StatusUnprocessableEntity, "query.from", "7 days")
	s.get("/api/v1/ledger?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").problem(http.StatusUnprocessableEntity, "query.from")
}

func TestLedgerRangesAreWholeMinutesThatLeaveNothingOut(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	now := time.Now()
	for _, c := range []struct {
		path          string
		from, to      time.Duration // from now; to is the earliest that is right
		spanAtMost    time.Duration
		fromTheOutset bool
	}{
		{path: "/api/v1/ledger", fromTheOutset: true, to: 5 * time.Minute},
		{path: "/api/v1/ledger?to=now", fromTheOutset: true},
		{path: "/api/v1/ledger?from=-1h", from: -time.Hour, to: 5 * time.Minute},
		{path: "/api/v1/ledger?from=-1h&to=-30m", from: -time.Hour, to: -30 * time.Minute},
		{path: "/api/v1/ledger/sensors/air-1", from: -24 * time.Hour, to: 5 * time.Minute},
		{path: "/api/v1/ledger/sensors/air-1?from=-1h&to=now", from: -time.Hour},
		{path: "/api/v1/ledger/sensors/air-1?from=-7d", from: -7*24*time.Hour + 2*time.Hour, to: 5 * time.Minute, spanAtMost: ledger.MaxMinutes * time.Minute},
		{path: "/api/v1/ledger/sensors/air-1?from=-7d&to=now", from: -7*24*time.Hour + 2*time.Minute, spanAtMost: ledger.MaxMinutes * time.Minute},
	} {
		s.get(c.path).want(http.StatusOK)
		from, to := s.ledger.from, s.ledger.to
		if from.Truncate(time.Minute) != from || to.Truncate(time.Minute) != to {
			t.Errorf("%s asks from %v to %v", c.path, from, to)
		}
		if c.fromTheOutset && from.Unix() != 0 || !c.fromTheOutset && from.After(now.Add(c.from+time.Second)) {
			t.Errorf("%s asks from %v", c.path, from)
		}
		if to.Before(now.Add(c.to)) {
			t.Errorf("%s asks to %v", c.path, to)
		}
		if c.spanAtMost > 0 && to.Sub(from) > c.spanAtMost {
			t.Errorf("%s asks for %v", c.path, to.Sub(from))
		}
	}
}

func TestQuarantine(t *testing.T) {
	s := start(t, nil)
	s.ledger.messages = []ledger.Message{{ID: 9, Refused: frame.Refused{
		Received: 1772366400000, Topic: "city/bridge-1/readings", Publisher: "bridge-1", Payload: []byte{0xff, 0x00}, SizeBytes: 10,
		Faults: []frame.Fault{
			{Reason: telemetry.ReasonRange, Sensor: "air-1", Detail: "9999 is too much", Readings: 1},
			{Reason: telemetry.ReasonUnregistered, Sensor: "ghost", Detail: "no such sensor", Readings: 2},
		},
	}}}
	faults := []api.QuarantineFault{
		{Reason: "range", Sensor: "air-1", Detail: "9999 is too much", Readings: 1},
		{Reason: "unregistered", Sensor: "ghost", Detail: "no such sensor", Readings: 2},
	}
	want := api.QuarantineEntry{
		ID: 9, Received: 1772366400000, Topic: "city/bridge-1/readings", Publisher: "bridge-1", SizeBytes: 10, Payload: "/wA=",
		Truncated: true, Faults: faults, Reason: "range", Sensor: "air-1", Detail: "9999 is too much", Readings: 1,
	}
	got := decode[api.QuarantineList](s.get("/api/v1/quarantine"))
	if diff := cmp.Diff(api.QuarantineList{Items: []api.QuarantineEntry{want}, Total: 1}, got); diff != "" {
		t.Errorf("quarantine (-want +got):\n%s", diff)
	}
	want.Reason, want.Sensor, want.Detail, want.Readings = "unregistered", "ghost", "no such sensor", 2
	got = decode[api.QuarantineList](s.get("/api/v1/quarantine?reason=unregistered&limit=7&before=10&sensor=ghost"))
	if diff := cmp.Diff(want, got.Items[0]); diff != "" {
		t.Errorf("the entry shows another reason than was asked for (-want +got):\n%s", diff)
	}
	if asked := s.ledger.asked; asked != (ledger.QuarantineFilter{Reason: telemetry.ReasonUnregistered, Sensor: "ghost", Before: 10, Limit: 7}) {
		t.Errorf("it asked for %+v", asked)
	}
	s.get("/api/v1/quarantine?reason=boredom").problem(http.StatusUnprocessableEntity, "query.reason", "unregistered")
}

func TestReplay(t *testing.T) {
	s := start(t, nil)
	got := decode[api.ReplayResult](s.change("POST", "/api/v1/quarantine/replay", `{"reason":"unregistered","ids":[3,4]}`))
	if got != (api.ReplayResult{Replayed: 2, StillRefused: 1}) || s.replay.reason != telemetry.ReasonUnregistered || !reflect.DeepEqual(s.replay.ids, []int64{3, 4}) {
		t.Errorf("answer %+v, asked for %v %v", got, s.replay.reason, s.replay.ids)
	}
	decode[api.ReplayResult](s.change("POST", "/api/v1/quarantine/replay", `{}`))
	if s.replay.reason != telemetry.ReasonNone || len(s.replay.ids) != 0 {
		t.Errorf("without parameters it asked for %v %v", s.replay.reason, s.replay.ids)
	}
	s.change("POST", "/api/v1/quarantine/replay", `{"reason":"boredom"}`).problem(http.StatusUnprocessableEntity)
	s.ask("POST", "/api/v1/quarantine/replay", `{}`).problem(http.StatusUnauthorized)
}

func TestAuditAndPipeline(t *testing.T) {
	s := start(t, nil)
	s.audit.report = api.AuditReport{Readings: 5, Rows: 4, Differences: []api.AuditDifference{{Sensor: "air-1", Time: 60000, Ledger: 5, Store: 4}}}
	want := s.audit.report
	want.From, want.To = 1000, 2000
	if diff := cmp.Diff(want, decode[api.AuditReport](s.get("/api/v1/audit?from=1000&to=2000"))); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	decode[api.AuditReport](s.get("/api/v1/audit"))
	if !s.audit.from.IsZero() || !s.audit.to.IsZero() {
		t.Errorf("without parameters it compares from %v to %v", s.audit.from, s.audit.to)
	}
	got := decode[api.PipelineState](s.get("/api/v1/pipeline"))
	if got.ReceivedPerS != 12.5 || len(got.Parts) != 2 || got.Parts[1].Message != "away" {
		t.Errorf("pipeline is %+v", got)
	}
}
