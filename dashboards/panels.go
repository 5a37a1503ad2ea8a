package dashboards

import (
	"strings"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// text is what people read of a panel.
type text struct {
	title string
	// about says what is shown, how it is made and what to do about it.
	about string
}

// What is shown where there is nothing. It claims nothing, for nobody knows why: that sensors are silent, that none is chosen or
// that the server does not answer, of which a red triangle tells.
const (
	noFigure  = "–"
	noFigures = "No figures to show"
	noRows    = "Nothing to list"
)

// panel begins a panel with its queries, which are named A, B, C.
func panel(kind string, t text, queries ...question.Query) Panel {
	p := Panel{Type: kind, PluginVersion: pluginVersion, Title: t.title, Description: t.about, Datasource: source, Targets: make([]Target, len(queries))}
	for i, q := range queries {
		p.Targets[i] = Target{RefID: string(rune('A' + i)), Datasource: source, Query: q}
	}
	p.FieldConfig = FieldConfig{Defaults: Field{NoValue: noFigures}, Overrides: []Override{}}
	return p
}

// at puts the panel on the grid.
func (p Panel) at(x, y, w, h int) Panel {
	p.GridPos = GridPos{X: x, Y: y, W: w, H: h}
	return p
}

// unit sets Grafana's id of the values' unit.
func (p Panel) unit(id string) Panel {
	p.FieldConfig.Defaults.Unit = id
	return p
}

// decimals sets how many digits stand behind the point.
func (p Panel) decimals(n int) Panel {
	p.FieldConfig.Defaults.Decimals = &n
	return p
}

// colored draws every series in one colour.
func (p Panel) colored(color string) Panel {
	p.FieldConfig.Defaults.Color = &Color{Mode: "fixed", FixedColor: color}
	return p
}

// coloring gives the series of a query, by its letter, a colour of their own.
func (p Panel) coloring(refID, color string) Panel {
	return p.override(Matcher{"byFrameRefID", refID}, Property{"color", Color{Mode: "fixed", FixedColor: color}})
}

// naming gives the fields whose name matches a pattern a colour.
func (p Panel) naming(pattern, color string, more ...Property) Panel {
	return p.override(Matcher{"byRegexp", pattern}, append([]Property{{"color", Color{Mode: "fixed", FixedColor: color}}}, more...)...)
}

func (p Panel) override(m Matcher, properties ...Property) Panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides[:len(p.FieldConfig.Overrides):len(p.FieldConfig.Overrides)], Override{m, properties})
	return p
}

// transformed changes what the queries answered before it is shown.
func (p Panel) transformed(t ...Transformation) Panel {
	p.Transformations = append(p.Transformations[:len(p.Transformations):len(p.Transformations)], t...)
	return p
}

// points bounds the steps of a history: 100 makes steps of a quarter of an hour out of a day.
func (p Panel) points(n int) Panel {
	p.MaxDataPoints = n
	return p
}

// since has the panel show a time of its own, of which its title tells.
func (p Panel) since(back string) Panel {
	p.TimeFrom, p.HideTime = back, true
	return p
}

// leads makes the panel's title lead to another dashboard.
func (p Panel) leads(l ...Link) Panel {
	p.Links = append(p.Links, l...)
	return p
}

// each makes every value lead somewhere.
func (p Panel) each(l ...Link) Panel {
	p.FieldConfig.Defaults.Links = l
	return p
}

// banded colours values by bands; in time series the bands are drawn behind the lines.
func (p Panel) banded(bands []band) Panel {
	switch p.Type {
	case "timeseries":
		p.FieldConfig.Defaults.Thresholds = areas(bands)
		p.FieldConfig.Defaults.Custom.ThresholdsStyle = &ModeOnly{"area"}
		return p
	case "state-timeline":
		p.FieldConfig.Defaults.Thresholds = areas(bands)
	default:
		p.FieldConfig.Defaults.Thresholds = thresholds(bands)
	}
	p.FieldConfig.Defaults.Color = &Color{Mode: "thresholds"}
	return p.lit()
}

// lit gives a stat the colour of its value as background: as text, yellow could not be read on white.
func (p Panel) lit() Panel {
	if o, ok := p.Options.(StatOptions); ok {
		o.ColorMode = "background_solid"
		p.Options = o
	}
	return p
}

