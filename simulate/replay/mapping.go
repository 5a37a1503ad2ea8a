package replay

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // recordings name zones that the machine may not have

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Mapping says how a recording is read. It is written in YAML; see the ones in mappings.
type Mapping struct {
	// File is the name of the recording, or a pattern with * and ?, without a folder.
	File string `yaml:"file"`
	// Separator parts the columns; "," if empty.
	Separator string `yaml:"separator"`
	// Decimal parts whole and fraction of numbers: "." if empty, or ",".
	Decimal string `yaml:"decimal"`
	// Zone is the time zone of the recording: a name such as Europe/Paris, whose clock is changed twice a year, or a fixed
	// offset such as +01:00 for a device whose clock nobody changes.
	Zone string      `yaml:"zone"`
	Time TimeColumns `yaml:"time"`
	// Missing are the texts that stand for "no value" beside the empty one. They are compared as numbers where they are.
	Missing []string `yaml:"missing"`
	// Duplicates says what becomes of a row whose time an earlier row has had: "last" (also if empty) keeps the value of the
	// later row; "next" moves the later row on by Step if that leaves both, because no row stands there with a value.
	Duplicates string `yaml:"duplicates"`
	// Step is the time between two rows of a regular recording; only "next" needs it.
	Step time.Duration `yaml:"step"`
	// Sensors are those whose readings the file holds.
	Sensors []Sensor `yaml:"sensors"`
	Columns []Column `yaml:"columns"`

	zone *time.Location
}

// TimeColumns says where the time of a row stands.
type TimeColumns struct {
	// Columns are put together with a space between them.
	Columns []string `yaml:"columns"`
	// Layout is Go's, such as "02/01/2006 15:04:05".
	Layout string `yaml:"layout"`
}

// Sensor is a sensor as it is registered.
type Sensor struct {
	ID        telemetry.SensorID `yaml:"id"`
	Title     string             `yaml:"title"`
	Site      string             `yaml:"site"`
	SiteTitle string             `yaml:"site_title"`
	District  string             `yaml:"district"`
	Lon       float64            `yaml:"lon"`
	Lat       float64            `yaml:"lat"`
	// Cadence is how often it reported; 0 where it did so irregularly.
	Cadence time.Duration `yaml:"cadence"`
	// Quantities are names of what it measures; empty means those of the columns. Where several recordings hold readings of
	// one sensor, each mapping lists all.
	Quantities []string `yaml:"quantities"`
}

// Column is one column of values.
type Column struct {
	// Column is the header's text.
	Column string `yaml:"column"`
	// Sensor may be empty where the mapping has one sensor only.
	Sensor   telemetry.SensorID `yaml:"sensor"`
	Quantity string             `yaml:"quantity"`
	Channel  string             `yaml:"channel"`
	// Unit is that of the recording, by its SenML name, UCUM code or symbol; empty means the quantity's own.
	Unit string `yaml:"unit"`
	// Scale multiplies the values first; 0 means 1.
	Scale float64 `yaml:"scale"`

	quantity *telemetry.Quantity
}

//go:embed mappings/*.yml
var known embed.FS

// Known returns the mappings that are part of the program.
func Known() ([]*Mapping, error) {
	names, err := fs.Glob(known, "mappings/*.yml")
	if err != nil {
		return nil, err
	}
	var all []*Mapping
	for _, name := range names {
		text, err := known.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("mapping %s: %w", path.Base(name), err)
		}
		all = append(all, m)
	}
	return all, nil
}

// find returns the mapping for a file: one beside it, or a known one. It returns nil where there is none.
func find(file string, all []*Mapping) (*Mapping, error) {
	base := filepath.Base(file)
	for _, beside := range []string{file + ".mapping.yml", strings.TrimSuffix(file, filepath.Ext(file)) + ".mapping.yml"} {
		text, err := os.ReadFile(beside)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("mapping %s: %w", beside, err)
		}
		return m, nil
	}
	for _, m := range all {
		if fits, _ := path.Match(m.File, base); fits {
			return m, nil
		}
	}
	return nil, nil
}

