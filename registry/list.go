package registry

import (
	"strings"

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

// Select returns all sensors that the filter chooses, in order of id.
func (s *Snapshot) Select(f Filter) []*Sensor {
	chosen := s.sensors
	switch {
	case f.Site != "":
		chosen = s.bySite[f.Site]
	case f.District != "":
		chosen = s.byDistrict[f.District]
	}
	words := s.words(f.Q)
	if f.Site == "" && f.Domain == 0 && len(words) == 0 {
		return chosen
	}
	var found []*Sensor
	for _, sensor := range chosen {
		if s.matches(sensor, f, words) {
			found = append(found, sensor)
		}
	}
	return found
}

// List returns one page of the sensors that the filter chooses, in order of id, and how many there are on all pages.
func (s *Snapshot) List(f Filter, p Page) (items []*Sensor, total int) {
	chosen := s.Select(f)
	from, to := p.cut(len(chosen))
	return chosen[from:to], len(chosen)
}

// word is a word to search for, with the sites that have it in their id or title.
type word struct {
	text  string
	sites map[string]bool
}

func (s *Snapshot) words(q string) []word {
	var words []word
	for _, text := range strings.Fields(strings.ToLower(q)) {
		w := word{text: text, sites: make(map[string]bool)}
		for _, site := range s.sites {
			if strings.Contains(site.ID, text) || strings.Contains(strings.ToLower(site.Title), text) {
				w.sites[site.ID] = true
			}
		}
		words = append(words, w)
	}
	return words
}

func (s *Snapshot) matches(sensor *Sensor, f Filter, words []word) bool {
	if f.District != "" && s.districtOf(sensor) != f.District {
		return false
	}
	if f.Domain != 0 && !sensor.In(f.Domain) {
		return false
	}
	title := strings.ToLower(sensor.Title)
	for _, w := range words {
		if !strings.Contains(string(sensor.ID), w.text) && !strings.Contains(title, w.text) && !w.sites[sensor.Site] {
			return false
		}
	}
	return true
}
