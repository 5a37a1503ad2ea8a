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
	"strings"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
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
	// Group is what it is offered under; "" is what comes first.
	Group string `json:"group,omitempty"`
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
// site, sensor, quantity, domain, which may repeat. With id, which may repeat, it has only those, for their titles.
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
	all = slices.DeleteFunc(all, func(c Choice) bool { return !fits(params, "id", c.Value) })
	if search := params.Get("q"); search != "" {
		all = slices.DeleteFunc(all, func(c Choice) bool { return !matches(search, c.Value, c.Label, c.Description) })
	}
	d.tell(w, r, Choices{Items: append([]Choice{}, all[:min(len(all), limitOf(params))]...), Total: len(all)}, err)
}

// fits says whether a name is among those that a list depends on; every name fits where there are none.
func fits(params url.Values, key, name string) bool {
	return !params.Has(key) || slices.Contains(params[key], name)
}

// quantityChoices depend on domain, and on sensor, site or district: then only what is measured there. With all the others follow
// in a group of their own, and without a place what counts as measured is what the city measures.
func (d *Datasource) quantityChoices(ctx context.Context, params url.Values) ([]Choice, error) {
	catalogue, err := d.city.Quantities(ctx)
	if err != nil {
		return nil, err
	}
	whole := params.Has("all")
	var measured map[string]bool
	if whole || params.Has("sensor") || params.Has("site") || params.Has("district") {
		if measured, err = d.measured(ctx, params, catalogue); err != nil {
			return nil, err
		}
	}
	var all, rest []Choice
	for _, q := range catalogue {
		if !fits(params, "domain", q.Domain) {
			continue
		}
		unit := q.Unit
		if unit != "" {
			unit = " in " + unit
		}
		c := Choice{Value: q.Name, Label: q.Title, Description: q.Name + unit, Domain: q.Domain, Kind: q.Kind, States: q.States}
		switch {
		case measured == nil || measured[q.Name]:
			all = append(all, c)
		case whole:
			c.Group = "Not measured here"
			rest = append(rest, c)
		}
	}
	return append(all, rest...), nil
}

// mostNamed is how many chosen sensors are looked at for what they measure.
const mostNamed = 50

// measured are the quantities of some sensors; nil where too many are chosen to look at each.
func (d *Datasource) measured(ctx context.Context, params url.Values, catalogue []city.Quantity) (map[string]bool, error) {
	ids := params["sensor"]
	if len(ids) > mostNamed {
		return nil, nil
	}
	if len(ids) > 0 {
		return d.whatIsMeasured.get(url.Values{"sensor": ids}.Encode(), func() (map[string]bool, error) {
			sensors, err := d.find(ctx, ids)
			return quantitiesOf(sensors), err
		})
	}
	ask := url.Values{}
	for _, key := range []string{"site", "district"} {
		if params.Has(key) {
			ask[key] = params[key]
		}
	}
	return d.whatIsMeasured.get(ask.Encode(), func() (map[string]bool, error) { return d.measuredAt(ctx, ask, catalogue) })
}

func quantitiesOf(sensors []city.Sensor) map[string]bool {
	measured := make(map[string]bool)
	for i := range sensors {
		for _, name := range sensors[i].Quantities {
			measured[name] = true
		}
	}
	return measured
}

// measuredAt are the quantities of all sensors of some places. Where there are more than one answer holds, the server is asked for
// each quantity that the first of them do not have.
func (d *Datasource) measuredAt(ctx context.Context, places url.Values, catalogue []city.Quantity) (map[string]bool, error) {
	ask := maps.Clone(places)
	ask.Set("limit", strconv.Itoa(question.MaxRows))
	sensors, total, err := d.city.Sensors(ctx, ask)
	measured := quantitiesOf(sensors)
	if err != nil || total <= len(sensors) {
		return measured, err
	}
	for _, q := range catalogue {
		if measured[q.Name] {
			continue
		}
		ask := maps.Clone(places)
		ask.Set("limit", "1")
		ask.Set("quantity", q.Name)
		_, n, err := d.city.Sensors(ctx, ask)
		if err != nil {
			return nil, err
		}
		measured[q.Name] = n > 0
	}
	return measured, nil
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
	if ids := params["id"]; len(ids) > 0 {
		sensors, err := d.find(r.Context(), ids[:min(len(ids), fewChoices)])
		d.tell(w, r, ofSensors(sensors, len(sensors)), err)
		return
	}
	ask := url.Values{"limit": {strconv.Itoa(limitOf(params))}}
	for _, key := range []string{"q", "district", "site", "domain", "quantity", "state"} {
		if params.Has(key) && params.Get(key) != "" {
			ask[key] = params[key]
		}
	}
	sensors, total, err := d.city.Sensors(r.Context(), ask)
	d.tell(w, r, ofSensors(sensors, total), err)
}

// ofSensors are sensors as choices, described by their ids, and by their places where the title does not begin with that.
func ofSensors(sensors []city.Sensor, total int) Choices {
	choices := Choices{Items: make([]Choice, len(sensors)), Total: total}
	for i, s := range sensors {
		c := Choice{Value: s.ID, Label: cmp.Or(s.Title, s.ID)}
		var about []string
		if c.Label != s.ID {
			about = append(about, s.ID)
		}
		if s.SiteTitle != "" && !strings.HasPrefix(c.Label, s.SiteTitle) {
			about = append(about, s.SiteTitle)
		}
		c.Description = strings.Join(about, ", ")
		choices.Items[i] = c
	}
	return choices
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
