package api

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// choice chooses sensors: those that are of one of each, where there are any. The zero choice chooses all.
type choice struct {
	sensors          map[telemetry.SensorID]struct{}
	sites, districts map[string]bool
	box              *box
}

// PlaceParams are the parameters that choose places by id; endpoints embed them, which huma sees only of exported types.
type PlaceParams struct {
	Site     []string `query:"site,explode" maxItems:"1000" doc:"Only what is at these sites; may repeat."`
	District []string `query:"district,explode" maxItems:"1000" doc:"Only what is in these districts; may repeat."`
}

// BoxParam is the parameter that chooses places by position.
type BoxParam struct {
	BBox string `query:"bbox" maxLength:"120" doc:"Only what lies in this box: minlon,minlat,maxlon,maxlat in degrees. A box whose minlon is the larger one crosses the 180th meridian." example:"13.3,52.4,13.5,52.6"`
}

// parseChoice reads the parameters that choose sensors.
func parseChoice(sensors []string, places PlaceParams, bbox string) (c choice, err error) {
	if c.sensors, err = parseSensors(sensors); err != nil {
		return c, err
	}
	if c.sites, err = parsePlaces("site", places.Site); err != nil {
		return c, err
	}
	if c.districts, err = parsePlaces("district", places.District); err != nil {
		return c, err
	}
	if bbox != "" {
		c.box, err = parseBox(bbox)
	}
	return c, err
}

// parsePlaces checks ids of sites or districts; nil where none is given.
func parsePlaces(name string, values []string) (map[string]bool, error) {
	var set map[string]bool
	for _, id := range split(values) {
		if err := telemetry.SensorID(id).Check(); err != nil { // ids of all kinds have one form
			return nil, badQuery(name, id, "%v", err)
		}
		if set == nil {
			set = make(map[string]bool, len(values))
		}
		set[id] = true
	}
	return set, nil
}

// places tells whether only what is at some places is chosen.
func (c *choice) places() bool { return c.sites != nil || c.districts != nil || c.box != nil }

// hasSite tells whether a site is chosen; nil is that of a sensor without one.
func (c *choice) hasSite(site *registry.Site) bool {
	switch {
	case !c.places():
		return true
	case site == nil:
		return false
	}
	return (c.sites == nil || c.sites[site.ID]) && (c.districts == nil || c.districts[site.District]) &&
		(c.box == nil || c.box.holds(site.Lon, site.Lat))
}

// sitesIn lists the registered sites that are chosen, in order of id.
func (c *choice) sitesIn(snapshot *registry.Snapshot) []string {
	var ids []string
	for _, site := range snapshot.Sites() {
		if c.hasSite(site) {
			ids = append(ids, site.ID)
		}
	}
	return ids
}

// sensorsIn lists the registered sensors that are chosen, in order of id. The list may be the snapshot's own.
func (c *choice) sensorsIn(snapshot *registry.Snapshot) []*registry.Sensor {
	among := snapshot.Sensors()
	if c.sensors != nil {
		among = make([]*registry.Sensor, 0, len(c.sensors))
		for id := range c.sensors {
			if sensor, ok := snapshot.Sensor(id); ok {
				among = append(among, sensor)
			}
		}
		slices.SortFunc(among, func(a, b *registry.Sensor) int { return cmp.Compare(a.ID, b.ID) })
	}
	if !c.places() {
		return among
	}
	var found []*registry.Sensor
	for _, sensor := range among {
		if site, _ := snapshot.Site(sensor.Site); c.hasSite(site) {
			found = append(found, sensor)
		}
	}
	return found
}

// box is an area of the map.
type box struct{ minLon, minLat, maxLon, maxLat float64 }

func (b *box) holds(lon, lat float64) bool {
	if lat < b.minLat || lat > b.maxLat {
		return false
	}
	if b.minLon > b.maxLon { // it crosses the 180th meridian (RFC 7946 section 5.2)
		return lon >= b.minLon || lon <= b.maxLon
	}
	return lon >= b.minLon && lon <= b.maxLon
}

func parseBox(text string) (*box, error) {
	var sides [4]float64
	parts := strings.Split(text, ",")
	if len(parts) != len(sides) {
		return nil, badQuery("bbox", text, "%q is not a box; use minlon,minlat,maxlon,maxlat in degrees, for instance 13.3,52.4,13.5,52.6", cut(text))
	}
	for i, part := range parts {
		side, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if most := []float64{180, 90}[i%2]; err != nil || math.IsNaN(side) || math.Abs(side) > most {
			return nil, badQuery("bbox", text, "%q is not a longitude from -180 to 180 or a latitude from -90 to 90", cut(part))
		}
		sides[i] = side
	}
	b := &box{sides[0], sides[1], sides[2], sides[3]}
	if b.minLat > b.maxLat {
		return nil, badQuery("bbox", text, "its southern side lies north of its northern one; use minlon,minlat,maxlon,maxlat")
	}
	return b, nil
}
