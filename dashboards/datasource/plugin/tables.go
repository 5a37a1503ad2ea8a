package plugin

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
	"github.com/lamppost-city/lamppost/telemetry/step"
)

// rejects says whether an ad hoc filter does not want a row; of gives the row's names.
func rejects(unwanted []question.Filter, of func(key string) string) bool {
	return slices.ContainsFunc(unwanted, func(f question.Filter) bool { return slices.Contains(f.Wanted(), of(f.Key)) })
}

// latest answers with the newest readings.
func (d *Datasource) latest(ctx context.Context, a asked) (data.Frames, error) {
	params := a.who()
	params.Set("place", "true")
	quantities, err := d.city.Quantities(ctx)
	if err != nil {
		return nil, err
	}
	items, truncated, err := d.city.Latest(ctx, params)
	if err != nil {
		return nil, err
	}
	catalogue := frames.NewCatalogue(quantities)
	items = slices.DeleteFunc(items, func(r city.Reading) bool {
		if a.Channel != "" && r.Channel != a.Channel || len(a.States) > 0 && !slices.Contains(a.States, r.SensorState) {
			return true
		}
		return rejects(a.unwanted, func(key string) string {
			return map[string]string{
				"sensor": r.Sensor, "site": r.Site, "district": r.District, "quantity": r.Quantity, "channel": r.Channel, "domain": catalogue[r.Quantity].Domain,
			}[key]
		})
	})
	var frame *data.Frame
	if a.View == question.ByReading {
		frame = frames.Readings(cut(items, a.Limit), catalogue)
		a.beyond(frame, len(items))
	} else {
		frame = frames.Latest(ofFirst(items, a.Limit), catalogue)
	}
	all := shown(city.Call("latest", params), frame)
	if truncated {
		warned(frame, "there are more readings than one answer holds; choose districts, sites or quantities")
	}
	d.goOn(frame, a)
	return all, nil
}

// ofFirst leaves the readings of at most limit sensors; 0 leaves all.
func ofFirst(items []city.Reading, limit int) []city.Reading {
	known := map[string]bool{}
	return slices.DeleteFunc(items, func(r city.Reading) bool {
		if !known[r.Sensor] && limit > 0 && len(known) == limit {
			return true
		}
		known[r.Sensor] = true
		return false
	})
}

// cut leaves at most limit rows; 0 leaves all that may be.
func cut[T any](items []T, limit int) []T {
	if limit <= 0 {
		limit = question.MaxRows
	}
	return items[:min(limit, len(items))]
}

// beyond says in a table of how many rows it is a part, unless the query asked for a part.
func (a asked) beyond(frame *data.Frame, there int) {
	if a.Limit == 0 {
		looked(frame, there, question.MaxRows)
	}
}

// looked says in a table that there are more than were looked at.
func looked(frame *data.Frame, there, most int) {
	if there > most {
		warned(frame, fmt.Sprintf("there are %d, and the first %d are shown; choose districts, sites or sensors", there, most))
	}
}

// sites are those that the query wants.
func (d *Datasource) sites(ctx context.Context, a asked) ([]city.Site, error) {
	all, err := d.city.Sites(ctx)
	var wanted []city.Site
	for _, s := range all {
		inside := a.Area == nil || within(a.Area, s.Lon, s.Lat)
		if !inside || len(a.Sites) > 0 && !slices.Contains(a.Sites, s.ID) || len(a.Districts) > 0 && !slices.Contains(a.Districts, s.District) ||
			len(a.States) > 0 && !slices.Contains(a.States, s.State) || len(a.Domains) > 0 && !slices.ContainsFunc(a.Domains, func(name string) bool { return slices.Contains(s.Domains, name) }) ||
			a.Search != "" && !matches(a.Search, s.ID, s.Title) ||
			a.refuses(map[string][]string{"site": {s.ID}, "district": {s.District}, "domain": s.Domains}) {
			continue
		}
		wanted = append(wanted, s)
	}
	return wanted, err
}

// matches says whether any text has each word that is searched for, whatever the case, as the server searches for sensors.
func matches(search string, texts ...string) bool {
	has := func(word string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), word) })
	}
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(search)), func(word string) bool { return !has(word) })
}

