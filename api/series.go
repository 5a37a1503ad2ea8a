package api

import (
	"io"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
)

// formatColumns is the format of a history that has times and values in arrays of their own.
const formatColumns = "columns"

// HistoryAnswer describes what historyBody sends.
type HistoryAnswer struct {
	Series    []HistorySeries `json:"series" nullable:"false"`
	Truncated bool            `json:"truncated" doc:"Whether points or series were left out because there are too many; ask for less, or a longer step."`
}

// HistorySeries is the readings of one quantity and of what is kept apart: sensor and channel, or what group names.
type HistorySeries struct {
	Sensor   string       `json:"sensor"`
	Site     string       `json:"site,omitempty" doc:"Where readings are grouped by site."`
	District string       `json:"district,omitempty" doc:"Where readings are grouped by district."`
	Quantity string       `json:"quantity"`
	Channel  string       `json:"channel"`
	Unit     string       `json:"unit" doc:"Of the values; empty for a bare number and where readings are counted."`
	Points   [][2]float64 `json:"points" nullable:"false" doc:"Pairs of a time in Unix milliseconds and a value, oldest first."`
}

// HistoryColumns describes what historyColumns sends.
type HistoryColumns struct {
	StepMS    int64           `json:"step_ms" doc:"Length of a step in milliseconds, of a month or year that of the shortest; 0 for readings as they are."`
	Step      string          `json:"step" doc:"The step as it can be asked for; empty for readings as they are."`
	Agg       string          `json:"agg" doc:"How readings were combined; natural where it differs among the series, empty for readings as they are."`
	Truncated bool            `json:"truncated" doc:"Whether points or series were left out because there are too many; ask for less, or a longer step."`
	Series    []ColumnsSeries `json:"series" nullable:"false"`
}

// ColumnsSeries is a HistorySeries in columns, with what is needed to show it. What does not apply is empty.
type ColumnsSeries struct {
	Sensor   string    `json:"sensor"`
	Site     string    `json:"site" doc:"The sensor's, or the one by which readings are grouped."`
	District string    `json:"district" doc:"Likewise."`
	Channel  string    `json:"channel"`
	Domain   string    `json:"domain"`
	Quantity string    `json:"quantity"`
	Title    string    `json:"title" doc:"Of the quantity, for people."`
	Unit     string    `json:"unit"`
	Agg      string    `json:"agg"`
	Times    []int64   `json:"times" nullable:"false" doc:"Unix milliseconds, oldest first."`
	Values   []float64 `json:"values" nullable:"false" doc:"One for each time."`
}

// historyBody writes a HistoryAnswer without reflection.
type historyBody struct {
	result   query.HistoryResult
	agg      query.Agg
	snapshot *registry.Snapshot
}

// historyColumns writes HistoryColumns without reflection.
type historyColumns struct{ historyBody }

// historyOperation describes both answers: which one comes is the client's choice.
func historyOperation(a huma.API, op huma.Operation) huma.Operation {
	schema := &huma.Schema{OneOf: []*huma.Schema{schemaOf[HistoryAnswer](a), schemaOf[HistoryColumns](a)}}
	return file(op, "application/json", schema)
}

func (b *historyBody) writeJSON(w io.Writer) error {
	piece := append(make([]byte, 0, pieceBytes+1024), `{"series":[`...)
	for i := range b.result.Series {
		series := &b.result.Series[i]
		if i > 0 {
			piece = append(piece, ',')
		}
		piece = appendSeriesHead(piece, series, b.agg)
		var err error
		piece, err = writePieces(w, piece, len(series.Points), func(dst []byte, p int) []byte {
			dst = strconv.AppendInt(append(dst, '['), int64(series.Points[p].Time), 10)
			return append(appendFloat(append(dst, ','), series.Points[p].Value), ']')
		})
		if err != nil {
			return err
		}
		piece = append(piece, "]}"...)
	}
	piece = append(piece, `],"truncated":`...)
	piece = strconv.AppendBool(piece, b.result.Truncated)
	_, err := w.Write(append(piece, '}', '\n'))
	return err
}

