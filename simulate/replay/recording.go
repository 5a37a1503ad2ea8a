package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// recording is a file that was read: rows in the order of their times, each with a value, or none, for each column.
type recording struct {
	path    string
	mapping *Mapping
	rows    []row
	// values holds len(mapping.Columns) numbers for each row; NaN where there is none.
	values []float64

	missing  int // values that were not there
	replaced int // values that gave way to a later one of the same time
	bad      []error
}

// row is a line of the file.
type row struct {
	at    telemetry.UnixMilli
	first int // where its values begin
}

// earliest is the first time that SenML can say: below 2^28 seconds a time is relative to receipt (RFC 8428, section 4.5.3).
const earliest = telemetry.UnixMilli(1<<28) * 1000

// load reads a file. Rows that cannot be read are listed in bad; any other fault is the error.
func load(path string, m *Mapping) (*recording, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := csv.NewReader(file)
	in.Comma = []rune(m.Separator)[0]
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header of %s: %w", path, err)
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	times, columns, err := m.locate(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &recording{path: path, mapping: m}
	clock := wallClock{zone: m.zone}
	for {
		fields, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			r.settle()
			return r, nil
		case errors.As(err, &broken):
			r.bad = append(r.bad, fmt.Errorf("%s: %w", path, err))
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", path, err)
		default:
			if err := r.add(fields, times, columns, &clock); err != nil {
				line, _ := in.FieldPos(0)
				r.bad = append(r.bad, fmt.Errorf("%s line %d: %w", path, line, err))
			}
		}
	}
}

// locate finds the columns of the time and of the values in the header.
func (m *Mapping) locate(header []string) (times, columns []int, err error) {
	find := func(name string) int {
		at := slices.IndexFunc(header, func(h string) bool { return strings.TrimSpace(h) == name })
		if at < 0 {
			err = errors.Join(err, fmt.Errorf("there is no column %q; the file has %q", name, header))
		}
		return at
	}
	for _, name := range m.Time.Columns {
		times = append(times, find(name))
	}
	for _, c := range m.Columns {
		columns = append(columns, find(c.Column))
	}
	return times, columns, err
}

// add takes a row in.
func (r *recording) add(fields []string, times, columns []int, clock *wallClock) error {
	texts := make([]string, len(times))
	for i, at := range times {
		if at >= len(fields) {
			return fmt.Errorf("has %d columns only", len(fields))
		}
		texts[i] = strings.TrimSpace(fields[at])
	}
	text := strings.Join(texts, " ")
	local, err := time.Parse(r.mapping.Time.Layout, text)
	if err != nil {
		return fmt.Errorf("time %q is not like %q", text, r.mapping.Time.Layout)
	}
	at := telemetry.MilliOf(clock.instant(local))
	if at < earliest {
		return fmt.Errorf("time %q is before July 1978, which SenML cannot say", text)
	}
	first := len(r.values)
	for i, column := range columns {
		text := ""
		if column < len(fields) {
			text = strings.TrimSpace(fields[column])
		}
		v, err := r.mapping.number(text)
		if err != nil {
			r.values = r.values[:first]
			return fmt.Errorf("column %q: %w", r.mapping.Columns[i].Column, err)
		}
		if v != v {
			r.missing++
		}
		r.values = append(r.values, v*r.mapping.Columns[i].Scale)
	}
	r.rows = append(r.rows, row{at, first})
	return nil
}

// number reads a value; NaN for a missing one.
func (m *Mapping) number(text string) (float64, error) {
	if text == "" || contains(m.Missing, text) {
		return math.NaN(), nil
	}
	plain := text
	if m.Decimal == "," {
		plain = strings.Replace(text, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no number", text)
	}
	for _, marker := range m.Missing {
		if w, err := strconv.ParseFloat(marker, 64); err == nil && w == v { // -200 is written -200.0 as well
			return math.NaN(), nil
		}
	}
	return v, nil
}

func (r *recording) of(w row) []float64 { return r.values[w.first : w.first+len(r.mapping.Columns)] }

func (r *recording) empty(w row) bool {
	return !slices.ContainsFunc(r.of(w), func(v float64) bool { return v == v })
}

// settle resolves rows of the same time and puts all in order.
func (r *recording) settle() {
	if r.mapping.Duplicates == "next" {
		r.moveOn()
	}
	slices.SortStableFunc(r.rows, func(a, b row) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	kept := r.rows[:0]
	for _, w := range r.rows {
		if len(kept) == 0 || kept[len(kept)-1].at != w.at {
			kept = append(kept, w)
			continue
		}
		into := r.of(kept[len(kept)-1])
		for i, v := range r.of(w) { // the last value of a time wins, value by value
			switch {
			case v != v:
			case into[i] == into[i]:
				r.replaced++
				into[i] = v
			default:
				into[i] = v
			}
		}
	}
	r.rows = kept
}

// moveOn gives a row whose time an earlier row with values has had the time one step later, unless a row stands there
// that has values itself.
func (r *recording) moveOn() {
	filled := make(map[telemetry.UnixMilli]bool, len(r.rows))
	for _, w := range r.rows {
		if !r.empty(w) {
			filled[w.at] = true
		}
	}
	step := telemetry.UnixMilli(r.mapping.Step.Milliseconds())
	had := make(map[telemetry.UnixMilli]bool, len(r.rows))
	for i := range r.rows {
		w := &r.rows[i]
		if r.empty(*w) {
			continue
		}
		if had[w.at] && !filled[w.at+step] {
			w.at += step
			filled[w.at] = true
		}
		had[w.at] = true
	}
}
