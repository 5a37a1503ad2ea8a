package frames

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// counter is a column of the ledger.
type counter struct {
	name, title, unit string
	value             func(*city.Counts) *float64
}

func counters() []counter {
	return []counter{
		{"expected", "Expected reports", "short", func(c *city.Counts) *float64 { return c.Expected }},
		{"received", "Received", "short", func(c *city.Counts) *float64 { return c.Received }},
		{"accepted", "Accepted", "short", func(c *city.Counts) *float64 { return c.Accepted }},
		{"written", "Written", "short", func(c *city.Counts) *float64 { return c.Written }},
		{"waiting", "Waiting", "short", func(c *city.Counts) *float64 { return c.Waiting }},
		{"missing", "Missing", "short", func(c *city.Counts) *float64 { return c.Missing }},
		{"late", "Late", "short", func(c *city.Counts) *float64 { return c.Late }},
		{"stamped", "Stamped", "short", func(c *city.Counts) *float64 { return c.Stamped }},
		{"duplicate", "Duplicate", "short", func(c *city.Counts) *float64 { return c.Duplicate }},
		{"rejected", "Rejected", "short", rejected},
		{"delay_p50", "Delay, median", "ms", func(c *city.Counts) *float64 { return c.DelayP50MS }},
		{"delay_p99", "Delay, 99 of 100", "ms", func(c *city.Counts) *float64 { return c.DelayP99MS }},
	}
}

// rejected is the sum of all reasons; nil where the ledger says nothing of them.
func rejected(c *city.Counts) *float64 {
	if c.Rejected == nil {
		return nil
	}
	sum := 0.0
	for _, n := range c.Rejected {
		sum += float64(n)
	}
	return &sum
}

// completeness is the part of what was expected that did not fail to come; nil where nothing was expected or it is not known.
func completeness(c *city.Counts) *float64 {
	if c.Expected == nil || *c.Expected <= 0 || c.Missing == nil {
		return nil
	}
	part := min(max(1 - *c.Missing / *c.Expected, 0), 1)
	return &part
}

// LedgerTotals is one row of sums. Counters that the server does not know are left out.
func LedgerTotals(counts city.Counts) *data.Frame {
	frame := table("ledger")
	for _, c := range counters() {
		if v := c.value(&counts); v != nil {
			frame.Fields = append(frame.Fields, column(c.name, c.title, c.unit, []float64{*v}))
		}
	}
	if v := completeness(&counts); v != nil {
		frame.Fields = append(frame.Fields, ratio("completeness", "Completeness", []float64{*v}))
	}
	return frame
}

// Counted leaves of a frame of the ledger the counters that are named, and the time; all where none is named. Without any it is
// empty: alert rules take times without numbers for a fault.
func Counted(frame *data.Frame, counters []string) *data.Frame {
	if len(counters) > 0 {
		frame.Fields = slices.DeleteFunc(frame.Fields, func(f *data.Field) bool { return f.Name != "time" && !slices.Contains(counters, f.Name) })
	}
	if !slices.ContainsFunc(frame.Fields, func(f *data.Field) bool { return f.Name != "time" }) {
		frame.Fields = nil
	}
	return frame
}

// LedgerSteps is a time series of each counter that the server knows, and of each reason for refusing. Labels tell them apart for
// alert rules, which do not look at names.
func LedgerSteps(steps []city.Step) *data.Frame {
	frame := data.NewFrame("ledger", data.NewField("time", nil, each(steps, func(s *city.Step) time.Time { return s.Time.UTC() })))
	add := func(field *data.Field) {
		for i := range field.Len() {
			if !field.NilAt(i) {
				field.Labels = data.Labels{"counter": field.Name}
				frame.Fields = append(frame.Fields, field)
				return
			}
		}
	}
	for _, c := range counters() {
		add(column(c.name, c.title, c.unit, each(steps, func(s *city.Step) *float64 { return c.value(&s.Counts) })))
	}
	add(ratio("completeness", "Completeness", each(steps, func(s *city.Step) *float64 { return completeness(&s.Counts) })))
	sum := make(map[string]int64)
	for i := range steps {
		for reason, n := range steps[i].Rejected {
			sum[reason] += n
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(sum)) {
		if sum[reason] == 0 {
			continue
		}
		field := column("rejected_for", "Rejected: "+reason, "short", each(steps, func(s *city.Step) float64 { return float64(s.Rejected[reason]) }))
		field.Labels = data.Labels{"counter": field.Name, "reason": reason}
		frame.Fields = append(frame.Fields, field)
	}
	return frame.SetMeta(&data.FrameMeta{Type: data.FrameTypeTimeSeriesWide, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeGraph})
}

// LedgerReasons is a row for each reason for which readings were refused, the most frequent first.
func LedgerReasons(counts city.Counts) *data.Frame {
	reasons := slices.SortedFunc(maps.Keys(counts.Rejected), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts.Rejected[b], counts.Rejected[a]), cmp.Compare(a, b))
	})
	reasons = slices.DeleteFunc(reasons, func(reason string) bool { return counts.Rejected[reason] == 0 })
	return table("reasons",
		column("reason", "Reason", "", reasons),
		column("readings", "Readings", "short", each(reasons, func(r *string) float64 { return float64(counts.Rejected[*r]) })),
	)
}

