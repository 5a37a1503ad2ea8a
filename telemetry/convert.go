package telemetry

import (
	"fmt"
	"math"
)

// molarVolume is that of an ideal gas in l/mol at 293.15 K and 1013.25 hPa, where EU limit values for gases hold
// (Directive 2008/50/EC, annex VI section B: "293 K and 101,3 kPa"): R T / p with R = 8.314462618 J/(mol K).
const molarVolume = 8.314462618 * 293.15 / 101325 * 1000

// Convert turns a value in the unit named by code into the quantity's own unit. The code is a SenML name, a UCUM code or a
// Symbol of a unit in Units; "" means the quantity's own unit. It is an error if there is no such unit, or if it measures
// something else: a mole fraction (ppb) becomes a mass per volume (µg/m³) only for a gas whose molar mass is known.
// A state has no unit; the codes of a bare number and of a ratio, which RFC 8428 gives to switches, are let through.
func Convert(value float64, code string, q *Quantity) (float64, error) {
	if q.Unit.named(code) {
		return value, nil
	}
	from, to, err := scalesFor(code, q)
	if err != nil {
		return 0, err
	}
	return convert(value, from, to, q.MolarMass), nil
}

// Express turns a value in the quantity's own unit into the unit named by code: the way back from Convert, with the same
// errors.
func Express(value float64, code string, q *Quantity) (float64, error) {
	if q.Unit.named(code) {
		return value, nil
	}
	other, own, err := scalesFor(code, q)
	if err != nil {
		return 0, err
	}
	return convert(value, own, other, q.MolarMass), nil
}

// UnitByCode finds a unit by its SenML name, its UCUM code or its Symbol. The code "1" and the empty Symbol, which several
// units share, are One.
func UnitByCode(code string) (Unit, bool) {
	s, ok := scaleByCode[code]
	if !ok {
		return Unit{}, false
	}
	return s.unit, true
}

// Units lists every unit that Convert knows, those of the catalogue and those that it converts from. The caller may
// change the slice.
func Units() []Unit {
	all := make([]Unit, len(scales))
	for i := range scales {
		all[i] = scales[i].unit
	}
	return all
}

// scalesFor finds the scale of the code and that of the quantity, and makes sure that one can become the other.
func scalesFor(code string, q *Quantity) (from, to *scale, err error) {
	from, ok := scaleByCode[code]
	if !ok {
		return nil, nil, fmt.Errorf("unit %.40q is not known; %s is kept in %s", code, q.Name, q.Unit.label())
	}
	to = scaleByUnit[q.Unit]
	switch {
	case from.dim == to.dim:
	case q.MolarMass > 0 && from.dim == proportion && to.dim == concentration:
	case q.MolarMass > 0 && from.dim == concentration && to.dim == proportion:
	case to.dim == index && (from.dim == number || from.dim == proportion && from.mul == from.div):
	default:
		return nil, nil, fmt.Errorf("unit %q cannot become %s, the unit of %s", code, q.Unit.label(), q.Name)
	}
	return from, to, nil
}

// convert goes from one scale to another; for a gas also between mole fraction (base 1) and mass per volume (base µg/m³).
func convert(value float64, from, to *scale, molarMass float64) float64 {
	gas := 1.0
	switch {
	case from.dim == index || to.dim == index:
		return value
	case from.dim == to.dim:
	case to.dim == concentration:
		gas = molarMass / molarVolume * 1e9
	default:
		gas = molarVolume / molarMass / 1e9
	}
	return times(value+from.shift, from.mul*to.div*gas, from.div*to.mul) - to.shift
}

// times multiplies by num/den with as few roundings as it can, so that 48.9 % becomes 0.489, not 0.48900000000000005.
func times(value, num, den float64) float64 {
	if r := num / den; r == math.Trunc(r) && r*den == num {
		return value * r
	}
	if r := den / num; r == math.Trunc(r) && r*num == den {
		return value / r
	}
	return value * (num / den)
}

// label names a unit to people, also one without a Symbol.
func (u *Unit) label() string {
	switch {
	case u.Symbol != "":
		return u.Symbol
	case u.SenML == Ratio.SenML:
		return "a ratio of 0 to 1"
	default:
		return "a bare number"
	}
}
