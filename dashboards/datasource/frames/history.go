package frames

import (
	"math"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Line is one series and when it is of.
type Line struct {
	city.Series
	// Step is that of its answer.
	Step Step
	// Compare is how far before it was ("week"); "" for now. Times are already those of now.
	Compare string
}

// HistoryForm is how lines are shown.
type HistoryForm struct {
	Catalogue Catalogue
	Names     Names
	Naming    Naming
	// Group is what lines were combined by; empty if they were not.
	Group []string
	// Gaps puts nulls where steps have no reading, From (included) to To; where Cadences has the line's, only if a report is missing.
	Gaps     bool
	Cadences Cadences
	From, To time.Time
}

// History makes a frame of each line (timeseries-multi), which panels and alert rules understand.
func History(lines []Line, form HistoryForm) data.Frames {
	form.Naming.see(lines)
	all := make(data.Frames, 0, len(lines))
	for i := range lines {
		line := &lines[i]
		times, values := form.columns(line)
		cfg := form.Catalogue.field(line.Quantity, line.Unit, line.Agg)
		cfg.DisplayNameFromDS = form.lineName(line)
		field := data.NewField(line.Quantity, form.labels(line), values)
		field.SetConfig(cfg)
		frame := data.NewFrame(line.Quantity, data.NewField("time", nil, times), field)
		frame.SetMeta(&data.FrameMeta{Type: data.FrameTypeTimeSeriesMulti, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeGraph})
		all = append(all, frame)
	}
	return all
}

// columns returns times and values: []float64, or []*float64 where any is missing.
func (form HistoryForm) columns(line *Line) (times []time.Time, values any) {
	whole := !form.Gaps || line.Step.MS <= 0
	if whole && !slices.ContainsFunc(line.Values, math.IsNaN) {
		times = make([]time.Time, len(line.Times))
		for i, ms := range line.Times {
			times[i] = time.UnixMilli(ms).UTC()
		}
		return times, []float64(line.Values)
	}
	at, held := []int64(line.Times), []float64(line.Values)
	if !whole {
		at, held = filled(line, form.From.UnixMilli(), form.To.UnixMilli(), form.patience(line))
	}
	times, pointers := make([]time.Time, len(at)), make([]*float64, len(at))
	for i, ms := range at {
		times[i] = time.UnixMilli(ms).UTC()
		if !math.IsNaN(held[i]) {
			pointers[i] = &held[i]
		}
	}
	return times, pointers
}

// labels tell lines from one another, for panels, overrides and alert rules.
func (form HistoryForm) labels(line *Line) data.Labels {
	labels := data.Labels{"quantity": line.Quantity}
	for key, value := range map[string]string{
		"sensor": line.Sensor, "site": line.Site, "district": line.District, "channel": line.Channel, "compare": line.Compare,
	} {
		if value != "" {
			labels[key] = value
		}
	}
	if slices.Contains(form.Group, "domain") {
		labels["domain"] = line.Domain
	}
	return labels
}

// Label is the line's name of a place, quantity, domain or channel; "" where it was combined over that.
func (l *Line) Label(key string, catalogue Catalogue) string {
	switch key {
	case "quantity":
		return l.Quantity
	case "domain":
		return catalogue[l.Quantity].Domain
	case "sensor":
		return l.Sensor
	case "site":
		return l.Site
	case "district":
		return l.District
	case "channel":
		return l.Channel
	}
	return ""
}
