package city

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// keepFor is how long the catalogue and places are used before the server is asked whether they are still so.
const keepFor = 30 * time.Second

// Quantity is an entry of the catalogue.
type Quantity struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Domain string   `json:"domain"`
	Kind   string   `json:"kind"`
	Unit   string   `json:"unit"`
	SenML  string   `json:"senml"`
	States []string `json:"states"`
}

// Site is where sensors stand.
type Site struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	District string   `json:"district"`
	Lon      *float64 `json:"lon"`
	Lat      *float64 `json:"lat"`
	Domains  []string `json:"domains"`
	Sensors  float64  `json:"sensors"`
	Silent   float64  `json:"silent"`
	Never    float64  `json:"never"`
	State    string   `json:"state"`
}

// District is a part of the city.
type District struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	Sites   float64 `json:"sites"`
	Sensors float64 `json:"sensors"`
}

// kept are the answers that hardly change.
type kept struct {
	quantities keep[Quantity]
	districts  keep[District]
	sites      keep[Site]
	zone       keptZone
}

// keptZone is where the city reads its clocks.
type keptZone struct {
	mu    sync.Mutex
	zone  *time.Location
	until time.Time
}

// Zone is the city's time zone.
func (c *Client) Zone(ctx context.Context) (*time.Location, error) {
	k := &c.kept.zone
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.zone, nil
	}
	about, err := c.About(ctx)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(about.Zone)
	if err != nil {
		return nil, &Fault{Kind: Foreign, Detail: fmt.Sprintf("the city's time zone %q is not known here", about.Zone), Err: err}
	}
	k.zone, k.until = zone, time.Now().Add(keepFor)
	return zone, nil
}

// keep is one such answer. Whoever asks while it is being asked for waits.
type keep[T any] struct {
	mu    sync.Mutex
	items []T
	tag   string
	until time.Time
}

// Quantities is the catalogue. The caller must not change it.
func (c *Client) Quantities(ctx context.Context) ([]Quantity, error) {
	return c.kept.quantities.get(ctx, c, "quantities")
}

// Districts are all of the city. The caller must not change them.
func (c *Client) Districts(ctx context.Context) ([]District, error) {
	return c.kept.districts.get(ctx, c, "districts")
}

// Sites are all of the city; their states may be 30 s old. The caller must not change them.
func (c *Client) Sites(ctx context.Context) ([]Site, error) {
	return c.kept.sites.get(ctx, c, "sites")
}

func (k *keep[T]) get(ctx context.Context, c *Client, path string) ([]T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.items, nil
	}
	answer := struct {
		Items []T `json:"items"`
	}{}
	tag, err := c.get(ctx, path, url.Values{}, k.tag, &answer)
	if err != nil {
		return nil, err
	}
	if tag == "" || tag != k.tag {
		k.items, k.tag = answer.Items, tag
	}
	k.until = time.Now().Add(keepFor)
	return k.items, nil
}
