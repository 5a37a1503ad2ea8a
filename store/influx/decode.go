package influx

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// document is one JSON document of an answer.
type document struct {
	Results []struct {
		Series  []part `json:"series"`
		Partial bool   `json:"partial"`
		Error   string `json:"error"`
	} `json:"results"`
	Error string `json:"error"`
}

// header names a series.
type header struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
}

// part is some rows of a series.
type part struct {
	header
	Values cells `json:"values"`
}

// timeColumn is the name that InfluxQL gives to the time, in whatever place.
const timeColumn = "time"

// series turns rows into columns.
func (p *part) series() (store.Series, error) {
	width := len(p.Columns)
	rows := p.Values.rows
	if rows > 0 && p.Values.width != width {
		return store.Series{}, fmt.Errorf("rows of %d cells under %d columns", p.Values.width, width)
	}
	s := store.Series{Measurement: p.Name, Tags: p.Tags}
	at := slices.Index(p.Columns, timeColumn)
	for c, name := range p.Columns {
		if c == at {
			s.Times = make([]telemetry.UnixMilli, rows)
			for r := range rows {
				ms := p.Values.flat[r*width+c]
				if math.IsNaN(ms) {
					return store.Series{}, fmt.Errorf("row %d has no time", r+1)
				}
				s.Times[r] = telemetry.UnixMilli(ms)
			}
			continue
		}
		column := make([]float64, rows)
		for r := range rows {
			column[r] = p.Values.flat[r*width+c]
		}
		s.Columns = append(s.Columns, name)
		s.Values = append(s.Values, column)
	}
	return s, nil
}

// cells are the numbers of [[…],[…]], row by row, without an interface value for each. A float64 holds every
// millisecond of the next 280,000 years exactly.
type cells struct {
	flat  []float64
	rows  int
	width int
}

// UnmarshalJSON reads text that encoding/json has already found to be valid JSON.
func (v *cells) UnmarshalJSON(text []byte) error {
	*v = cells{}
	s := scanner{text: text}
	if s.next() == 'n' {
		return nil
	}
	if !s.take('[') {
		return s.unexpected("rows")
	}
	for !s.take(']') {
		if !s.take('[') {
			return s.unexpected("a row")
		}
		width := 0
		for !s.take(']') {
			value, err := s.cell()
			if err != nil {
				return err
			}
			v.flat = append(v.flat, value)
			width++
			s.take(',')
		}
		if v.rows > 0 && width != v.width {
			return fmt.Errorf("row %d has %d cells, the one before it %d", v.rows+1, width, v.width)
		}
		v.width = width
		v.rows++
		s.take(',')
	}
	return nil
}

// scanner walks over valid JSON.
type scanner struct {
	text []byte
	at   int
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) unexpected(wanted string) error {
	return fmt.Errorf("byte %d of the values: %q where %s should be", s.at, s.next(), wanted)
}

// cell reads a scalar: numbers as they are, true and false as 1 and 0, null and texts as NaN.
func (s *scanner) cell() (float64, error) {
	switch c := s.next(); {
	case c == '-' || c >= '0' && c <= '9':
		start := s.at
		for s.at < len(s.text) && isNumber(s.text[s.at]) {
			s.at++
		}
		value, err := strconv.ParseFloat(string(s.text[start:s.at]), 64)
		if err != nil {
			return 0, fmt.Errorf("byte %d of the values: %w", start, err)
		}
		return value, nil
	case c == '"':
		s.at++
		for s.at < len(s.text) && s.text[s.at] != '"' {
			if s.text[s.at] == '\\' {
				s.at++
			}
			s.at++
		}
		s.at++
		return math.NaN(), nil
	case c == 't':
		s.at += len("true")
		return 1, nil
	case c == 'f':
		s.at += len("false")
		return 0, nil
	case c == 'n':
		s.at += len("null")
		return math.NaN(), nil
	}
	return 0, s.unexpected("a number, a text, true, false or null")
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}
