package registry

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Limits of what is registered.
const (
	// MaxTitleLength is the length, in characters, of the longest title.
	MaxTitleLength = 200
	// MaxQuantities is how many quantities one sensor may report.
	MaxQuantities = 64
	// MaxCadence is the longest cadence.
	MaxCadence = 366 * 24 * time.Hour
)

// Sensor is a registered thing that reports readings.
type Sensor struct {
	// ID is a slug, and not the name of a quantity: in "no2/left" the first part must be one or the other.
	ID telemetry.SensorID
	// Title is for people: one line, up to MaxTitleLength characters. An empty one becomes the id.
	Title string
	// Site is the id of the site where it stands; "" if that is not known.
	Site string
	// Publisher is the id of the bridge that publishes for it; "" if it speaks for itself.
	Publisher telemetry.SensorID
	// Quantities are names out of telemetry's catalogue, at least one; kept in alphabetical order.
	Quantities []string
	// Cadence is how often it should report, in whole milliseconds; 0 where nothing is expected of it.
	Cadence time.Duration
	// CreatedAt and UpdatedAt are kept by the registry: UTC, in milliseconds. What a caller gives is not used.
	CreatedAt, UpdatedAt time.Time
}

// Domains lists the domains of what the sensor measures, each once, in the order of telemetry.Domains. What it tells of
// itself, its battery for one, counts only where it measures nothing else.
func (s *Sensor) Domains() []telemetry.Domain {
	has := s.domains()
	var found []telemetry.Domain
	for _, d := range telemetry.Domains() {
		if has[d] {
			found = append(found, d)
		}
	}
	return found
}

// In says whether one of the sensor's Domains is the domain.
func (s *Sensor) In(domain telemetry.Domain) bool { return s.domains()[domain] }

// domains says of each domain whether it is one of the sensor's.
func (s *Sensor) domains() [1 << 8]bool {
	var measured, own [1 << 8]bool
	measures := false
	for _, name := range s.Quantities {
		switch q, ok := telemetry.QuantityByName(name); {
		case ok && q.Device:
			own[q.Domain] = true
		case ok:
			measured[q.Domain], measures = true, true
		}
	}
	if measures {
		return measured
	}
	return own
}

// Accepts says whether publisher may publish readings of the sensor: itself may, and the bridge registered for it.
func (s *Sensor) Accepts(publisher telemetry.SensorID) bool {
	return publisher == s.ID || publisher == s.Publisher && publisher != ""
}

// same says whether both hold the same but for the times that the registry keeps.
func (s *Sensor) same(other *Sensor) bool {
	return s.ID == other.ID && s.Title == other.Title && s.Site == other.Site && s.Publisher == other.Publisher &&
		s.Cadence == other.Cadence && slices.Equal(s.Quantities, other.Quantities)
}

// normal returns the sensor as it is kept, sharing no memory with s.
func (s Sensor) normal() Sensor {
	s.Title = normalTitle(s.Title, string(s.ID))
	s.Quantities = slices.Clone(s.Quantities)
	slices.Sort(s.Quantities)
	return s
}

// Site is a place where sensors stand.
type Site struct {
	// ID is a slug.
	ID string
	// Title is for people: one line, up to MaxTitleLength characters. An empty one becomes the id.
	Title string
	// District is the id of the district in which it lies; "" if none.
	District string
	// Lon and Lat are its position in degrees, WGS 84; kept to seven decimals, which is a centimetre.
	Lon, Lat float64
}

func (s Site) normal() Site {
	s.Title = normalTitle(s.Title, s.ID)
	s.Lon, s.Lat = normalDegrees(s.Lon), normalDegrees(s.Lat)
	return s
}

// District is a part of the city.
type District struct {
	// ID is a slug.
	ID string
	// Title is for people: one line, up to MaxTitleLength characters. An empty one becomes the id.
	Title string
}

func (d District) normal() District {
	d.Title = normalTitle(d.Title, d.ID)
	return d
}

func normalTitle(title, id string) string {
	title = strings.TrimSpace(title)
	if title == "" {
		return id
	}
	return title
}

func normalDegrees(x float64) float64 {
	return math.Round(x*1e7)/1e7 + 0 // + 0 turns the negative zero into zero
}

// faults collects what is wrong with one thing.
type faults []FieldError

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) slug(field, id string) {
	if err := telemetry.SensorID(id).Check(); err != nil {
		f.add(field, "%v", err)
	}
}

func (f *faults) title(field, title string) {
	switch {
	case !utf8.ValidString(title):
		f.add(field, "is not UTF-8")
	case utf8.RuneCountInString(title) > MaxTitleLength:
		f.add(field, "has %d characters; at most %d are allowed", utf8.RuneCountInString(title), MaxTitleLength)
	case strings.ContainsFunc(title, breaksLine):
		f.add(field, "%.80q has a line break or another control character; write it in one line", title)
	}
}

func breaksLine(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// check expects a normal sensor. It does not see whether the site is registered.
func (s *Sensor) check() (f faults) {
	f.slug("id", string(s.ID))
	if _, taken := telemetry.QuantityByName(string(s.ID)); taken {
		f.add("id", "%q is the name of a quantity; give the sensor another id, such as %q", s.ID, s.ID+"-1")
	}
	if s.ID == "export" || s.ID == "import" {
		f.add("id", "%q is a command of the API in the place of a sensor; give it another id, such as %q", s.ID, s.ID+"-1")
	}
	f.title("title", s.Title)
	if s.Site != "" {
		f.slug("site", s.Site)
	}
	if s.Publisher != "" {
		f.slug("publisher", string(s.Publisher))
	}
	f.quantities(s.Quantities)
	if s.Cadence < 0 || s.Cadence > MaxCadence {
		f.add("cadence_s", "%v is out of range; give 0 (none) to %v", s.Cadence, MaxCadence)
	} else if s.Cadence%time.Millisecond != 0 {
		f.add("cadence_s", "%v is not a whole number of milliseconds", s.Cadence)
	}
	return f
}

// quantities expects them to be sorted.
func (f *faults) quantities(names []string) {
	switch {
	case len(names) == 0:
		f.add("quantities", "none is given; name at least one quantity of the catalogue")
	case len(names) > MaxQuantities:
		f.add("quantities", "%d are given; at most %d are allowed", len(names), MaxQuantities)
		return
	}
	for i, name := range names {
		if _, known := telemetry.QuantityByName(name); !known {
			f.add("quantities", "the catalogue has no quantity %.80q", name)
		} else if i > 0 && names[i-1] == name {
			f.add("quantities", "%q is given twice", name)
		}
	}
}

// check expects a normal site. It does not see whether the district is registered.
func (s *Site) check() (f faults) {
	f.slug("id", s.ID)
	f.title("title", s.Title)
	if s.District != "" {
		f.slug("district", s.District)
	}
	f.degrees("lon", s.Lon, 180)
	f.degrees("lat", s.Lat, 90)
	return f
}

func (f *faults) degrees(field string, x, limit float64) {
	if !(math.Abs(x) <= limit) { // also true for NaN
		f.add(field, "%v is out of range; give degrees from %v to %v", x, -limit, limit)
	}
}

// check expects a normal district.
func (d *District) check() (f faults) {
	f.slug("id", d.ID)
	f.title("title", d.Title)
	return f
}
