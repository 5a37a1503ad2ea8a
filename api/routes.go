package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	openAPIPath = "/api/openapi.json"
	docsPath    = "/api/docs"
)

// The names of the two ways to prove oneself, in the OpenAPI document.
const (
	bearerScheme  = "bearer"
	sessionScheme = "session"
)

// routes builds the whole handler.
func (s *Server) routes() (http.Handler, error) {
	compress, err := newCompressor()
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	apiMux := http.NewServeMux()
	doc := s.endpoints(apiMux)
	if err := s.describe(apiMux, doc); err != nil {
		return nil, err
	}
	siteMux := http.NewServeMux()
	siteMux.Handle("GET /livez", s.deps.Livez)
	siteMux.Handle("GET /readyz", s.deps.Readyz)
	if s.deps.Console != nil {
		siteMux.Handle("/", pageSafety(s.deps.Console))
	}
	apiHandler := s.guard(compress(s.rescue(problems(apiMux))))
	siteHandler := compress(s.rescue(problems(siteMux)))

	muxOf := func(r *http.Request) *http.ServeMux {
		if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
			return apiMux
		}
		return siteMux
	}
	split := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if muxOf(r) == apiMux {
			apiHandler.ServeHTTP(w, r)
		} else {
			siteHandler.ServeHTTP(w, r)
		}
	})
	return s.observe(func(r *http.Request) string { return routeOf(muxOf(r), r) }, s.screen(split)), nil
}

