package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/api"
)

// contract is every route that others call; a change here breaks them.
var contract = []string{
	"GET /api/v1/city", "GET /api/v1/sensors", "GET /api/v1/sensors/{id}", "PUT /api/v1/sensors/{id}", "DELETE /api/v1/sensors/{id}",
	"GET /api/v1/sensors/export", "POST /api/v1/sensors/import", "GET /api/v1/sites", "PUT /api/v1/sites/{id}", "DELETE /api/v1/sites/{id}",
	"GET /api/v1/districts", "PUT /api/v1/districts/{id}", "DELETE /api/v1/districts/{id}", "GET /api/v1/quantities", "GET /api/v1/plan", "PUT /api/v1/plan",
	"GET /api/v1/latest", "GET /api/v1/figures", "GET /api/v1/history", "GET /api/v1/live", "GET /api/v1/ledger",
	"GET /api/v1/ledger/sensors", "GET /api/v1/ledger/sensors/{id}", "GET /api/v1/events", "GET /api/v1/quarantine", "POST /api/v1/quarantine/replay", "GET /api/v1/audit",
	"GET /api/v1/pipeline", "GET /api/v1/bridges", "GET /api/v1/bridges/{id}", "PUT /api/v1/bridges/{id}/settings",
	"DELETE /api/v1/bridges/{id}/settings", "POST /api/v1/bridges/{id}/commands", "GET /api/v1/session", "POST /api/v1/session", "DELETE /api/v1/session", "GET /api/openapi.json", "GET /api/docs",
	"GET /livez", "GET /readyz",
}

type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Summary     string
		Security    []map[string][]string
		Parameters  []struct {
			Name, In, Description string
			Required              bool
		}
		RequestBody struct {
			Content map[string]json.RawMessage
		} `json:"requestBody"`
		Responses map[string]struct {
			Description string
			Content     map[string]json.RawMessage
		}
	}
	Components struct {
		Schemas         map[string]json.RawMessage
		SecuritySchemes map[string]json.RawMessage `json:"securitySchemes"`
	}
}

func TestOpenAPIDocument(t *testing.T) {
	s := start(t, nil)
	a := s.get("/api/openapi.json")
	doc := decode[document](a)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version != "1.2.3" {
		t.Errorf("document is openapi %s, %+v", doc.OpenAPI, doc.Info)
	}
	var routes []string
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			route := strings.ToUpper(method) + " " + path
			routes = append(routes, route)
			if op.OperationID == "" || seen[op.OperationID] || op.Summary == "" || len(op.Responses) == 0 {
				t.Errorf("%s: operation %q, summary %q, %d answers", route, op.OperationID, op.Summary, len(op.Responses))
			}
			seen[op.OperationID] = true
			for status, answer := range op.Responses {
				if answer.Description == "" {
					t.Errorf("%s: answer %s without a description, which OpenAPI requires", route, status)
				}
			}
			declared := map[string]bool{}
			for _, p := range op.Parameters {
				declared[p.Name] = true
				if p.Description == "" || p.In == "path" && !p.Required {
					t.Errorf("%s: parameter %+v", route, p)
				}
			}
			for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(path, -1) {
				if !declared[name[1]] {
					t.Errorf("%s: path parameter %s is not declared", route, name[1])
				}
			}
			for _, way := range op.Security {
				for scheme := range way {
					if doc.Components.SecuritySchemes[scheme] == nil {
						t.Errorf("%s: security scheme %s is not declared", route, scheme)
					}
				}
			}
			if method != "get" && path != "/api/v1/session" && (len(op.Security) == 0 || len(op.Security[0]) == 0) {
				t.Errorf("%s: the document says that it needs no token", route)
			}
		}
	}
	slices.Sort(routes)
	want := slices.Clone(contract)
	slices.Sort(want)
	if !slices.Equal(routes, want) {
		t.Errorf("routes in the document:\n%s\nwant:\n%s", strings.Join(routes, "\n"), strings.Join(want, "\n"))
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(string(a.body), -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("the document refers to %s, which it does not have", ref[1])
		}
	}
	for route, contentType := range map[string]string{
		"/api/v1/live": "text/event-stream", "/api/v1/sensors/export": "text/csv", "/api/v1/plan": "application/geo+json",
		"/api/v1/history": "application/json",
	} {
		answers := doc.Paths[route]["get"].Responses
		if answers["200"].Content[contentType] == nil || answers["default"].Content["application/problem+json"] == nil {
			t.Errorf("%s: answers %v", route, answers)
		}
	}
	if doc.Paths["/api/v1/sensors/import"]["post"].RequestBody.Content["text/csv"] == nil {
		t.Error("the import's body is not CSV")
	}
}

