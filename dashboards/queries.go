package dashboards

import (
	"strings"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// source is the data source, as deploy/grafana provisions it.
var source = Ref{Type: "lamppost-city-datasource", UID: "lamppost"}

// The variables as queries name them. A variable of which all is chosen chooses nothing, so the query has no such limit.
const (
	district = "$district"
	sensor   = "$sensor"
	quantity = "$quantity"
)

// history asks for time series of quantities in the chosen districts. by names what lines are kept apart by, separated by
// spaces; "city" combines everything.
func history(by string, quantities ...string) question.Query {
	return question.Query{Kind: question.History, Quantities: quantities, Districts: []string{district}, Group: strings.Fields(by)}
}

// compared adds the same of a day, week or year before.
func compared(q question.Query, before string) question.Query {
	q.Compare = []string{before}
	return q
}

// aggregated combines readings in another way than is natural for the quantity.
func aggregated(q question.Query, aggregate string) question.Query {
	q.Aggregate = aggregate
	return q
}

// readings asks for the newest readings in the chosen districts, a row each, however old they are.
func readings(quantities ...string) question.Query {
	return question.Query{Kind: question.Latest, View: question.ByReading, Quantities: quantities, Districts: []string{district}}
}

// reporting leaves out what is not known of now: the newest readings of sensors that are silent.
func reporting(q question.Query) question.Query {
	q.States = []string{"ok"}
	return q
}

// current asks for how it is now: the newest readings of the sensors that report, a row each.
func current(quantities ...string) question.Query { return reporting(readings(quantities...)) }

// currentBySensor asks for the same with a row for each sensor.
func currentBySensor(quantities ...string) question.Query {
	q := current(quantities...)
	q.View = question.BySensor
	return q
}

// ledger asks for what came and what did not from the chosen districts.
func ledger(view question.View) question.Query {
	return question.Query{Kind: question.Ledger, View: view, Districts: []string{district}}
}

// stepped asks for the same by steps. The first and the last one are left out where they are not whole: as sums they would be lower than the
// others for no reason.
func stepped() question.Query {
	q := ledger(question.Steps)
	q.Whole = true
	return q
}

// registered asks for who is registered in the chosen districts.
func registered(view question.View) question.Query {
	return question.Query{Kind: question.Sensors, View: view, Districts: []string{district}}
}

// ofSensor narrows a question to the chosen sensor, wherever it stands.
func ofSensor(q question.Query) question.Query {
	q.Districts, q.Sensors = nil, []string{sensor}
	return q
}

// firstLanes asks for occupancy and speed of the first lane of every detector.
func firstLanes() question.Query {
	q := currentBySensor("occupancy", "speed")
	q.Channel = "1"
	return q
}
