package dashboards

import "github.com/lamppost-city/lamppost/dashboards/datasource/question"

// All returns every dashboard, the overview first.
func All() []Dashboard {
	return []Dashboard{Overview(), Traffic(), Energy(), Safety(), Sensor(), Fleet(), Pipeline()}
}

// tag is what Grafana finds them by.
const tag = "lamppost"

// page is what dashboards differ by, beside their panels.
type page struct {
	uid, title, about string
	// back is how far back the time range begins, like 24h.
	back      string
	variables []Variable
	// events says whether silences and clock faults are drawn unasked; they can be switched on everywhere.
	events bool
}

// with makes the dashboard. Panels are numbered in their order.
func (p page) with(panels ...Panel) Dashboard {
	for i := range panels {
		panels[i].ID = i + 1
	}
	return Dashboard{
		UID: p.uid, Title: p.title, Description: p.about, Tags: []string{tag}, Editable: true,
		GraphTooltip: 1, // the pointer is shown in all panels at the same time
		Timezone:     "browser", Refresh: "30s", SchemaVersion: schemaVersion,
		Time: TimeRange{From: "now-" + p.back, To: "now"}, Links: navigation(p.uid),
		Templating: Templating{List: p.variables}, Annotations: Annotations{List: p.annotations()}, Panels: panels,
	}
}

// annotations are the events that the API knows of, silences and clock faults, at the chosen sensor or in the chosen districts.
func (p page) annotations() []Annotation {
	q := question.Query{Kind: question.Events, Districts: []string{district}}
	if p.uid == sensorUID {
		q = ofSensor(q)
	}
	return []Annotation{{Name: "Events", Datasource: source, Enable: p.events, IconColor: vermillion, Target: Target{RefID: "Anno", Datasource: source, Query: q}}}
}
