package frames

import (
	"cmp"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// percent is the unit of ratios in words.
const percent = "%"

// valueColumn is the values of readings. Those of one quantity have its unit and name. Among several each is as its own unit
// column says, because a column has one unit only: ratios are multiplied there.
func valueColumn(items []city.Reading, catalogue Catalogue) *data.Field {
	type row = city.Reading
	if len(items) > 0 && !slices.ContainsFunc(items, func(r row) bool { return r.Quantity != items[0].Quantity }) {
		cfg := catalogue.field(items[0].Quantity, items[0].Unit, "")
		cfg.DisplayNameFromDS = catalogue.title(items[0].Quantity)
		return column("value", "", "", each(items, func(r *row) *float64 { return r.Value })).SetConfig(cfg)
	}
	return column("value", "Value", "", each(items, func(r *row) *float64 {
		if r.Value == nil || !catalogue.isRatio(r.Quantity) {
			return r.Value
		}
		v := 100 * *r.Value
		return &v
	}))
}

// Readings is the newest readings, a row each.
func Readings(items []city.Reading, catalogue Catalogue) *data.Frame {
	type row = city.Reading
	return table("latest",
		column("time", "Measured", "", each(items, func(r *row) time.Time { return r.Time.UTC() })),
		filterable(column("sensor", "Sensor", "", each(items, func(r *row) string { return r.Sensor }))),
		column("sensor_title", "Title", "", each(items, func(r *row) string { return r.SensorTitle })),
		filterable(column("quantity", "Quantity", "", each(items, func(r *row) string { return r.Quantity }))),
		column("quantity_title", "Measured quantity", "", each(items, func(r *row) string { return catalogue.title(r.Quantity) })),
		filterable(column("channel", "Channel", "", each(items, func(r *row) string { return r.Channel }))),
		valueColumn(items, catalogue),
		column("unit", "Unit", "", each(items, func(r *row) string {
			if catalogue.isRatio(r.Quantity) {
				return percent
			}
			return r.Unit
		})),
		column("text", "In words", "", each(items, func(r *row) string { return r.State })),
		mapped(column("state", "State", "", each(items, func(r *row) string { return r.SensorState }))),
		column("age", "Age", "s", each(items, func(r *row) *float64 { return r.AgeS })),
		filterable(column("site", "Site", "", each(items, func(r *row) string { return r.Site }))),
		column("site_title", "Place", "", each(items, func(r *row) string { return r.SiteTitle })),
		filterable(column("district", "District", "", each(items, func(r *row) string { return r.District }))),
		column("lon", "Longitude", "", each(items, func(r *row) *float64 { return r.Lon })),
		column("lat", "Latitude", "", each(items, func(r *row) *float64 { return r.Lat })),
	)
}

// measured names a column of sensorRows.
type measured struct{ quantity, channel string }

// sensorRows is the newest readings by sensor.
type sensorRows struct {
	first   []*city.Reading // of each sensor, for its place
	newest  []time.Time
	age     []*float64
	columns []measured
	units   map[measured]string
	values  map[measured][]*float64
}

func gather(items []city.Reading) sensorRows {
	rows := sensorRows{units: make(map[measured]string), values: make(map[measured][]*float64)}
	at := make(map[string]int)
	for i := range items {
		r := &items[i]
		row, known := at[r.Sensor]
		if !known {
			row = len(rows.first)
			at[r.Sensor] = row
			rows.first, rows.newest, rows.age = append(rows.first, r), append(rows.newest, r.Time), append(rows.age, r.AgeS)
		} else if r.Time.After(rows.newest[row]) {
			rows.newest[row], rows.age[row] = r.Time, r.AgeS
		}
		key := measured{r.Quantity, r.Channel}
		if _, seen := rows.units[key]; !seen {
			rows.units[key] = r.Unit
			rows.columns = append(rows.columns, key)
		}
	}
	for i := range items {
		r := &items[i]
		key := measured{r.Quantity, r.Channel}
		if rows.values[key] == nil {
			rows.values[key] = make([]*float64, len(rows.first))
		}
		rows.values[key][at[r.Sensor]] = r.Value
	}
	slices.SortFunc(rows.columns, func(a, b measured) int {
		return cmp.Or(cmp.Compare(a.quantity, b.quantity), cmp.Compare(a.channel, b.channel))
	})
	return rows
}

// Latest is the newest readings, a row for each sensor and a column for each quantity and channel.
func Latest(items []city.Reading, catalogue Catalogue) *data.Frame {
	type row = *city.Reading
	rows := gather(items)
	frame := table("latest",
		filterable(column("sensor", "Sensor", "", each(rows.first, func(r *row) string { return (*r).Sensor }))),
		column("sensor_title", "Title", "", each(rows.first, func(r *row) string { return (*r).SensorTitle })),
		mapped(column("state", "State", "", each(rows.first, func(r *row) string { return (*r).SensorState }))),
		column("time", "Newest", "", each(rows.newest, func(t *time.Time) time.Time { return t.UTC() })),
		column("age", "Age", "s", rows.age),
		filterable(column("site", "Site", "", each(rows.first, func(r *row) string { return (*r).Site }))),
		column("site_title", "Place", "", each(rows.first, func(r *row) string { return (*r).SiteTitle })),
		filterable(column("district", "District", "", each(rows.first, func(r *row) string { return (*r).District }))),
		column("lon", "Longitude", "", each(rows.first, func(r *row) *float64 { return (*r).Lon })),
		column("lat", "Latitude", "", each(rows.first, func(r *row) *float64 { return (*r).Lat })),
	)
	for _, key := range rows.columns {
		name, title := key.quantity, catalogue.title(key.quantity)
		if key.channel != "" {
			name, title = name+"/"+key.channel, title+" "+key.channel
		}
		cfg := catalogue.field(key.quantity, rows.units[key], "")
		cfg.DisplayNameFromDS = title
		frame.Fields = append(frame.Fields, data.NewField(name, nil, rows.values[key]).SetConfig(cfg))
	}
	return frame
}
