package api

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Times that the API accepts: from 1970 up to 2260, about as far as the store's nanoseconds go.
const (
	minTime = telemetry.UnixMilli(0)
	maxTime = telemetry.UnixMilli(9151488000000)
)

// parseTime reads a time parameter: RFC 3339, Unix milliseconds, "now", or relative to now, like -24h, -90m or -7d.
func parseTime(name, text string, now time.Time) (telemetry.UnixMilli, error) {
	at, ok := readTime(text, now)
	if !ok {
		return 0, badQuery(name, text, "%q is not a time; use for instance 2026-03-01T12:00:00Z, 1772366400000 (Unix milliseconds), -24h, -7d or now", cut(text))
	}
	if at < minTime || at > maxTime {
		return 0, badQuery(name, text, "%q lies outside the years 1970 to 2259", cut(text))
	}
	return at, nil
}

func readTime(text string, now time.Time) (telemetry.UnixMilli, bool) {
	if text == "now" {
		return telemetry.MilliOf(now), true
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms >= 0 {
		return telemetry.UnixMilli(ms), true
	}
	if back, ok := strings.CutPrefix(text, "-"); ok {
		d, ok := readDuration(back)
		return telemetry.MilliOf(now.Add(-d)), ok
	}
	// A + that was not escaped in the URL arrives as a space.
	at, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "+", 1))
	return telemetry.MilliOf(at), err == nil
}

// parseRange reads from and to. An empty from is back before to, or the beginning of time where back is 0; an empty to
// is now. The range is from <= t < to.
func parseRange(from, to string, back time.Duration, now time.Time) (telemetry.UnixMilli, telemetry.UnixMilli, error) {
	end := telemetry.MilliOf(now)
	start := minTime
	var err error
	if to != "" {
		if end, err = parseTime("to", to, now); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case from != "":
		if start, err = parseTime("from", from, now); err != nil {
			return 0, 0, err
		}
	case back > 0:
		start = max(minTime, end-telemetry.UnixMilli(back.Milliseconds()))
	}
	if start > end {
		return 0, 0, badQuery("from", from, "it lies after to")
	}
	return start, end, nil
}

// readDuration reads a positive duration: Go's form, and whole days (d) and weeks (w).
func readDuration(text string) (time.Duration, bool) {
	var unit time.Duration
	switch {
	case strings.HasSuffix(text, "d"):
		unit = 24 * time.Hour
	case strings.HasSuffix(text, "w"):
		unit = 7 * 24 * time.Hour
	default:
		d, err := time.ParseDuration(text)
		return d, err == nil && d >= 0
	}
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	if err != nil || n < 0 || n > int64(100*365*24*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// parseSensors checks ids and returns them as a set; nil where none is given. Several may stand in one value, with
// commas.
func parseSensors(values []string) (map[telemetry.SensorID]struct{}, error) {
	var set map[telemetry.SensorID]struct{}
	for _, value := range split(values) {
		id := telemetry.SensorID(value)
		if err := id.Check(); err != nil {
			return nil, badQuery("sensor", value, "%v", err)
		}
		if set == nil {
			set = make(map[telemetry.SensorID]struct{}, len(values))
		}
		set[id] = struct{}{}
	}
	return set, nil
}

// split takes apart values with commas and leaves out empty ones.
func split(values []string) []string {
	var all []string
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// parseQuantities finds quantities of the catalogue by name, each once.
func parseQuantities(values []string) ([]*telemetry.Quantity, error) {
	var found []*telemetry.Quantity
	seen := make(map[telemetry.QuantityID]bool)
	for _, name := range split(values) {
		q, ok := telemetry.QuantityByName(name)
		if !ok {
			return nil, badQuery("quantity", name, "%q is not in the catalogue; see /api/v1/quantities", cut(name))
		}
		if !seen[q.ID] {
			seen[q.ID] = true
			found = append(found, q)
		}
	}
	return found, nil
}

// parseDomains finds domains by name.
func parseDomains(values []string) ([]telemetry.Domain, error) {
	var found []telemetry.Domain
	for _, name := range split(values) {
		d, ok := telemetry.ParseDomain(name)
		if !ok {
			return nil, badQuery("domain", name, "%q is not a domain; use traffic, energy or safety", cut(name))
		}
		found = append(found, d)
	}
	return found, nil
}

// readingFilter joins the three into a filter of readings.
func readingFilter(sensors, domains, quantities []string) (filter, error) {
	var f filter
	var err error
	if f.sensors, err = parseSensors(sensors); err != nil {
		return f, err
	}
	wantedDomains, err := parseDomains(domains)
	if err != nil {
		return f, err
	}
	wanted, err := parseQuantities(quantities)
	if err != nil || len(wanted) == 0 && len(wantedDomains) == 0 {
		return f, err
	}
	f.quantities = make([]bool, len(telemetry.Quantities()))
	for i := range telemetry.Quantities() {
		q := &telemetry.Quantities()[i]
		f.quantities[q.ID] = (len(wanted) == 0 || hasQuantity(wanted, q.ID)) && (len(wantedDomains) == 0 || slices.Contains(wantedDomains, q.Domain))
	}
	return f, nil
}

func hasQuantity(list []*telemetry.Quantity, id telemetry.QuantityID) bool {
	for _, q := range list {
		if q.ID == id {
			return true
		}
	}
	return false
}
