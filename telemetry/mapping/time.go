package mapping

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// timing says where the time of a record is, and how it is read.
type timing struct {
	paths  []*path
	format string // "", rfc3339, unix, or strptime
	layout []directive
	zone   *time.Location // nil where the time says its own
}

const (
	formatRFC3339 = "rfc3339"
	formatUnix    = "unix"
)

func compileTime(o Time) (timing, error) {
	t := timing{format: o.Format}
	var all []error
	if len(o.Path) > maxPaths {
		all = append(all, fmt.Errorf("path: has %d; at most %d are allowed", len(o.Path), maxPaths))
	}
	for _, text := range o.Path {
		if text == "" && len(o.Path) == 1 {
			break // the way to leave a ready mapping's time out
		}
		p, err := single(text)
		if err != nil {
			all = append(all, fmt.Errorf("path: %w", err))
		}
		t.paths = append(t.paths, p)
	}
	var err error
	zoned := true
	switch {
	case o.Format == "", o.Format == formatRFC3339, o.Format == formatUnix:
	case !strings.Contains(o.Format, "%"):
		all = append(all, fmt.Errorf("format: %q is none of rfc3339, unix and one with letters such as %%Y-%%m-%%d %%H:%%M:%%S", o.Format))
	default:
		if t.layout, zoned, err = parseLayout(o.Format); err != nil {
			all = append(all, fmt.Errorf("format: %w", err))
		}
	}
	switch {
	case o.Zone != "":
		if t.zone, err = zone(o.Zone); err != nil {
			all = append(all, fmt.Errorf("zone: %w", err))
		}
		if zoned {
			all = append(all, errors.New("zone: the format says the zone itself; leave zone out"))
		}
	case !zoned:
		all = append(all, errors.New("zone: the format has no zone; write a name such as Europe/Madrid, or an offset such as +01:00"))
	}
	return t, errors.Join(all...)
}

// comparePaths is here for the places that a time may come from: it must be said where that is, if it is said how it looks.
func (t *timing) comparePaths() error {
	if len(t.paths) == 0 && (t.format != "" || t.zone != nil) {
		return errors.New("path: is empty; say where the time is")
	}
	return nil
}

// zone reads the name of a zone or a fixed offset.
func zone(name string) (*time.Location, error) {
	if name[0] == '+' || name[0] == '-' {
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return nil, fmt.Errorf("%q is no offset such as +01:00", name)
		}
		_, seconds := t.Zone()
		return time.FixedZone(name, seconds), nil
	}
	if name == "Local" {
		return nil, errors.New(`"Local" differs from machine to machine; write the name of the zone`)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not known here; write a name such as Europe/Madrid, or an offset such as +01:00", name)
	}
	return loc, nil
}

// read reads the time of a record. near is the time of receipt, which tells the two hours apart that a local clock shows twice.
func (t *timing) read(v *scan.Value, near telemetry.UnixMilli) (telemetry.UnixMilli, bool) {
	switch {
	case t.layout != nil:
		if v.Kind != scan.String {
			return 0, false
		}
		return readLayout(string(v.Text), t.layout, t.zone, near)
	case v.Kind == scan.String && t.format != formatUnix:
		if ms, ok := scan.RFC3339(v.Text); ok {
			return ms, true
		}
	}
	if t.format == formatRFC3339 {
		return 0, false
	}
	number := *v
	if v.Kind == scan.String {
		scan.ParseNumber(v.Text, &number)
	}
	if number.Kind != scan.Number {
		return 0, false
	}
	return scan.Unix(&number)
}

// describe says to people what should have stood there.
func (t *timing) describe() string {
	switch t.format {
	case "":
		return "neither RFC 3339 with a zone nor a Unix time"
	case formatRFC3339:
		return "no RFC 3339 with a zone"
	case formatUnix:
		return "no Unix time"
	}
	return "not written as " + t.format
}
