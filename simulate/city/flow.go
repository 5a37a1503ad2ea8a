package city

import "math"

// The fundamental diagram of a lane, after Drake, Schofer and May (1967): at density u times the critical one, speed is
// free * exp(-u²/2), and flow is density times speed, highest at u = 1. Beyond it the lane is congested: more vehicles,
// fewer of them moving.
const (
	criticalMain, criticalSide = 26.0, 20.0 // vehicles per kilometre and lane
	vehicleMetres              = 7.2        // length of a vehicle and of the detector
	jam                        = 3.0        // u of a standing queue
)

// lane is what one lane does at one moment.
type lane struct {
	speed     float64 // km/h
	flow      float64 // vehicles per hour
	occupancy float64 // 0 to 1
	u         float64 // density by the critical one; above 1 is congested
}

// uncongested is the table of u for the flows from 0 to the highest.
func uncongested() (table [257]float64) {
	for i := range table {
		want := float64(i) / 256
		low, high := 0.0, 1.0
		for range 50 {
			u := (low + high) / 2
			if u*math.Exp((1-u*u)/2) < want {
				low = u
			} else {
				high = u
			}
		}
		table[i] = low
	}
	return table
}

// laneAt gives the state of a lane of the road r, where demand is how many vehicles want to pass by how many can.
func (c *City) laneAt(r *road, demand float64) lane {
	var u float64
	if demand <= 1 {
		x := math.Max(0, demand) * 256
		i := min(int(x), 255)
		u = c.byFlow[i] + (c.byFlow[i+1]-c.byFlow[i])*(x-float64(i))
	} else {
		u = math.Min(1+(demand-1)*2.6, jam)
	}
	speed := math.Max(r.free*math.Exp(-u*u/2), 3)
	density := u * r.critical
	return lane{speed: speed, flow: density * speed, occupancy: math.Min(density*vehicleMetres/1000, 0.97), u: u}
}

// road is the traffic side of a place: what it could carry and how busy it is.
type road struct {
	seed     uint64
	free     float64 // km/h
	critical float64
	busy     float64 // demand in the busiest hour, by capacity
	inbound  float64 // how much busier it is in the morning than in the evening
}

// demandAt is how many vehicles want to pass a place at a moment, by how many can.
func (c *City) demandAt(p *place, m *moment) float64 {
	r := &p.road
	want := r.busy * m.traffic * (1 + r.inbound*m.morning) *
		(1 + 0.11*smooth(r.seed, m.t/1500) + 0.05*smooth(r.seed^1, m.t/300))
	can := 1 - 0.10*math.Min(1, m.weather.rain/5) - 0.12*m.weather.storm
	for _, a := range m.accidents {
		d := a.at.Distance(p.at)
		if d > 1200 {
			continue
		}
		can *= 1 - a.severity*math.Exp(-d*d/(300*300))
		if d > 250 {
			want *= 1 + 0.18*a.severity*math.Exp(-d*d/(800*800)) // those who drive around it
		}
	}
	if m.dark == p.district {
		can *= 0.7 // signals are out
	}
	return want / can
}
