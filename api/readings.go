package api

import (
	"context"
	"io"
	"reflect"
	"strconv"
	"time"

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

// PlacedReading is a reading and where its sensor stands.
type PlacedReading struct {
	Reading
	Site        string   `json:"site,omitempty" doc:"This and what follows only where place=true; empty where the sensor has no site."`
	SiteTitle   string   `json:"site_title,omitempty"`
	District    string   `json:"district,omitempty"`
	Lon         *float64 `json:"lon,omitempty" nullable:"true" doc:"Degrees, WGS 84; null without a site."`
	Lat         *float64 `json:"lat,omitempty" nullable:"true"`
	SensorTitle string   `json:"sensor_title,omitempty"`
	SensorState string   `json:"sensor_state,omitempty" enum:"ok,silent,never" doc:"As in /api/v1/sensors."`
	AgeS        float64  `json:"age_s,omitempty" doc:"Seconds since it was measured; negative where its clock is ahead."`
}

// ReadingList is the answer of /api/v1/latest, for the OpenAPI document; readingsBody is what is sent.
type ReadingList struct {
	Items     []PlacedReading `json:"items" nullable:"false"`
	Total     int             `json:"total"`
	Truncated bool            `json:"truncated" doc:"Whether there are more than items holds; ask for fewer sensors or quantities."`
}

// readingsBody writes a ReadingList without reflection, and takes each sensor's readings only when it comes to them: a
// client that takes its time holds little.
type readingsBody struct {
	sensors []*registry.Sensor
	wants   filter
	latest  Latest
	most    int
	encode  *encoder
	// place appends what place=true adds of a sensor, from its comma; nil without it.
	place func(dst []byte, sensor *registry.Sensor) []byte
	now   telemetry.UnixMilli
}

// Schema implements huma.SchemaProvider.
func (readingsBody) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[ReadingList](), true, "")
}

func (b *readingsBody) writeJSON(w io.Writer) error {
	piece := append(make([]byte, 0, pieceBytes+1024), `{"items":[`...)
	var of []telemetry.Reading
	var place []byte
	total := 0
	for _, sensor := range b.sensors {
		of = b.latest.AppendLatest(of[:0], sensor.ID)
		place = place[:0]
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
			piece = b.encode.appendOpen(piece, &of[i])
			if b.place != nil {
				if len(place) == 0 {
					place = b.place(place, sensor)
				}
				piece = append(append(piece, place...), `,"age_s":`...)
				piece = appendFloat(piece, float64(b.now-of[i].Measured)/1000)
			}
			piece = append(piece, '}')
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
	Sensor []string `query:"sensor,explode" maxItems:"1000" doc:"Only these sensors; may repeat."`
	PlaceParams
	BoxParam
	Domain   []string `query:"domain,explode" maxItems:"3" enum:"traffic,energy,safety" doc:"Only quantities of these domains; may repeat."`
	Quantity []string `query:"quantity,explode" maxItems:"200" doc:"Only these quantities; may repeat."`
	Place    bool     `query:"place" doc:"Add where each sensor stands and how it does."`
}

type latestOutput struct {
	Body *readingsBody
}

func (s *Server) getLatest(_ context.Context, in *latestInput) (*latestOutput, error) {
	wants, err := readingFilter(in.Sensor, in.Domain, in.Quantity)
	if err != nil {
		return nil, err
	}
	c, err := parseChoice(in.Sensor, in.PlaceParams, in.BBox)
	if err != nil {
		return nil, err
	}
	snapshot := s.deps.Registry.Snapshot()
	body := &readingsBody{
		sensors: c.sensorsIn(snapshot), wants: wants, latest: s.deps.Latest, most: s.cfg.MaxLatest, encode: s.encode,
		now: telemetry.MilliOf(time.Now()),
	}
	if in.Place {
		body.place = func(dst []byte, sensor *registry.Sensor) []byte {
			return s.appendPlace(dst, snapshot, sensor, body.now)
		}
	}
	return &latestOutput{Body: body}, nil
}

// appendPlace appends where a sensor stands and how it does, as PlacedReading has it.
func (s *Server) appendPlace(dst []byte, snapshot *registry.Snapshot, sensor *registry.Sensor, now telemetry.UnixMilli) []byte {
	site, ok := snapshot.Site(sensor.Site)
	if !ok {
		site = &registry.Site{}
	}
	state, _ := s.stateOf(sensor, now)
	for _, field := range [...][2]string{
		{"site", site.ID}, {"site_title", site.Title}, {"district", site.District}, {"sensor_title", sensor.Title}, {"sensor_state", state},
	} {
		dst = append(dst, ',', '"')
		dst = append(dst, field[0]...)
		dst = append(dst, '"', ':')
		dst = appendString(dst, field[1])
	}
	if !ok {
		return append(dst, `,"lon":null,"lat":null`...)
	}
	dst = appendFloat(append(dst, `,"lon":`...), site.Lon)
	return appendFloat(append(dst, `,"lat":`...), site.Lat)
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
