package api

import (
	"cmp"
	"context"
	"io"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Reading is one value as the API shows it. It describes the JSON that encoder writes, and serves where there are few.
type Reading struct {
	Sensor   string  `json:"sensor"`
	Quantity string  `json:"quantity"`
	Channel  string  `json:"channel" doc:"Which of several alike within the sensor; empty if there is one."`
	Value    float64 `json:"value" doc:"In the quantity's unit; the index of the state for a state."`
	Unit     string  `json:"unit"`
	Time     Time    `json:"time" doc:"When it was measured."`
	State    string  `json:"state,omitempty" doc:"Name of the state, for quantities that are one."`
	Stamped  bool    `json:"stamped,omitempty" doc:"Whether the time is that of receipt, because the payload had none."`
}

// ReadingList is the answer of /api/v1/latest, for the OpenAPI document; readingsBody is what is sent.
type ReadingList struct {
	Items     []Reading `json:"items" nullable:"false"`
	Total     int       `json:"total"`
	Truncated bool      `json:"truncated" doc:"Whether there are more than items holds; ask for fewer sensors or quantities."`
}

// readingsBody writes a ReadingList without reflection, and takes each sensor's readings only when it comes to them: a
// client that takes its time holds little.
type readingsBody struct {
	sensors []*registry.Sensor
	wants   filter
	latest  Latest
	most    int
	encode  *encoder
}

// Schema implements huma.SchemaProvider.
func (readingsBody) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[ReadingList](), true, "")
}

func (b *readingsBody) writeJSON(w io.Writer) error {
	piece := append(make([]byte, 0, pieceBytes+1024), `{"items":[`...)
	var of []telemetry.Reading
	total := 0
	for _, sensor := range b.sensors {
		of = b.latest.AppendLatest(of[:0], sensor.ID)
		for i := range of {
			if b.wants.quantities != nil && !b.wants.quantities[of[i].Quantity] {
				continue
			}
			total++
			if total > b.most {
				continue
			}
			if total > 1 {
				piece = append(piece, ',')
			}
			piece = b.encode.appendReading(piece, &of[i])
			if len(piece) < pieceBytes {
				continue
			}
			if _, err := w.Write(piece); err != nil {
				return err
			}
			piece = piece[:0]
		}
	}
	_, err := w.Write(appendTotal(piece, total, total > b.most))
	return err
}

type latestInput struct {
	Sensor   []string `query:"sensor,explode" maxItems:"1000" doc:"Only these sensors; may repeat."`
	District string   `query:"district" maxLength:"63" doc:"Only sensors in this district."`
	Domain   []string `query:"domain,explode" maxItems:"3" enum:"traffic,energy,safety" doc:"Only quantities of these domains; may repeat."`
	Quantity []string `query:"quantity,explode" maxItems:"200" doc:"Only these quantities; may repeat."`
}

type latestOutput struct {
	Body *readingsBody
}

func (s *Server) getLatest(_ context.Context, in *latestInput) (*latestOutput, error) {
	wants, err := readingFilter(in.Sensor, in.Domain, in.Quantity)
	if err != nil {
		return nil, err
	}
	return &latestOutput{Body: &readingsBody{
		sensors: s.chosen(wants, in.District), wants: wants, latest: s.deps.Latest, most: s.cfg.MaxLatest, encode: s.encode,
	}}, nil
}

// chosen lists the registered sensors that the filter and the district leave, in order of id.
func (s *Server) chosen(wants filter, district string) []*registry.Sensor {
	snapshot := s.deps.Registry.Snapshot()
	among := snapshot.Select(registry.Filter{District: district})
	if wants.sensors == nil {
		return among
	}
	found := make([]*registry.Sensor, 0, len(wants.sensors))
	for id := range wants.sensors {
		sensor, ok := snapshot.Sensor(id)
		if !ok {
			continue
		}
		if site, _ := snapshot.Site(sensor.Site); district != "" && (site == nil || site.District != district) {
			continue
		}
		found = append(found, sensor)
	}
	slices.SortFunc(found, func(a, b *registry.Sensor) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// latestOf lists the newest readings of one sensor.
func (s *Server) latestOf(id telemetry.SensorID) []Reading {
	readings := s.deps.Latest.AppendLatest(nil, id)
	shown := make([]Reading, len(readings))
	for i := range readings {
		shown[i] = showReading(&readings[i])
	}
	return shown
}

func showReading(r *telemetry.Reading) Reading {
	q := r.Quantity.Quantity()
	shown := Reading{
		Sensor: string(r.Sensor), Quantity: q.Name, Channel: r.Channel, Value: r.Value, Unit: q.Unit.Symbol,
		Time: Time(r.Measured), Stamped: r.Stamped,
	}
	if r.Value >= 0 && r.Value < float64(len(q.States)) {
		shown.State = q.States[int(r.Value)]
	}
	return shown
}

func appendTotal(dst []byte, total int, truncated bool) []byte {
	dst = append(dst, `],"total":`...)
	dst = strconv.AppendInt(dst, int64(total), 10)
	dst = append(dst, `,"truncated":`...)
	dst = strconv.AppendBool(dst, truncated)
	return append(dst, '}', '\n')
}
