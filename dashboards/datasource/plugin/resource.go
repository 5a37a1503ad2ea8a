package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

const (
	// fewChoices is how many choices a search answers with where it does not say.
	fewChoices = 100
	// mostChoices is how many it may ask for.
	mostChoices = 1000
)

// Choice is one line of a list in the editor or of a variable.
type Choice struct {
	Value       string `json:"value"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
	// Domain, Kind and States are a quantity's.
	Domain string   `json:"domain,omitempty"`
	Kind   string   `json:"kind,omitempty"`
	States []string `json:"states,omitempty"`
	// Lon and Lat are a site's.
	Lon *float64 `json:"lon,omitempty"`
	Lat *float64 `json:"lat,omitempty"`
}

// Choices is the answer of every list. Total counts those that were left out as well.
type Choices struct {
	Items []Choice `json:"items"`
	Total int      `json:"total"`
}

// resources are what editors and variables ask for. Every list takes q, limit, and the names that it depends on: district,
// site, sensor, quantity, domain, which may repeat.
func (d *Datasource) resources() http.Handler {
	mux := http.NewServeMux()
	for path, list := range map[string]func(context.Context, url.Values) ([]Choice, error){
		"GET /quantities": d.quantityChoices,
		"GET /districts":  d.districtChoices,
		"GET /sites":      d.siteChoices,
		"GET /channels":   d.channelChoices,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { d.list(w, r, list) })
	}
	mux.HandleFunc("GET /sensors", d.sensorChoices)
	mux.HandleFunc("GET /plan", d.plan)
	mux.HandleFunc("GET /city", func(w http.ResponseWriter, r *http.Request) {
		if d.fault != nil {
			d.tell(w, r, nil, d.fault)
			return
		}
		about, err := d.city.About(r.Context())
		d.tell(w, r, about, err)
	})
	return mux
}

// plan answers with the city's streets as GeoJSON, which maps draw below their points: no tiles have to come from elsewhere.
func (d *Datasource) plan(w http.ResponseWriter, r *http.Request) {
	if d.fault != nil {
		d.tell(w, r, nil, d.fault)
		return
	}
	geoJSON, tag, err := d.city.Plan(r.Context())
	if err != nil {
		d.tell(w, r, nil, err)
		return
	}
	if tag != "" {
		w.Header().Set("Etag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/geo+json")
	if _, err := w.Write(geoJSON); err != nil {
		d.log.DebugContext(r.Context(), "whoever asked is gone", "error", err)
	}
}

// tell answers with JSON, or with why not.
func (d *Datasource) tell(w http.ResponseWriter, r *http.Request, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		status, answer = statusOf(err), map[string]string{"message": err.Error()}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		d.log.ErrorContext(r.Context(), "an answer could not be written as JSON", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		d.log.DebugContext(r.Context(), "whoever asked is gone", "error", err)
	}
}

// limitOf is how many choices are asked for.
func limitOf(params url.Values) int {
	n, err := strconv.Atoi(params.Get("limit"))
	if err != nil || n <= 0 {
		return fewChoices
	}
	return min(n, mostChoices)
}

// list answers with the choices that match what is searched for.
func (d *Datasource) list(w http.ResponseWriter, r *http.Request, from func(context.Context, url.Values) ([]Choice, error)) {
	if d.fault != nil {
		d.tell(w, r, nil, d.fault)
		return
	}
	params := r.URL.Query()
	all, err := from(r.Context(), params)
	if search := params.Get("q"); search != "" {
		all = slices.DeleteFunc(all, func(c Choice) bool { return !matches(search, c.Value, c.Label, c.Description) })
	}
	d.tell(w, r, Choices{Items: append([]Choice{}, all[:min(len(all), limitOf(params))]...), Total: len(all)}, err)
}

// fits says whether a name is among those that a list depends on; every name fits where there are none.
func fits(params url.Values, key, name string) bool {
	return !params.Has(key) || slices.Contains(params[key], name)
}

// quantityChoices depend on domain, and on sensor or site: then only what is measured there.
func (d *Datasource) quantityChoices(ctx context.Context, params url.Values) ([]Choice, error) {
	catalogue, err := d.city.Quantities(ctx)
	if err != nil {
		return nil, err
	}
	var measured map[string]bool
	if params.Has("sensor") || params.Has("site") || params.Has("district") {
		if measured, err = d.measured(ctx, params); err != nil {
			return nil, err
		}
	}
	var all []Choice
	for _, q := range catalogue {
		if fits(params, "domain", q.Domain) && (measured == nil || measured[q.Name]) {
			unit := q.Unit
			if unit != "" {
				unit = " in " + unit
			}
			all = append(all, Choice{Value: q.Name, Label: q.Title, Description: q.Name + unit, Domain: q.Domain, Kind: q.Kind, States: q.States})
		}
	}
	return all, nil
}

// measured are the quantities of some sensors.
func (d *Datasource) measured(ctx context.Context, params url.Values) (map[string]bool, error) {
	measured := make(map[string]bool)
	if len(params["sensor"]) > 0 {
		for _, id := range params["sensor"][:min(len(params["sensor"]), 20)] {
			sensor, _, err := d.city.Sensor(ctx, id)
			if err != nil {
				return nil, err
			}
			for _, name := range sensor.Quantities {
				measured[name] = true
			}
		}
		return measured, nil
	}
	ask := url.Values{"limit": {"1000"}}
	for _, key := range []string{"site", "district"} {
		if params.Has(key) {
			ask[key] = params[key]
		}
	}
	sensors, _, err := d.city.Sensors(ctx, ask)
	for i := range sensors {
		for _, name := range sensors[i].Quantities {
			measured[name] = true
		}
	}
	return measured, err
}

func (d *Datasource) districtChoices(ctx context.Context, _ url.Values) ([]Choice, error) {
	districts, err := d.city.Districts(ctx)
	all := make([]Choice, len(districts))
	for i, s := range districts {
		all[i] = Choice{Value: s.ID, Label: cmp.Or(s.Title, s.ID)}
	}
	return all, err
}

// siteChoices depend on district and domain.
func (d *Datasource) siteChoices(ctx context.Context, params url.Values) ([]Choice, error) {
	sites, err := d.sites(ctx, asked{Query: question.Query{Districts: params["district"], Domains: params["domain"]}})
	all := make([]Choice, len(sites))
	for i, s := range sites {
		all[i] = Choice{Value: s.ID, Label: cmp.Or(s.Title, s.ID), Description: s.District, Lon: s.Lon, Lat: s.Lat}
	}
	return all, err
}

// sensorChoices depend on district, site, domain and quantity. The server searches: there may be 100,000.
func (d *Datasource) sensorChoices(w http.ResponseWriter, r *http.Request) {
	if d.fault != nil {
		d.tell(w, r, nil, d.fault)
		return
	}
	params := r.URL.Query()
	ask := url.Values{"limit": {strconv.Itoa(limitOf(params))}}
	for _, key := range []string{"q", "district", "site", "domain", "quantity", "state"} {
		if params.Has(key) && params.Get(key) != "" {
			ask[key] = params[key]
		}
	}
	sensors, total, err := d.city.Sensors(r.Context(), ask)
	choices := Choices{Items: make([]Choice, len(sensors)), Total: total}
	for i, s := range sensors {
		choices.Items[i] = Choice{Value: s.ID, Label: cmp.Or(s.Title, s.ID), Description: s.SiteTitle}
	}
	d.tell(w, r, choices, err)
}

// channelChoices are those of the newest readings of some sensors and quantities.
func (d *Datasource) channelChoices(ctx context.Context, params url.Values) ([]Choice, error) {
	ask := url.Values{}
	for _, key := range []string{"sensor", "site", "district", "quantity", "domain"} {
		if params.Has(key) {
			ask[key] = params[key]
		}
	}
	readings, _, err := d.city.Latest(ctx, ask)
	channels := make(map[string]bool)
	for i := range readings {
		channels[readings[i].Channel] = true
	}
	delete(channels, "")
	var all []Choice
	for _, channel := range slices.Sorted(maps.Keys(channels)) {
		all = append(all, Choice{Value: channel, Label: channel})
	}
	return all, err
}
