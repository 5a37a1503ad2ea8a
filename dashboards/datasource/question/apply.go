package question

import (
	"slices"
	"strings"
)

// applicable is what a kind and view can do with a choice: what is not named here would be ignored, and Check refuses it.
type applicable struct {
	// fields are the JSON names of those that choose.
	fields []string
	// leaveOut are the labels by which ad hoc filters with != are applied.
	leaveOut []string
}

// places are what the ledger and everything about sensors is kept by.
func places() []string { return []string{"districts", "sites", "sensors"} }

// applies says what a kind and view can be chosen by.
func applies(k Kind, v View) applicable {
	measured := append(places(), "quantities", "domains", "area")
	whose := []string{"district", "site", "sensor"}
	switch k {
	case History:
		return applicable{append(measured, "channel"), FilterKeys()}
	case Latest:
		return applicable{append(measured, "channel", "states", "limit"), FilterKeys()}
	case Ledger:
		if v == Each {
			return applicable{append(places(), "sort", "limit"), whose}
		}
		if v == Reasons {
			return applicable{places(), nil}
		}
		return applicable{append(places(), "counters"), nil}
	case Sensors:
		switch v {
		case Sites:
			return applicable{[]string{"districts", "sites", "domains", "area", "states", "search", "limit"}, []string{"district", "site", "domain"}}
		case Districts:
			return applicable{[]string{"districts", "limit"}, []string{"district"}}
		case Bridges:
			return applicable{[]string{"sensors", "limit"}, []string{"sensor"}}
		case States:
			return applicable{append(measured, "states", "search"), append(whose, "quantity", "domain")}
		}
		return applicable{append(measured, "states", "search", "limit"), append(whose, "quantity", "domain")}
	case Events:
		return applicable{append(places(), "events", "limit"), whose}
	case Pipeline:
	}
	return applicable{}
}

// fieldOf is the field that a filter of a label narrows.
func fieldOf(label string) string {
	switch label {
	case "quantity":
		return "quantities"
	case "channel":
		return label
	}
	return label + "s"
}

// checkApplies refuses what would be ignored: an answer about everything must not look like one about a part.
func (q Query) checkApplies(fault func(string, ...any)) {
	view := q.View
	if views := Views(q.Kind); view == "" && len(views) > 0 {
		view = views[0]
	}
	can := applies(q.Kind, view)
	what := strings.TrimSpace(string(q.Kind) + " " + string(view))
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"quantities", len(q.Quantities) > 0},
		{"domains", len(q.Domains) > 0},
		{"districts", len(q.Districts) > 0},
		{"sites", len(q.Sites) > 0},
		{"sensors", len(q.Sensors) > 0},
		{"area", q.Area != nil || q.Around != nil},
		{"channel", q.Channel != ""},
		{"states", len(q.States) > 0},
		{"search", q.Search != ""},
		{"sort", q.Sort != ""},
		{"limit", q.Limit > 0},
		{"events", len(q.Events) > 0},
		{"counters", len(q.Counters) > 0},
	} {
		if field.set && !slices.Contains(can.fields, field.name) {
			fault("%s: %s cannot be chosen by that; leave it out", field.name, what)
		}
	}
	var labels []string
	for _, label := range FilterKeys() {
		if slices.Contains(can.fields, fieldOf(label)) {
			labels = append(labels, label)
		}
	}
	for _, f := range q.Filters {
		switch known := slices.Contains(FilterKeys(), f.Key); {
		case !known:
		case len(labels) == 0:
			fault("filter: %s cannot be filtered by %s, nor by anything else; show it on a dashboard without filters", what, f.Key)
		case !slices.Contains(labels, f.Key):
			fault("filter: %s cannot be filtered by %s, only by %s", what, f.Key, strings.Join(labels, ", "))
		case f.Excludes() && !slices.Contains(can.leaveOut, f.Key):
			fault("filter: %s cannot leave a %s out; use = in place of %s", what, f.Key, f.Operator)
		}
	}
}