// timeSeries draws lines, one colour for all that no override names.
func timeSeries(t text, queries ...question.Query) Panel {
	p := panel("timeseries", t, queries...)
	width, fill, span := 2, 8, true
	p.FieldConfig.Defaults.Color = &Color{Mode: "fixed", FixedColor: blue}
	p.FieldConfig.Defaults.Custom = &Custom{
		DrawStyle: "line", LineInterpolation: "linear", LineWidth: &width, FillOpacity: &fill, ShowPoints: "auto", SpanNulls: &span,
		ThresholdsStyle: &ModeOnly{"off"}, Stacking: &ModeOnly{"none"},
	}
	p.Options = TimeSeriesOptions{
		Legend:  Legend{ShowLegend: true, DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
		Tooltip: Tooltip{Mode: "multi", Sort: "desc"},
	}
	return p
}

// lines are of many series: thin, unfilled, all in the colour of text. The pointer names each.
func lines(t text, queries ...question.Query) Panel {
	p := timeSeries(t, queries...).colored(ink)
	width, fill := 1, 0
	c := p.FieldConfig.Defaults.Custom
	c.LineWidth, c.FillOpacity, c.ShowPoints = &width, &fill, "never"
	p.Options = TimeSeriesOptions{
		Legend:  Legend{ShowLegend: false, DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
		Tooltip: Tooltip{Mode: "single", Sort: "none"},
	}
	return p
}

// told names lines beside them and gives them colours by the last letter or digit of their names: nine that are numbered all differ.
// Bands are then lines as well. It is for some ten lines; of more, none would be told from another.
func (p Panel) told() Panel {
	const last = "0123456789abcdefghijklmnopqrstuvwxyz"
	colors := []string{ink, orange, skyBlue, green, purple, yellow, vermillion, blue, grey}
	for i, color := range colors {
		var ends strings.Builder
		for j := i; j < len(last); j += len(colors) {
			ends.WriteByte(last[j])
		}
		p = p.naming("/["+ends.String()+"]$/i", color)
	}
	width := 2
	c := p.FieldConfig.Defaults.Custom
	c.LineWidth = &width
	if c.ThresholdsStyle.Mode == "area" {
		c.ThresholdsStyle = &ModeOnly{"dashed"}
	}
	if o, ok := p.Options.(TimeSeriesOptions); ok {
		o.Legend.ShowLegend, o.Legend.Placement, o.Legend.Width = true, "right", 130
		p.Options = o
	}
	return p
}

// bars draws a bar for each step, for what is counted.
func bars(t text, queries ...question.Query) Panel {
	p := timeSeries(t, queries...)
	width, fill := 0, 80
	c := p.FieldConfig.Defaults.Custom
	c.DrawStyle, c.LineWidth, c.FillOpacity, c.ShowPoints = "bars", &width, &fill, "never"
	return p
}

// stat shows one value: calc of the fields whose name matches a pattern, or of all numbers where it is "".
func stat(t text, calc, fields string, q question.Query) Panel {
	p := panel("stat", t, q)
	p.FieldConfig.Defaults.NoValue = noFigure
	p.FieldConfig.Defaults.Thresholds = thresholds(plainBands)
	p.FieldConfig.Defaults.Color = &Color{Mode: "thresholds"}
	p.Options = StatOptions{
		ReduceOptions: Reduce{Calcs: []string{calc}, Fields: fields}, ColorMode: "none", GraphMode: "none", JustifyMode: "auto",
		TextMode: "value", Orientation: "auto", WideLayout: true,
	}
	return p
}

// total shows the sum of a column, or of a history where column is "": nothing where there is nothing, which is not 0.
func total(t text, column string, q question.Query) Panel {
	p := stat(t, "lastNotNull", "Total", q)
	if column != "" {
		p = p.transformed(only(column)...)
	}
	return p.transformed(rows("sum", "count"), positive("Count"))
}

// barGauge shows a bar for each row, the first limit ones, of the field whose name matches a pattern.
func barGauge(t text, fields string, limit int, q question.Query) Panel {
	p := panel("bargauge", t, q).override(Matcher{"byType", "number"}, Property{"min", 0})
	p.FieldConfig.Defaults.Thresholds = thresholds(plainBands)
	p.FieldConfig.Defaults.Color = &Color{Mode: "thresholds"}
	p.Options = BarGaugeOptions{
		ReduceOptions: Reduce{Values: true, Calcs: []string{"lastNotNull"}, Fields: fields, Limit: limit}, DisplayMode: "basic", Orientation: "horizontal",
		ValueMode: "color", ShowUnfilled: true, Text: TextSize{TitleSize: 12, ValueSize: 15}, NamePlacement: "left", Sizing: "manual", MinVizHeight: 12, MinVizWidth: 8, MaxVizHeight: 40,
	}
	return p
}

// table shows rows with the columns that are named, as people read them, in that order.
func table(t text, columns []string, q question.Query) Panel {
	p := panel("table", t, q)
	p.FieldConfig.Defaults.NoValue = noRows
	p = p.override(Matcher{"byRegexp", "/.*/"}, Property{"noValue", noFigure}) // would stand in every empty cell otherwise
	p.FieldConfig.Defaults.Custom = &Custom{Align: "auto", MinWidth: 60, CellOptions: &TypeOnly{Type: "auto"}}
	p.FieldConfig.Defaults.Thresholds = thresholds(plainBands)
	p.Options = TableOptions{ShowHeader: true, CellHeight: "sm"}
	return p.transformed(only(columns...)...)
}

// colouredState shows a column of states in their colours.
func (p Panel) colouredState(column string) Panel {
	return p.override(Matcher{"byName", column}, Property{"custom.cellOptions", TypeOnly{Type: "color-text"}})
}

// gaugedIn shows a column as bars.
func (p Panel) gaugedIn(column string, bands []band) Panel {
	return p.override(Matcher{"byName", column}, Property{"custom.cellOptions", TypeOnly{Type: "gauge", Mode: "basic"}},
		Property{"color", Color{Mode: "thresholds"}}, Property{"thresholds", thresholds(bands)})
}

// width sets the width of a column in pixels.
func (p Panel) width(column string, pixels int) Panel {
	return p.override(Matcher{"byName", column}, Property{"custom.width", pixels})
}

// opening makes the column of sensors lead to each of them.
func (p Panel) opening() Panel {
	return p.override(Matcher{"byName", "Sensor"}, Property{"links", []Link{toSensor(ofRow)}})
}

// timeline shows a row for each series and a colour for each value.
func timeline(t text, q question.Query) Panel {
	p := panel("state-timeline", t, q)
	width, fill := 0, 85
	p.FieldConfig.Defaults.Custom = &Custom{LineWidth: &width, FillOpacity: &fill, SpanNulls: new(bool)}
	p.Options = StateTimelineOptions{
		Legend:    Legend{ShowLegend: true, DisplayMode: "list", Placement: "right", Calcs: []string{}}, // below, it takes the rows their height
		Tooltip:   Tooltip{Mode: "single", Sort: "none"},
		ShowValue: "never", RowHeight: 0.9, MergeValues: true, AlignValue: "left",
	}
	return p
}

// stateTimeline shows states over time. of has the name and colour of each value from 0.
func stateTimeline(t text, of []state, q question.Query) Panel {
	return timeline(t, q).colored(grey).override(Matcher{"byType", "number"}, Property{"mappings", []any{valueMap(of)}})
}

// bandTimeline shows in which band each series was.
func bandTimeline(t text, bands []band, q question.Query) Panel { return timeline(t, q).banded(bands) }

// legendRight puts the names of series beside them, where they would take several lines below.
func (p Panel) legendRight() Panel {
	if o, ok := p.Options.(TimeSeriesOptions); ok {
		o.Legend.Placement = "right"
		p.Options = o
	}
	return p
}

// unnamed leaves out the names of series, where another panel has the same ones or the pointer is enough.
func (p Panel) unnamed() Panel {
	if o, ok := p.Options.(TimeSeriesOptions); ok {
		o.Legend.ShowLegend = false
		p.Options = o
	}
	return p
}

// heat shows how high each series was, from blue to red between the ends of the scale.
func heat(t text, q question.Query) Panel {
	p := timeline(t, q).recolored(lowToHigh)
	if o, ok := p.Options.(StateTimelineOptions); ok {
		o.Legend.ShowLegend = false
		p.Options = o
	}
	return p
}

// recolored colours values in another mode.
func (p Panel) recolored(mode string) Panel {
	p.FieldConfig.Defaults.Color = &Color{Mode: mode}
	return p
}

// state is a value's name and colour.
type state struct{ name, color string }

// mapping is Grafana's mapping of values.
type mapping struct {
	Type    string            `json:"type"`
	Options map[string]mapped `json:"options"`
}

type mapped struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

func valueMap(of []state) mapping {
	m := mapping{Type: "value", Options: make(map[string]mapped, len(of))}
	for i, s := range of {
		m.Options[string(rune('0'+i))] = mapped{s.name, s.color, i}
	}
	return m
}

// over draws the second column over the first, a point for each row.
func over(t text, x, y string, q question.Query) Panel {
	p := panel("xychart", t, q)
	p.FieldConfig.Defaults.Color = &Color{Mode: "fixed", FixedColor: skyBlue}
	p.FieldConfig.Defaults.Custom = &Custom{Show: "points", PointSize: map[string]int{"fixed": 6}}
	p.Options = XYOptions{
		Mapping: "auto", Series: []struct{}{},
		Legend:  Legend{ShowLegend: false, DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
		Tooltip: Tooltip{Mode: "single", Sort: "none"},
	}
	return p.transformed(only("Sensor", x, y)...)
}

// geomap shows a point for each row in the colour of a field's value, over the city's streets. The map below these is the one of
// Grafana's settings.
func geomap(t text, colorBy string, pixels float64, q question.Query) Panel {
	p := panel("geomap", t, q)
	p.FieldConfig.Defaults.Thresholds = thresholds(plainBands)
	p.Options = GeomapOptions{
		View:     MapView{ID: "fit", Zoom: 16, Layer: t.title, Padding: 8}, // the streets are not there yet when it fits
		Controls: MapControls{ShowZoom: true, ShowAttribution: true, MouseWheelZoom: true},
		Basemap:  MapLayer{Type: "default", Name: "Map", Config: struct{}{}},
		Layers: []MapLayer{streets(), {
			Type: "markers", Name: t.title, Tooltip: true,
			Location: &MapLocation{Mode: "coords", Latitude: "lat", Longitude: "lon"},
			Config: MarkersConfig{ShowLegend: false, Style: MarkerStyle{
				Color: MarkerColor{Field: colorBy, Fixed: blue}, Opacity: 0.85,
				Size: MarkerSize{Fixed: pixels, Min: 2, Max: 15}, Symbol: MarkerSymbol{Mode: "fixed", Fixed: "img/icons/marker/circle.svg"},
				Rotation: MarkerSize{Min: -360, Max: 360, Mode: "mod"},
			}},
		}},
		Tooltip: ModeOnly{"details"},
	}
	return p
}

// streets draws the city's own plan, which the data source hands on; without one it is empty. Grafana puts its folder of public
// files before an address, and from there it leads back.
func streets() MapLayer {
	kind := func(kind, color string, opacity, width float64) StyleRule {
		return StyleRule{StyleCheck{"kind", "eq", kind}, ShapeStyle{Fixed{color}, opacity, width}}
	}
	return MapLayer{Type: "geojson", Name: "Streets", Config: GeoJSONConfig{
		Src:   "../api/datasources/uid/" + source.UID + "/resources/plan",
		Rules: []StyleRule{kind("water", blue, 0.45, 1), kind("park", green, 0.25, 1), kind("street", grey, 0.5, 1)},
		Style: ShapeStyle{Fixed{grey}, 0.04, 1}, // districts
	}}
}

// transformedFirst changes what the queries answered before all other transformations.
func (p Panel) transformedFirst(t ...Transformation) Panel {
	p.Transformations = append(t, p.Transformations...)
	return p
}

// stacked puts bars upon one another.
func (p Panel) stacked() Panel {
	p.FieldConfig.Defaults.Custom.Stacking = &ModeOnly{"normal"}
	return p
}

// percent shows a column of ratios 0 to 1 as percents.
func (p Panel) percent(column string) Panel {
	return p.override(Matcher{"byName", column}, Property{"unit", "percentunit"}, Property{"min", 0}, Property{"max", 1}, Property{"decimals", 0})
}

// besideBefore draws the line of now in a colour, and that of a day, week or year before dashed and grey.
func (p Panel) besideBefore(color, before string) Panel {
	return p.colored(color).override(Matcher{"byRegexp", "/^(?!.*before$)/"}, Property{"displayName", "Now"}).
		naming("/before$/", grey, Property{"displayName", before}, Property{"custom.lineStyle", LineStyle{Fill: "dash", Dash: []int{6, 6}}}, Property{"custom.fillOpacity", 0})
}