// pageSafety is the policy for the console's pages, which need styles set by scripts, and workers and pictures made by
// scripts for the map. The console may set a stricter one.
func pageSafety(next http.Handler) http.Handler {
	const policy = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; " +
		"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

// endpoints registers every endpoint of the API, in the order of its documentation.
func (s *Server) endpoints(mux *http.ServeMux) *huma.OpenAPI {
	a := humago.New(mux, s.humaConfig())
	read, change := s.operation(http.MethodGet), s.operation

	huma.Register(a, read("get-city", "/api/v1/city", "City", "Name, time zone and version"), s.getCity)

	huma.Register(a, listed[SensorList](a, read("list-sensors", "/api/v1/sensors", "Sensors", "List sensors")), s.getSensors)
	huma.Register(a, read("get-sensor", "/api/v1/sensors/{id}", "Sensors", "One sensor with its latest readings"), s.getSensor)
	huma.Register(a, created[SensorWithLatest](a, change(http.MethodPut)("put-sensor", "/api/v1/sensors/{id}", "Sensors", "Register or change a sensor")), s.putSensor)
	huma.Register(a, change(http.MethodDelete)("delete-sensor", "/api/v1/sensors/{id}", "Sensors", "Forget a sensor; its readings stay in the store"), s.deleteSensor)
	huma.Register(a, file(read("export-sensors", "/api/v1/sensors/export", "Sensors", "All sensors as CSV"), "text/csv", nil), s.exportSensors)
	huma.Register(a, s.importOperation(a), s.importSensors)

	huma.Register(a, listed[SiteList](a, read("list-sites", "/api/v1/sites", "Sites", "List sites")), s.getSites)
	huma.Register(a, created[Site](a, change(http.MethodPut)("put-site", "/api/v1/sites/{id}", "Sites", "Register or change a site")), s.putSite)
	huma.Register(a, change(http.MethodDelete)("delete-site", "/api/v1/sites/{id}", "Sites", "Forget a site at which no sensor stands"), s.deleteSite)
	huma.Register(a, listed[DistrictList](a, read("list-districts", "/api/v1/districts", "Sites", "List districts")), s.getDistricts)
	huma.Register(a, created[District](a, change(http.MethodPut)("put-district", "/api/v1/districts/{id}", "Sites", "Register or change a district")), s.putDistrict)
	huma.Register(a, change(http.MethodDelete)("delete-district", "/api/v1/districts/{id}", "Sites", "Forget a district in which no site lies"), s.deleteDistrict)
	huma.Register(a, file(read("get-plan", "/api/v1/plan", "Sites", "Street plan"), geoJSON, schemaOf[StreetPlan](a)), s.getPlan)
	huma.Register(a, sized(change(http.MethodPut)("put-plan", "/api/v1/plan", "Sites", "Replace the street plan"), s.cfg.MaxPlanBytes), s.putPlan)

	huma.Register(a, listed[QuantityList](a, read("list-quantities", "/api/v1/quantities", "Readings", "The catalogue of quantities")), s.getQuantities)
	huma.Register(a, read("get-latest", "/api/v1/latest", "Readings", "Newest reading of each sensor, quantity and channel"), s.getLatest)
	huma.Register(a, read("get-figures", "/api/v1/figures", "Readings", "Figures for the whole city, from readings that are not older than silence"), s.getFigures)
	huma.Register(a, historyOperation(a, read("get-history", "/api/v1/history", "Readings", "Readings over time, raw or by step")), s.getHistory)
	huma.Register(a, liveOperation(a, read("live", livePath, "Readings", "Readings as they are accepted, as server-sent events")), s.openLive)

	huma.Register(a, read("get-ledger", "/api/v1/ledger", "Accounts", "What became of every reading, of the city or of sensors, in sum and by step"), s.getLedger)
	huma.Register(a, read("list-ledger-of-sensors", "/api/v1/ledger/sensors", "Accounts", "The same for every sensor, those first that need attention"), s.getSensorAccounts)
	huma.Register(a, read("get-ledger-of-sensor", "/api/v1/ledger/sensors/{id}", "Accounts", "The same for one sensor, and by minute"), s.getLedgerOfSensor)
	huma.Register(a, read("list-events", "/api/v1/events", "Accounts", "Silences and wrong clocks"), s.getEvents)
	huma.Register(a, read("list-quarantine", "/api/v1/quarantine", "Accounts", "Refused messages, newest first"), s.getQuarantine)
	huma.Register(a, change(http.MethodPost)("replay-quarantine", "/api/v1/quarantine/replay", "Accounts", "Take refused messages in again"), s.replayQuarantine)
	huma.Register(a, read("audit", "/api/v1/audit", "Accounts", "Compare the ledger with the rows in the store"), s.getAudit)
	huma.Register(a, read("get-pipeline", "/api/v1/pipeline", "Accounts", "How the readings flow at this moment"), s.getPipeline)

	huma.Register(a, read("list-bridges", "/api/v1/bridges", "Bridges", "List edge bridges, as they described themselves last"), s.getBridges)
	huma.Register(a, read("get-bridge", "/api/v1/bridges/{id}", "Bridges", "One bridge with its sensors"), s.getBridge)
	// What reaches the limit of a body is refused already.
	huma.Register(a, sized(change(http.MethodPut)("put-bridge-settings", "/api/v1/bridges/{id}/settings", "Bridges", "Leave settings for a bridge, in YAML or JSON; it takes them when it is there"), MaxBridgeSettingsBytes+1), s.putBridgeSettings)
	huma.Register(a, change(http.MethodDelete)("delete-bridge-settings", "/api/v1/bridges/{id}/settings", "Bridges", "Withdraw them; what is on the bridge's own disk counts again"), s.deleteBridgeSettings)
	huma.Register(a, change(http.MethodPost)("command-bridge", "/api/v1/bridges/{id}/commands", "Bridges", "Ask a bridge to do something now, and wait for its answer"), s.commandBridge)

	huma.Register(a, read("get-session", sessionPath, "Session", "What the request may do: whether its token or session counts"), s.getSession)
	huma.Register(a, open(change(http.MethodPost)("sign-in", sessionPath, "Session", "Exchange the token for a session cookie")), s.signIn)
	huma.Register(a, open(change(http.MethodDelete)("sign-out", sessionPath, "Session", "End the session")), s.signOut)
	return a.OpenAPI()
}

func (s *Server) humaConfig() huma.Config {
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Lamppost", Version: s.deps.Version,
				Description: "Sensor readings of a city, from the street to the people who need them. Errors are problem documents (RFC 9457).",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					bearerScheme:  {Type: "http", Scheme: "bearer", Description: "The content of the file api-token in the data folder."},
					sessionScheme: {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "From POST " + sessionPath + "; changes only from the server's own page."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{tidyProblem},
	}
}

// operation returns a function that describes endpoints of one method: with it, what one needs to be let in, and how
// large a body may be.
func (s *Server) operation(method string) func(id, path, tag, summary string) huma.Operation {
	security := []map[string][]string{{bearerScheme: {}}, {sessionScheme: {}}}
	if isSafe(method) && s.gate.loopback {
		security = append([]map[string][]string{{}}, security...)
	}
	return func(id, path, tag, summary string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary,
			Security: security, MaxBodyBytes: s.cfg.MaxBodyBytes, BodyReadTimeout: 15 * time.Second,
		}
	}
}

