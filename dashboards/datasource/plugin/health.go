package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
)

// tellClock is how far clocks have to be apart for the health check to speak of it.
const tellClock = 30 * time.Second

// CheckHealth says whether the data source works, or what exactly has to be mended.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	if d.fault != nil {
		return ill("settings", d.fault.Error()), nil //nolint:nilerr // the answer says it
	}
	about, err := d.city.About(ctx)
	if err != nil {
		return diagnosed(err), nil
	}
	if about.Name == "" && about.Zone == "" {
		return ill(string(city.Foreign), "what answers at "+d.city.Address()+" is not Lamppost; correct the address"), nil
	}
	if about.API != city.Contract {
		return ill(string(city.Old), versions(about)), nil
	}
	session, err := d.city.Session(ctx)
	if err != nil {
		return diagnosed(err), nil
	}
	switch {
	case d.city.HasToken() && !session.Authenticated:
		return ill(string(city.Unknown), "Lamppost answers, but does not know the token; set the one that is in the file api-token of its data folder now"), nil
	case !slices.Contains(session.May, "read"):
		return ill(string(city.Forbidden), "Lamppost answers, but the token may not read; set one that may"), nil
	}
	text := fmt.Sprintf("Lamppost %s of %s answers, and takes the token.", about.Version, about.Name)
	if !d.city.HasToken() {
		text = fmt.Sprintf("Lamppost %s of %s answers without a token, which it does only on its own machine.", about.Version, about.Name)
	}
	if off := d.city.Ahead(); off.Abs() >= tellClock {
		how := "behind"
		if off < 0 {
			how = "ahead of"
		}
		text += fmt.Sprintf(" The clock of Grafana's machine is about %s %s Lamppost's: set the one that is wrong, or ranges that end now show too little or too much.", off.Abs().Round(tellClock), how)
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: text}, nil
}

// versions words a server with another contract.
func versions(about city.About) string {
	if about.API > city.Contract {
		return fmt.Sprintf("Lamppost %s speaks contract %d of its API, and this plugin knows %d only; update the plugin", about.Version, about.API, city.Contract)
	}
	return "this Lamppost is older than the plugin: it does not offer what the plugin asks for; update Lamppost"
}

// diagnosed words an error.
func diagnosed(err error) *backend.CheckHealthResult {
	var fault *city.Fault
	if !errors.As(err, &fault) {
		return ill("cancelled", err.Error())
	}
	return ill(string(fault.Kind), fault.Detail)
}

// ill is the answer of a data source that does not work; what says which setting is to blame.
func ill(what, text string) *backend.CheckHealthResult {
	details, err := json.Marshal(map[string]string{"fault": what, "verboseMessage": text})
	if err != nil {
		details = nil
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: text, JSONDetails: details}
}

// statusOf is the HTTP status of a fault, for resource calls.
func statusOf(err error) int {
	if response := refuse(err); response.Status >= http.StatusBadRequest && response.Status < 600 {
		return int(response.Status)
	}
	return http.StatusInternalServerError
}
