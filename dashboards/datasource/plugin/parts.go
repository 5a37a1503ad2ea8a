package plugin

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// tail is how much of a live history is readings as they are, so that what comes live goes on with the same.
func tail(a asked) time.Duration {
	return min(max(a.to.Sub(a.from)/20, time.Minute), 10*time.Minute)
}

// parts are the requests: of now, and of each time that is compared with. A live history has several of now: its steps, by how
// they are combined, and its end as it is.
func (d *Datasource) parts(ctx context.Context, a asked, catalogue frames.Catalogue) ([]*part, error) {
	if a.Live && a.Step != question.Raw {
		return d.liveParts(ctx, a, catalogue)
	}
	all := []*part{{params: a.stepped(a.from, a.to), kept: a.keeps(asIs)}}
	if len(a.Compare) == 0 {
		return all, nil
	}
	zone, err := d.city.Zone(ctx)
	if err != nil {
		return nil, err
	}
	for _, before := range a.Compare {
		back, forth := shifts(before, zone)
		all = append(all, &part{params: a.stepped(back(a.from), back(a.to)), compare: before, forth: forth, kept: a.keeps(back)})
	}
	return all, nil
}

// liveParts are those of a history that goes on with readings as they come. Where nobody chose how its steps are combined, counts
// are by their mean: a sum would fall to the height of single readings at the end.
func (d *Datasource) liveParts(ctx context.Context, a asked, catalogue frames.Catalogue) ([]*part, error) {
	cut := a.to
	var end []*part
	if goesOn(a) {
		if cut = a.to.Add(-tail(a)).Truncate(time.Second); !a.from.Before(cut) {
			return []*part{{params: a.plain(a.from, a.to)}}, nil
		}
		end = []*part{{params: a.plain(cut, a.to)}}
	}
	if a.Aggregate != "" {
		return append([]*part{{params: a.stepped(a.from, cut)}}, end...), nil
	}
	quantities, err := d.quantitiesOf(ctx, a)
	if err != nil {
		return nil, err
	}
	var counts, others []string
	for _, q := range quantities {
		if catalogue.Counts(q) {
			counts = append(counts, q)
		} else {
			others = append(others, q)
		}
	}
	var all []*part
	if len(others) > 0 || len(counts) == 0 {
		rest := a
		if len(counts) > 0 {
			rest.Quantities = others
		}
		all = append(all, &part{params: rest.stepped(a.from, cut)})
	}
	if len(counts) > 0 {
		a.Quantities, a.Aggregate = counts, "mean"
		all = append(all, &part{params: a.stepped(a.from, cut)})
	}
	return append(all, end...), nil
}

// quantitiesOf are those that a history is of: what its sensors are registered with, where it names none.
func (d *Datasource) quantitiesOf(ctx context.Context, a asked) ([]string, error) {
	if len(a.Quantities) > 0 {
		return a.Quantities, nil
	}
	sensors, _, _, err := d.registered(ctx, asked{Query: question.Query{Sensors: a.Sensors, Sites: a.Sites, Districts: a.Districts, Domains: a.Domains}})
	var all []string
	for i := range sensors {
		all = append(all, sensors[i].Quantities...)
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// plain are the parameters that ask for readings as they are.
func (a asked) plain(from, to time.Time) url.Values {
	params := a.who()
	if a.Channel != "" {
		params.Set("channel", a.Channel)
	}
	params.Set("from", from.UTC().Format(time.RFC3339Nano))
	params.Set("to", to.UTC().Format(time.RFC3339Nano))
	return params
}

// stepped are those that ask for steps, unless the query wants readings as they are.
func (a asked) stepped(from, to time.Time) url.Values {
	params := a.plain(from, to)
	switch a.Step {
	case question.Raw:
		return params
	case question.Automatic:
		params.Set("points", strconv.FormatInt(a.points, 10))
	default:
		params.Set("step", a.Step)
	}
	if a.Aggregate != "" {
		params.Set("agg", a.Aggregate)
	}
	if slices.Contains(a.Group, question.City) {
		params.Set("group", "domain") // a quantity is of one domain, so this combines everything
	} else if len(a.Group) > 0 {
		params["group"] = a.Group
	}
	return params
}