// Whatever the document says, the server has: no path in it is unknown, and nothing else is there.
func TestDocumentedRoutesExist(t *testing.T) {
	s := start(t, nil)
	for _, route := range contract {
		method, path, _ := strings.Cut(route, " ")
		if path == "/api/v1/live" {
			continue // TestLive...
		}
		a := s.change(method, strings.ReplaceAll(path, "{id}", "some-id"), "")
		if a.status == http.StatusMethodNotAllowed || strings.Contains(string(a.body), "there is nothing at") {
			t.Errorf("%s answers %d: %s", route, a.status, a.body)
		}
	}
}

func TestAnswersHaveTheDocumentedFields(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	s.bridges.all = bridges()
	doc := decode[document](s.get("/api/openapi.json"))
	for path, schema := range map[string]string{
		"/api/v1/city": "City", "/api/v1/sensors": "SensorList", "/api/v1/sensors/air-1": "SensorWithLatest", "/api/v1/sites": "SiteList",
		"/api/v1/districts": "DistrictList", "/api/v1/quantities": "QuantityList", "/api/v1/latest": "ReadingList",
		"/api/v1/history?sensor=air-1": "HistoryAnswer", "/api/v1/ledger": "LedgerAnswer", "/api/v1/ledger?step=1h": "LedgerAnswer",
		"/api/v1/ledger/sensors/air-1": "LedgerOfSensor", "/api/v1/ledger/sensors": "SensorAccountList", "/api/v1/events": "EventList",
		"/api/v1/history?sensor=air-1&format=columns": "HistoryColumns", "/api/v1/latest?place=true": "ReadingList", "/api/v1/session": "Session",
		"/api/v1/quarantine": "QuarantineList", "/api/v1/audit": "AuditReport", "/api/v1/pipeline": "PipelineState",
		"/api/v1/bridges": "BridgeList", "/api/v1/bridges/bridge-1": "BridgeWithSensors", "/api/v1/bridges/bridge-2": "BridgeWithSensors", "/api/v1/none": "ErrorModel",
	} {
		var declared struct {
			Properties map[string]json.RawMessage
			Required   []string
		}
		if err := json.Unmarshal(doc.Components.Schemas[schema], &declared); err != nil {
			t.Fatalf("schema %s: %v", schema, err)
		}
		var got map[string]json.RawMessage
		s.get(path).into(&got)
		for field := range got {
			if declared.Properties[field] == nil {
				t.Errorf("%s answers %s, which %s does not declare", path, field, schema)
			}
		}
		for _, field := range declared.Required {
			if got[field] == nil {
				t.Errorf("%s does not answer %s, which %s requires", path, field, schema)
			}
		}
	}
}

func TestDocumentationPageNeedsNothingFromElsewhere(t *testing.T) {
	s := start(t, nil)
	a := s.get("/api/docs").want(http.StatusOK)
	page := string(a.body)
	for _, forbidden := range []string{"<script", "http://", "https://", " src=", "ZgotmplZ"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	for _, route := range contract {
		method, path, _ := strings.Cut(route, " ")
		if !strings.Contains(page, `<span class="method">`+method+`</span>`+path) {
			t.Errorf("the page lacks %s", route)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'sha256-") {
		t.Errorf("the page's policy is %q", policy)
	}
}

// The guide for integrators speaks only of what there is.
func TestGuideNamesRoutesThatExist(t *testing.T) {
	guide, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for _, route := range contract {
		_, path, _ := strings.Cut(route, " ")
		patterns = append(patterns, "^"+strings.ReplaceAll(regexp.QuoteMeta(path), `\{id\}`, `([a-z0-9-]+|\{id\})`)+"$")
	}
	known := regexp.MustCompile(strings.Join(patterns, "|"))
	paths := regexp.MustCompile(`/api/[a-z0-9/{}.-]*[a-z0-9}]`).FindAllString(string(guide), -1)
	if len(paths) < 30 {
		t.Errorf("the guide names only %d paths", len(paths))
	}
	for _, path := range paths {
		if !known.MatchString(path) {
			t.Errorf("the guide names %s, which there is not", path)
		}
	}
	cfg := api.DefaultConfig()
	keys := map[string]bool{"names": true}
	for i := range reflect.TypeOf(cfg).NumField() {
		keys[reflect.TypeOf(cfg).Field(i).Tag.Get("mapstructure")] = true
	}
	_, limits, _ := strings.Cut(string(guide), "## Limits")
	for _, key := range regexp.MustCompile("`([a-z]+_[a-z_]+)`").FindAllStringSubmatch(limits, -1) {
		if !keys[key[1]] {
			t.Errorf("the guide names the key %s, which there is not", key[1])
		}
	}
}
