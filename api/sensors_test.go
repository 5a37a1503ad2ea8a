package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/api"
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
		"":                                    "3 [air-1 air-2 loop-1]",
		"?q=market":                           "2 [air-1 air-2]",
		"?q=MARKET+air-2":                     "1 [air-2]",
		"?district=harbour":                   "1 [loop-1]",
		"?domain=traffic":                     "1 [loop-1]",
		"?state=silent":                       "1 [air-1]",
		"?site=ring":                          "1 [loop-1]",
		"?site=ring&site=market":              "3 [air-1 air-2 loop-1]",
		"?district=harbour,old-town&state=ok": "1 [air-2]",
		"?bbox=13.45,52.5,13.5,52.6":          "1 [loop-1]",
		"?quantity=temperature":               "1 [air-1]",
		"?quantity=speed,no2&q=air-2":         "1 [air-2]",
		"?quantity=speed&site=market":         "0 []",
		"?state=ok":                           "1 [air-2]",
		"?state=never":                        "1 [loop-1]",
		"?state=never&domain=safety":          "0 []",
		"?limit=1":                            "3 [air-1]",
		"?limit=2&offset=1":                   "3 [air-2 loop-1]",
		"?offset=1000":                        "3 []",
		"?limit=1000":                         "3 [air-1 air-2 loop-1]",
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

func TestDeleteSitesAndDistricts(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.ask("DELETE", "/api/v1/sites/market", "").problem(http.StatusUnauthorized)
	s.change("DELETE", "/api/v1/sites/market", "").problem(http.StatusUnprocessableEntity, "path.id", "2 sensors stand there (air-1, air-2)", "move or delete them first")
	s.change("DELETE", "/api/v1/districts/old-town", "").problem(http.StatusUnprocessableEntity, "path.id", "sites lie in it (market)")
	for _, path := range []string{"/api/v1/sensors/air-1", "/api/v1/sensors/air-2", "/api/v1/sites/market", "/api/v1/districts/old-town"} {
		s.change("DELETE", path, "").want(http.StatusNoContent)
		s.change("DELETE", path, "").problem(http.StatusNotFound, "not registered")
	}
	s.change("DELETE", "/api/v1/sites/Not-A-Slug", "").problem(http.StatusUnprocessableEntity, "path.id")
	if got := decode[api.DistrictList](s.get("/api/v1/districts")); len(got.Items) != 1 || got.Items[0].ID != "harbour" {
		t.Errorf("districts are %+v", got.Items)
	}
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
	if !strings.HasPrefix(string(export.body), "sensor,title,site,site_title,district,district_title,lon,") || strings.Count(string(export.body), "\n") != 3 {
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

func TestListsThatHaveNotChangedAreNotSentAgain(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	for _, path := range []string{"/api/v1/sensors?limit=2", "/api/v1/sites", "/api/v1/districts", "/api/v1/quantities"} {
		tag := s.get(path).want(http.StatusOK).header.Get("Etag")
		if tag == "" {
			t.Errorf("%s has no ETag", path)
			continue
		}
		if a := s.get(path, "If-None-Match", tag).want(http.StatusNotModified); len(a.body) != 0 || a.header.Get("Etag") != tag {
			t.Errorf("%s: 304 with %d bytes and the tag %q", path, len(a.body), a.header.Get("Etag"))
		}
	}
	lists := []string{"/api/v1/sensors", "/api/v1/sites", "/api/v1/districts"}
	var tags []string
	for _, path := range lists {
		tags = append(tags, s.get(path).header.Get("Etag"))
	}
	s.change("POST", "/api/v1/sensors/import", header+"loop-2,,ring,,harbour,13.5,52.6,,0,speed\n").want(http.StatusOK)
	for i, path := range lists {
		s.get(path, "If-None-Match", tags[i]).want(http.StatusOK)
	}
}
