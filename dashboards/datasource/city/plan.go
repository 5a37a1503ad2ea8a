package city

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// noPlan is the plan of a city that has none.
const noPlan = `{"type":"FeatureCollection","features":[]}`

// keptPlan is the street plan. Whoever asks while it is being asked for waits.
type keptPlan struct {
	mu    sync.Mutex
	text  json.RawMessage
	tag   string
	until time.Time
}

// Plan is the city's street plan as GeoJSON, without features where it has none, and its ETag, "" where there is none. It may be
// 30 s old. The caller must not change it.
func (c *Client) Plan(ctx context.Context) (geoJSON json.RawMessage, tag string, err error) {
	k := &c.plan
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.text, k.tag, nil
	}
	var text json.RawMessage
	tag, err = c.get(ctx, "plan", nil, k.tag, &text)
	var fault *Fault
	switch {
	case errors.As(err, &fault) && fault.Status == http.StatusNotFound && fault.Kind == Wrong:
		k.text, k.tag = json.RawMessage(noPlan), ""
	case err != nil:
		return nil, "", err
	case tag == "" || tag != k.tag:
		k.text, k.tag = text, tag
	}
	k.until = time.Now().Add(keepFor)
	return k.text, k.tag, nil
}
