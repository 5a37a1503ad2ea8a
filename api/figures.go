package api

import (
	"cmp"
	"context"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Figure is a number for the whole city, as a wall shows it.
type Figure struct {
	Domain   string  `json:"domain" enum:"traffic,energy,safety"`
	Quantity string  `json:"quantity"`
	Title    string  `json:"title"`
	Unit     string  `json:"unit"`
	Agg      string  `json:"agg" enum:"mean,sum,max" doc:"How the sensors' values were combined."`
	Value    float64 `json:"value" doc:"Means nothing where sensors is 0."`
	Sensors  int     `json:"sensors" doc:"How many sensors have a reading that is new enough."`
	Time     *Time   `json:"time" nullable:"true" doc:"When the newest of them was measured."`
}

// FigureList is every figure, in the order in which they are shown.
type FigureList struct {
	Items []Figure `json:"items" nullable:"false"`
}

type figuresOutput struct {
	Body FigureList
}

func (s *Server) getFigures(context.Context, *struct{}) (*figuresOutput, error) {
	snapshot := s.deps.Registry.Snapshot()
	figures := s.deps.Figures(time.Now(), func(id telemetry.SensorID) time.Duration {
		sensor, ok := snapshot.Sensor(id)
		if !ok {
			return 0
		}
		return cmp.Or(patience(sensor), s.cfg.FigureAge)
	})
	list := FigureList{Items: make([]Figure, len(figures))}
	for i, f := range figures {
		list.Items[i] = Figure{
			Domain: f.Domain.String(), Quantity: f.Quantity.Name, Title: f.Title, Unit: f.Unit.Symbol, Agg: f.Agg.String(),
			Value: f.Value, Sensors: f.Sensors,
		}
		if f.Sensors > 0 {
			at := Time(f.Time)
			list.Items[i].Time = &at
		}
	}
	return &figuresOutput{Body: list}, nil
}