// ledger answers with what came and what did not.
func (d *Datasource) ledger(ctx context.Context, a asked) (data.Frames, error) {
	params := a.when(url.Values{})
	if a.View == question.Each {
		limit := cmp.Or(a.Limit, question.MaxRows)
		asks := limit
		if len(a.unwanted) > 0 { // they take rows away
			asks = question.MaxRows
		}
		params.Set("limit", strconv.Itoa(asks))
		if a.Sort != "" {
			params.Set("sort", a.Sort)
		}
		for key, list := range map[string][]string{"sensor": a.Sensors, "district": a.Districts, "site": a.Sites} {
			if len(list) > 0 {
				params[key] = list
			}
		}
		items, total, err := d.city.LedgerSensors(ctx, params)
		if err != nil {
			return nil, err
		}
		items = slices.DeleteFunc(items, func(k city.Kept) bool {
			return rejects(a.unwanted, func(key string) string {
				return map[string]string{"sensor": k.Sensor, "site": k.Site, "district": k.District}[key]
			})
		})
		all := shown(city.Call("ledger/sensors", params), frames.LedgerSensors(cut(items, limit)))
		if len(items) < limit || a.Limit == 0 {
			looked(all[0], total, asks)
		}
		return all, nil
	}
	for key, list := range map[string][]string{"sensor": a.Sensors, "district": a.Districts, "site": a.Sites} {
		if len(list) > 0 {
			params[key] = list
		}
	}
	each := a.ledgerStep()
	if a.View == question.Steps {
		params.Set("step", each)
	}
	book, err := d.city.Ledger(ctx, params)
	if err != nil {
		return nil, err
	}
	call := city.Call("ledger", params)
	switch a.View {
	case question.Steps:
		length, _ := step.Parse(each)
		named, err := d.stepNamed(ctx, length)
		if err != nil {
			return nil, err
		}
		return shown(call, frames.Counted(frames.LedgerSteps(a.keeps(asIs).steps(book.Steps, named)), a.Counters)), nil
	case question.Reasons:
		return shown(call, frames.LedgerReasons(book.Counts)), nil
	}
	return shown(call, frames.Counted(frames.LedgerTotals(book.Counts), a.Counters)), nil
}

// ledgerStep is the shortest step that the panel has room for; the ledger counts by the minute.
func (a asked) ledgerStep() string {
	if a.Step != question.Automatic {
		return a.Step
	}
	steps := []struct {
		text string
		step time.Duration
	}{
		{"1m", time.Minute},
		{"5m", 5 * time.Minute},
		{"15m", 15 * time.Minute},
		{"1h", time.Hour},
		{"6h", 6 * time.Hour},
	}
	room := min(a.points, 500)
	for _, s := range steps {
		if a.to.Sub(a.from)/s.step <= time.Duration(room) {
			return s.text
		}
	}
	return "1d"
}

// pipeline answers with how the server is doing.
func (d *Datasource) pipeline(ctx context.Context, a asked) (data.Frames, error) {
	p, err := d.city.Pipeline(ctx)
	if err != nil {
		return nil, err
	}
	if a.View == question.Parts {
		return shown(city.Call("pipeline", nil), frames.PipelineParts(p)), nil
	}
	return shown(city.Call("pipeline", nil), frames.PipelineTotals(p)), nil
}

// events answers with silences and clock faults.
func (d *Datasource) events(ctx context.Context, a asked) (data.Frames, error) {
	params := a.when(url.Values{})
	for key, list := range map[string][]string{"sensor": a.Sensors, "site": a.Sites, "district": a.Districts, "kind": a.Events} {
		if len(list) > 0 {
			params[key] = list
		}
	}
	items, truncated, err := d.city.Events(ctx, params)
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(items, func(e city.Event) bool {
		return rejects(a.unwanted, func(key string) string {
			return map[string]string{"sensor": e.Sensor, "site": e.Site, "district": e.District}[key]
		})
	})
	all := shown(city.Call("events", params), frames.Events(cut(items, a.Limit)))
	a.beyond(all[0], len(items))
	if truncated {
		warned(all[0], "there are more events than one answer holds, and older ones are left out; choose a shorter time")
	}
	return all, nil
}