func appendSeriesHead(dst []byte, series *query.HistorySeries, agg query.Agg) []byte {
	q := series.Quantity.Quantity()
	dst = append(dst, `{"sensor":`...)
	dst = appendString(dst, string(series.Sensor))
	if series.Site != "" {
		dst = append(dst, `,"site":`...)
		dst = appendString(dst, series.Site)
	}
	if series.District != "" {
		dst = append(dst, `,"district":`...)
		dst = appendString(dst, series.District)
	}
	dst = append(dst, `,"quantity":`...)
	dst = appendString(dst, q.Name)
	dst = append(dst, `,"channel":`...)
	dst = appendString(dst, series.Channel)
	dst = append(dst, `,"unit":`...)
	if agg == query.Count {
		dst = append(dst, `""`...)
	} else {
		dst = appendString(dst, q.Unit.Symbol)
	}
	return append(dst, `,"points":[`...)
}

// writePieces writes what appendOne makes of numbers up to n, with commas between, and returns what is left to write.
func writePieces(w io.Writer, piece []byte, n int, appendOne func(dst []byte, i int) []byte) ([]byte, error) {
	for i := range n {
		if i > 0 {
			piece = append(piece, ',')
		}
		piece = appendOne(piece, i)
		if len(piece) >= pieceBytes {
			if _, err := w.Write(piece); err != nil {
				return nil, err
			}
			piece = piece[:0]
		}
	}
	return piece, nil
}

func (b *historyColumns) writeJSON(w io.Writer) error {
	piece := append(make([]byte, 0, pieceBytes+1024), `{"step_ms":`...)
	piece = strconv.AppendInt(piece, b.result.Step.Shortest().Milliseconds(), 10)
	piece = append(piece, `,"step":`...)
	piece = appendString(piece, b.result.Step.String())
	piece = append(piece, `,"agg":`...)
	piece = appendString(piece, b.commonAgg())
	piece = append(piece, `,"truncated":`...)
	piece = strconv.AppendBool(piece, b.result.Truncated)
	piece = append(piece, `,"series":[`...)
	for i := range b.result.Series {
		series := &b.result.Series[i]
		if i > 0 {
			piece = append(piece, ',')
		}
		piece = append(b.appendHead(piece, series), `,"times":[`...)
		var err error
		piece, err = writePieces(w, piece, len(series.Points), func(dst []byte, p int) []byte {
			return strconv.AppendInt(dst, int64(series.Points[p].Time), 10)
		})
		if err != nil {
			return err
		}
		piece, err = writePieces(w, append(piece, `],"values":[`...), len(series.Points), func(dst []byte, p int) []byte {
			return appendFloat(dst, series.Points[p].Value)
		})
		if err != nil {
			return err
		}
		piece = append(piece, "]}"...)
	}
	_, err := w.Write(append(piece, ']', '}', '\n'))
	return err
}

// aggOf names how a series' readings were combined.
func (b *historyColumns) aggOf(series *query.HistorySeries) string {
	if b.result.Step.IsZero() {
		return ""
	}
	return b.agg.Of(series.Quantity.Quantity()).String()
}

// commonAgg is the aggregate of all series.
func (b *historyColumns) commonAgg() string {
	if b.agg != query.Natural && !b.result.Step.IsZero() {
		return b.agg.String()
	}
	common := ""
	for i := range b.result.Series {
		switch one := b.aggOf(&b.result.Series[i]); common {
		case "", one:
			common = one
		default:
			return query.Natural.String()
		}
	}
	return common
}

// appendHead begins the series and leaves it open.
func (b *historyColumns) appendHead(dst []byte, series *query.HistorySeries) []byte {
	q, site, district := series.Quantity.Quantity(), series.Site, series.District
	if sensor, ok := b.snapshot.Sensor(series.Sensor); ok && site == "" {
		site = sensor.Site
	}
	if at, ok := b.snapshot.Site(site); ok && district == "" {
		district = at.District
	}
	unit := q.Unit.Symbol
	if b.agg == query.Count && !b.result.Step.IsZero() {
		unit = ""
	}
	dst = append(dst, '{')
	for i, field := range [...][2]string{
		{"sensor", string(series.Sensor)},
		{"site", site},
		{"district", district},
		{"channel", series.Channel},
		{"domain", q.Domain.String()},
		{"quantity", q.Name},
		{"title", q.Title},
		{"unit", unit},
		{"agg", b.aggOf(series)},
	} {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, field[0]...)
		dst = append(dst, `":`...)
		dst = appendString(dst, field[1])
	}
	return dst
}
