package dashboards

import "github.com/lamppost-city/lamppost/dashboards/datasource/question"

// schemaVersion is that of Grafana 12.0, the oldest one that these dashboards are for; newer ones read it as well.
const schemaVersion = 41

// pluginVersion says which Grafana the options of panels are written for. Without it they would be taken for old ones and
// changed as those have to be.
const pluginVersion = "12.0.0"

// Dashboard is Grafana's classic dashboard model, as far as it is used here.
type Dashboard struct {
	UID           string          `json:"uid"`
	Title         string          `json:"title"`
	Description   string          `json:"description"`
	Tags          []string        `json:"tags"`
	Editable      bool            `json:"editable"`
	GraphTooltip  int             `json:"graphTooltip"`
	Timezone      string          `json:"timezone"`
	Refresh       string          `json:"refresh"`
	SchemaVersion int             `json:"schemaVersion"`
	Time          TimeRange       `json:"time"`
	Links         []DashboardLink `json:"links"`
	Templating    Templating      `json:"templating"`
	Annotations   Annotations     `json:"annotations"`
	Panels        []Panel         `json:"panels"`
}

// TimeRange is two times as Grafana writes them, like now-6h.
type TimeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// DashboardLink is a link at the top of a dashboard.
type DashboardLink struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Tooltip     string   `json:"tooltip"`
	URL         string   `json:"url"`
	Tags        []string `json:"tags"`
	KeepTime    bool     `json:"keepTime"`
	IncludeVars bool     `json:"includeVars"`
	AsDropdown  bool     `json:"asDropdown"`
	TargetBlank bool     `json:"targetBlank"`
}

// Templating holds the variables.
type Templating struct {
	List []Variable `json:"list"`
}

// Variable is one that a query fills.
type Variable struct {
	Name        string        `json:"name"`
	Label       string        `json:"label"`
	Description string        `json:"description"`
	Type        string        `json:"type"`
	Datasource  Ref           `json:"datasource"`
	Query       VariableQuery `json:"query"`
	Definition  string        `json:"definition"`
	Current     Choice        `json:"current"`
	IncludeAll  bool          `json:"includeAll"`
	Multi       bool          `json:"multi"`
	Refresh     int           `json:"refresh"`
	Sort        int           `json:"sort"`
	Hide        int           `json:"hide"`
	Regex       string        `json:"regex"`
}

// Choice is what is chosen of a variable.
type Choice struct {
	Text  any `json:"text"`
	Value any `json:"value"`
}

// Annotations holds what is drawn over the time series of a dashboard.
type Annotations struct {
	List []Annotation `json:"list"`
}

// Annotation is one kind of event.
type Annotation struct {
	Name       string `json:"name"`
	Datasource Ref    `json:"datasource"`
	Enable     bool   `json:"enable"`
	Hide       bool   `json:"hide"`
	IconColor  string `json:"iconColor"`
	Target     Target `json:"target"`
}

// Ref names a data source.
type Ref struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Target is one query of a panel.
type Target struct {
	RefID      string `json:"refId"`
	Datasource Ref    `json:"datasource"`
	question.Query
}

// Panel is one panel. Options is the struct of its type.
type Panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	PluginVersion   string           `json:"pluginVersion"`
	Title           string           `json:"title"`
	Description     string           `json:"description"`
	GridPos         GridPos          `json:"gridPos"`
	Datasource      Ref              `json:"datasource"`
	Targets         []Target         `json:"targets"`
	Transformations []Transformation `json:"transformations,omitempty"`
	FieldConfig     FieldConfig      `json:"fieldConfig"`
	Options         any              `json:"options"`
	Links           []Link           `json:"links,omitempty"`
	MaxDataPoints   int              `json:"maxDataPoints,omitempty"`
	TimeFrom        string           `json:"timeFrom,omitempty"`
	HideTime        bool             `json:"hideTimeOverride,omitempty"`
}

// GridPos is a place on the grid: 24 columns, rows of 30 pixels with 8 between.
type GridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Transformation changes frames before a panel shows them.
type Transformation struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

// FieldConfig says how values are shown. What the data source says of a field goes before Defaults, and Overrides go
// before both.
type FieldConfig struct {
	Defaults  Field      `json:"defaults"`
	Overrides []Override `json:"overrides"`
}

// Field is the settings of a field.
type Field struct {
	Unit       string      `json:"unit,omitempty"`
	Decimals   *int        `json:"decimals,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Max        *float64    `json:"max,omitempty"`
	NoValue    string      `json:"noValue"`
	Color      *Color      `json:"color,omitempty"`
	Thresholds *Thresholds `json:"thresholds,omitempty"`
	Links      []Link      `json:"links,omitempty"`
	Custom     *Custom     `json:"custom,omitempty"`
}

// Color is how a colour is found.
type Color struct {
	Mode       string `json:"mode"`
	FixedColor string `json:"fixedColor,omitempty"`
}

// Thresholds begin bands; the first band begins at minus infinity, which is null.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []Step `json:"steps"`
}

// Step is where a band begins.
type Step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// Custom is what a type of panel says of a field; each type reads its own part.
type Custom struct {
	DrawStyle         string     `json:"drawStyle,omitempty"`
	LineInterpolation string     `json:"lineInterpolation,omitempty"`
	LineWidth         *int       `json:"lineWidth,omitempty"`
	FillOpacity       *int       `json:"fillOpacity,omitempty"`
	ShowPoints        string     `json:"showPoints,omitempty"`
	PointSize         any        `json:"pointSize,omitempty"`
	SpanNulls         *bool      `json:"spanNulls,omitempty"`
	AxisSoftMin       *float64   `json:"axisSoftMin,omitempty"`
	AxisLabel         string     `json:"axisLabel,omitempty"`
	ThresholdsStyle   *ModeOnly  `json:"thresholdsStyle,omitempty"`
	Stacking          *ModeOnly  `json:"stacking,omitempty"`
	Show              string     `json:"show,omitempty"`
	CellOptions       *TypeOnly  `json:"cellOptions,omitempty"`
	Align             string     `json:"align,omitempty"`
	MinWidth          int        `json:"minWidth,omitempty"`
	HideFrom          *HideFrom  `json:"hideFrom,omitempty"`
	LineStyle         *LineStyle `json:"lineStyle,omitempty"`
}

// ModeOnly is a setting that has a mode.
type ModeOnly struct {
	Mode string `json:"mode"`
}

// TypeOnly is a setting that has a type.
type TypeOnly struct {
	Type string `json:"type"`
	Mode string `json:"mode,omitempty"`
	// WrapText puts what is too long for a cell into several lines.
	WrapText bool `json:"wrapText,omitempty"`
}

// HideFrom says where a field is not shown.
type HideFrom struct {
	Legend  bool `json:"legend"`
	Tooltip bool `json:"tooltip"`
	Viz     bool `json:"viz"`
}

// LineStyle is solid or dashed.
type LineStyle struct {
	Fill string `json:"fill"`
	Dash []int  `json:"dash,omitempty"`
}

// Override changes the settings of some fields.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`
}

// Matcher chooses fields.
type Matcher struct {
	ID      string `json:"id"`
	Options any    `json:"options,omitempty"`
}

// Property is one setting.
type Property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// Link is a link of a panel or of a value.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}
