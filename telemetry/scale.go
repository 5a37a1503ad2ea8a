package telemetry

// dimension is what a unit measures. Units convert within their dimension only.
type dimension uint8

const (
	index dimension = iota + 1
	number
	proportion
	velocity
	rainRate
	length
	duration
	angle
	areaDensity
	power
	reactivePower
	apparentPower
	energy
	reactiveEnergy
	tension
	current
	frequency
	irradiance
	powerLevel
	level
	temperature
	pressure
	concentration
	illumination
	flow
	volume
	mass
	acidity
	conductivity
	turbidity
	colonies
)

// scale places a unit in its dimension: a value in the dimension's base unit is (value + shift) * mul / div.
type scale struct {
	unit            Unit
	dim             dimension
	shift, mul, div float64
}

// scales is the closed table of units. The base of each dimension is the row with 1/1 that stands first in it. Factors of
// the mile, the foot, the inch and the knot are exact by definition (1 in = 25.4 mm, 1 nmi = 1852 m).
var scales = []scale{
	{Index, index, 0, 1, 1},
	{One, number, 0, 1, 1},
	{Ratio, proportion, 0, 1, 1},
	{Unit{"%", "%", "%"}, proportion, 0, 1, 100},
	{Unit{"%", "%", "/100"}, proportion, 0, 1, 100},
	{Unit{"%RH", "%", "%RH"}, proportion, 0, 1, 100},
	{Unit{"%EL", "%", "%EL"}, proportion, 0, 1, 100},
	{Unit{"EL", "1", "EL"}, proportion, 0, 1, 1},
	{Unit{"‰", "[ppth]", "/1000"}, proportion, 0, 1, 1000},
	{PartsPerMillion, proportion, 0, 1, 1e6},
	{Unit{"ppb", "[ppb]", "ppb"}, proportion, 0, 1, 1e9},
	{Unit{"ppt", "[pptr]", "ppt"}, proportion, 0, 1, 1e12},

	{KilometrePerHour, velocity, 0, 1, 1},
	{MetrePerSecond, velocity, 0, 18, 5},
	{Unit{"mph", "[mi_i]/h", ""}, velocity, 0, 1.609344, 1},
	{Unit{"kn", "[kn_i]", ""}, velocity, 0, 1.852, 1},
	{MillimetrePerHour, rainRate, 0, 1, 1},
	{Unit{"in/h", "[in_i]/h", ""}, rainRate, 0, 25.4, 1},
	{Unit{"m/h", "m/h", "m/h"}, rainRate, 0, 1000, 1},
	{Metre, length, 0, 1, 1},
	{Millimetre, length, 0, 1, 1000},
	{Unit{"cm", "cm", "cm"}, length, 0, 1, 100},
	{Unit{"km", "km", "km"}, length, 0, 1000, 1},
	{Unit{"ft", "[ft_i]", ""}, length, 0, 0.3048, 1},
	{Unit{"in", "[in_i]", ""}, length, 0, 0.0254, 1},
	{Unit{"mi", "[mi_i]", ""}, length, 0, 1609.344, 1},
	// A litre on a square metre stands one millimetre high.
	{Unit{"l/m²", "L/m2", ""}, length, 0, 1, 1000},
	{Second, duration, 0, 1, 1},
	{Unit{"ms", "ms", "ms"}, duration, 0, 1, 1000},
	{Unit{"min", "min", "min"}, duration, 0, 60, 1},
	{Unit{"h", "h", "h"}, duration, 0, 3600, 1},
	{Unit{"d", "d", ""}, duration, 0, 86400, 1},
	{Degree, angle, 0, 1, 1},
	{Unit{"°", "deg", "lat"}, angle, 0, 1, 1},
	{Unit{"°", "deg", "lon"}, angle, 0, 1, 1},
	{Unit{"rad", "rad", "rad"}, angle, 0, 57.29577951308232, 1},
	{PerSquareMetre, areaDensity, 0, 1, 1},

	{Watt, power, 0, 1, 1},
	{Unit{"mW", "mW", ""}, power, 0, 1, 1000},
	{Unit{"kW", "kW", "kW"}, power, 0, 1000, 1},
	{Unit{"MW", "MW", ""}, power, 0, 1e6, 1},
	{Var, reactivePower, 0, 1, 1},
	{Unit{"kvar", "", "kvar"}, reactivePower, 0, 1000, 1},
	{VoltAmpere, apparentPower, 0, 1, 1},
	{Unit{"kVA", "kV.A", "kVA"}, apparentPower, 0, 1000, 1},
	{KilowattHour, energy, 0, 1, 1},
	{WattHour, energy, 0, 1, 1000},
	{Unit{"MWh", "MW.h", ""}, energy, 0, 1000, 1},
	{Unit{"J", "J", "J"}, energy, 0, 1, 3.6e6},
	{Unit{"kJ", "kJ", ""}, energy, 0, 1, 3600},
	{Unit{"MJ", "MJ", ""}, energy, 0, 5, 18},
	{KilovarHour, reactiveEnergy, 0, 1, 1},
	{Unit{"varh", "", "varh"}, reactiveEnergy, 0, 1, 1000},
	{Unit{"vars", "", "vars"}, reactiveEnergy, 0, 1, 3.6e6},
	{Volt, tension, 0, 1, 1},
	{Millivolt, tension, 0, 1, 1000},
	{Unit{"kV", "kV", ""}, tension, 0, 1000, 1},
	{Ampere, current, 0, 1, 1},
	{Unit{"mA", "mA", "mA"}, current, 0, 1, 1000},
	{Hertz, frequency, 0, 1, 1},
	{Unit{"mHz", "mHz", ""}, frequency, 0, 1, 1000},
	{WattPerSquareMetre, irradiance, 0, 1, 1},
	{DecibelMilliwatt, powerLevel, 0, 1, 1},
	{Unit{"dBW", "dB[W]", "dBW"}, powerLevel, 30, 1, 1},
	{Decibel, level, 0, 1, 1},
	{SoundLevel, level, 0, 1, 1},
	{Unit{"dBA", "", ""}, level, 0, 1, 1},
	{Unit{"Bspl", "B[SPL]", "Bspl"}, level, 0, 10, 1},

	{Celsius, temperature, 0, 1, 1},
	{Unit{"K", "K", "K"}, temperature, -273.15, 1, 1},
	{Unit{"°F", "[degF]", ""}, temperature, -32, 5, 9},
	{Hectopascal, pressure, 0, 1, 1},
	{Unit{"Pa", "Pa", "Pa"}, pressure, 0, 1, 100},
	{Unit{"kPa", "kPa", ""}, pressure, 0, 10, 1},
	{Unit{"mbar", "mbar", ""}, pressure, 0, 1, 1},
	{Unit{"bar", "bar", ""}, pressure, 0, 1000, 1},
	{Unit{"mmHg", "mm[Hg]", ""}, pressure, 0, 1.33322387415, 1},
	{Unit{"inHg", "[in_i'Hg]", ""}, pressure, 0, 33.86388640341, 1},
	{MicrogramPerCubicMetre, concentration, 0, 1, 1},
	{Unit{"ng/m³", "ng/m3", ""}, concentration, 0, 1, 1000},
	{Unit{"mg/m³", "mg/m3", ""}, concentration, 0, 1000, 1},
	{GramPerCubicMetre, concentration, 0, 1e6, 1},
	{Unit{"kg/m³", "kg/m3", "kg/m3"}, concentration, 0, 1e9, 1},
	{MilligramPerLitre, concentration, 0, 1e6, 1},
	{Unit{"µg/l", "ug/L", "ug/l"}, concentration, 0, 1000, 1},
	{Unit{"g/l", "g/L", "g/l"}, concentration, 0, 1e9, 1},
	{Lux, illumination, 0, 1, 1},
	{Unit{"klx", "klx", ""}, illumination, 0, 1000, 1},
	{CubicMetrePerHour, flow, 0, 1, 1},
	{Unit{"m³/s", "m3/s", "m3/s"}, flow, 0, 3600, 1},
	{Unit{"l/s", "L/s", "l/s"}, flow, 0, 18, 5},
	{Unit{"l/min", "L/min", ""}, flow, 0, 3, 50},
	{Unit{"l/h", "L/h", ""}, flow, 0, 1, 1000},
	{CubicMetre, volume, 0, 1, 1},
	{Unit{"l", "L", "l"}, volume, 0, 1, 1000},
	{Kilogram, mass, 0, 1, 1},
	{Unit{"g", "g", "g"}, mass, 0, 1, 1000},
	{Unit{"t", "t", ""}, mass, 0, 1000, 1},
	{Acidity, acidity, 0, 1, 1},
	{MicrosiemensPerCm, conductivity, 0, 1, 1},
	{Unit{"S/m", "S/m", "S/m"}, conductivity, 0, 10000, 1},
	{Unit{"mS/cm", "mS/cm", ""}, conductivity, 0, 1000, 1},
	{Unit{"dS/m", "dS/m", ""}, conductivity, 0, 1000, 1},
	{Turbidity, turbidity, 0, 1, 1},
	{ColoniesPerDecilitre, colonies, 0, 1, 1},
}

var (
	scaleByCode = scalesByCode()
	scaleByUnit = scalesByUnit()
)

// scalesByCode maps every code to its scale. Where units share a code the first row has it, save that One, not Index,
// answers to "1" and to nothing; those that share one otherwise have the same scale.
func scalesByCode() map[string]*scale {
	codes := make(map[string]*scale, 3*len(scales))
	for i := range scales {
		s := &scales[i]
		if s.dim == index {
			continue
		}
		for _, code := range [...]string{s.unit.SenML, s.unit.UCUM, s.unit.Symbol} {
			if _, taken := codes[code]; !taken {
				codes[code] = s
			}
		}
	}
	return codes
}

func scalesByUnit() map[Unit]*scale {
	units := make(map[Unit]*scale, len(scales))
	for i := range scales {
		units[scales[i].unit] = &scales[i]
	}
	return units
}