// open describes an endpoint that everybody may call.
func open(op huma.Operation) huma.Operation {
	op.Security = []map[string][]string{}
	return op
}

// sized describes an endpoint that takes a large body.
func sized(op huma.Operation, maxBytes int64) huma.Operation {
	op.MaxBodyBytes, op.BodyReadTimeout = maxBytes, maxBodyTime
	return op
}

func schemaOf[T any](a huma.API) *huma.Schema {
	return a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// file describes an answer whose bytes we have; schema is nil where it is text.
func file(op huma.Operation, contentType string, schema *huma.Schema) huma.Operation {
	if schema == nil {
		schema = &huma.Schema{Type: huma.TypeString}
	}
	op.Responses = map[string]*huma.Response{"200": {
		Description: http.StatusText(http.StatusOK),
		Content:     map[string]*huma.MediaType{contentType: {Schema: schema}},
	}}
	return op
}

// listed describes a JSON answer with an ETag.
func listed[T any](a huma.API, op huma.Operation) huma.Operation {
	return file(op, "application/json", schemaOf[T](a))
}

// answerProblem is what every endpoint may answer instead.
func answerProblem(a huma.API) *huma.Response {
	return &huma.Response{Description: "Problem document", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schemaOf[huma.ErrorModel](a)},
	}}
}

// created describes an endpoint that answers 201 where it made something, with the same body.
func created[T any](a huma.API, op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{
		"201": {Description: http.StatusText(http.StatusCreated), Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemaOf[T](a)},
		}},
		"default": answerProblem(a),
	}
	return op
}

func (s *Server) importOperation(a huma.API) huma.Operation {
	op := sized(s.operation(http.MethodPost)("import-sensors", "/api/v1/sensors/import", "Sensors", "Register or change the sensors of a CSV file, all or none"), s.cfg.MaxImportBytes)
	op.Description = "Columns: sensor, title, site, site_title, district, lon, lat, publisher, cadence_s, quantities (separated by spaces). Sites and districts that do not exist are created."
	op.Responses = map[string]*huma.Response{
		"422": {Description: "The file has faults; nothing was changed", Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemaOf[importProblem](a)},
		}},
		"default": answerProblem(a),
	}
	return op
}

func liveOperation(a huma.API, op huma.Operation) huma.Operation {
	op.Description = "`event: reading` has a Reading as its data. `event: lost` has a LostReadings: the client was too slow and missed so many. " +
		"A comment line every 15 seconds keeps the connection open. The stream ends when the server stops; clients connect again."
	schemaOf[Reading](a)
	schemaOf[LostReadings](a)
	return file(op, "text/event-stream", nil)
}

// LostReadings is the data of a lost event.
type LostReadings struct {
	Readings int64 `json:"readings" doc:"How many were missed since the last such event, at most."`
}
