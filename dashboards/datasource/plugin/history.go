package plugin

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// part is one request of a history.
type part struct {
	params  url.Values
	compare string
	// forth moves a time of the part to where it is shown.
	forth func(time.Time) time.Time
	// kept are the steps that are shown; nil are all.
	kept   *kept
	answer *city.Readings
	err    error
}

// history answers with a frame a line.
func (d *Datasource) history(ctx context.Context, a asked) (data.Frames, error) {
	catalogue, err := d.city.Quantities(ctx)
	if err != nil {
		return nil, err
	}
	known := frames.NewCatalogue(catalogue)
	parts, err := d.parts(ctx, a, known)
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	for _, p := range parts {
		running.Go(func() { p.answer, p.err = d.city.History(ctx, p.params) })
	}
	form := frames.HistoryForm{Catalogue: known, Naming: a.naming, Group: a.Group, Gaps: a.Gaps, From: a.from, To: a.to}
	names, err := d.names(ctx, a.Group)
	running.Wait()
	if err != nil {
		return nil, err
	}
	form.Names = names
	steps, err := d.stepsOf(ctx, parts)
	if err != nil {
		return nil, err
	}
	var into drawn
	var calls []string
	truncated := false
	for i, p := range parts {
		calls = append(calls, city.Call("history", p.params))
		truncated = truncated || p.answer.Truncated
		p.draw(&into, steps[i])
	}
	if k := a.keeps(asIs); k != nil && len(into.lines) > 0 {
		form.From, form.To = time.UnixMilli(max(k.from, a.from.UnixMilli())), time.UnixMilli(into.lines[0].Step.Before(k.to)+1)
	}
	if form.Cadences, err = d.cadences(ctx, a, form, into.lines); err != nil {
		return nil, err
	}
	lines, err := wanted(into.lines, a.unwanted, form.Catalogue)
	if err != nil {
		return nil, err
	}
	all := shown(strings.Join(calls, "\n"), frames.History(lines, form)...)
	if len(all) == 0 { // says what was asked where there is nothing to show
		all = shown(strings.Join(calls, "\n"), data.NewFrame("").SetMeta(&data.FrameMeta{Type: data.FrameTypeTimeSeriesMulti, TypeVersion: data.FrameTypeVersion{0, 1}}))
	}
	if truncated {
		warned(all[0], "there are more readings than one answer holds, and some are missing here; choose a longer step, a shorter time or fewer sensors")
	}
	if len(lines) == 0 && into.cut > 0 {
		explained(all[0], "no step is whole in this time; choose a shorter step or a longer time")
	}
	d.goOn(all[0], a)
	return all, nil
}

// naming is what lines of a query have to be told apart by, with its ad hoc filters or without.
func naming(q question.Query, ways bool) frames.Naming {
	return frames.Naming{
		Quantity: len(q.Quantities) != 1, Sensor: len(q.Sensors) != 1,
		Channel:   slices.ContainsFunc(q.Filters, func(f question.Filter) bool { return f.Key == "channel" }),
		Aggregate: q.Aggregate, Ways: ways, Live: q.Live && q.Step != question.Raw,
	}
}

// ways says whether a panel's histories are combined in several ways.
func ways(queries []backend.DataQuery) bool {
	seen := make(map[string]bool)
	for _, q := range queries {
		if parsed, err := question.Parse(q.JSON); err == nil && parsed.Kind == question.History {
			seen[parsed.Aggregate] = true
		}
	}
	return len(seen) > 1
}

// shifts move a time by a day, week or year of the calendar there: eight in the morning stays eight in the morning.
func shifts(by string, zone *time.Location) (back, forth func(time.Time) time.Time) {
	years, days := 0, 0
	switch by {
	case "day":
		days = 1
	case "week":
		days = 7
	case "year":
		years = 1
	}
	return func(t time.Time) time.Time { return t.In(zone).AddDate(-years, 0, -days) },
		func(t time.Time) time.Time { return t.In(zone).AddDate(years, 0, days) }
}

