package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"

	"github.com/lamppost-city/lamppost/dashboards/datasource/city"
	"github.com/lamppost-city/lamppost/dashboards/datasource/live"
	"github.com/lamppost-city/lamppost/internal/secret"
)

// ID is the plugin's id, as in plugin.json.
const ID = "lamppost-city-datasource"

// TokenKey is where secureJsonData holds the token of the API.
const TokenKey = "token"

var (
	_ backend.QueryDataHandler      = (*Datasource)(nil)
	_ backend.CheckHealthHandler    = (*Datasource)(nil)
	_ backend.CallResourceHandler   = (*Datasource)(nil)
	_ backend.StreamHandler         = (*Datasource)(nil)
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// Datasource asks one Lamppost. Grafana calls it from many goroutines.
type Datasource struct {
	backend.CallResourceHandler

	uid  string
	city *city.Client
	hub  *live.Hub
	log  *slog.Logger
	// whatIsMeasured is for the editor.
	whatIsMeasured memory
	// fault says what is wrong with the settings; nothing else but uid and log is set then.
	fault error
}

// New is called by Grafana for each data source, and again whenever its settings change. Settings that cannot work are told
// by the health check and every query, not here: Grafana would hide what is said here.
func New(ctx context.Context, settings backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	log := NewLog(backend.Logger)
	d := &Datasource{uid: settings.UID, log: log}
	if d.city, d.fault = newClient(ctx, settings); d.fault == nil {
		d.hub = live.New(d.city, live.DefaultConfig(), log)
	}
	d.CallResourceHandler = httpadapter.New(d.resources())
	return d, nil
}

// Dispose ends the streams.
func (d *Datasource) Dispose() {
	if d.hub != nil {
		d.hub.Close()
	}
}

// defaultTimeout is how long an answer may take where the settings do not say: less than a wall's refresh of 30 s, which would
// cancel a question that nobody answers before its panel says so.
const defaultTimeout = 15 * time.Second

// timed says whether the settings name a time limit.
func timed(settings json.RawMessage) bool {
	var named struct{ Timeout any }
	return json.Unmarshal(settings, &named) == nil && named.Timeout != nil
}

// newClient makes the SDK's HTTP clients of the settings: TLS, own authorities, time limits and proxies are theirs.
func newClient(ctx context.Context, settings backend.DataSourceInstanceSettings) (*city.Client, error) {
	options, err := settings.HTTPClientOptions(ctx)
	if err != nil {
		return nil, fmt.Errorf("settings: %w; save the data source anew", err)
	}
	if !timed(settings.JSONData) {
		options.Timeouts.Timeout = defaultTimeout
	}
	if options.Timeouts.Timeout <= 0 { // which net/http would take for no limit at all
		return nil, errors.New("timeout: an answer needs some time; set a number of seconds from 1 on, or leave it empty")
	}
	// Lamppost never redirects. Whoever does is something else, and must not be shown the token.
	options.ConfigureClient = func(_ httpclient.Options, client *http.Client) {
		client.CheckRedirect = func(next *http.Request, _ []*http.Request) error { return &city.Moved{To: next.URL.Redacted()} }
	}
	ordinary, err := httpclient.New(options)
	if err != nil {
		return nil, fmt.Errorf("settings: %w; look at the TLS settings", err)
	}
	times := *options.Timeouts
	times.Timeout = 0
	options.Timeouts = &times
	stream, err := httpclient.New(options)
	if err != nil {
		return nil, fmt.Errorf("settings: %w; look at the TLS settings", err)
	}
	return city.New(settings.URL, secret.String(settings.DecryptedSecureJSONData[TokenKey]), ordinary, stream)
}
