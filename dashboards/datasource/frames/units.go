package frames

import (
	"strconv"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Colours of Okabe and Ito, which people with any colour vision tell apart.
const (
	green  = "#009E73"
	orange = "#E69F00"
	red    = "#D55E00"
	grey   = "#999999"
)

// Unit returns Grafana's id for a unit of the catalogue, by its symbol. A symbol that Grafana has no id for is written
// behind the number.
func Unit(symbol string) string {
	switch symbol {
	case telemetry.One.Symbol:
		return "short"
	case telemetry.KilometrePerHour.Symbol:
		return "velocitykmh"
	case telemetry.MetrePerSecond.Symbol:
		return "velocityms"
	case telemetry.Metre.Symbol:
		return "lengthm"
	case telemetry.Millimetre.Symbol:
		return "lengthmm"
	case telemetry.Second.Symbol:
		return "s"
	case telemetry.Degree.Symbol:
		return "degree"
	case telemetry.PartsPerMillion.Symbol:
		return "ppm"
	case telemetry.Watt.Symbol:
		return "watt"
	case telemetry.Var.Symbol:
		return "voltampreact"
	case telemetry.VoltAmpere.Symbol:
		return "voltamp"
	case telemetry.WattHour.Symbol:
		return "watth"
	case telemetry.KilowattHour.Symbol:
		return "kwatth"
	case telemetry.Volt.Symbol:
		return "volt"
	case telemetry.Millivolt.Symbol:
		return "mvolt"
	case telemetry.Ampere.Symbol:
		return "amp"
	case telemetry.Hertz.Symbol:
		return "hertz"
	case telemetry.WattPerSquareMetre.Symbol:
		return "Wm2"
	case telemetry.DecibelMilliwatt.Symbol:
		return "dBm"
	case telemetry.Decibel.Symbol:
		return "dB"
	case telemetry.Celsius.Symbol:
		return "celsius"
	case telemetry.Hectopascal.Symbol:
		return "pressurehpa"
	case telemetry.MicrogramPerCubicMetre.Symbol:
		return "con\u03bcgm3"
	case telemetry.GramPerCubicMetre.Symbol:
		return "congm3"
	case telemetry.Lux.Symbol:
		return "lux"
	case telemetry.CubicMetre.Symbol:
		return "m3"
	case telemetry.Kilogram.Symbol:
		return "masskg"
	}
	return "suffix:" + symbol
}

// Catalogue knows the quantities of a server.
type Catalogue map[string]city.Quantity

// NewCatalogue takes what the server says; what it does not say is taken from the catalogue of this program.
func NewCatalogue(quantities []city.Quantity) Catalogue {
	c := make(Catalogue, len(quantities))
	for _, q := range quantities {
		c[q.Name] = q
	}
	for _, q := range telemetry.Quantities() {
		if _, known := c[q.Name]; !known {
			c[q.Name] = city.Quantity{
				Name: q.Name, Title: q.Title, Domain: q.Domain.String(), Kind: q.Kind.String(),
				Unit: q.Unit.Symbol, SenML: q.Unit.SenML, States: q.States,
			}
		}
	}
	return c
}

// title is the quantity's name for people.
func (c Catalogue) title(name string) string {
	if q, ok := c[name]; ok && q.Title != "" {
		return q.Title
	}
	return name
}

// field is how values of the quantity are shown, where agg is how they were combined.
func (c Catalogue) field(name, unit, agg string) *data.FieldConfig {
	q := c[name]
	cfg := new(data.FieldConfig)
	switch {
	case agg == "count":
		cfg.Unit = "short"
	case len(q.States) > 0:
		cfg.Mappings = states(q.States)
	case c.isRatio(name):
		cfg.Unit = "percentunit"
		if agg != "sum" {
			cfg.SetMin(0)
			cfg.SetMax(1)
		}
	default:
		cfg.Unit = Unit(unit)
	}
	return cfg
}

// isRatio says whether a quantity is from 0 to 1, which is shown in percent.
func (c Catalogue) isRatio(name string) bool {
	q, known := c[name]
	return known && len(q.States) == 0 && q.SenML == telemetry.Ratio.SenML && q.Unit == telemetry.Ratio.Symbol
}

// states maps 0, 1, 2 ... to their names.
func states(names []string) data.ValueMappings {
	mapper := make(data.ValueMapper, len(names))
	for i, name := range names {
		mapper[strconv.Itoa(i)] = data.ValueMappingResult{Text: name, Index: i}
	}
	return data.ValueMappings{mapper}
}

// sensorStates gives each state of a sensor a colour.
func sensorStates() data.ValueMappings {
	return data.ValueMappings{data.ValueMapper{
		"ok":     {Text: "ok", Color: green, Index: 0},
		"silent": {Text: "silent", Color: red, Index: 1},
		"never":  {Text: "never", Color: grey, Index: 2},
		"part":   {Text: "part", Color: orange, Index: 3},
	}}
}
