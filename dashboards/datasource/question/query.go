package question

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Kind is what is asked for.
type Kind string

// The kinds of question.
const (
	// History is time series of readings; the kind that alert rules use.
	History Kind = "history"
	// Latest is the newest readings with place and state, as a table.
	Latest Kind = "latest"
	// Ledger is what came, what was refused and what is missing.
	Ledger Kind = "ledger"
	// Sensors is who is registered: sensors, sites or districts, as a table; and the bridges that read them.
	Sensors Kind = "sensors"
	// Pipeline is how the server itself is doing now, as a table.
	Pipeline Kind = "pipeline"
	// Events is silences and clock faults, for annotations.
	Events Kind = "events"
)

// View is the form of an answer, for the kinds that have several. The first of a kind is the one that "" means.
type View string

// The views, by kind.
const (
	// BySensor is, of Latest, a row for each sensor with a column for each quantity and channel.
	BySensor View = "sensors"
	// ByReading is, of Latest, a row for each reading.
	ByReading View = "readings"

	// Totals is, of Ledger and Pipeline, one row of sums.
	Totals View = "totals"
	// Steps is, of Ledger, a time series of each counter.
	Steps View = "steps"
	// Reasons is, of Ledger, a row for each reason for which readings were refused.
	Reasons View = "reasons"
	// Each is, of Ledger, a row for each sensor.
	Each View = "each"

	// List is, of Sensors, a row for each sensor.
	List View = "list"
	// Sites is, of Sensors, a row for each site.
	Sites View = "sites"
	// Districts is, of Sensors, a row for each district.
	Districts View = "districts"

	// States is, of Sensors, one row with how many sensors there are and how many are in each state, with a site or without.
	States View = "states"

	// Bridges is, of Sensors, a row for each edge bridge that has reported.
	Bridges View = "bridges"

	// Parts is, of Pipeline, a row for each part of the server.
	Parts View = "parts"
)

// City in Query.Group combines everything into one series for each quantity.
const City = "city"

// The ways to say Query.Step other than with a duration.
const (
	// Automatic leaves the step to the server, which chooses it by the width of the panel.
	Automatic = ""
	// Raw asks for the readings as they are.
	Raw = "raw"
)

// Query is one question. Lists that are empty choose everything; those that are not all have to agree.
type Query struct {
	Kind Kind `json:"kind,omitempty"`
	View View `json:"view,omitempty"`

	// Quantities and Domains say what was measured, by name.
	Quantities []string `json:"quantities,omitempty"`
	Domains    []string `json:"domains,omitempty"`
	// Districts, Sites, Sensors and Area say where, by id; Around says it in place of an Area.
	Districts []string `json:"districts,omitempty"`
	Sites     []string `json:"sites,omitempty"`
	Sensors   []string `json:"sensors,omitempty"`
	Area      *Area    `json:"area,omitempty"`
	Around    *Around  `json:"around,omitempty"`
	// Channel is one of several alike within the sensors; "" is all of them.
	Channel string `json:"channel,omitempty"`

	// Aggregate is how the readings of a step are combined: mean, min, max, sum, count, p50 or p95; "" as fits the quantity.
	Aggregate string `json:"aggregate,omitempty"`
	// Step is Automatic, Raw, a duration like 5m, or one of the city's calendar like 1d, 1w, 1mo and 1y. Of Ledger it is never
	// Raw.
	Step string `json:"step,omitempty"`
	// Group combines over everything that it does not name: sensor, site, district, channel, domain, or City alone.
	// Without it each sensor and channel is a series of its own.
	Group []string `json:"group,omitempty"`
	// Compare adds the same a day, week or year before.
	Compare []string `json:"compare,omitempty"`
	// Gaps puts a null where a step has no reading, so that lines break there.
	Gaps bool `json:"gaps,omitempty"`
	// Whole leaves out the first and the last step where they are not whole: a sum over a part of a step looks like a fall.
	Whole bool `json:"whole,omitempty"`

	// States chooses among sensors: ok, silent or never.
	States []string `json:"states,omitempty"`
	// Search chooses among sensors by part of their id or title.
	Search string `json:"search,omitempty"`
	// Sort orders what Each lists: missing, last_seen or rejected.
	Sort string `json:"sort,omitempty"`
	// Counters chooses among what Totals and Steps of Ledger count, by name of the field, such as missing.
	Counters []string `json:"counters,omitempty"`
	// Limit is how many rows are wanted; 0 is as many as there may be, which is MaxRows.
	Limit int `json:"limit,omitempty"`
	// Events chooses among events: silence or clock.
	Events []string `json:"events,omitempty"`

	// Live goes on with readings as they come.
	Live bool `json:"live,omitempty"`
	// Filters are the dashboard's ad hoc filters.
	Filters []Filter `json:"filters,omitempty"`
}

