package plugin

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// sensors answers with who is registered.
func (d *Datasource) sensors(ctx context.Context, a asked) (data.Frames, error) {
	switch a.View {
	case question.Sites:
		sites, err := d.sites(ctx, a)
		all := shown(city.Call("sites", nil), frames.Sites(cut(sites, a.Limit)))
		a.beyond(all[0], len(sites))
		return all, err
	case question.Districts:
		districts, err := d.city.Districts(ctx)
		districts = slices.DeleteFunc(slices.Clone(districts), func(s city.District) bool {
			return len(a.Districts) > 0 && !slices.Contains(a.Districts, s.ID) ||
				rejects(a.unwanted, func(key string) string { return map[string]string{"district": s.ID}[key] })
		})
		return shown(city.Call("districts", nil), frames.Districts(cut(districts, a.Limit))), err
	case question.Bridges:
		return d.bridges(ctx, a)
	case question.States:
		return d.states(ctx, a)
	}
	rows, calls, total, err := d.registered(ctx, a)
	if err != nil {
		return nil, err
	}
	all := shown(calls, frames.Sensors(cut(rows, a.Limit)))
	if total > question.MaxRows && (a.Limit == 0 || len(rows) < a.Limit) {
		warned(all[0], "there are "+strconv.Itoa(total)+" sensors, and the first "+strconv.Itoa(question.MaxRows)+" are looked at; choose districts, sites or an area")
	}
	return all, nil
}

// states answers with how many sensors are in which state. The server counts, unless it cannot be told what is wanted.
func (d *Datasource) states(ctx context.Context, a asked) (data.Frames, error) {
	if len(a.Sensors)+len(a.States) > 0 || a.sifted() {
		rows, calls, total, err := d.registered(ctx, a)
		if err != nil {
			return nil, err
		}
		tally := frames.Tally{Sensors: len(rows)}
		for _, s := range rows {
			switch s.State {
			case "ok":
				tally.OK++
			case "silent":
				tally.Silent++
			case "never":
				tally.Never++
			}
		}
		all := shown(calls, frames.States(tally))
		if total > question.MaxRows {
			warned(all[0], "there are "+strconv.Itoa(total)+" sensors, and the first "+strconv.Itoa(question.MaxRows)+" are counted; choose districts, sites or an area")
		}
		return all, nil
	}
	states := []string{"", "silent", "never"} // the others are ok: three counts of three moments might not add up
	counts, faults, calls := make([]int, len(states)), make([]error, len(states)), make([]string, len(states))
	var running sync.WaitGroup
	for i, state := range states {
		params := a.registry()
		params.Set("limit", "1")
		if state != "" {
			params.Set("state", state)
		}
		calls[i] = city.Call("sensors", params)
		running.Go(func() { _, counts[i], faults[i] = d.city.Sensors(ctx, params) })
	}
	running.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	all, silent, never := counts[0], counts[1], counts[2]
	return shown(strings.Join(calls, "\n"), frames.States(frames.Tally{Sensors: all, OK: max(all-silent-never, 0), Silent: silent, Never: never})), nil
}

// registry are the parameters that choose among registered sensors, as far as the API takes them: it takes one domain.
func (a asked) registry() url.Values {
	params := a.who()
	params.Del("sensor")
	params.Del("domain")
	if len(a.Domains) == 1 {
		params.Set("domain", a.Domains[0])
	}
	if a.Search != "" {
		params.Set("q", a.Search)
	}
	return params
}

// sifted says whether the answer has to be sifted, because the API cannot be told all that is wanted of registered sensors.
func (a asked) sifted() bool { return len(a.Domains) > 1 || len(a.States) > 1 || len(a.unwanted) > 0 }

