package plugin

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/frames"
)

// bridges answers with the edge bridges that have reported. A bridge may be named as a sensor: its id is a publisher's. It is of
// no one place or quantity, because its sensors may be of many: package question refuses to choose bridges by these.
func (d *Datasource) bridges(ctx context.Context, a asked) (data.Frames, error) {
	params := url.Values{"limit": {strconv.Itoa(city.MaxBridges)}}
	items, total, err := d.city.Bridges(ctx, params)
	if err != nil {
		return nil, err
	}
	all := len(items)
	items = slices.DeleteFunc(items, func(b city.Bridge) bool {
		return len(a.Sensors) > 0 && !slices.Contains(a.Sensors, b.Publisher) ||
			rejects(a.unwanted, func(key string) string { return map[string]string{"sensor": b.Publisher}[key] })
	})
	answer := shown(city.Call("bridges", params), frames.Bridges(cut(items, a.Limit)))
	if total > all {
		warned(answer[0], "there are "+strconv.Itoa(total)+" bridges, and the first "+strconv.Itoa(all)+" are looked at")
	}
	return answer, nil
}
