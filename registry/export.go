package registry

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The columns of a CSV file of sensors, in the order in which Export writes them. Import takes them in any order.
const (
	columnSensor = iota
	columnTitle
	columnSite
	columnSiteTitle
	columnDistrict
	columnDistrictTitle
	columnLon
	columnLat
	columnPublisher
	columnCadence
	columnQuantities
	columnCount
)

// columnNames is the header. Import does without the districts' titles.
func columnNames() [columnCount]string {
	return [columnCount]string{
		"sensor", "title", "site", "site_title", "district", "district_title", "lon", "lat", "publisher", "cadence_s", "quantities",
	}
}

// Export writes all sensors that the filter chooses as CSV (RFC 4180, UTF-8, comma, header, one line a sensor in order of
// id). Importing it again changes nothing. Titles that a spreadsheet would run as a formula are written with an
// apostrophe before them, which Import takes away. Sites without a sensor, and districts without such a site, are not in it.
func (r *Registry) Export(ctx context.Context, w io.Writer, f Filter) error {
	now, err := r.refresh(ctx)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	names := columnNames()
	if err := out.Write(names[:]); err != nil {
		return fmt.Errorf("write the header: %w", err)
	}
	found := slices.Clone(now.Select(f))
	slices.SortFunc(found, func(a, b *Sensor) int { return cmp.Compare(a.ID, b.ID) })
	for i, s := range found {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		cells := now.cells(s)
		if err := out.Write(cells[:]); err != nil {
			return fmt.Errorf("write sensor %s: %w", s.ID, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the sensors: %w", err)
	}
	return nil
}

func (s *Snapshot) cells(sensor *Sensor) (cells [columnCount]string) {
	cells[columnSensor] = string(sensor.ID)
	cells[columnTitle] = disarm(sensor.Title)
	cells[columnPublisher] = string(sensor.Publisher)
	cells[columnCadence] = formatDecimal(sensor.Cadence.Seconds())
	cells[columnQuantities] = strings.Join(sensor.Quantities, " ")
	if site, ok := s.Site(sensor.Site); ok {
		cells[columnSite] = site.ID
		cells[columnSiteTitle] = disarm(site.Title)
		cells[columnDistrict] = site.District
		if district, ok := s.District(site.District); ok {
			cells[columnDistrictTitle] = disarm(district.Title)
		}
		cells[columnLon] = formatDecimal(site.Lon)
		cells[columnLat] = formatDecimal(site.Lat)
	}
	return cells
}

func formatDecimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// secondsOf reads a cadence in seconds. Within MaxCadence a float64 holds milliseconds exactly enough to round.
func secondsOf(x float64) (d time.Duration, whole bool) {
	ms := x * 1000
	rounded := int64(ms + 0.5)
	const tolerance = 1e-4 // of a millisecond; 0.001 s is 1 ms although neither is a binary fraction
	return time.Duration(rounded) * time.Millisecond, ms-float64(rounded) < tolerance && float64(rounded)-ms < tolerance
}
