package simulate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lamppost-city/lamppost/simulate/city"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Sin is something that sensors of real fleets do wrong.
type Sin string

// The sins. Each falls upon a few sensors for a while, so that at any time most of the city behaves.
const (
	// Silence: a sensor says nothing for 5 to 40 minutes.
	Silence Sin = "silence"
	// Stuck: a sensor repeats its last values for hours.
	Stuck Sin = "stuck"
	// Drift: one sensor in twenty-five reads higher every day, up to a quarter, until it is cleaned after 20 days.
	Drift Sin = "drift"
	// Clock: a sensor's clock is three hours fast, 47 minutes slow, or has started again in 1970 or in 2100. Meters have
	// only the last, which nobody believes: with the others they would be seen to run backwards.
	Clock Sin = "clock"
	// Burst: a sensor has no connection for some minutes, and then sends all at once, with the right times.
	Burst Sin = "burst"
	// Duplicate: one message in fifty comes twice, the same bytes.
	Duplicate Sin = "duplicate"
	// Garbage: one message in two thousand cannot be read, or not wholly.
	Garbage Sin = "garbage"
)

// Sins lists all of them.
func Sins() []Sin { return []Sin{Silence, Stuck, Drift, Clock, Burst, Duplicate, Garbage} }

type sins map[Sin]bool

func parseSins(list string) (sins, error) {
	set := sins{}
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); {
		case name == "" || name == "none":
		case name == "all":
			for _, s := range Sins() {
				set[s] = true
			}
		case slices.Contains(Sins(), Sin(name)):
			set[Sin(name)] = true
		default:
			return nil, fmt.Errorf("%q is no sin; known are silence, stuck, drift, clock, burst, duplicate, garbage, all, none", name)
		}
	}
	return set, nil
}

// fleet decides what goes wrong. Each answer depends on the seed, the sensor and the time only.
type fleet struct {
	seed   uint64
	on     sins
	meters []bool // by sensor: whether it has a counter
}

const hourMilli = 3600_000

// episode finds the episode of a sin in which a sensor is at a time. Time is cut into windows; a share of all windows of all
// sensors has one episode, of a length between shortest and longest (milliseconds).
func (f *fleet) episode(sin uint64, sensor int, at telemetry.UnixMilli, window int64, share float64, shortest, longest int64) (begin, end telemetry.UnixMilli, in bool) {
	n := int64(at) / window
	seed := scatter(f.seed^sin<<56, uint64(sensor))
	if fraction(seed, uint64(n)*4) >= share {
		return 0, 0, false
	}
	length := shortest + int64(fraction(seed, uint64(n)*4+1)*float64(longest-shortest))
	begin = telemetry.UnixMilli(n*window + int64(fraction(seed, uint64(n)*4+2)*float64(window-length)))
	end = begin + telemetry.UnixMilli(length)
	return begin, end, at >= begin && at < end
}

func (f *fleet) silent(sensor int, at telemetry.UnixMilli) bool {
	if !f.on[Silence] {
		return false
	}
	_, _, in := f.episode(1, sensor, at, 2*hourMilli, 0.04, 5*60_000, 40*60_000)
	return in
}

// frozen is the time whose values a stuck sensor repeats.
func (f *fleet) frozen(sensor int, at telemetry.UnixMilli) (telemetry.UnixMilli, bool) {
	if !f.on[Stuck] {
		return 0, false
	}
	begin, _, in := f.episode(2, sensor, at, 12*hourMilli, 0.04, hourMilli, 6*hourMilli)
	return begin, in
}

// drift bends the gauges of a sensor that drifts, and keeps them in the catalogue's range.
func (f *fleet) drift(sensor int, at telemetry.UnixMilli, all []telemetry.Reading) {
	const cleaned = 20 * 24 * hourMilli
	seed := scatter(f.seed^3<<56, uint64(sensor))
	if !f.on[Drift] || fraction(seed, 0) >= 0.04 {
		return
	}
	part := math.Mod(float64(at)/cleaned+fraction(seed, 1), 1)
	for i := range all {
		if q := all[i].Quantity.Quantity(); q.Kind == telemetry.Gauge {
			all[i].Value = math.Max(q.Min, math.Min(q.Max, math.Round(all[i].Value*(1+0.25*part)*1e4)/1e4))
		}
	}
}

// clock is what a sensor believes the time to be.
func (f *fleet) clock(sensor int, at telemetry.UnixMilli) telemetry.UnixMilli {
	if !f.on[Clock] {
		return at
	}
	begin, _, in := f.episode(4, sensor, at, 24*hourMilli, 0.02, 2*hourMilli, 12*hourMilli)
	if !in {
		return at
	}
	kind := scatter(f.seed^5<<56, uint64(sensor)) % 4
	switch {
	case f.meters[sensor]:
	case kind == 0:
		return at + 3*hourMilli
	case kind == 1:
		return at - 47*60_000
	case kind == 2:
		return at - begin + 1 // 1970 and what has passed since it started
	}
	return at - begin + 4102444800000 // 2100
}

// cutOff says until when a sensor has no connection.
func (f *fleet) cutOff(sensor int, at telemetry.UnixMilli) (until telemetry.UnixMilli, cut bool) {
	if !f.on[Burst] {
		return 0, false
	}
	_, end, in := f.episode(6, sensor, at, 6*hourMilli, 0.05, 3*60_000, 10*60_000)
	return end, in
}

func (f *fleet) twice(sensor int, at telemetry.UnixMilli) bool {
	return f.on[Duplicate] && fraction(scatter(f.seed^7<<56, uint64(sensor)), uint64(at)) < 0.02
}

// garbage returns what a sensor sends instead of payload, now and then.
func (f *fleet) garbage(sensor int, at telemetry.UnixMilli, payload []byte, id telemetry.SensorID) ([]byte, bool) {
	seed := scatter(f.seed^8<<56, uint64(sensor))
	if !f.on[Garbage] || fraction(seed, uint64(at)) >= 0.0005 {
		return nil, false
	}
	when := at.Time().Format("2006-01-02T15:04:05.000Z07:00")
	switch scatter(seed^1, uint64(at)) % 8 {
	case 0:
		return payload[:len(payload)/2], true // cut off
	case 1:
		return fmt.Appendf(nil, `{"time":%q,"speed":"fast"}`, when), true
	case 2:
		return fmt.Appendf(nil, `{"time":%q,"happiness":11}`, when), true
	case 3:
		return fmt.Appendf(nil, `[{"bt":%d,"n":"temperature","u":"lb","v":12}]`, at/1000), true
	case 4:
		return fmt.Appendf(nil, `{"time":"yesterday","temperature":20.5}`), true
	case 5:
		return fmt.Appendf(nil, `[{"bn":"%s-b/","bt":%d,"n":"laeq","u":"dB","v":61.2}]`, id, at/1000), true // a sensor nobody knows
	case 6:
		return []byte("\xff\xfe\x00boot: watchdog reset\r\n"), true
	}
	return []byte{}, true
}

// scatter and fraction make numbers that look random out of two others.
func scatter(seed, n uint64) uint64 { return city.Mix(seed, n) }

func fraction(seed, n uint64) float64 { return float64(city.Mix(seed, n)>>11) / (1 << 53) }
