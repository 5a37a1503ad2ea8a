package city

import "math"

var phaseNames = [...]string{"L1", "L2", "L3"}

func readCabinet(v *view, o *output) {
	nominal := 1200 + 5200*v.own(1) // watts, all lamps of the circuit
	always := 60 + 90*v.own(6)      // watts, what hangs on it by day as well: controllers, signs, cameras
	load := nominal*v.m.lamps*(1+0.012*v.noise(1)) + always
	factor := round(0.93+0.05*v.m.lamps*v.own(2), 2)
	total := 0.0
	for i, name := range phaseNames {
		var p phase
		if !v.dark() {
			p = v.city.phaseAt(v.sensor.seed+uint64(i), load/3*(1+0.06*(v.own(uint64(3+i))-0.5)), factor, v.m)
		}
		o.put(0, name, p.voltage)
		o.put(1, name, p.current)
		total += p.power
	}
	o.put(2, "", round(total, 1))
	o.put(3, "", factor)
	o.put(4, "", kilowattHours(nominal*v.city.lights.hours(v.t)+always*hoursSince(v.t)))
	if !v.dark() {
		o.put(5, "", round(50+0.028*smooth(v.city.seed^40, v.t/40)+0.012*smooth(v.city.seed^41, v.t/700), 3))
	}
}

// kilowattHours is what a meter shows: to the watt-hour, so that it is seen to count also where little is drawn.
func kilowattHours(wattHours float64) float64 { return round(wattHours/1000, 3) }

// hoursSince is how long meters have been running.
func hoursSince(t float64) float64 { return math.Max(0, (t-meterEpoch)/3600) }

func readHome(v *view, o *output) {
	nominal := 2600 + 9000*v.own(1)
	v.meter(o, nominal, v.m.home, &v.city.homes, 0.95)
}

func readOffice(v *view, o *output) {
	nominal := 9000 + 62000*v.own(1)
	v.meter(o, nominal, v.m.office, &v.city.offices, 0.90)
}

// meter is a building's supply: load follows the curve, with the unrest of its people.
func (v *view) meter(o *output, nominal, load float64, l *ledger, factor float64) {
	watts := nominal * load * (1 + 0.10*smooth(v.sensor.seed^2, v.t/420) + 0.03*v.noise(1))
	factor = round(factor+0.04*v.own(2), 2)
	total := 0.0
	for i, name := range phaseNames {
		var p phase
		if !v.dark() {
			p = v.city.phaseAt(v.sensor.seed+uint64(i), watts/3*(1+0.2*(v.own(uint64(3+i))-0.5)), factor, v.m)
		}
		o.put(1, name, p.voltage)
		o.put(2, name, p.current)
		total += p.power
	}
	o.put(0, "", round(total, 1))
	o.put(3, "", factor)
	o.put(4, "", kilowattHours(nominal*l.hours(v.t)))
}

// readCharger: cars come and go; each draws what its own charger can.
func readCharger(v *view, o *output) {
	const slot = 5400.0
	n := uint64(int64(math.Floor((v.t + slot*v.own(1)) / slot)))
	watts := 0.0
	if !v.dark() && chance(v.sensor.seed^3, n) < 0.15+0.65*v.m.people {
		watts = [...]float64{3700, 7400, 11000, 22000}[Mix(v.sensor.seed^4, n)%4] * (1 + 0.004*v.noise(1))
	}
	factor := 0.99
	total := 0.0
	for i, name := range phaseNames {
		var p phase
		if !v.dark() {
			p = v.city.phaseAt(v.sensor.seed+uint64(i), watts/3, factor, v.m)
		}
		o.put(1, name, p.voltage)
		o.put(2, name, p.current)
		total += p.power
	}
	o.put(0, "", round(total, 1))
	o.put(3, "", factor)
}

func readSolar(v *view, o *output) {
	peak := 4000 + 26000*v.own(1)
	shade := 1 + 0.06*smooth(v.sensor.seed, v.t/240)*(0.3+v.m.weather.clouds)
	light := math.Max(0, v.m.weather.light*shade)
	yield := peak * roofLoad(light) * 0.92
	if v.dark() {
		yield = 0 // an inverter stops with the grid
	}
	o.put(0, "", -round(yield, 1)) // towards the grid
	o.put(1, "", round(light, 1))
	o.put(2, "", kilowattHours(0.92*peak*v.city.roofs.hours(v.t)))
}

func readLamp(v *view, o *output) {
	const off, on, low = 0, 1, 2
	const ok, defective = 0, 1
	level, state, status := v.m.lamps, off, ok
	if chance(v.sensor.seed^5, uint64(v.t/(9*day))) < 0.015 {
		status = defective
	}
	if v.dark() || status == defective {
		level = 0
	}
	switch {
	case level > 0.6:
		state = on
	case level > 0:
		state = low
	}
	o.put(0, "", float64(state))
	o.put(1, "", round(level, 2))
	o.put(2, "", float64(status))
	watts := (38 + 60*v.own(1)) * level
	if !v.dark() {
		watts += 1.2
	}
	o.put(3, "", round(watts*(1+0.01*v.noise(1)), 1))
}
