package dashboards

// Legend and Tooltip are options that several types of panel have.
type (
	// Legend says where series are named.
	Legend struct {
		ShowLegend  bool     `json:"showLegend"`
		DisplayMode string   `json:"displayMode"`
		Placement   string   `json:"placement"`
		Calcs       []string `json:"calcs"`
		SortBy      string   `json:"sortBy,omitempty"`
		SortDesc    bool     `json:"sortDesc,omitempty"`
		Width       int      `json:"width,omitempty"` // in pixels, at the right
	}
	// Tooltip says what is told at the pointer.
	Tooltip struct {
		Mode string `json:"mode"`
		Sort string `json:"sort"`
	}
	// Reduce makes one value of many.
	Reduce struct {
		Values bool     `json:"values"`
		Calcs  []string `json:"calcs"`
		Fields string   `json:"fields"`
		Limit  int      `json:"limit,omitempty"`
	}
)

// TimeSeriesOptions are those of time series.
type TimeSeriesOptions struct {
	Legend  Legend  `json:"legend"`
	Tooltip Tooltip `json:"tooltip"`
}

// StatOptions are those of single values.
type StatOptions struct {
	ReduceOptions Reduce `json:"reduceOptions"`
	ColorMode     string `json:"colorMode"`
	GraphMode     string `json:"graphMode"`
	JustifyMode   string `json:"justifyMode"`
	TextMode      string `json:"textMode"`
	Orientation   string `json:"orientation"`
	WideLayout    bool   `json:"wideLayout"`
}

// BarGaugeOptions are those of bars beside one another.
type BarGaugeOptions struct {
	ReduceOptions Reduce   `json:"reduceOptions"`
	DisplayMode   string   `json:"displayMode"`
	Orientation   string   `json:"orientation"`
	ValueMode     string   `json:"valueMode"`
	ShowUnfilled  bool     `json:"showUnfilled"`
	NamePlacement string   `json:"namePlacement"`
	Sizing        string   `json:"sizing"`
	MinVizHeight  int      `json:"minVizHeight"`
	MinVizWidth   int      `json:"minVizWidth"`
	MaxVizHeight  int      `json:"maxVizHeight"`
	Text          TextSize `json:"text"`
}

// TextSize is in pixels.
type TextSize struct {
	TitleSize int `json:"titleSize"`
	ValueSize int `json:"valueSize"`
}

// TableOptions are those of tables.
type TableOptions struct {
	ShowHeader bool     `json:"showHeader"`
	CellHeight string   `json:"cellHeight"`
	SortBy     []SortBy `json:"sortBy,omitempty"`
}

// SortBy is an order of rows.
type SortBy struct {
	DisplayName string `json:"displayName"`
	Desc        bool   `json:"desc"`
}

// StateTimelineOptions are those of states over time.
type StateTimelineOptions struct {
	Legend      Legend  `json:"legend"`
	Tooltip     Tooltip `json:"tooltip"`
	ShowValue   string  `json:"showValue"`
	RowHeight   float64 `json:"rowHeight"`
	MergeValues bool    `json:"mergeValues"`
	AlignValue  string  `json:"alignValue"`
}

// XYOptions are those of one value over another. Without series of one's own the first number of a row is x.
type XYOptions struct {
	Mapping string     `json:"mapping"`
	Series  []struct{} `json:"series"`
	Legend  Legend     `json:"legend"`
	Tooltip Tooltip    `json:"tooltip"`
}

// GeomapOptions are those of maps.
type GeomapOptions struct {
	View     MapView     `json:"view"`
	Controls MapControls `json:"controls"`
	Basemap  MapLayer    `json:"basemap"`
	Layers   []MapLayer  `json:"layers"`
	Tooltip  ModeOnly    `json:"tooltip"`
}

// MapView is where the map begins.
type MapView struct {
	ID        string  `json:"id"`
	Lat       float64 `json:"lat"`
	Lon       float64 `json:"lon"`
	Zoom      float64 `json:"zoom"`
	AllLayers bool    `json:"allLayers"`
	// Layer is the one that is fitted, by its name.
	Layer   string  `json:"layer,omitempty"`
	Padding float64 `json:"padding"`
}

// MapControls are the buttons on the map.
type MapControls struct {
	ShowZoom        bool `json:"showZoom"`
	MouseWheelZoom  bool `json:"mouseWheelZoom"`
	ShowAttribution bool `json:"showAttribution"`
	ShowScale       bool `json:"showScale"`
	ShowMeasure     bool `json:"showMeasure"`
	ShowDebug       bool `json:"showDebug"`
}

// MapLayer is a layer of the map.
type MapLayer struct {
	Type     string       `json:"type"`
	Name     string       `json:"name"`
	Tooltip  bool         `json:"tooltip"`
	Config   any          `json:"config"`
	Location *MapLocation `json:"location,omitempty"`
}

// GeoJSONConfig is that of shapes.
type GeoJSONConfig struct {
	Src   string      `json:"src"`
	Rules []StyleRule `json:"rules"`
	Style ShapeStyle  `json:"style"`
}

// StyleRule gives shapes with a property a style.
type StyleRule struct {
	Check StyleCheck `json:"check"`
	Style ShapeStyle `json:"style"`
}

// StyleCheck compares a property of a shape.
type StyleCheck struct {
	Property  string `json:"property"`
	Operation string `json:"operation"`
	Value     string `json:"value"`
}

// ShapeStyle is how lines and areas look; widths are in pixels.
type ShapeStyle struct {
	Color     Fixed   `json:"color"`
	Opacity   float64 `json:"opacity"`
	LineWidth float64 `json:"lineWidth"`
}

// Fixed is one colour for everything.
type Fixed struct {
	Fixed string `json:"fixed"`
}

// MapLocation says which fields hold positions.
type MapLocation struct {
	Mode      string `json:"mode"`
	Latitude  string `json:"latitude"`
	Longitude string `json:"longitude"`
}

// MarkersConfig is that of points.
type MarkersConfig struct {
	ShowLegend bool        `json:"showLegend"`
	Style      MarkerStyle `json:"style"`
}

// MarkerStyle is how points look.
type MarkerStyle struct {
	Color    MarkerColor  `json:"color"`
	Opacity  float64      `json:"opacity"`
	Size     MarkerSize   `json:"size"`
	Symbol   MarkerSymbol `json:"symbol"`
	Rotation MarkerSize   `json:"rotation"`
}

// MarkerColor is a fixed colour, or that of a field's value.
type MarkerColor struct {
	Field string `json:"field,omitempty"`
	Fixed string `json:"fixed"`
}

// MarkerSize is in pixels, or degrees of a rotation.
type MarkerSize struct {
	Fixed float64 `json:"fixed"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Mode  string  `json:"mode,omitempty"`
}

// MarkerSymbol is a picture.
type MarkerSymbol struct {
	Mode  string `json:"mode"`
	Fixed string `json:"fixed"`
}
