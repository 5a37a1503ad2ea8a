package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/lamppost-city/lamppost/registry"
)

const geoJSON = "application/geo+json"

// StreetPlan describes the GeoJSON of the plan in the OpenAPI document; the bytes themselves pass unchanged.
type StreetPlan struct {
	Type     string           `json:"type" enum:"FeatureCollection"`
	Features []map[string]any `json:"features" doc:"Each with properties.kind (street, water, park or district) and properties.name."`
}

type planInput struct {
	IfNoneMatch string `header:"If-None-Match" hidden:"true"`
}

func (s *Server) getPlan(ctx context.Context, in *planInput) (*fileOutput, error) {
	plan, err := s.deps.Registry.Plan(ctx)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, newProblem(http.StatusNotFound, "there is no street plan yet; PUT one here")
	}
	if err != nil {
		return nil, s.fault(ctx, "read the street plan", err)
	}
	return planFile(plan, in.IfNoneMatch)
}

func planFile(plan registry.Plan, ifNoneMatch string) (*fileOutput, error) {
	tag := weak(plan.Tag)
	if matches(ifNoneMatch, tag) {
		return nil, notModified(tag)
	}
	return &fileOutput{ContentType: geoJSON, ETag: tag, Body: plan.Body}, nil
}

type putPlanInput struct {
	RawBody []byte `contentType:"application/geo+json"`
}

// PlanKept says what is kept of a street plan.
type PlanKept struct {
	Bytes    int `json:"bytes"`
	Features int `json:"features"`
}

type planKeptOutput struct {
	ETag string `header:"ETag"`
	Body PlanKept
}

func (s *Server) putPlan(ctx context.Context, in *putPlanInput) (*planKeptOutput, error) {
	done, err := s.begin(ctx, s.writes)
	if err != nil {
		return nil, err
	}
	defer done()
	plan, err := s.deps.Registry.SetPlan(ctx, actor, in.RawBody)
	if err != nil {
		return nil, s.fault(ctx, "keep the street plan", err)
	}
	var counted struct {
		Features []json.RawMessage `json:"features"`
	}
	if err := json.Unmarshal(plan.Body, &counted); err != nil {
		return nil, s.fault(ctx, "read the street plan", err)
	}
	return &planKeptOutput{ETag: weak(plan.Tag), Body: PlanKept{Bytes: len(plan.Body), Features: len(counted.Features)}}, nil
}
