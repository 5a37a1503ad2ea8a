package frames

import (
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// Sensors is a row for each sensor.
func Sensors(items []city.Sensor) *data.Frame {
	type row = city.Sensor
	return table("sensors",
		filterable(column("sensor", "Sensor", "", each(items, func(r *row) string { return r.ID }))),
		column("sensor_title", "Title", "", each(items, func(r *row) string { return r.Title })),
		mapped(column("state", "State", "", each(items, func(r *row) string { return r.State }))),
		column("last_seen", "Last seen", "", each(items, func(r *row) *time.Time { return r.LastSeen })),
		column("cadence", "Cadence", "s", each(items, func(r *row) float64 { return r.CadenceS })),
		column("quantities", "Quantities", "", each(items, func(r *row) string { return strings.Join(r.Quantities, " ") })),
		column("domains", "Domains", "", each(items, func(r *row) string { return strings.Join(r.Domains, " ") })),
		column("publisher", "Publisher", "", each(items, func(r *row) string { return r.Publisher })),
		filterable(column("site", "Site", "", each(items, func(r *row) string { return r.Site }))),
		column("site_title", "Place", "", each(items, func(r *row) string { return r.SiteTitle })),
		filterable(column("district", "District", "", each(items, func(r *row) string { return r.District }))),
		column("lon", "Longitude", "", each(items, func(r *row) *float64 { return r.Lon })),
		column("lat", "Latitude", "", each(items, func(r *row) *float64 { return r.Lat })),
	)
}

// Tally is how many sensors there are, and how many in each state.
type Tally struct{ Sensors, OK, Silent, Never int }

// States is one row of how many sensors are in which state.
func States(t Tally) *data.Frame {
	return table("states",
		column("sensors", "Sensors", "short", []float64{float64(t.Sensors)}),
		column("ok", "Reporting", "short", []float64{float64(t.OK)}),
		column("silent", "Silent", "short", []float64{float64(t.Silent)}),
		column("never", "Never seen", "short", []float64{float64(t.Never)}),
	)
}

// Sites is a row for each site.
func Sites(items []city.Site) *data.Frame {
	type row = city.Site
	return table("sites",
		filterable(column("site", "Site", "", each(items, func(r *row) string { return r.ID }))),
		column("site_title", "Place", "", each(items, func(r *row) string { return r.Title })),
		filterable(column("district", "District", "", each(items, func(r *row) string { return r.District }))),
		mapped(column("state", "State", "", each(items, func(r *row) string { return r.State }))),
		column("sensors", "Sensors", "short", each(items, func(r *row) float64 { return r.Sensors })),
		column("silent", "Silent", "short", each(items, func(r *row) float64 { return r.Silent })),
		column("never", "Never seen", "short", each(items, func(r *row) float64 { return r.Never })),
		column("domains", "Domains", "", each(items, func(r *row) string { return strings.Join(r.Domains, " ") })),
		column("lon", "Longitude", "", each(items, func(r *row) *float64 { return r.Lon })),
		column("lat", "Latitude", "", each(items, func(r *row) *float64 { return r.Lat })),
	)
}

// Districts is a row for each district.
func Districts(items []city.District) *data.Frame {
	type row = city.District
	return table("districts",
		filterable(column("district", "District", "", each(items, func(r *row) string { return r.ID }))),
		column("district_title", "Title", "", each(items, func(r *row) string { return r.Title })),
		column("sites", "Sites", "short", each(items, func(r *row) float64 { return r.Sites })),
		column("sensors", "Sensors", "short", each(items, func(r *row) float64 { return r.Sensors })),
	)
}

// Events is a row for each event, as annotations want them.
func Events(items []city.Event) *data.Frame {
	type row = city.Event
	return table("events",
		column("time", "From", "", each(items, func(r *row) time.Time { return r.From.UTC() })),
		column("timeEnd", "To", "", each(items, func(r *row) *time.Time { return r.To })),
		column("title", "Event", "", each(items, func(r *row) string { return r.Kind })),
		column("text", "Text", "", each(items, func(r *row) string { return r.Text })),
		column("tags", "Tags", "", each(items, eventTags)),
		column("id", "Id", "", each(items, func(r *row) string { return r.Kind + " " + r.Sensor + " " + r.From.UTC().Format(time.RFC3339) })),
		column("color", "Colour", "", each(items, func(r *row) string {
			if r.Kind == "clock" {
				return orange
			}
			return red
		})),
		filterable(column("sensor", "Sensor", "", each(items, func(r *row) string { return r.Sensor }))),
		filterable(column("site", "Site", "", each(items, func(r *row) string { return r.Site }))),
		filterable(column("district", "District", "", each(items, func(r *row) string { return r.District }))),
	)
}

// eventTags are separated by commas, as Grafana reads them.
func eventTags(e *city.Event) string {
	var tags []string
	for _, tag := range []string{e.Kind, e.Sensor, e.Site, e.District} {
		if tag != "" {
			tags = append(tags, tag)
		}
	}
	return strings.Join(tags, ",")
}