// stepsOf are those of the parts' answers, or what is wrong with one of these.
func (d *Datasource) stepsOf(ctx context.Context, parts []*part) ([]frames.Step, error) {
	all := make([]frames.Step, len(parts))
	for i, p := range parts {
		if p.err != nil {
			return nil, p.err
		}
		length, ok := step.Parse(p.answer.Step)
		if !ok || length.IsZero() { // servers before steps of the calendar give the length alone
			length = step.Length{Every: time.Duration(p.answer.StepMS) * time.Millisecond}
		}
		var err error
		if all[i], err = d.stepNamed(ctx, length); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// draw adds the part's answer, moved to where it is shown. Where the clocks change two times can fall together or swap:
// only those that go forward are kept.
func (p *part) draw(into *drawn, step frames.Step) {
	for _, s := range p.answer.Series {
		had := len(s.Times)
		if s.Times, s.Values = p.kept.of(s.Times, s.Values, step); len(s.Times) == 0 && had > 0 {
			into.cut++
			continue
		}
		if p.forth != nil {
			kept, last := 0, int64(0)
			for i, ms := range s.Times {
				at := p.forth(time.UnixMilli(ms)).UnixMilli()
				if kept > 0 && at <= last {
					continue
				}
				s.Times[kept], s.Values[kept], last = at, s.Values[i], at
				kept++
			}
			s.Times, s.Values = s.Times[:kept], s.Values[:kept]
		}
		s.Agg = cmp.Or(s.Agg, p.answer.Agg)
		into.add(frames.Line{Series: s, Step: step, Compare: p.compare})
	}
}

// sameLine is what makes two series parts of one line.
type sameLine struct{ sensor, site, district, channel, domain, quantity, compare string }

// drawn are lines, found by what they are of.
type drawn struct {
	lines []frames.Line
	at    map[sameLine]int
	// cut is how many lines had no step that is shown.
	cut int
}

// add appends a line, to the one that it goes on if there is one.
func (d *drawn) add(line frames.Line) {
	key := sameLine{line.Sensor, line.Site, line.District, line.Channel, line.Domain, line.Quantity, line.Compare}
	if at, known := d.at[key]; known {
		l := &d.lines[at]
		l.Times, l.Values = append(l.Times, line.Times...), append(l.Values, line.Values...)
		return
	}
	if d.at == nil {
		d.at = make(map[sameLine]int)
	}
	d.at[key] = len(d.lines)
	d.lines = append(d.lines, line)
}

// wanted leaves out the lines that ad hoc filters do not want.
func wanted(lines []frames.Line, unwanted []question.Filter, catalogue frames.Catalogue) ([]frames.Line, error) {
	for _, f := range unwanted {
		refused := f.Wanted()
		for i := range lines {
			l := &lines[i]
			if l.Label(f.Key, catalogue) == "" && f.Key != "channel" {
				return nil, faulty{fmt.Errorf("filter: %s %s cannot be applied where readings are combined over it; use =, or group by %s", f.Key, f.Operator, f.Key)}
			}
		}
		lines = slices.DeleteFunc(lines, func(l frames.Line) bool { return slices.Contains(refused, l.Label(f.Key, catalogue)) })
	}
	return lines, nil
}

// names are those of the places that lines are named by.
func (d *Datasource) names(ctx context.Context, group []string) (frames.Names, error) {
	var names frames.Names
	if slices.Contains(group, "site") {
		sites, err := d.city.Sites(ctx)
		if err != nil {
			return names, err
		}
		names.Sites = make(map[string]string, len(sites))
		for _, s := range sites {
			names.Sites[s.ID] = s.Title
		}
	}
	if slices.Contains(group, "district") {
		districts, err := d.city.Districts(ctx)
		if err != nil {
			return names, err
		}
		names.Districts = make(map[string]string, len(districts))
		for _, s := range districts {
			names.Districts[s.ID] = s.Title
		}
	}
	return names, nil
}
