package city

import "math"

// healthEvery is how often, in seconds, a device on a battery tells of itself: each time costs it some of what it tells of.
const healthEvery = 600.0

// battery adds, now and then, how a device on a battery does: its charge as quantity q of its kind, and how well the network
// hears it as the next one.
func (v *view) battery(o *output, q int) {
	if math.Mod(v.t+healthEvery*v.own(30), healthEvery) >= v.sensor.Cadence.Seconds() {
		return
	}
	// A lithium cell holds its voltage for years and then gives way; one in sixteen is overdue.
	life := (2.5 + 2.5*v.own(31)) * 365 * day
	used := 0.9 * math.Mod(v.t/life+v.own(32), 1)
	if v.own(34) < 1.0/16 {
		used = 0.955 + 0.03*v.own(35)
	}
	cold := 0.02 * clamp((5-v.m.weather.temperature)/15, 0, 1)
	o.put(q, "", round(clamp(1-0.94*used*used*used-cold+0.004*v.noise(30), 0.01, 1), 2))
	near := v.own(33)
	fading := 2.5*smooth(v.sensor.seed^33, v.t/3600) - 1.5*math.Min(1, v.m.weather.rain/4)
	o.put(q+1, "", math.Round(-76-40*near*near+fading+1.5*v.noise(31)))
}

// BridgeStarted is when the edge bridge that is sensor number i had been switched on last at the time t, both in seconds since
// 1970. Each is switched off and on every few weeks.
func (c *City) BridgeStarted(i int, t float64) float64 {
	v := view{sensor: &c.sensors[i]}
	every := (20 + 40*v.own(1)) * day
	return (math.Floor(t/every+v.own(2)) - v.own(2)) * every
}

// readBridge is how an edge bridge does.
func readBridge(v *view, o *output) {
	o.put(0, "", math.Floor(v.t-v.city.BridgeStarted(v.number, v.t)))
	inside := v.m.weather.temperature + 14 + 9*math.Max(0, v.m.weather.sun) + 0.4*v.noise(1)
	o.put(1, "", round(inside, 1))
	o.put(2, "", round(0.22+0.1*v.own(3)+0.01*smooth(v.sensor.seed, v.t/day), 3))
	o.put(3, "", math.Max(0, math.Round(3+2*v.noise(2)))) // what came since the last message went
	o.put(4, "", math.Round(-58-22*v.own(4)+3*smooth(v.sensor.seed^4, v.t/1800)+v.noise(3)))
}
