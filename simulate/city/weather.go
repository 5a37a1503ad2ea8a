package city

import (
	"math"
	"time"
)

const (
	day = 86400.0 // seconds

	// The city's place, for the sun.
	latitude, longitude = 53.5 * math.Pi / 180, 10.0
)

// weather is what the sky does at one moment over the whole city.
type weather struct {
	temperature float64 // °C
	humidity    float64 // 0 to 1
	pressure    float64 // hPa
	wind        float64 // m/s
	windFrom    float64 // degrees
	rain        float64 // mm/h
	clouds      float64 // 0 to 1
	storm       float64 // 0 to 1
	sun         float64 // sine of the sun's height; negative at night
	light       float64 // W/m²
	river       float64 // metres above the gauge's zero
	water       float64 // °C
}

// clouds, storm and rain are needed for other times than now as well: the river remembers the rain.
func (c *City) clouds(t float64) float64 {
	return clamp(0.55+0.55*smooth(c.seed^1, t/(1.3*day))+0.25*smooth(c.seed^2, t/9000)+0.5*c.storm(t), 0, 1)
}

// stormSlot is the stretch of time in which there is one storm, or none.
const stormSlot = 6 * day

func (c *City) storm(t float64) float64 {
	sum := 0.0
	slot := math.Floor(t / stormSlot)
	for s := slot - 1; s <= slot+1; s++ {
		n := uint64(int64(s))
		if chance(c.seed^3, n) > 0.38 {
			continue
		}
		d := (t - (s+0.2+0.6*chance(c.seed^4, n))*stormSlot) / (5 * 3600)
		if d > -4 && d < 4 {
			sum += (0.45 + 0.55*chance(c.seed^5, n)) * math.Exp(-d*d)
		}
	}
	return math.Min(sum, 1)
}

func (c *City) rain(t float64) float64 {
	wet := 0.55*smooth(c.seed^1, t/(1.3*day)) + 0.45*smooth(c.seed^6, t/5400) + 0.25*smooth(c.seed^7, t/900) + 0.9*c.storm(t) - 0.38
	if wet <= 0 {
		return 0
	}
	return math.Min(wet*wet*22, 60)
}

// sunHeight is the sine of the sun's height over the horizon, to about half a degree.
func sunHeight(t float64) float64 {
	days := t / day
	declination := -23.44 * math.Pi / 180 * math.Cos(2*math.Pi*(days+10)/365.2425)
	hour := math.Mod(t, day)/day*360 - 180 + longitude
	return math.Sin(latitude)*math.Sin(declination) + math.Cos(latitude)*math.Cos(declination)*math.Cos(hour*math.Pi/180)
}

// sunlight is in W/m² on level ground.
func sunlight(sun, clouds float64) float64 {
	if sun <= 0 {
		return 0
	}
	return 1020 * math.Pow(sun, 1.15) * (1 - 0.76*clouds)
}

func (c *City) weatherAt(t float64) weather {
	w := weather{clouds: c.clouds(t), storm: c.storm(t), rain: c.rain(t), sun: sunHeight(t)}
	season := -math.Cos(2 * math.Pi * (t/day - 20) / 365.2425) // -1 in January, 1 in July
	solar := math.Mod(t/3600+longitude/15, 24)
	swing := (1.6 + 3.8*(1-w.clouds)) * (1 + 0.4*season) * math.Cos(2*math.Pi*(solar-15)/24)
	air := 4.4*smooth(c.seed^8, t/(3.1*day)) + 1.6*smooth(c.seed^9, t/(0.8*day))
	w.temperature = 9.8 + 8.8*season + swing + air - math.Min(2.5, w.rain*0.4)
	w.wind = math.Max(0.3, 3.2+2.2*smooth(c.seed^10, t/(0.9*day))+0.9*smooth(c.seed^11, t/1800)+15*w.storm)
	w.windFrom = math.Mod(600+110*smooth(c.seed^12, t/(1.6*day))+14*smooth(c.seed^13, t/1200)-360, 360)
	w.humidity = clamp(0.74-0.022*swing-0.08*season+0.10*w.clouds+0.18*math.Min(1, w.rain), 0.2, 0.99)
	w.pressure = 1014 + 12*smooth(c.seed^14, t/(2.7*day)) - 26*w.storm
	w.light = sunlight(w.sun, w.clouds)
	w.water = 10.5 + 7.5*(-math.Cos(2*math.Pi*(t/day-45)/365.2425)) + 0.8*smooth(c.seed^15, t/(6*day))
	soaked := 0.0
	for h := range 36 { // runoff comes within a day and a half
		soaked += c.rain(t-float64(h)*3600) * math.Exp(-float64(h)/11)
	}
	tide := 0.34 * math.Sin(2*math.Pi*t/(12.4206*3600))
	w.river = 2.10 + tide + 0.021*soaked + 1.9*w.storm*w.storm + 0.05*smooth(c.seed^16, t/5400)
	return w
}

// dusk is how far street lights are on, 0 to 1: from a little after sunset, dimmed between 23 and 5 o'clock.
func dusk(sun float64, local time.Time) float64 {
	if sun > -0.02 {
		return 0
	}
	if h := local.Hour(); h >= 23 || h < 5 {
		return 0.5
	}
	return 1
}