// Area is a part of the map, in degrees.
type Area struct {
	West  float64 `json:"west"`
	South float64 `json:"south"`
	East  float64 `json:"east"`
	North float64 `json:"north"`
}

// Filter is one ad hoc filter: a label, an operator and what it is compared with.
type Filter struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Value    string   `json:"value"`
	Values   []string `json:"values,omitempty"`
}

// Parse reads a query as Grafana sends it, applies its filters and checks it.
func Parse(text []byte) (Query, error) {
	var q Query
	if err := json.Unmarshal(text, &q); err != nil {
		return q, fmt.Errorf("the query cannot be read: %w; choose it anew in the editor", err)
	}
	if q.Kind == "" {
		q.Kind = History
	}
	if views := Views(q.Kind); q.View == "" && len(views) > 0 {
		q.View = views[0]
	}
	for i, f := range q.Filters {
		q.Filters[i] = f.listed()
	}
	return q, q.Check()
}

// listed makes an expression that is an anchored list of names, such as ^(a|b)$, one of these names. Grafana offers =~ and !~
// whatever the data source, and writes (a|b) for a variable of several values, which it takes for anchored. Every other
// expression is left, and Check refuses it.
func (f Filter) listed() Filter {
	operator, known := map[string]string{"=~": "=|", "!~": "!=|"}[f.Operator]
	if !known {
		return f
	}
	text, begins := strings.CutPrefix(f.Value, "^")
	text, ends := strings.CutSuffix(text, "$")
	inner, opens := strings.CutPrefix(text, "(")
	inner, closes := strings.CutSuffix(inner, ")")
	if begins != ends || opens != closes || !begins && !opens {
		return f
	}
	names := strings.Split(strings.TrimPrefix(inner, "?:"), "|")
	if !opens && len(names) > 1 {
		return f // ^a|b$ is anchored in part only
	}
	for i, n := range names {
		plain := strings.ReplaceAll(strings.ReplaceAll(n, `\.`, ""), `\-`, "")
		names[i] = strings.ReplaceAll(strings.ReplaceAll(n, `\.`, "."), `\-`, "-")
		if strings.ContainsAny(plain, `.\`) || !name.MatchString(names[i]) {
			return f
		}
	}
	return Filter{Key: f.Key, Operator: operator, Values: names}
}

// Views lists the views of a kind, the one that is taken without a choice first.
func Views(k Kind) []View {
	switch k {
	case Latest:
		return []View{BySensor, ByReading}
	case Ledger:
		return []View{Totals, Steps, Reasons, Each}
	case Sensors:
		return []View{List, Sites, Districts, States, Bridges}
	case Pipeline:
		return []View{Totals, Parts}
	case History, Events:
	}
	return nil
}

// Narrowed returns the query with its ad hoc filters applied as far as they name what is wanted. Those that name what is
// not wanted are returned: they are applied to the answer. Nothing is true when no answer can agree with all filters.
func (q Query) Narrowed() (narrowed Query, unwanted []Filter, nothing bool) {
	lists := map[string]*[]string{
		"quantity": &q.Quantities, "domain": &q.Domains, "district": &q.Districts, "site": &q.Sites, "sensor": &q.Sensors,
	}
	for _, f := range q.Filters {
		if f.Excludes() {
			unwanted = append(unwanted, f)
			continue
		}
		wanted := f.Wanted()
		if f.Key == "channel" {
			nothing = nothing || q.Channel != "" && !slices.Contains(wanted, q.Channel)
			if len(wanted) == 1 {
				q.Channel = wanted[0]
			}
			continue
		}
		list := lists[f.Key]
		if list == nil {
			continue // Check refuses it
		}
		if len(*list) > 0 {
			wanted = slices.DeleteFunc(wanted, func(name string) bool { return !slices.Contains(*list, name) })
		}
		nothing = nothing || len(wanted) == 0
		*list = wanted
	}
	q.Filters = nil
	return q, unwanted, nothing
}

// Excludes says whether the filter names what is not wanted.
func (f Filter) Excludes() bool { return strings.HasPrefix(f.Operator, "!") }

// Wanted returns a copy of what the filter names.
func (f Filter) Wanted() []string {
	if strings.HasSuffix(f.Operator, "|") {
		return slices.Clone(f.Values)
	}
	return []string{f.Value}
}
