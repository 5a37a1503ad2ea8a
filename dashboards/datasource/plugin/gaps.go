package plugin

import (
	"context"

	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// fewSensors is up to how many sensors are asked for one by one; more are picked out of the list of all.
const fewSensors = 16

// cadences are how often the sensors of lines should report, where that decides which steps without readings are gaps.
func (d *Datasource) cadences(ctx context.Context, a asked, form frames.HistoryForm, lines []frames.Line) (frames.Cadences, error) {
	if !a.Gaps || !frames.Holed(lines, form.From.UnixMilli(), form.To.UnixMilli()) {
		return nil, nil
	}
	who := asked{Query: question.Query{Quantities: a.Quantities, Domains: a.Domains, Districts: a.Districts, Sites: a.Sites, Area: a.Area}}
	if len(a.Sensors) <= fewSensors {
		who.Sensors = a.Sensors
	}
	sensors, _, _, err := d.registered(ctx, who)
	return frames.NewCadences(sensors), err
}
