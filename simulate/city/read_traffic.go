package city

import "math"

var laneNames = [...]string{"1", "2", "3"}

func readLanes(v *view, o *output) {
	demand := v.city.demandAt(v.place, v.m)
	lanes := 1 + int(v.own(1)*2.6)
	if v.place.road.critical == criticalSide {
		lanes = 1
	}
	seconds := v.sensor.Cadence.Seconds()
	for i := range lanes {
		n := uint64(10 * i)
		l := v.city.laneAt(&v.place.road, demand*[...]float64{1, 0.9, 0.78}[i]*(1+0.05*v.noise(n)))
		expected := l.flow * seconds / 3600
		count := math.Max(0, math.Round(expected+math.Sqrt(expected)*0.8*v.noise(n+1)))
		o.put(0, laneNames[i], count)
		if count > 0 { // nobody passed: there is no speed
			o.put(1, laneNames[i], round(clamp(l.speed*(1+(0.03+0.05/math.Sqrt(count))*v.noise(n+2)), 2, 140), 1))
		}
		o.put(2, laneNames[i], round(clamp(l.occupancy*(1+0.05*v.noise(n+3)), 0, 1), 4))
	}
}

func readSignal(v *view, o *output) {
	const dark, green, amber, red, redAmber, flashing = 0, 1, 2, 3, 4, 5
	state := red
	switch at := math.Mod(v.t+90*v.own(1), 90); {
	case v.dark():
		state = dark
	case (v.m.hour >= 23 || v.m.hour < 5) && v.own(2) < 0.5:
		state = flashing
	case at < 38:
		state = green
	case at < 41:
		state = amber
	case at >= 88:
		state = redAmber
	}
	o.put(0, "", float64(state))
}

func readBicycles(v *view, o *output) {
	w := &v.m.weather
	comfort := clamp(0.35+0.04*w.temperature, 0.15, 1.15) * (1 - 0.7*math.Min(1, w.rain/2)) * (1 - 0.5*w.storm)
	hourly := (40 + 260*v.own(1)) * v.m.traffic * comfort
	for i, direction := range [...]string{"in", "out"} {
		share := 0.5 + 0.28*v.m.morning*float64(1-2*i)
		expected := hourly * share * v.sensor.Cadence.Seconds() / 3600
		o.put(0, direction, math.Max(0, math.Round(expected+math.Sqrt(expected)*v.noise(uint64(i)))))
	}
}

func readParking(v *view, o *output) {
	total := float64(20 * int(3+22*v.own(1)))
	taken := 0.16 + 0.72*v.m.people*(0.8+0.4*v.own(2)) + 0.05*smooth(v.sensor.seed, v.t/1800)
	occupied := math.Round(total * clamp(taken, 0.02, 1))
	o.put(0, "", total)
	o.put(1, "", occupied)
	o.put(2, "", total-occupied)
	v.battery(o, 3)
}

func readRoute(v *view, o *output) {
	l := v.city.laneAt(&v.place.road, v.city.demandAt(v.place, v.m))
	metres := 400 + 1.25*math.Hypot(v.place.at.X, v.place.at.Y)
	seconds := metres/(l.speed/3.6) + 35*(1+0.3*v.noise(1))
	o.put(0, "", math.Round(seconds))
	congested := 0.0
	if l.u > 1 {
		congested = 1
	}
	o.put(1, "", congested)
}
