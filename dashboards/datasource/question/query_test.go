package question_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

func TestFiltersNarrowWhatIsAskedFor(t *testing.T) {
	is := func(key, operator, value string, values ...string) question.Filter {
		return question.Filter{Key: key, Operator: operator, Value: value, Values: values}
	}
	base := question.Query{Kind: question.History, Quantities: []string{"speed"}, Districts: []string{"harbour", "old-town"}}
	for name, test := range map[string]struct {
		filters  []question.Filter
		want     func(*question.Query)
		unwanted int
		nothing  bool
	}{
		"to one of a list": {[]question.Filter{is("district", "=", "harbour")}, func(q *question.Query) { q.Districts = []string{"harbour"} }, 0, false},
		"to several of a list": {
			[]question.Filter{is("district", "=|", "", "old-town", "suburb")},
			func(q *question.Query) { q.Districts = []string{"old-town"} }, 0, false,
		},
		"what was not restricted":        {[]question.Filter{is("site", "=", "quay-1")}, func(q *question.Query) { q.Sites = []string{"quay-1"} }, 0, false},
		"to nothing":                     {[]question.Filter{is("district", "=", "suburb")}, func(q *question.Query) { q.Districts = []string{} }, 0, true},
		"to a channel":                   {[]question.Filter{is("channel", "=", "lane-1")}, func(q *question.Query) { q.Channel = "lane-1" }, 0, false},
		"not at all by what is unwanted": {[]question.Filter{is("site", "!=", "quay-1"), is("sensor", "!=|", "", "a", "b")}, func(*question.Query) {}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			q, want := base, base
			q.Filters = test.filters
			test.want(&want)
			got, unwanted, nothing := q.Narrowed()
			if diff := cmp.Diff(want, got); diff != "" || len(unwanted) != test.unwanted || nothing != test.nothing {
				t.Errorf("%d unwanted, nothing %v\n%s", len(unwanted), nothing, diff)
			}
			if len(base.Districts) != 2 || base.Districts[0] != "harbour" {
				t.Error("the query was changed behind its owner's back")
			}
		})
	}
}

func TestExpressionsThatAreListsOfNamesAreTakenAsLists(t *testing.T) {
	for expression, want := range map[string][]string{
		`^(cam-1|cam-2)$`:       {"cam-1", "cam-2"},
		`^(?:cam-1|cam-2)$`:     {"cam-1", "cam-2"},
		`(cam-1|cam-2)`:         {"cam-1", "cam-2"},
		`^cam-1$`:               {"cam-1"},
		`^(meter\.1|meter\-2)$`: {"meter.1", "meter-2"},
		`cam-1|cam-2`:           nil, // anchored nowhere
		`^cam-1|cam-2$`:         nil,
		`^(cam-1|cam-2)`:        nil,
		`cam`:                   nil,
		`^(cam-.*)$`:            nil,
		`^(cam.1)$`:             nil,
		`^((cam-1)|cam-2)$`:     nil,
		`^(cam-1|)$`:            nil,
		`^()$`:                  nil,
		`$`:                     nil,
		``:                      nil,
	} {
		for operator, listed := range map[string]string{"=~": "=|", "!~": "!=|"} {
			text, err := json.Marshal(question.Query{Quantities: []string{"speed"}, Filters: []question.Filter{{Key: "sensor", Operator: operator, Value: expression}}})
			if err != nil {
				t.Fatal(err)
			}
			q, err := question.Parse(text)
			switch {
			case want == nil:
				if err == nil || !strings.Contains(err.Error(), "cannot be asked") {
					t.Errorf("%s %s is taken: %v", operator, expression, err)
				}
			case err != nil:
				t.Errorf("%s %s: %v", operator, expression, err)
			default:
				if diff := cmp.Diff([]question.Filter{{Key: "sensor", Operator: listed, Values: want}}, q.Filters); diff != "" {
					t.Errorf("%s %s\n%s", operator, expression, diff)
				}
			}
		}
	}
}

// Whatever Grafana sends, it is a query that can be asked or words that say why not.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"kind":"history","quantities":["speed"],"group":["site"],"step":"5m"}`))
	f.Add([]byte(`{"kind":"latest","view":"readings","area":{"west":1,"south":2,"east":3,"north":4},"live":true}`))
	f.Add([]byte(`{"kind":"sensors","around":{"site":"quay-1","metres":500}}`))
	f.Add([]byte(`{"kind":"ledger","view":"steps","filters":[{"key":"site","operator":"!=|","values":["a"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := question.Parse(text)
		q.Narrowed()
		if err == nil && q.Check() != nil {
			t.Errorf("%s is taken and refused", text)
		}
	})
}
