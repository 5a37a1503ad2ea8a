package telemetry

// Unit is a unit of measure with its codes in the two code systems that Lamppost speaks.
type Unit struct {
	// Symbol is for people: "km/h", "µg/m³", "°C"; "" for a bare number.
	Symbol string
	// UCUM is the code of the Unified Code for Units of Measure, case sensitive.
	UCUM string
	// SenML is the unit's name in the SenML units registry (RFC 8428, RFC 8798); "" where it has none.
	SenML string
}

// The units of the catalogue.
var (
	One                    = Unit{Symbol: "", UCUM: "1", SenML: "count"}
	Ratio                  = Unit{Symbol: "", UCUM: "1", SenML: "/"}
	KilometrePerHour       = Unit{Symbol: "km/h", UCUM: "km/h", SenML: "km/h"}
	Watt                   = Unit{Symbol: "W", UCUM: "W", SenML: "W"}
	Celsius                = Unit{Symbol: "°C", UCUM: "Cel", SenML: "Cel"}
	MicrogramPerCubicMetre = Unit{Symbol: "µg/m³", UCUM: "ug/m3", SenML: "ug/m3"}
)