// registered are the sensors that the query wants, the calls that said so, and how many there are: more than MaxRows are not
// looked at.
func (d *Datasource) registered(ctx context.Context, a asked) (rows []city.Sensor, calls string, total int, err error) {
	if len(a.Sensors) > 0 {
		named := make([]string, len(a.Sensors))
		for i, id := range a.Sensors {
			named[i] = city.Call("sensors/"+url.PathEscape(id), nil)
		}
		rows, err = d.find(ctx, a.Sensors)
		calls = strings.Join(named, "\n")
	} else {
		params := a.registry()
		limit := question.MaxRows
		if len(a.States) == 1 {
			params.Set("state", a.States[0])
		}
		if a.Limit > 0 && !a.sifted() {
			limit = a.Limit
		}
		params.Set("limit", strconv.Itoa(limit))
		rows, total, err = d.city.Sensors(ctx, params)
		calls = city.Call("sensors", params)
	}
	return slices.DeleteFunc(rows, func(s city.Sensor) bool { return !a.wants(s) }), calls, total, err
}

// wants says whether a registered sensor is wanted. Of one that was not named the server has already looked at some.
func (a asked) wants(s city.Sensor) bool {
	among := func(chosen []string, id string) bool { return len(chosen) == 0 || slices.Contains(chosen, id) }
	some := func(chosen, has []string) bool {
		return len(chosen) == 0 || slices.ContainsFunc(chosen, func(name string) bool { return slices.Contains(has, name) })
	}
	inside := a.Area == nil || within(a.Area, s.Lon, s.Lat)
	return inside && among(a.Districts, s.District) && among(a.Sites, s.Site) && among(a.States, s.State) &&
		some(a.Domains, s.Domains) && some(a.Quantities, s.Quantities) && (len(a.Sensors) == 0 || matches(a.Search, s.ID, s.Title, s.Site, s.SiteTitle)) &&
		!a.refuses(map[string][]string{"sensor": {s.ID}, "site": {s.Site}, "district": {s.District}, "quantity": s.Quantities, "domain": s.Domains})
}

// refuses says whether an ad hoc filter leaves out what has these names, by label: of a quantity or domain whoever measures that,
// among other things or not.
func (a asked) refuses(has map[string][]string) bool {
	return slices.ContainsFunc(a.unwanted, func(f question.Filter) bool {
		return slices.ContainsFunc(f.Wanted(), func(name string) bool { return slices.Contains(has[f.Key], name) })
	})
}

// area is the part of the map that a query is about; nil is all of it.
func (d *Datasource) area(ctx context.Context, q question.Query) (*question.Area, error) {
	if q.Around == nil {
		return q.Area, nil
	}
	sites, err := d.city.Sites(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(sites, func(s city.Site) bool { return s.ID == q.Around.Site })
	if at < 0 {
		return nil, faulty{fmt.Errorf("around: there is no site %s; choose another", q.Around.Site)}
	}
	if sites[at].Lon == nil || sites[at].Lat == nil {
		return nil, faulty{fmt.Errorf("around: the site %s has no position on the map; choose another", q.Around.Site)}
	}
	area := q.Around.Area(*sites[at].Lon, *sites[at].Lat)
	return &area, nil
}

// within says whether a place is in an area; what has no place is in none.
func within(area *question.Area, lon, lat *float64) bool {
	return lon != nil && lat != nil && area.Holds(*lon, *lat)
}

// namedAtOnce is how many sensors are asked for at the same time.
const namedAtOnce = 8

// find asks for sensors by id, and returns those that are registered in the order of the ids.
func (d *Datasource) find(ctx context.Context, ids []string) ([]city.Sensor, error) {
	found, known, faults := make([]city.Sensor, len(ids)), make([]bool, len(ids)), make([]error, len(ids))
	var running sync.WaitGroup
	for worker := range min(namedAtOnce, len(ids)) {
		running.Go(func() {
			for i := worker; i < len(ids); i += namedAtOnce {
				found[i], known[i], faults[i] = d.city.Sensor(ctx, ids[i])
			}
		})
	}
	running.Wait()
	rows := make([]city.Sensor, 0, len(ids))
	for i, s := range found {
		if faults[i] != nil {
			return nil, faults[i]
		}
		if known[i] {
			rows = append(rows, s)
		}
	}
	return rows, nil
}
