package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/embedded"
)

// Every kind of error that the store has, as History and Audit hand it on.
func TestWhatTheStoreRefusesIsToldFromAStoreThatIsAway(t *testing.T) {
	for _, c := range []struct {
		rule    string
		err     store.Error
		history int
		words   []string
		audit   int
		retry   string // Retry-After
	}{
		{"a broken connection", store.Error{Kind: store.Retry, Err: errors.New("secret: connection refused")}, 503, nil, 503, "5"},
		{"a busy store", store.Error{Kind: store.Retry, Status: 200, Message: "max-concurrent-queries limit exceeded(5, 4)"}, 503, nil, 503, "5"},
		{"a store that asks for a pause", store.Error{Kind: store.Retry, Status: 429, RetryAfter: 90 * time.Second}, 503, nil, 503, "90"},
		{"a wrong token", store.Error{Kind: store.Denied, Status: 401, Message: "secret"}, 503, nil, 503, "5"},
		{"a deadline", store.Error{Kind: store.Retry, Err: context.DeadlineExceeded}, 504, []string{"ask for less"}, 504, ""},
		{"the store's own deadline", store.Error{Kind: store.Retry, Status: 200, Message: "query-timeout limit exceeded"}, 504, []string{"ask for less"}, 504, ""},
		{
			"too many steps",
			store.Error{Kind: store.Rejected, Status: 200, Message: "max-select-buckets limit exceeded: (2000000/1000000)"},
			422,
			[]string{"query.step", "longer step", "shorter range", "max-select-buckets limit exceeded: (2000000/1000000)"},
			422, "",
		},
		{
			"too many series",
			store.Error{Kind: store.Rejected, Status: 200, Message: "max-select-series limit exceeded: (6/5)"},
			422,
			[]string{"query.sensor", "fewer sensors", "max-select-series limit exceeded: (6/5)"},
			422, "",
		},
		{
			"too many points",
			store.Error{Kind: store.Rejected, Status: 200, Message: "max-select-point limit exceeed: (11/10)"},
			422,
			[]string{"query.from", "shorter range", "max-select-point limit exceeed: (11/10)"},
			422, "",
		},
		{
			"an answer that is too long",
			store.Error{Kind: store.Rejected, Status: 200, Err: errors.New("the answer is longer than max_response_bytes allows")},
			422,
			[]string{"query.from", "shorter range", "max_response_bytes"},
			422, "",
		},
		{
			"another rejection",
			store.Error{Kind: store.Rejected, Status: 400, Message: "percentile is not supported"},
			422,
			[]string{"query.from", "another agg", "percentile is not supported"},
			422, "",
		},
		{"a question that is too long", store.Error{Kind: store.TooLarge, Status: 413}, 422, []string{"query.sensor", "fewer sensors"}, 422, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := start(t, nil)
			s.history.err = fmt.Errorf("ask the store for readings of safety: %w", &c.err)
			s.audit.err = fmt.Errorf("count rows: %w", &c.err)
			for path, want := range map[string]int{"/api/v1/history?sensor=aa&quantity=no2": c.history, "/api/v1/audit?from=-7d": c.audit} {
				a := s.get(path).problem(want)
				if got := a.header.Get("Retry-After"); got != c.retry {
					t.Errorf("%s: Retry-After %q, want %q", path, got, c.retry)
				}
				if strings.Contains(string(a.body), "secret") {
					t.Errorf("%s tells the inside: %s", path, a.body)
				}
			}
			s.get("/api/v1/history?sensor=aa&quantity=no2").problem(c.history, c.words...)
			if c.audit == http.StatusUnprocessableEntity {
				s.get("/api/v1/audit?from=-7d").problem(c.audit, "query.from", "shorter range")
			}
		})
	}
}

// unasked is a store that nothing may reach.
type unasked struct{ t *testing.T }

func (u unasked) Stream(context.Context, string, func(store.Series) error) error {
	u.t.Error("the store was asked")
	return nil
}

// Every fault of a question that query finds, through the API.
func TestEveryFaultOfAQuestionNamesItsParameter(t *testing.T) {
	cfg := query.DefaultConfig()
	cfg.MaxSensors, cfg.MaxQuantities, cfg.MaxPoints, cfg.MaxRange = 2, 2, 1000, 30*24*time.Hour
	s := start(t, func(s *server) { s.deps.History = query.NewHistory(cfg, unasked{t}, prometheus.NewRegistry()) })
	const good = "sensor=aa&quantity=no2"
	for asked, want := range map[string][]string{
		"":                             {"query.sensor"},
		"sensor=A_A":                   {"query.sensor"},
		"sensor=aa":                    nil, // 404: which quantities, is not known
		"sensor=aa&quantity=happiness": {"query.quantity"},
		"sensor=aa&sensor=bb&sensor=cc&quantity=no2":             {"query.sensor"},
		good + "&quantity=pm10&quantity=o3":                      {"query.quantity"},
		good + "&channel=a%20b":                                  {"query.channel"},
		good + "&from=now&to=-1h":                                {"query.from"},
		good + "&from=-31d":                                      {"query.from"},
		good + "&from=tomorrow":                                  {"query.from"},
		good + "&to=1e99":                                        {"query.to"},
		good + "&from=-24h&step=1s":                              {"query.step"},
		good + "&from=-1h&step=-5m":                              {"query.step"},
		good + "&from=-5s&step=10ms":                             {"query.step"},
		good + "&from=-1h&step=often":                            {"query.step"},
		good + "&agg=median":                                     {"query.agg"},
		good + "&nonsense=1":                                     {"query.nonsense"},
		"sensor=aa&sensor=bb&sensor=cc&quantity=no2&channel=a,b": {"query.sensor", "query.channel"},
	} {
		t.Run(asked, func(t *testing.T) {
			a := s.get("/api/v1/history?" + asked)
			if want == nil {
				a.problem(http.StatusNotFound)
				return
			}
			a.problem(http.StatusUnprocessableEntity)
			var p struct {
				Errors []struct{ Location, Message string }
			}
			a.into(&p)
			var got []string
			for _, e := range p.Errors {
				got = append(got, e.Location)
				if e.Message == "" {
					t.Errorf("%s: no message", e.Location)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("locations (-want +got):\n%s%s", diff, a.body)
			}
		})
	}
}

// The embedded store's own words for its limits are understood.
func TestLimitsOfTheRealStoreAreTold(t *testing.T) {
	client := openStore(t, func(c *embedded.Config) { c.MaxSelectBuckets, c.MaxSelectSeries = 1000, 1000 })
	var lines []byte
	now := time.Now().UnixMilli()
	for i := range 1001 {
		lines = fmt.Appendf(lines, "safety,sensor=air-1,site=market,channel=c%d no2=1 %d\n", i, now)
	}
	if err := client.Write(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(s *server) {
		s.deps.History = query.NewHistory(query.DefaultConfig(), client, prometheus.NewRegistry())
	})
	s.get("/api/v1/history?sensor=air-1&quantity=no2&from=-1h&step=1s").problem(422, "query.step", "max-select-buckets limit exceeded", "longer step")
	s.get("/api/v1/history?sensor=air-1&quantity=no2&from=-1h").problem(422, "query.sensor", "max-select-series limit exceeded", "fewer sensors")
}
