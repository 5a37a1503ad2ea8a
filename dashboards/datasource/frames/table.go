package frames

import (
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// table is a frame of rows that is built column by column.
func table(name string, fields ...*data.Field) *data.Frame {
	frame := data.NewFrame(name, fields...)
	return frame.SetMeta(&data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeTable})
}

// column is a field with a name for people and a unit, which may be "".
func column(name, title, unit string, values any) *data.Field {
	return data.NewField(name, nil, values).SetConfig(&data.FieldConfig{DisplayNameFromDS: title, Unit: unit})
}

// filterable marks a column whose values make ad hoc filters: its name is that of a label.
func filterable(f *data.Field) *data.Field {
	f.Config.SetFilterable(true)
	return f
}

// mapped gives a column of states of sensors their colours.
func mapped(f *data.Field) *data.Field {
	f.Config.Mappings = sensorStates()
	return f
}

// ratio makes a column of ratios 0 to 1 one of percents.
func ratio(name, title string, values any) *data.Field {
	f := column(name, title, "percentunit", values)
	f.Config.SetMin(0)
	f.Config.SetMax(1)
	return f
}

// each makes a column's values of rows.
func each[R, V any](rows []R, value func(*R) V) []V {
	all := make([]V, len(rows))
	for i := range rows {
		all[i] = value(&rows[i])
	}
	return all
}
