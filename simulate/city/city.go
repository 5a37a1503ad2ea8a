package city

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the city's clock must not depend on the machine's zone files

	"github.com/lamppost-city/lamppost/simulate/streets"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Zone is the time zone in which the city gets up and goes to work.
const Zone = "Europe/Berlin"

// MaxSensors is the largest city.
const MaxSensors = 1_000_000

// Sensor is one sensor of the city.
type Sensor struct {
	ID    telemetry.SensorID
	Title string
	// Site is an index into Sites.
	Site int
	// Cadence is how often it reports.
	Cadence time.Duration
	// Quantities are the names of what it measures.
	Quantities []string

	kind int
	seed uint64
}

// City is the whole of it. Its methods must not be called from several goroutines at once: it remembers the last moment.
type City struct {
	seed    uint64
	zone    *time.Location
	plan    *streets.Plan
	sensors []Sensor
	places  []place
	placeOf map[streets.Point]int
	taken   map[string]int
	mains   []int // junctions with a main street
	kinds   []kind
	ids     [][]telemetry.QuantityID
	byFlow  [257]float64
	now     moment

	homes, offices, lights, roofs ledger
}

// New builds a city. The same seed and number of sensors give the same city; sensors are 1 to MaxSensors.
func New(seed uint64, sensors int) (*City, error) {
	if sensors < 1 || sensors > MaxSensors {
		return nil, fmt.Errorf("a city of %d sensors: 1 to %d are possible", sensors, MaxSensors)
	}
	zone, err := time.LoadLocation(Zone)
	if err != nil {
		return nil, fmt.Errorf("load the city's time zone: %w", err)
	}
	radius := 1500 * math.Cbrt(float64(sensors)/150)
	c := &City{
		seed: Mix(seed, 0), zone: zone, plan: streets.New(seed, math.Min(radius, 4500)),
		placeOf: map[streets.Point]int{}, taken: map[string]int{}, byFlow: uncongested(), kinds: kinds(),
	}
	for i, j := range c.plan.Junctions {
		if j.Main {
			c.mains = append(c.mains, i)
		}
	}
	if err := c.lookUp(); err != nil {
		return nil, err
	}
	c.openLedgers()
	c.populate(sensors)
	return c, nil
}

// lookUp finds the quantities of all kinds in the catalogue.
func (c *City) lookUp() error {
	for _, k := range c.kinds {
		var ids []telemetry.QuantityID
		for _, name := range k.quantities {
			q, ok := telemetry.QuantityByName(name)
			if !ok {
				return fmt.Errorf("the catalogue has no quantity %s, which a %s measures", name, k.title)
			}
			ids = append(ids, q.ID)
		}
		c.ids = append(c.ids, ids)
	}
	return nil
}

// populate deals out kinds by their share, each next sensor to the kind that is most behind, so that small cities have
// the same mixture as large ones.
func (c *City) populate(sensors int) {
	all := c.kinds
	need := map[ground]int{}
	for _, k := range all {
		need[k.ground] = max(need[k.ground], int(k.share*float64(sensors))+2)
	}
	spots := map[ground][]spot{}
	for g := crossroads; g <= green; g++ {
		spots[g] = c.spots(g, need[g])
	}
	count := make([]int, len(all))
	for i := range sensors {
		best, behind := 0, math.Inf(-1)
		for k := range all {
			if d := all[k].share*float64(i+1) - float64(count[k]); d > behind {
				best, behind = k, d
			}
		}
		k, n := &all[best], count[best]
		count[best]++
		choices := spots[k.ground]
		at := choices[n%len(choices)]
		site := c.settle(at)
		title := c.places[site].Title + ", " + k.title
		if round := n / len(choices); round > 0 {
			title = fmt.Sprintf("%s %d", title, round+1)
		}
		id := telemetry.SensorID(fmt.Sprintf("%s-%04d", k.prefix, n+1))
		seed := Mix(c.seed^31, uint64(best)<<32|uint64(n))
		c.sensors = append(c.sensors, Sensor{
			ID: id, Title: title, Site: site, Cadence: k.cadence[Mix(seed, 1)%uint64(len(k.cadence))],
			Quantities: k.quantities, kind: best, seed: seed,
		})
	}
}

// Sensors returns all sensors; the caller must not change them.
func (c *City) Sensors() []Sensor { return c.sensors }

// Site returns the site with the index that a sensor names.
func (c *City) Site(i int) Site { return c.places[i].Site }

// GeoJSON returns the street plan.
func (c *City) GeoJSON() ([]byte, error) { return c.plan.GeoJSON() }

// CSVHeader is the first line of the registry's import format.
const CSVHeader = "sensor,title,site,site_title,district,district_title,lon,lat,publisher,cadence_s,quantities"

// WriteCSV writes the sensors from index from to below to in the registry's import format, header included. Their cadences are
// multiplied by stretch, for a city that is made to report less often than it would.
func (c *City) WriteCSV(w io.Writer, from, to int, stretch float64) error {
	out := csv.NewWriter(w)
	if err := out.Write(strings.Split(CSVHeader, ",")); err != nil {
		return err
	}
	for _, s := range c.sensors[from:to] {
		site := c.places[s.Site].Site
		row := []string{
			string(s.ID), s.Title, site.ID, site.Title, site.District, site.DistrictTitle, degrees(site.Lon), degrees(site.Lat), "",
			strconv.Itoa(int(math.Ceil(s.Cadence.Seconds() * stretch))), strings.Join(s.Quantities, " "),
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func degrees(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Readings appends what sensor number i measures at a time. It may be nothing: an empty road has no speed.
func (c *City) Readings(dst []telemetry.Reading, i int, at telemetry.UnixMilli) []telemetry.Reading {
	s := &c.sensors[i]
	t := float64(at) / 1000
	o := output{readings: dst, sensor: s.ID, at: at, ids: c.ids[s.kind]}
	v := view{city: c, number: i, sensor: s, place: &c.places[s.Site], m: c.momentAt(t), t: t, tick: uint64(at)}
	c.kinds[s.kind].read(&v, &o)
	return o.readings
}

// output takes the values of one sensor at one time.
type output struct {
	readings []telemetry.Reading
	sensor   telemetry.SensorID
	at       telemetry.UnixMilli
	ids      []telemetry.QuantityID
}

// put adds a value of the kind's q-th quantity.
func (o *output) put(q int, channel string, value float64) {
	o.readings = append(o.readings, telemetry.Reading{
		Sensor: o.sensor, Quantity: o.ids[q], Channel: channel, Value: value, Measured: o.at,
	})
}

// view is what a sensor can see.
type view struct {
	city   *City
	number int // of the sensor
	sensor *Sensor
	place  *place
	m      *moment
	t      float64 // seconds since 1970
	tick   uint64  // changes with every reading
}

func (v *view) dark() bool { return v.m.dark == v.place.district }

// noise is around 0 with standard deviation 1, another one for each n.
func (v *view) noise(n uint64) float64 { return bell(v.sensor.seed^n*0x51_7c_c1, v.tick) }

// own is a number from 0 to 1 that never changes for this sensor.
func (v *view) own(n uint64) float64 { return chance(v.sensor.seed, 1000+n) }
