package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Every parameter that any endpoint knows, and one that none does.
var parameters = []string{
	"q", "district", "domain", "state", "limit", "offset", "sensor", "quantity", "channel", "from", "to", "step", "agg", "reason", "before", "nonsense",
	"site", "bbox", "points", "group", "format", "place", "sort", "kind",
}

// likely values reach beyond the first check more often than random text does.
var likely = []string{
	"", "0", "1", "-1", "1000", "99999999999999999999", "1e9", "NaN", "now", "-24h", "-7d", "-100000d", "-99999999999999w", "2026-03-01T12:00:00Z",
	"2026-03-01T12:00:00+01:00", "0000-00-00T00:00:00Z", "1772366400000", "9223372036854775807", "air-1", "air-1,air-2", "loop-1", "none", "A",
	"no2", "speed", "speed,no2", "traffic", "safety", "ok", "silent", "5m", "1d", "0s", "1ns", "mean", "p95", "range", "unregistered", "true",
	"market", "harbour", "13,52,14,53", "170,-10,-170,10", "1,2,3", "500", "site", "columns", "missing", "silence",
	"\x00", "\xff\xfe", "'; DROP TABLE sensors; --", "\" OR 1=1", "%", "../../etc/passwd", "é\u2028", strings.Repeat("x", 300),
}

// Whatever the parameters, the answer is one that the client can act on, and the server serves on.
func TestNoParameterBreaksAnEndpoint(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	var paths []string
	for _, route := range contract {
		method, path, _ := strings.Cut(route, " ")
		if method == http.MethodGet && path != "/api/v1/live" {
			paths = append(paths, path)
		}
	}
	value := rapid.OneOf(rapid.SampledFrom(likely), rapid.String(), rapid.StringMatching(`[-+]?[0-9]{1,20}[smhdw]?`))
	rapid.Check(t, func(rt *rapid.T) {
		path := rapid.SampledFrom(paths).Draw(rt, "path")
		path = strings.ReplaceAll(path, "{id}", url.PathEscape(value.Draw(rt, "id")))
		query := url.Values{}
		for range rapid.IntRange(0, 5).Draw(rt, "parameters") {
			query.Add(rapid.SampledFrom(parameters).Draw(rt, "name"), value.Draw(rt, "value"))
		}
		checkAnswer(rt, s, http.MethodGet, path+"?"+query.Encode(), "")
	})
}

// The same for bodies of what changes something.
func TestNoBodyBreaksAnEndpoint(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	var routes []string
	for _, route := range contract {
		if !strings.HasPrefix(route, "GET ") {
			routes = append(routes, route)
		}
	}
	piece := rapid.OneOf(rapid.SampledFrom([]string{
		"{", "}", "[", "]", ",", ":", `"quantities"`, `"no2"`, `"title"`, `"lon"`, `"lat"`, "13.4", "1e999", "-0", "null", "true", `"ids"`, `"reason"`,
		`"token"`, `"type"`, `"FeatureCollection"`, `"features"`, header, "air-1,,,,,,,,60,no2\n", "\xef\xbb\xbf", "\x00", `"\ud800"`, ";", "\r\n",
	}), rapid.String())
	whole := rapid.SampledFrom([]string{
		`{"quantities":["no2"]}`, `{"title":null,"quantities":["no2"]}`, `{"lon":13.4,"lat":52.5}`, `{"lon":"13.4","lat":null}`, `{}`, `{"ids":[1,2,3]}`,
		`{"ids":[-1,1e300]}`, `{"type":"FeatureCollection","features":[]}`, `{"type":"FeatureCollection","features":[{}]}`, `[]`, `null`, `0`,
	})
	rapid.Check(t, func(rt *rapid.T) {
		method, path, _ := strings.Cut(rapid.SampledFrom(routes).Draw(rt, "route"), " ")
		path = strings.ReplaceAll(path, "{id}", rapid.SampledFrom([]string{"air-1", "market", "new-1", "no2"}).Draw(rt, "id"))
		body := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(rt, "pieces"), "")
		if rapid.Bool().Draw(rt, "whole") {
			body = whole.Draw(rt, "body")
		}
		checkAnswer(rt, s, method, path, body)
	})
}

// checkAnswer expects no 5xx, and a problem document for every refusal.
func checkAnswer(rt *rapid.T, s *server, method, target, body string) {
	r, err := http.NewRequest(method, s.URL()+target, strings.NewReader(body))
	if err != nil {
		return // net/http refuses to send it
	}
	r.Header.Set("Authorization", "Bearer "+token)
	got, err := s.client.Do(r)
	if err != nil {
		rt.Fatalf("%s %s: %v", method, target, err)
	}
	defer got.Body.Close()
	if got.StatusCode >= 500 {
		rt.Errorf("%s %s answers %d", method, target, got.StatusCode)
	}
	if got.StatusCode >= 400 && got.Header.Get("Content-Type") != "application/problem+json" {
		rt.Errorf("%s %s answers %d with %s", method, target, got.StatusCode, got.Header.Get("Content-Type"))
	}
}

func FuzzQueryString(f *testing.F) {
	for _, path := range []string{"sensors", "latest", "history", "ledger", "quarantine", "audit"} {
		f.Add(path, "sensor=air-1&from=-24h&limit=10")
		f.Add(path, "limit&offset=%ff&&=&domain=traffic;x")
	}
	s := start(f, nil)
	aCity(s)
	f.Fuzz(func(t *testing.T, path, query string) {
		target, err := url.Parse("/api/v1/" + url.PathEscape(path))
		if err != nil {
			t.Skip()
		}
		target.RawQuery = query
		r, err := http.NewRequest(http.MethodGet, s.URL()+target.String(), nil)
		if err != nil || path == "live" {
			t.Skip()
		}
		got, err := s.client.Do(r)
		if err != nil {
			t.Skip() // net/http refuses to send it
		}
		defer got.Body.Close()
		if got.StatusCode >= 500 {
			t.Errorf("%s answers %d", target, got.StatusCode)
		}
	})
}
