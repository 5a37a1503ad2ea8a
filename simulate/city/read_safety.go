package city

import "math"

func readAir(v *view, o *output) {
	w := &v.m.weather
	l := v.city.laneAt(&v.place.road, v.city.demandAt(v.place, v.m))
	// Exhaust grows with the vehicles on the road and more where they stand; wind carries it away, still winter air keeps it.
	exhaust := l.flow / 900 * (1 + 0.5*math.Max(0, l.u-1)) * v.place.road.critical / criticalMain
	still := clamp(1.5/(0.45+w.wind/3.2), 0.35, 2.2) * (1 + 0.15*clamp(-w.sun, 0, 0.5))
	sun := math.Max(0, w.sun)
	vary := 1 + 0.12*smooth(v.sensor.seed, v.t/1100)
	no2 := (6 + 9*v.m.traffic + 30*exhaust) * still * (1 - 0.35*sun) * (1 - 0.12*math.Min(1, w.rain)) * vary
	o3 := math.Max(2, 46+62*sun*(1-0.5*w.clouds)-0.5*no2+6*smooth(v.sensor.seed^1, v.t/5000))
	pm10 := (9 + 7*exhaust + 5*clamp((8-w.temperature)/10, 0, 1.5)) * still * (1 - 0.45*math.Min(1, w.rain/2)) * (1 + 0.10*smooth(v.sensor.seed^2, v.t/2000))
	pm25 := pm10 * (0.55 + 0.08*smooth(v.sensor.seed^3, v.t/7000))
	o.put(0, "", round(math.Max(0.5, no2+0.6*v.noise(1)), 1))
	o.put(1, "", round(math.Max(0.5, o3+0.8*v.noise(2)), 1))
	o.put(2, "", round(math.Max(0.5, pm10+0.3*v.noise(3)), 1))
	o.put(3, "", round(math.Max(0.3, pm25+0.15*v.noise(4)), 1))
	city := 1.6 * (1 - math.Hypot(v.place.at.X, v.place.at.Y)/v.city.plan.Radius) // the centre is warmer
	o.put(4, "", round(w.temperature+city+0.1*v.noise(5), 1))
	o.put(5, "", round(clamp(w.humidity-0.01*city+0.006*v.noise(6), 0.05, 1), 3))
}

func readNoise(v *view, o *output) {
	l := v.city.laneAt(&v.place.road, v.city.demandAt(v.place, v.m))
	// Ten times as many vehicles are 10 dB more; twice as fast is about 6 dB.
	traffic := 36.5 + 10*math.Log10(math.Max(l.flow*2, 1)) + 20*math.Log10(math.Max(l.speed, 8)/50)
	people := 41 + 9*v.m.people
	sky := 30 + 16*math.Min(1, v.m.weather.rain/10) + 22*v.m.weather.storm
	energy := math.Pow(10, traffic/10) + math.Pow(10, people/10) + math.Pow(10, sky/10)
	leq := 10*math.Log10(energy) + 0.8*v.noise(1)
	peak := 6 + 3*math.Abs(v.noise(2))
	if chance(v.sensor.seed^2, v.tick) < 0.004 {
		peak += 14 // a siren, a horn
	}
	o.put(0, "", round(leq, 1))
	o.put(1, "", round(leq+peak, 1))
	o.put(2, "", round(leq-4-3*math.Abs(v.noise(3)), 1))
	v.battery(o, 3)
}

func readCrowd(v *view, o *output) {
	present := math.Max(0, math.Round((60+320*v.own(1))*v.m.people*(1+0.15*smooth(v.sensor.seed, v.t/1200))))
	density := present / 400
	o.put(0, "", present)
	passing := present / 6 * v.sensor.Cadence.Seconds() / 60
	o.put(1, "", math.Max(0, math.Round(passing+math.Sqrt(passing)*v.noise(1))))
	o.put(2, "", round(clamp(4.6-2.1*density+0.2*v.noise(2), 0.5, 6.5), 1))
}

func readWeather(v *view, o *output) {
	w := &v.m.weather
	o.put(0, "", round(w.temperature+0.1*v.noise(1), 1))
	o.put(1, "", round(clamp(w.humidity+0.006*v.noise(2), 0.05, 1), 3))
	o.put(2, "", round(w.pressure+0.05*v.noise(3), 1))
	o.put(3, "", round(math.Max(0, w.wind*(1+0.18*v.noise(4))), 1))
	o.put(4, "", math.Mod(math.Round(w.windFrom+8*v.noise(5))+720, 360))
	o.put(5, "", round(w.rain, 1))
}

func readGauge(v *view, o *output) {
	w := &v.m.weather
	down := v.place.at.X / v.city.plan.Radius // the river runs about eastwards, and falls
	level := w.river - 0.22*down + 0.004*v.noise(1)
	o.put(0, "", round(level, 3))
	o.put(1, "", round(w.water+0.05*v.noise(2), 1))
	o.put(2, "", round(math.Max(0, 420_000*math.Pow(math.Max(0.2, level)/2.1, 1.6)*(1+0.01*v.noise(3))), 0))
	v.battery(o, 3)
}

// readWaste: it fills over days and is emptied early on a working day.
func readWaste(v *view, o *output) {
	const ok, lidOpen = 0, 1
	period := (3 + math.Floor(5*v.own(1))) * day
	since := math.Mod(v.t+period*v.own(2), period)
	level := since / period * (0.75 + 0.35*v.own(3))
	status := ok
	if chance(v.sensor.seed^6, uint64(v.t/1200)) < 0.01 {
		status = lidOpen
	}
	o.put(0, "", round(clamp(level+0.004*v.noise(1), 0, 1), 3))
	o.put(1, "", float64(status))
	v.battery(o, 2)
}
