package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Plan is the city's street plan.
type Plan struct {
	// Tag names this state of the plan: equal plans have equal tags. It fits an ETag header once quoted.
	Tag string
	// Body is a GeoJSON FeatureCollection (RFC 7946), without superfluous white space.
	Body []byte
	// UpdatedAt is in UTC, in milliseconds.
	UpdatedAt time.Time
}

// Plan returns the street plan. Where there is none the error wraps ErrNotFound.
func (r *Registry) Plan(ctx context.Context) (Plan, error) {
	var p Plan
	var updated int64
	err := r.file.readers.QueryRowContext(ctx, `SELECT tag, body, updated_at FROM plan WHERE id = 1`).
		Scan(&p.Tag, &p.Body, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return Plan{}, fmt.Errorf("street plan: %w", ErrNotFound)
	}
	if err != nil {
		return Plan{}, fmt.Errorf("read the street plan: %w", err)
	}
	p.UpdatedAt = telemetry.UnixMilli(updated).Time()
	return p, nil
}

// SetPlan replaces the street plan by a GeoJSON FeatureCollection of at most Config.MaxPlanBytes, positions in longitude,
// latitude. It returns the plan as it is kept. The errors are *InvalidError, or from the file.
func (r *Registry) SetPlan(ctx context.Context, by Actor, geoJSON []byte) (Plan, error) {
	body, err := r.checkPlan(geoJSON)
	if err != nil {
		return Plan{}, &InvalidError{Subject: "street plan", Fields: []FieldError{{Field: "body", Message: err.Error()}}}
	}
	sum := sha256.Sum256(body)
	p := Plan{Tag: hex.EncodeToString(sum[:8]), Body: body}
	const upsert = `INSERT INTO plan (id, tag, body, updated_at) VALUES (1, $1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET tag = excluded.tag, body = excluded.body, updated_at = excluded.updated_at`
	err = r.change(ctx, by, func(e *edit) error {
		var tag string
		var updated int64
		err := e.tx.QueryRowContext(ctx, `SELECT tag, updated_at FROM plan WHERE id = 1`).Scan(&tag, &updated)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the street plan: %w", err)
		}
		if tag == p.Tag {
			p.UpdatedAt = telemetry.UnixMilli(updated).Time()
			return nil
		}
		p.UpdatedAt = e.at.Time()
		if err := e.exec(ctx, upsert, p.Tag, string(body), int64(e.at)); err != nil {
			return fmt.Errorf("write the street plan: %w", err)
		}
		action := ActionUpdate
		if tag == "" {
			action = ActionCreate
		}
		e.note(action, KindPlan, string(KindPlan))
		return nil
	})
	if err != nil {
		return Plan{}, err
	}
	return p, nil
}

// feature is what is looked at of a GeoJSON Feature.
type feature struct {
	Type     string `json:"type"`
	Geometry *struct {
		Type        string `json:"type"`
		Coordinates any    `json:"coordinates"`
	} `json:"geometry"`
	Properties map[string]any `json:"properties"`
}

func (r *Registry) checkPlan(geoJSON []byte) ([]byte, error) {
	if int64(len(geoJSON)) > r.cfg.MaxPlanBytes {
		return nil, fmt.Errorf("has %d bytes; at most %d are allowed", len(geoJSON), r.cfg.MaxPlanBytes)
	}
	if !utf8.Valid(geoJSON) {
		return nil, errors.New("is not UTF-8")
	}
	var collection struct {
		Type     string    `json:"type"`
		Features []feature `json:"features"`
	}
	if err := json.Unmarshal(geoJSON, &collection); err != nil {
		return nil, fmt.Errorf("is not GeoJSON: %w", err)
	}
	if collection.Type != "FeatureCollection" {
		return nil, fmt.Errorf("has the type %.40q; give a FeatureCollection", collection.Type)
	}
	if collection.Features == nil {
		return nil, errors.New(`has no list "features"`)
	}
	for i, f := range collection.Features {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("features[%d] %w", i, err)
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, geoJSON); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

func (f *feature) check() error {
	if f.Type != "Feature" {
		return fmt.Errorf("has the type %.40q; give a Feature", f.Type)
	}
	if f.Geometry == nil {
		return nil // RFC 7946, 3.2: a feature without a place
	}
	// How deep positions lie in the coordinates (RFC 7946, 3.1).
	depth, ok := map[string]int{
		"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3,
	}[f.Geometry.Type]
	if !ok {
		return fmt.Errorf("has a geometry of the type %.40q; give a Point, LineString or Polygon, or a Multi of them",
			f.Geometry.Type)
	}
	return checkPositions(f.Geometry.Coordinates, depth)
}

func checkPositions(coordinates any, depth int) error {
	list, ok := coordinates.([]any)
	if !ok {
		return errors.New("has coordinates that are not a list, or not as deep as its geometry asks for")
	}
	if depth == 0 {
		return checkPosition(list)
	}
	for _, inner := range list {
		if err := checkPositions(inner, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func checkPosition(position []any) error {
	if len(position) < 2 {
		return errors.New("has a position without longitude and latitude")
	}
	for i, limit := range []float64{180, 90} {
		if x, ok := position[i].(float64); !ok || math.Abs(x) > limit {
			return fmt.Errorf("has a position with %.40q; give longitude (-180 to 180), then latitude (-90 to 90)",
				fmt.Sprint(position[i]))
		}
	}
	return nil
}
