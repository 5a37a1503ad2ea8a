package question

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// MaxRows is how many rows an answer may have.
	MaxRows = 10_000
	// MaxNames is how many names a list may have; the API takes no more.
	MaxNames = 1_000
)

// Aggregates lists what Query.Aggregate may be beside "".
func Aggregates() []string { return []string{"mean", "min", "max", "sum", "count", "p50", "p95"} }

// Groups lists the labels that Query.Group may name; City stands alone.
func Groups() []string { return []string{"sensor", "site", "district", "channel", "domain"} }

// Comparisons lists what Query.Compare may hold: how far before.
func Comparisons() []string { return []string{"day", "week", "year"} }

// SensorStates lists what Query.States may hold.
func SensorStates() []string { return []string{"ok", "silent", "never"} }

// EventKinds lists what Query.Events may hold.
func EventKinds() []string { return []string{"silence", "clock"} }

// Sorts lists what Query.Sort may be beside "".
func Sorts() []string { return []string{"missing", "last_seen", "rejected"} }

// Counters lists what Query.Counters may hold.
func Counters() []string {
	return []string{
		"expected", "received", "accepted", "written", "waiting", "missing", "late", "stamped", "duplicate", "rejected", "delay_p50", "delay_p99",
		"completeness", "rejected_for",
	}
}

// FilterKeys are the labels that ad hoc filters may name.
func FilterKeys() []string {
	return []string{"district", "site", "sensor", "quantity", "domain", "channel"}
}

