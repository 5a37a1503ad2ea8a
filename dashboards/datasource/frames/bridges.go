package frames

import (
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Bridges is a row for each edge bridge, as it described itself last.
func Bridges(items []city.Bridge) *data.Frame {
	type row = city.Bridge
	state := column("state", "State", "", each(items, func(r *row) string { return r.State }))
	state.Config.Mappings = data.ValueMappings{data.ValueMapper{
		"online":  {Text: "online", Color: green, Index: 0},
		"offline": {Text: "offline", Color: red, Index: 1},
	}}
	return table("bridges",
		column("bridge", "Bridge", "", each(items, func(r *row) string { return r.Publisher })),
		column("bridge_title", "Title", "", each(items, func(r *row) string { return r.Title })),
		state,
		column("version", "Firmware", "", each(items, func(r *row) string { return r.Version })),
		column("last_seen", "Last seen", "", each(items, func(r *row) *time.Time { return r.At })),
		column("started", "Started", "", each(items, func(r *row) *time.Time { return r.Started })),
		column("uptime", "Uptime", "s", each(items, uptime)),
		column("sensors", "Sensors", "short", each(items, func(r *row) float64 { return r.Sensors })),
		column("failing", "Failing", "short", each(items, func(r *row) float64 { return r.Failing })),
		column("waiting", "Waiting", "short", spool(items, func(o *city.BridgeOutbox) float64 { return o.WaitingReadings })),
		column("oldest", "Oldest waiting", "s", spool(items, func(o *city.BridgeOutbox) float64 { return o.OldestS })),
		ratio("spool_used", "Spool used", each(items, spoolUsed)),
		column("dropped", "Dropped", "short", spool(items, dropped)),
		column("disk", "Disk", "", each(items, func(r *row) *string {
			if r.Outbox == nil {
				return nil
			}
			return &r.Outbox.Disk
		})),
		column("clock", "Clock", "", each(items, func(r *row) *string { return clockOf(r.Clock) })),
		column("clock_offset", "Clock ahead", "ms", each(items, func(r *row) *float64 {
			if r.Clock == nil || !r.Clock.Known {
				return nil
			}
			return &r.Clock.SystemOffsetMS
		})),
		column("settings", "Settings", "", each(items, settings)),
	)
}

// uptime is how long the program had run when the bridge described itself, in seconds: it does so every few minutes.
func uptime(r *city.Bridge) *float64 {
	if r.At == nil || r.Started == nil || r.At.Before(*r.Started) {
		return nil
	}
	s := r.At.Sub(*r.Started).Seconds()
	return &s
}

// spool makes a column of what bridges say of their spools.
func spool(items []city.Bridge, value func(*city.BridgeOutbox) float64) []*float64 {
	return each(items, func(r *city.Bridge) *float64 {
		if r.Outbox == nil {
			return nil
		}
		v := value(r.Outbox)
		return &v
	})
}

func spoolUsed(r *city.Bridge) *float64 {
	if r.Outbox == nil || r.Outbox.MaxBytes <= 0 {
		return nil
	}
	v := r.Outbox.DiskBytes / r.Outbox.MaxBytes
	return &v
}

// dropped is the sum of all reasons.
func dropped(o *city.BridgeOutbox) (sum float64) {
	for _, n := range o.Dropped {
		sum += n
	}
	return sum
}

func clockOf(c *city.BridgeClock) *string {
	if c == nil {
		return nil
	}
	text := "date unknown"
	if c.Known {
		text = c.Source
	}
	return &text
}

// settings says whether the newest settings are in force, or why not.
func settings(r *city.Bridge) string {
	switch {
	case r.Settings == nil:
		return ""
	case r.Settings.Refused != nil:
		return "refused: " + r.Settings.Refused.Error
	}
	return "in force"
}
