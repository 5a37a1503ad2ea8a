package registry

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Snapshot is all that was registered at one moment. It never changes and may be used from any goroutine; the caller must
// not change what it hands out. Asking by id costs one map access and no allocation.
type Snapshot struct {
	// Version grows with every change of the registry.
	Version int64

	// All in order of id.
	sensors    []*Sensor
	sites      []*Site
	districts  []*District
	publishers []*publisher

	sensorByID    map[telemetry.SensorID]*Sensor
	siteByID      map[string]*Site
	districtByID  map[string]*District
	publisherByID map[telemetry.SensorID]*publisher

	bySite     map[string][]*Sensor
	byDistrict map[string][]*Sensor
	// byPublisher has only sensors that another publishes for: most cities have few bridges.
	byPublisher map[telemetry.SensorID][]*Sensor
}

// Sensor finds a sensor by its id.
func (s *Snapshot) Sensor(id telemetry.SensorID) (*Sensor, bool) {
	sensor, ok := s.sensorByID[id]
	return sensor, ok
}

// Site finds a site by its id.
func (s *Snapshot) Site(id string) (*Site, bool) {
	site, ok := s.siteByID[id]
	return site, ok
}

// District finds a district by its id.
func (s *Snapshot) District(id string) (*District, bool) {
	district, ok := s.districtByID[id]
	return district, ok
}

// Sensors lists all sensors in order of id.
func (s *Snapshot) Sensors() []*Sensor { return s.sensors }

// Sites lists all sites in order of id.
func (s *Snapshot) Sites() []*Site { return s.sites }

// Districts lists all districts in order of id.
func (s *Snapshot) Districts() []*District { return s.districts }

// SensorsAt lists the sensors that stand at a site, in order of id; "" lists those without a site.
func (s *Snapshot) SensorsAt(site string) []*Sensor { return s.bySite[site] }

// SensorsIn lists the sensors whose site lies in a district, in order of id; "" lists those without a district.
func (s *Snapshot) SensorsIn(district string) []*Sensor { return s.byDistrict[district] }

// SensorsOf lists the sensors that a publisher speaks for, in order of id: those that it is registered for, and itself
// where it is a sensor.
func (s *Snapshot) SensorsOf(publisher telemetry.SensorID) []*Sensor {
	others := s.byPublisher[publisher]
	itself, ok := s.sensorByID[publisher]
	if !ok {
		return others
	}
	at, _ := slices.BinarySearchFunc(others, itself.ID, compareSensor)
	return slices.Insert(slices.Clone(others), at, itself)
}

func compareSensor(s *Sensor, id telemetry.SensorID) int { return cmp.Compare(s.ID, id) }

// content is what a snapshot is made of; nil in a map of changes stands for something deleted.
type content struct {
	sensors    map[telemetry.SensorID]*Sensor
	sites      map[string]*Site
	districts  map[string]*District
	publishers map[telemetry.SensorID]*publisher
}

func newContent() content {
	return content{
		sensors:    make(map[telemetry.SensorID]*Sensor),
		sites:      make(map[string]*Site),
		districts:  make(map[string]*District),
		publishers: make(map[telemetry.SensorID]*publisher),
	}
}

// with returns the snapshot of a later version, which differs by the changes. What did not change is shared.
func (s *Snapshot) with(version int64, changed content) *Snapshot {
	next := &Snapshot{
		Version:    version,
		sensors:    merge(s.sensors, changed.sensors, func(x *Sensor) telemetry.SensorID { return x.ID }),
		sites:      merge(s.sites, changed.sites, func(x *Site) string { return x.ID }),
		districts:  merge(s.districts, changed.districts, func(x *District) string { return x.ID }),
		publishers: merge(s.publishers, changed.publishers, func(x *publisher) telemetry.SensorID { return x.ID }),

		sensorByID:    patch(s.sensorByID, changed.sensors),
		siteByID:      patch(s.siteByID, changed.sites),
		districtByID:  patch(s.districtByID, changed.districts),
		publisherByID: patch(s.publisherByID, changed.publishers),
	}
	next.group()
	return next
}

// group makes the indexes that list sensors.
func (s *Snapshot) group() {
	s.bySite = make(map[string][]*Sensor, len(s.sites))
	s.byDistrict = make(map[string][]*Sensor, len(s.districts))
	s.byPublisher = make(map[telemetry.SensorID][]*Sensor)
	for _, sensor := range s.sensors {
		s.bySite[sensor.Site] = append(s.bySite[sensor.Site], sensor)
		district := s.districtOf(sensor)
		s.byDistrict[district] = append(s.byDistrict[district], sensor)
		if p := sensor.Publisher; p != "" && p != sensor.ID {
			s.byPublisher[p] = append(s.byPublisher[p], sensor)
		}
	}
}

func (s *Snapshot) districtOf(sensor *Sensor) string {
	if site, ok := s.siteByID[sensor.Site]; ok {
		return site.District
	}
	return ""
}

// merge applies changes to a list in order of key. If there are none it returns the list itself.
func merge[K cmp.Ordered, T any](list []*T, changed map[K]*T, key func(*T) K) []*T {
	if len(changed) == 0 {
		return list
	}
	merged := make([]*T, 0, len(list)+len(changed))
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		at, found := slices.BinarySearchFunc(list, id, func(x *T, id K) int { return cmp.Compare(key(x), id) })
		merged = append(merged, list[:at]...)
		if x := changed[id]; x != nil {
			merged = append(merged, x)
		}
		if found {
			at++
		}
		list = list[at:]
	}
	return append(merged, list...)
}

// patch applies changes to a map. If there are none it returns the map itself.
func patch[K comparable, T any](index, changed map[K]*T) map[K]*T {
	if len(changed) == 0 && index != nil {
		return index
	}
	patched := make(map[K]*T, len(index)+len(changed))
	maps.Copy(patched, index)
	for id, x := range changed {
		if x == nil {
			delete(patched, id)
		} else {
			patched[id] = x
		}
	}
	return patched
}
