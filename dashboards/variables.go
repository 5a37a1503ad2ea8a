package dashboards

// VariableQuery is what the data source's variables ask for: a list of names, of those that fit what other variables chose.
type VariableQuery struct {
	RefID     string   `json:"refId"`
	List      string   `json:"list"`
	Districts []string `json:"districts,omitempty"`
	Sites     []string `json:"sites,omitempty"`
	Sensors   []string `json:"sensors,omitempty"`
	// Search is what somebody types into the box. Grafana asks again on typing where it finds its name of that in the query.
	Search string `json:"search"`
}

// Settings of variables in Grafana's numbers.
const (
	onTimeRange = 2 // asked again when the time range changes, and on every load
	asAnswered  = 0
)

// districts chooses the districts that panels are about.
func districts() Variable {
	return choosing("district", "District", "Only sensors in these districts; all of them without a choice",
		VariableQuery{List: "districts"}, true)
}

// sites chooses the sites whose sensors can be chosen.
func sites() Variable {
	return choosing("site", "Site", "Only sensors at this site are offered",
		VariableQuery{List: "sites", Districts: []string{district}}, true)
}

// sensors chooses one sensor.
func sensors() Variable {
	v := choosing("sensor", "Sensor", "The sensor that this is about",
		VariableQuery{List: "sensors", Districts: []string{district}, Sites: []string{"$site"}}, false)
	v.Multi = false
	return v
}

// quantities chooses what of a sensor is shown.
func quantities() Variable {
	return choosing("quantity", "Quantity", "Only these quantities of the sensor",
		VariableQuery{List: "quantities", Sensors: []string{sensor}}, true)
}

// choosing makes a variable; all says that all of the list may be chosen, which is then the choice to begin with.
func choosing(name, label, about string, q VariableQuery, all bool) Variable {
	q.RefID, q.Search = name, "$__searchFilter"
	v := Variable{
		Name: name, Label: label, Description: about, Type: "query", Datasource: source, Query: q, Definition: q.List,
		Current: Choice{Text: "", Value: ""}, IncludeAll: all, Multi: all, Refresh: onTimeRange, Sort: asAnswered,
	}
	if all {
		v.Current = Choice{Text: []string{"All"}, Value: []string{"$__all"}}
	}
	return v
}