var (
	name     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$`)
	duration = regexp.MustCompile(`^[1-9][0-9]{0,5}(s|m|h|d|w|mo|y)$`)
)

// Check says what is wrong with the query, all of it, or nil.
func (q Query) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if !slices.Contains([]Kind{History, Latest, Ledger, Sensors, Pipeline, Events}, q.Kind) {
		fault("kind: there is no %q; choose history, latest, ledger, sensors or pipeline", q.Kind)
		return errors.Join(faults...)
	}
	if views := Views(q.Kind); q.View != "" && !slices.Contains(views, q.View) {
		fault("view: %s has no %q; choose one of %v", q.Kind, q.View, views)
	}
	q.checkNames(fault)
	q.checkWords(fault)
	if q.Area != nil {
		q.Area.check(fault)
	}
	if q.Around != nil {
		q.Around.check(fault)
		if q.Area != nil {
			fault("around: an area is chosen as well; leave one of the two out")
		}
	}
	if q.Limit < 0 || q.Limit > MaxRows {
		fault("limit: %d is not from 0 to %d", q.Limit, MaxRows)
	}
	if q.Kind == History {
		q.checkHistory(fault)
	} else {
		q.checkOthers(fault)
	}
	q.checkFilters(fault)
	q.checkApplies(fault)
	return errors.Join(faults...)
}

func (q Query) checkNames(fault func(string, ...any)) {
	for _, list := range []struct {
		of    string
		names []string
	}{
		{"quantities", q.Quantities},
		{"domains", q.Domains},
		{"districts", q.Districts},
		{"sites", q.Sites},
		{"sensors", q.Sensors},
		{"around", q.around()},
	} {
		if len(list.names) > MaxNames {
			fault("%s: %d are chosen, %d may be; choose a district or an area instead", list.of, len(list.names), MaxNames)
			continue
		}
		for _, n := range list.names {
			switch {
			case strings.HasPrefix(n, "$") || strings.HasPrefix(n, "[["):
				fault("%s: the variable %s has no value here; give the dashboard that variable, or choose another", list.of, n)
			case !name.MatchString(n):
				fault("%s: %.80q is no name; choose from the list", list.of, n)
			}
		}
	}
	if q.Channel != "" && !name.MatchString(q.Channel) {
		fault("channel: %.80q is no name; choose from the list", q.Channel)
	}
	if len(q.Search) > 200 {
		fault("search: at most 200 characters")
	}
}

func (q Query) around() []string {
	if q.Around == nil {
		return nil
	}
	return within(q.Around.Site)
}

func (q Query) checkWords(fault func(string, ...any)) {
	for _, list := range []struct {
		of         string
		words, may []string
	}{
		{"aggregate", within(q.Aggregate), Aggregates()},
		{"group", q.Group, append(Groups(), City)},
		{"compare", q.Compare, Comparisons()},
		{"states", q.States, SensorStates()},
		{"sort", within(q.Sort), Sorts()},
		{"events", q.Events, EventKinds()},
		{"counters", q.Counters, Counters()},
	} {
		for _, word := range list.words {
			if !slices.Contains(list.may, word) {
				fault("%s: there is no %.80q; choose one of %s", list.of, word, strings.Join(list.may, ", "))
			}
		}
	}
	if q.Step != Automatic && q.Step != Raw && !duration.MatchString(q.Step) {
		fault("step: %.80q is no duration; choose automatic, raw, or for instance 5m", q.Step)
	}
}

func within(word string) []string {
	if word == "" {
		return nil
	}
	return []string{word}
}

func (a Area) check(fault func(string, ...any)) {
	if a.West < -180 || a.East > 180 || a.South < -90 || a.North > 90 || !(a.West < a.East) || !(a.South < a.North) {
		fault("area: %g,%g to %g,%g is no part of the map; draw it anew", a.West, a.South, a.East, a.North)
	}
}

func (q Query) checkHistory(fault func(string, ...any)) {
	if len(q.Quantities)+len(q.Sensors)+len(q.Sites) == 0 {
		fault("quantities: choose one; a history of everything would be too much")
	}
	if slices.Contains(q.Group, City) && len(q.Group) > 1 {
		fault("group: city combines everything, so nothing else goes with it")
	}
	if q.Step == Raw {
		if q.Aggregate != "" {
			fault("aggregate: readings as they are cannot be combined; choose a step")
		}
		if len(q.Group) > 0 {
			fault("group: readings as they are cannot be combined; choose a step")
		}
		if q.Gaps {
			fault("gaps: readings as they are have no steps that could be empty; choose a step")
		}
		if q.Whole {
			fault("whole: readings as they are have no steps; choose a step")
		}
	}
	if q.Live {
		if q.Whole {
			fault("whole: the last step goes on live; switch one of the two off")
		}
		if len(q.Group) > 0 || len(q.Compare) > 0 || q.Gaps {
			fault("live: readings as they come go with each sensor's own history only, without group, compare and gaps")
		}
		if q.Area != nil || q.Around != nil {
			fault("live: readings as they come are not chosen by area; choose districts or sites")
		}
		if q.Aggregate == "count" || q.Aggregate == "sum" {
			fault("live: single readings as they come do not go on with a %s over steps; choose mean, or another aggregate", q.Aggregate)
		}
	}
}

// checkOthers refuses what only histories have.
func (q Query) checkOthers(fault func(string, ...any)) {
	if len(q.Group)+len(q.Compare) > 0 || q.Aggregate != "" || q.Gaps {
		fault("%s: group, compare, aggregate and gaps belong to history", q.Kind)
	}
	stepped := q.Kind == Ledger && q.View == Steps && q.Step != Raw
	if q.Whole && !stepped {
		fault("whole: %s has no steps", q.Kind)
	}
	if q.Step != Automatic && !stepped {
		fault("step: %s has none", q.Kind)
	}
	if q.Live && q.Kind != Latest {
		fault("live: %s does not go on as readings come; choose history or latest", q.Kind)
	}
}

func (q Query) checkFilters(fault func(string, ...any)) {
	for _, f := range q.Filters {
		if !slices.Contains(FilterKeys(), f.Key) {
			fault("filter: there is no label %.80q; choose one of %s", f.Key, strings.Join(FilterKeys(), ", "))
		}
		if !slices.Contains([]string{"=", "!=", "=|", "!=|"}, f.Operator) {
			fault("filter: %s %.80s cannot be asked; use = or !=, or a list of whole names like ^(a|b)$", f.Key, f.Operator)
		}
		if f.Key == "channel" && f.Operator == "=|" && len(f.Values) != 1 {
			fault("filter: channel can be one only; use = or !=")
		}
		if f.Key == "channel" && f.Excludes() && len(q.Group) > 0 && !slices.Contains(q.Group, "channel") {
			fault("filter: channel %s cannot be applied where readings are combined over it; use =, or group by channel", f.Operator)
		}
		if len(f.Values) > MaxNames {
			fault("filter: %d values of %s, %d may be", len(f.Values), f.Key, MaxNames)
		}
	}
}
