package registry

import (
	"context"
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// GetSensor returns a sensor as it is in the file now. Without it the error wraps ErrNotFound.
func (r *Registry) GetSensor(ctx context.Context, id telemetry.SensorID) (Sensor, error) {
	now, err := r.refresh(ctx)
	if err != nil {
		return Sensor{}, err
	}
	s, ok := now.Sensor(id)
	if !ok {
		return Sensor{}, notFound(KindSensor, string(id))
	}
	found := *s
	found.Quantities = slices.Clone(s.Quantities)
	return found, nil
}

// GetSite returns a site as it is in the file now. Without it the error wraps ErrNotFound.
func (r *Registry) GetSite(ctx context.Context, id string) (Site, error) {
	now, err := r.refresh(ctx)
	if err != nil {
		return Site{}, err
	}
	s, ok := now.Site(id)
	if !ok {
		return Site{}, notFound(KindSite, id)
	}
	return *s, nil
}

// GetDistrict returns a district as it is in the file now. Without it the error wraps ErrNotFound.
func (r *Registry) GetDistrict(ctx context.Context, id string) (District, error) {
	now, err := r.refresh(ctx)
	if err != nil {
		return District{}, err
	}
	d, ok := now.District(id)
	if !ok {
		return District{}, notFound(KindDistrict, id)
	}
	return *d, nil
}

// List is Snapshot.List on what is in the file now.
func (r *Registry) List(ctx context.Context, f Filter, p Page) (items []*Sensor, total int, err error) {
	now, err := r.refresh(ctx)
	if err != nil {
		return nil, 0, err
	}
	items, total = now.List(f, p)
	return items, total, nil
}
