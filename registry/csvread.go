package registry

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
)

// CellError is one fault of a CSV file.
type CellError struct {
	// Row is the line of the file on which the row begins; the header is 1. 0 stands for the whole file.
	Row int `json:"row"`
	// Column is the column's name in the header; "" for the whole row.
	Column string `json:"column"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
}

// importRow is one line of the file.
type importRow struct {
	line   int
	sensor Sensor
	// place is what the row says of its site; nil if it only names it, or the site has faults.
	place *Site
	// namesSite is true where it only names its site.
	namesSite bool
	// districtTitle is what the row says of its site's district; "" if nothing.
	districtTitle string
}

// table reads a CSV file into rows and faults.
type table struct {
	rows   []importRow
	faults []CellError
	// count is how many rows the file has, those with faults included.
	count int
	limit int

	csv *csv.Reader
	// order is where in a line each column is, -1 for one that is not there; width is how many a line has.
	order [columnCount]int
	width int
	// comma is true where numbers are written with a decimal comma: in files with semicolons, as European spreadsheets
	// write them.
	comma bool
	// doubtful are the sites that rows with faults name: nothing more is said of them.
	doubtful map[string]bool
	// shared are the slices of quantities by their text.
	shared map[string][]string
}

func (t *table) fault(line int, column, format string, args ...any) {
	if !t.full() {
		t.faults = append(t.faults, CellError{Row: line, Column: column, Message: fmt.Sprintf(format, args...)})
	}
}

// full is true when there are so many faults that no more are looked for.
func (t *table) full() bool { return len(t.faults) >= t.limit }

// readTable reads a whole file. Only an error of in is returned; what is wrong with the file is in the table's faults.
func readTable(in io.Reader, cfg Config) (*table, error) {
	t := &table{limit: cfg.MaxImportErrors, doubtful: make(map[string]bool), shared: make(map[string][]string)}
	text, err := io.ReadAll(io.LimitReader(in, cfg.MaxImportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the CSV file: %w", err)
	}
	if int64(len(text)) > cfg.MaxImportBytes {
		t.fault(0, "", "the file is larger than %d bytes; import it in several parts", cfg.MaxImportBytes)
		return t, nil
	}
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		t.fault(0, "", "the file is UTF-16; save it as CSV UTF-8")
		return t, nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	t.csv = csv.NewReader(bytes.NewReader(text))
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if t.comma = bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")); t.comma {
		t.csv.Comma = ';'
	}
	if t.readHeader() {
		t.readRows()
	}
	return t, nil
}

// readHeader returns false where the columns cannot be told.
func (t *table) readHeader() bool {
	names := columnNames()
	header, err := t.csv.Read()
	if err != nil {
		t.fault(1, "", "the header cannot be read; begin the file with %s", strings.Join(names[:], ","))
		return false
	}
	for i := range t.order {
		t.order[i] = -1
	}
	t.width = len(header)
	for i, cell := range header {
		name := strings.TrimSpace(cell)
		switch column := slices.Index(names[:], name); {
		case column < 0:
			t.fault(1, "", "no column is called %.80q; the columns are %s", name, strings.Join(names[:], ","))
		case t.order[column] >= 0:
			t.fault(1, name, "the column is there twice")
		default:
			t.order[column] = i
		}
	}
	for column, i := range t.order {
		if i < 0 && column != columnDistrictTitle {
			t.fault(1, names[column], "the column is missing; the columns are %s", strings.Join(names[:], ","))
		}
	}
	return len(t.faults) == 0
}

func (t *table) readRows() {
	for !t.full() {
		record, err := t.csv.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			t.count++
			t.fault(syntax.StartLine, "", "%v; put a cell with quotes in quotes, and write each quote in it twice", syntax.Err)
			continue
		}
		if line, _ := t.csv.FieldPos(0); !blank(record) {
			t.count++
			t.readRow(line, record)
		}
	}
}

// blank rows are what spreadsheets write below the last row with content.
func blank(record []string) bool {
	return !slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

func (t *table) readRow(line int, record []string) {
	if len(record) != t.width {
		t.fault(line, "", "the row has %d cells, the header has %d", len(record), t.width)
		return
	}
	var cells [columnCount]string
	names := columnNames()
	valid := true
	for column, i := range t.order {
		if i < 0 {
			continue
		}
		if !utf8.ValidString(record[i]) {
			t.fault(line, names[column], "is not UTF-8; save the file as CSV UTF-8")
			valid = false
		}
		cells[column] = strings.TrimSpace(record[i])
	}
	if !valid {
		return
	}
	before := len(t.faults)
	row := importRow{line: line}
	t.readSensor(&row, &cells)
	t.readSite(&row, &cells)
	if len(t.faults) == before {
		t.rows = append(t.rows, row)
	} else {
		t.doubtful[row.sensor.Site] = true
	}
}

func (t *table) readSensor(row *importRow, cells *[columnCount]string) {
	s := Sensor{
		ID:         telemetry.SensorID(strings.Clone(cells[columnSensor])),
		Title:      strings.Clone(rearm(cells[columnTitle])),
		Site:       strings.Clone(cells[columnSite]),
		Publisher:  telemetry.SensorID(strings.Clone(cells[columnPublisher])),
		Quantities: t.quantities(cells[columnQuantities]),
	}
	if text := cells[columnCadence]; text != "" {
		s.Cadence = t.cadence(row.line, text)
	}
	s.Title = strings.TrimSpace(s.Title) // an empty one is settled when the registered one is known
	for _, f := range s.check() {
		t.fault(row.line, sensorColumn(f.Field), "%s", f.Message)
	}
	row.sensor = s
}

// quantities returns the sorted names; rows with the same ones share a slice.
func (t *table) quantities(text string) []string {
	names, known := t.shared[text]
	if !known {
		names = strings.Fields(strings.Clone(text))
		slices.Sort(names)
		t.shared[strings.Clone(text)] = names
	}
	return names
}

func (t *table) cadence(line int, text string) time.Duration {
	x, ok := t.number(text)
	if !ok {
		t.fault(line, "cadence_s", "%.40q is not a number of seconds", text)
		return 0
	}
	if x < 0 || x > MaxCadence.Seconds() {
		t.fault(line, "cadence_s", "%s is out of range; give 0 (none) to %v seconds", text, MaxCadence.Seconds())
		return 0
	}
	cadence, whole := secondsOf(x)
	if !whole {
		t.fault(line, "cadence_s", "%s is not a whole number of milliseconds", text)
	}
	return cadence
}

func (t *table) readSite(row *importRow, cells *[columnCount]string) {
	said := ""
	for _, column := range []int{columnLat, columnLon, columnDistrictTitle, columnDistrict, columnSiteTitle} {
		said = cmp.Or(cells[column], said)
	}
	switch {
	case said == "":
		row.namesSite = cells[columnSite] != ""
		return
	case cells[columnSite] == "":
		t.fault(row.line, "site", "is empty, but the row says %.40q of it; give the site's id", said)
		return
	}
	site := Site{
		ID:       row.sensor.Site,
		Title:    strings.TrimSpace(strings.Clone(rearm(cells[columnSiteTitle]))),
		District: strings.Clone(cells[columnDistrict]),
		Lon:      t.degrees(row.line, "lon", cells[columnLon]),
		Lat:      t.degrees(row.line, "lat", cells[columnLat]),
	}
	for _, f := range site.check() {
		if f.Field != "id" { // said already of the sensor's site
			t.fault(row.line, siteColumn(f.Field), "%s", f.Message)
		}
	}
	row.place = &site
	t.readDistrict(row, rearm(cells[columnDistrictTitle]))
}

func (t *table) readDistrict(row *importRow, title string) {
	d := District{ID: row.place.District, Title: strings.TrimSpace(strings.Clone(title))}
	if d.Title != "" && d.ID == "" {
		t.fault(row.line, "district", "is empty, but the row gives it the title %.40q; give the district's id", d.Title)
		return
	}
	for _, f := range d.check() {
		if f.Field == "title" { // the id's faults are said already
			t.fault(row.line, "district_title", "%s", f.Message)
		}
	}
	row.districtTitle = d.Title
}

func (t *table) degrees(line int, column, text string) float64 {
	if text == "" {
		t.fault(line, column, "is empty; give degrees, or leave all of the site's columns but its id empty")
		return 0
	}
	x, ok := t.number(text)
	if !ok {
		t.fault(line, column, "%.40q is not a number of degrees", text)
		return 0
	}
	return normalDegrees(x)
}

// number reads a decimal number, without the other things that strconv takes for one: 0x1p-2, inf, nan, 1_000.
func (t *table) number(text string) (float64, bool) {
	if t.comma {
		text = strings.Replace(text, ",", ".", 1)
	}
	if strings.Trim(text, "0123456789.eE+-") != "" || len(text) > 40 {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil && !math.IsInf(x, 0)
}

// sensorColumn returns the column in which a sensor's field stands.
func sensorColumn(field string) string {
	if field == "id" {
		return "sensor"
	}
	return field
}

// siteColumn returns the column in which a site's field stands.
func siteColumn(field string) string {
	switch field {
	case "id":
		return "site"
	case "title":
		return "site_title"
	}
	return field
}
