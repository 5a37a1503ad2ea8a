package telemetry

// Unit is a unit of measure with its codes in the two code systems that Lamppost speaks.
type Unit struct {
	// Symbol is for people: "km/h", "µg/m³", "°C"; "" for a bare number.
	Symbol string
	// UCUM is the code of the Unified Code for Units of Measure, case sensitive; "" where it has none (var, dBm).
	UCUM string
	// SenML is the unit's name in the SenML units registry: a primary one of RFC 8428 or a secondary one of RFC 8798 and
	// later registrations; "" where it has none.
	SenML string
}

// The units of the catalogue. UCUM and the registry cannot say that a sound level is A-weighted: every level of the
// catalogue is.
var (
	// Index is what states have: the value is a place in Quantity.States.
	Index = Unit{Symbol: "", UCUM: "1", SenML: ""}
	One   = Unit{Symbol: "", UCUM: "1", SenML: "count"}
	// Ratio is 0 to 1, not percent.
	Ratio           = Unit{Symbol: "", UCUM: "1", SenML: "/"}
	PartsPerMillion = Unit{Symbol: "ppm", UCUM: "[ppm]", SenML: "ppm"}

	KilometrePerHour  = Unit{Symbol: "km/h", UCUM: "km/h", SenML: "km/h"}
	MetrePerSecond    = Unit{Symbol: "m/s", UCUM: "m/s", SenML: "m/s"}
	Metre             = Unit{Symbol: "m", UCUM: "m", SenML: "m"}
	Millimetre        = Unit{Symbol: "mm", UCUM: "mm", SenML: "mm"}
	MillimetrePerHour = Unit{Symbol: "mm/h", UCUM: "mm/h", SenML: "mm/h"}
	Second            = Unit{Symbol: "s", UCUM: "s", SenML: "s"}
	Degree            = Unit{Symbol: "°", UCUM: "deg", SenML: "deg"}
	PerSquareMetre    = Unit{Symbol: "1/m²", UCUM: "/m2", SenML: ""}

	Watt               = Unit{Symbol: "W", UCUM: "W", SenML: "W"}
	Var                = Unit{Symbol: "var", UCUM: "", SenML: "var"}
	VoltAmpere         = Unit{Symbol: "VA", UCUM: "V.A", SenML: "VA"}
	WattHour           = Unit{Symbol: "Wh", UCUM: "W.h", SenML: "Wh"}
	KilowattHour       = Unit{Symbol: "kWh", UCUM: "kW.h", SenML: "kWh"}
	KilovarHour        = Unit{Symbol: "kvarh", UCUM: "", SenML: "kvarh"}
	Volt               = Unit{Symbol: "V", UCUM: "V", SenML: "V"}
	Millivolt          = Unit{Symbol: "mV", UCUM: "mV", SenML: "mV"}
	Ampere             = Unit{Symbol: "A", UCUM: "A", SenML: "A"}
	Hertz              = Unit{Symbol: "Hz", UCUM: "Hz", SenML: "Hz"}
	WattPerSquareMetre = Unit{Symbol: "W/m²", UCUM: "W/m2", SenML: "W/m2"}
	DecibelMilliwatt   = Unit{Symbol: "dBm", UCUM: "", SenML: "dBm"}
	Decibel            = Unit{Symbol: "dB", UCUM: "dB", SenML: "dB"}

	Celsius                = Unit{Symbol: "°C", UCUM: "Cel", SenML: "Cel"}
	Hectopascal            = Unit{Symbol: "hPa", UCUM: "hPa", SenML: "hPa"}
	MicrogramPerCubicMetre = Unit{Symbol: "µg/m³", UCUM: "ug/m3", SenML: "ug/m3"}
	GramPerCubicMetre      = Unit{Symbol: "g/m³", UCUM: "g/m3", SenML: ""}
	MilligramPerLitre      = Unit{Symbol: "mg/l", UCUM: "mg/L", SenML: "mg/l"}
	SoundLevel             = Unit{Symbol: "dB(A)", UCUM: "dB[SPL]", SenML: "dB"}
	Lux                    = Unit{Symbol: "lx", UCUM: "lx", SenML: "lx"}
	CubicMetrePerHour      = Unit{Symbol: "m³/h", UCUM: "m3/h", SenML: ""}
	CubicMetre             = Unit{Symbol: "m³", UCUM: "m3", SenML: "m3"}
	Kilogram               = Unit{Symbol: "kg", UCUM: "kg", SenML: "kg"}
	Acidity                = Unit{Symbol: "pH", UCUM: "[pH]", SenML: "pH"}
	MicrosiemensPerCm      = Unit{Symbol: "µS/cm", UCUM: "uS/cm", SenML: ""}
	Turbidity              = Unit{Symbol: "NTU", UCUM: "[NTU]", SenML: "NTU"}
	ColoniesPerDecilitre   = Unit{Symbol: "CFU/100 ml", UCUM: "[CFU]/(100.mL)", SenML: ""}
)

// named says whether code is one of the unit's own; "" stands for it too.
func (u *Unit) named(code string) bool {
	return code == u.SenML || code == u.UCUM || code == u.Symbol || code == ""
}
