package simbus

import (
	"math"
	"strings"
	"time"
)

// Mains is a three-phase connection to the grid: a load that follows the day, or a generator. Its values fit together:
// current is power by voltage, and the counters are the integral of the power.
type Mains struct {
	Began time.Time
	// Phase moves the day, 0 to 1, so that two connections differ.
	Phase float64
	// Generates says that power goes to the grid: it is negative, and energy_export counts.
	Generates bool
}

// shares are the parts of the phases in the whole.
var shares = map[string]float64{"L1": 0.41, "L2": 0.33, "L3": 0.26}

const mainsDay = 24 * time.Hour

// Value returns a quantity of the catalogue, in its unit: of a phase (L1, L2, L3), between phases (L1-L2), of the direct
// current behind an inverter (DC), or of the whole (""). ok is false for what a connection to the grid does not have.
func (m Mains) Value(quantity, channel string, now time.Time) (value float64, ok bool) {
	since := now.Sub(m.Began)
	fast := Wave{Swing: 1, Period: 10 * time.Minute, Phase: m.Phase + float64(len(channel))}.At(since)
	if channel == "DC" {
		return m.direct(quantity, since)
	}
	one, phase := shares[channel]
	power := m.sum(channel, since, m.power)
	switch quantity {
	case "voltage":
		return m.voltage(since, fast), phase || channel == ""
	case "phase_to_phase_voltage":
		return math.Sqrt(3) * m.voltage(since, fast), strings.Contains(channel, "-") || channel == ""
	case "active_power":
		return power, true
	case "apparent_power":
		return math.Abs(power) / cosine(since), true
	case "reactive_power":
		return math.Abs(power) * math.Tan(math.Acos(cosine(since))), true
	case "current":
		return math.Abs(power) / cosine(since) / m.voltage(since, fast), true
	case "power_factor":
		return cosine(since), true
	case "frequency":
		return 50 + 0.02*fast, true
	case "thd_voltage":
		return 0.018 + 0.002*fast, true
	case "thd_current":
		return 0.11 + 0.01*fast, true
	case "device_temperature":
		return 31 + 5*Wave{Swing: 1, Period: mainsDay, Phase: m.Phase}.At(since), true
	case "energy_import", "energy_export":
		if m.Generates != (quantity == "energy_export") {
			return 3.2 * max(one, 0.1), true
		}
		return m.sum(channel, since, m.energy), true
	case "reactive_energy_import":
		return 0.3 * m.sum(channel, since, m.energy), true
	case "reactive_energy_export":
		return 1.7 * max(one, 0.1), true
	}
	return 0, false
}

// sum is a phase's part, or all three together.
func (m Mains) sum(channel string, since time.Duration, of func(share float64, since time.Duration) float64) float64 {
	if share, ok := shares[channel]; ok {
		return of(share, since)
	}
	return of(1, since)
}

// wave is the power in watts; it is never below 0.
func (m Mains) wave() Wave {
	if m.Generates {
		return Wave{Mean: 4000, Swing: 4000, Period: mainsDay, Phase: m.Phase}
	}
	return Wave{Mean: 5200, Swing: 3600, Period: mainsDay, Phase: m.Phase}
}

func (m Mains) power(share float64, since time.Duration) float64 {
	p := share * m.wave().At(since)
	if m.Generates {
		return -p
	}
	return p
}

// energy is what the counter shows, in kWh: what it had at the beginning and the integral of the wave.
func (m Mains) energy(share float64, since time.Duration) float64 {
	w, turns := m.wave(), since.Hours()/mainsDay.Hours()
	hours := w.Mean*since.Hours() - w.Swing*mainsDay.Hours()/(2*math.Pi)*(math.Cos(2*math.Pi*(turns+m.Phase))-math.Cos(2*math.Pi*m.Phase))
	return share * (12_480.7 + hours/1000)
}

func (m Mains) voltage(since time.Duration, fast float64) float64 {
	return 231 + 1.5*fast - 0.0004*m.power(1, since)
}

// direct is the side of the panels: 640 V, and a little more power than comes out.
func (m Mains) direct(quantity string, since time.Duration) (float64, bool) {
	power := math.Abs(m.power(1, since)) * 1.03
	switch quantity {
	case "voltage":
		return 640, true
	case "current":
		return power / 640, true
	case "active_power":
		return -power, true
	}
	return 0, false
}

func cosine(since time.Duration) float64 {
	return Wave{Mean: 0.94, Swing: 0.03, Period: time.Hour}.At(since)
}
