package plugin_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// fieldsOf are the names and labels of an answer's fields.
func fieldsOf(t *testing.T, answer backend.DataResponse) (names, labels []string) {
	t.Helper()
	if answer.Error != nil || len(answer.Frames) != 1 {
		t.Fatalf("%v %v", answer.Error, answer.Frames)
	}
	for _, field := range answer.Frames[0].Fields {
		names = append(names, field.Name)
		if field.Name != "time" {
			labels = append(labels, field.Labels.String())
		}
	}
	return names, labels
}

// Grafana refuses a rule whose series have the same labels.
func TestAlertRulesCanTellCountersApart(t *testing.T) {
	api := newTown(t, "")
	_, labels := fieldsOf(t, ask(t, settings(t, api.URL, ""), day(), `{"kind":"ledger","view":"steps"}`))
	slices.Sort(labels)
	if n := len(labels); n < 10 || len(slices.Compact(labels)) != n {
		t.Errorf("labels are %v", labels)
	}
}

// A rule can watch what is missing and nothing else.
func TestOnlyTheCountersThatAreWantedAreAnswered(t *testing.T) {
	api := newTown(t, "")
	to := settings(t, api.URL, "")
	response, err := shared.Client.QueryData(t.Context(), &backend.QueryDataRequest{
		PluginContext: to, Headers: map[string]string{backend.FromAlertHeaderName: "true"},
		Queries: []backend.DataQuery{{RefID: "A", JSON: json.RawMessage(`{"kind":"ledger","view":"steps","counters":["missing"]}`), TimeRange: day(), MaxDataPoints: 500}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if names, _ := fieldsOf(t, response.Responses["A"]); strings.Join(names, " ") != "time missing" {
		t.Errorf("fields are %v", names)
	}
	if names, _ := fieldsOf(t, ask(t, to, day(), `{"kind":"ledger","view":"steps","counters":["written"]}`)); len(names) > 0 {
		t.Errorf("where nothing is known the fields are %v", names)
	}
	if names, _ := fieldsOf(t, ask(t, to, day(), `{"kind":"ledger","counters":["late","completeness"]}`)); strings.Join(names, " ") != "late completeness" {
		t.Errorf("fields are %v", names)
	}
	for query, words := range map[string]string{
		`{"kind":"ledger","counters":["lost"]}`:                       "counters: there is no",
		`{"kind":"ledger","view":"each","counters":["missing"]}`:      "counters: ledger each",
		`{"kind":"history","quantities":["no2"],"counters":["late"]}`: "counters: history",
	} {
		if answer := ask(t, to, day(), query); answer.Error == nil || !strings.Contains(answer.Error.Error(), words) {
			t.Errorf("%s: %v, want words about %q", query, answer.Error, words)
		}
	}
}
