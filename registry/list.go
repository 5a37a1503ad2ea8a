package registry

import (
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Bounds of a page of a list.
const (
	// DefaultLimit is how many entries a page has where the caller does not say.
	DefaultLimit = 100
	// MaxLimit is how many entries a page has at most.
	MaxLimit = 1000
)

// Filter chooses sensors. The zero Filter chooses all.
type Filter struct {
	// Q is text to search for: each of its words must be part of the sensor's id or title, or of its site's id or title,
	// in upper or lower case.
	Q string
	// Site and District are ids; "" for any.
	Site, District string
	// Domain is one to which at least one quantity of the sensor belongs; 0 for any.
	Domain telemetry.Domain
}

// Page asks for a part of a list.
type Page struct {
	// Limit is how many entries to return: DefaultLimit if it is 0 or less, at most MaxLimit.
	Limit int
	// Offset is how many entries to leave out before.
	Offset int
}

// cut returns the bounds of the page in a list of n entries.
func (p Page) cut(n int) (from, to int) {
	limit := p.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	from = min(max(p.Offset, 0), n)
	return from, from + min(limit, MaxLimit, n-from)
}

// Select returns all sensors that the filter chooses, in order of id. Where it has words to search for, those come first
// whose id begins with one of them, then those with a word of their title that does, then the rest.
func (s *Snapshot) Select(f Filter) []*Sensor {
	search := s.searchFor(f.Q)
	if f.Domain == 0 && search == nil {
		switch {
		case f.Site == "" && f.District == "":
			return s.sensors
		case f.Site == "":
			return s.byDistrict[f.District]
		}
	}
	var found [ranks][]*Sensor
	for _, sensor := range s.among(f) {
		if f.District != "" && s.districtOf(sensor) != f.District || f.Domain != 0 && !sensor.In(f.Domain) {
			continue
		}
		if rank, ok := search.rank(sensor); ok {
			found[rank] = append(found[rank], sensor)
		}
	}
	return slices.Concat(found[:]...)
}

// among are the sensors of the smallest list that has all that the filter chooses.
func (s *Snapshot) among(f Filter) []*Sensor {
	switch {
	case f.Site != "":
		return s.bySite[f.Site]
	case f.District != "":
		return s.byDistrict[f.District]
	}
	return s.sensors
}

// List returns one page of the sensors that the filter chooses, in the order of Select, and how many there are on all pages.
func (s *Snapshot) List(f Filter, p Page) (items []*Sensor, total int) {
	chosen := s.Select(f)
	from, to := p.cut(len(chosen))
	return chosen[from:to], len(chosen)
}