// Parse reads and checks one mapping; it reports all that is wrong.
func Parse(text []byte) (*Mapping, error) {
	m := new(Mapping)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(m); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// check fills in what may be left out, and finds everything that is wrong.
func (m *Mapping) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if m.Separator == "" {
		m.Separator = ","
	}
	if len([]rune(m.Separator)) != 1 || m.Separator == `"` || m.Separator == "\n" {
		fault("separator: %q is not one character", m.Separator)
	}
	if m.Decimal == "" {
		m.Decimal = "."
	}
	if m.Decimal != "." && m.Decimal != "," || m.Decimal == m.Separator {
		fault("decimal: %q is neither . nor , or is the separator too", m.Decimal)
	}
	if _, err := path.Match(m.File, "x"); err != nil {
		fault("file: %q is no pattern", m.File)
	}
	var err error
	if m.zone, err = zone(m.Zone); err != nil {
		faults = append(faults, fmt.Errorf("zone: %w", err))
	}
	if len(m.Time.Columns) == 0 || m.Time.Layout == "" {
		fault("time: needs columns and a layout such as 2006-01-02 15:04:05")
	}
	switch m.Duplicates {
	case "", "last":
	case "next":
		if m.Step <= 0 {
			fault("step: is needed with duplicates: next")
		}
	default:
		fault("duplicates: %q is neither last nor next", m.Duplicates)
	}
	faults = append(faults, m.checkColumns()...)
	return errors.Join(append(faults, m.checkSensors()...)...)
}

func (m *Mapping) checkColumns() (faults []error) {
	if len(m.Columns) == 0 {
		faults = append(faults, errors.New("columns: there are none"))
	}
	type series struct {
		sensor            telemetry.SensorID
		quantity, channel string
	}
	seen := map[series]bool{}
	for i := range m.Columns {
		c := &m.Columns[i]
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("column %q: "+format, append([]any{c.Column}, args...)...))
		}
		if c.Sensor == "" && len(m.Sensors) == 1 {
			c.Sensor = m.Sensors[0].ID
		}
		if m.sensor(c.Sensor) == nil {
			fault("sensor %q is not among the mapping's sensors", c.Sensor)
		}
		if c.Scale == 0 {
			c.Scale = 1
		}
		q, ok := telemetry.QuantityByName(c.Quantity)
		if !ok {
			fault("the catalogue has no quantity %q", c.Quantity)
			continue
		}
		c.quantity = q
		if _, err := telemetry.Convert(0, c.Unit, q); err != nil {
			fault("%w", err)
		}
		if err := telemetry.CheckChannel(c.Channel); err != nil {
			fault("%w", err)
		}
		s := series{c.Sensor, c.Quantity, c.Channel}
		if seen[s] {
			fault("another column is %s of %s as well; give them channels", c.Quantity, c.Sensor)
		}
		seen[s] = true
	}
	return faults
}

func (m *Mapping) checkSensors() (faults []error) {
	for i := range m.Sensors {
		s := &m.Sensors[i]
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("sensor %q: "+format, append([]any{s.ID}, args...)...))
		}
		if err := s.ID.Check(); err != nil {
			fault("%w", err)
		}
		if _, taken := telemetry.QuantityByName(string(s.ID)); taken {
			fault("is the name of a quantity; choose another id")
		}
		if s.Cadence < 0 || s.Cadence%time.Second != 0 {
			fault("cadence %s is not a whole number of seconds", s.Cadence)
		}
		if s.Lon < -180 || s.Lon > 180 || s.Lat < -90 || s.Lat > 90 {
			fault("lon %g, lat %g is not on the earth", s.Lon, s.Lat)
		}
		measured := map[string]bool{}
		for _, c := range m.Columns {
			if c.Sensor == s.ID && !measured[c.Quantity] {
				measured[c.Quantity] = true
				if len(s.Quantities) == 0 || !contains(s.Quantities, c.Quantity) {
					s.Quantities = append(s.Quantities, c.Quantity)
				}
			}
		}
	}
	return faults
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func (m *Mapping) sensor(id telemetry.SensorID) *Sensor {
	for i := range m.Sensors {
		if m.Sensors[i].ID == id {
			return &m.Sensors[i]
		}
	}
	return nil
}

// zone reads the name of a zone or a fixed offset.
func zone(name string) (*time.Location, error) {
	if name == "" {
		return nil, errors.New("is missing; write a name such as Europe/Paris, or an offset such as +01:00")
	}
	if name[0] == '+' || name[0] == '-' {
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return nil, fmt.Errorf("%q is no offset such as +01:00", name)
		}
		_, seconds := t.Zone()
		return time.FixedZone(name, seconds), nil
	}
	if name == "Local" {
		return nil, errors.New("\"Local\" differs from machine to machine; write the name of the zone")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not known; write a name such as Europe/Paris, or an offset such as +01:00", name)
	}
	return loc, nil
}