// LedgerSensors is a row for each sensor.
func LedgerSensors(items []city.Kept) *data.Frame {
	type row = city.Kept
	return table("ledger",
		filterable(column("sensor", "Sensor", "", each(items, func(r *row) string { return r.Sensor }))),
		column("sensor_title", "Title", "", each(items, func(r *row) string { return r.Title })),
		mapped(column("state", "State", "", each(items, func(r *row) string { return r.State }))),
		ratio("completeness", "Completeness", each(items, func(r *row) *float64 { return r.Completeness })),
		column("expected", "Expected reports", "short", each(items, func(r *row) *float64 { return r.Expected })),
		column("accepted", "Accepted", "short", each(items, func(r *row) *float64 { return r.Accepted })),
		column("missing", "Missing", "short", each(items, func(r *row) *float64 { return r.Missing })),
		column("late", "Late", "short", each(items, func(r *row) *float64 { return r.Late })),
		column("rejected", "Rejected", "short", each(items, func(r *row) *float64 { return r.Rejected })),
		column("last_seen", "Last seen", "", each(items, func(r *row) *time.Time { return r.LastSeen })),
		filterable(column("site", "Site", "", each(items, func(r *row) string { return r.Site }))),
		filterable(column("district", "District", "", each(items, func(r *row) string { return r.District }))),
	)
}

// PipelineTotals is one row of how the server is doing.
func PipelineTotals(p *city.Pipeline) *data.Frame {
	spooled := 0.0
	if p.Spool.MaxBytes > 0 {
		spooled = p.Spool.Bytes / p.Spool.MaxBytes
	}
	return table("pipeline",
		column("received_per_s", "Received", "rps", []float64{p.ReceivedPerS}),
		column("written_per_s", "Written", "wps", []float64{p.WrittenPerS}),
		column("waiting", "Waiting", "short", []float64{p.Waiting}),
		column("quarantined", "In quarantine", "short", []float64{p.Quarantined}),
		column("rejected_total", "Rejected", "short", []float64{p.RejectedTotal}),
		column("delay_p50", "Delay, median", "ms", []*float64{p.DelayMS.P50}),
		column("delay_p99", "Delay, 99 of 100", "ms", []*float64{p.DelayMS.P99}),
		column("spool_bytes", "Spool", "bytes", []float64{p.Spool.Bytes}),
		column("spool_max_bytes", "Spool at most", "bytes", []float64{p.Spool.MaxBytes}),
		ratio("spool_used", "Spool used", []float64{spooled}),
		column("spool_oldest", "Oldest in spool", "s", []float64{p.Spool.OldestS}),
		column("spool_full", "Spool full", "bool_yes_no", []bool{p.Spool.Full}),
		column("started", "Started", "", []*time.Time{p.Started}),
		column("version", "Version", "", []string{p.Version}),
	)
}

// PipelineParts is a row for each part of the server.
func PipelineParts(p *city.Pipeline) *data.Frame {
	frame := table("parts", column("part", "Part", "", []string{}), column("ready", "Ready", "bool_yes_no", []bool{}), column("message", "Message", "", []string{}))
	for _, part := range p.Parts {
		frame.AppendRow(part.Name, part.Ready, part.Message)
	}
	return frame
}
