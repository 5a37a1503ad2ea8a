package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
)

// slowly asks the store something that takes many seconds in place of the question: each period looks at every point again.
type slowly struct{ *influx.Client }

var slowQuery = `SELECT ` + strings.Repeat(`percentile("speed", 50), `, 200) + `max("speed") FROM "traffic" WHERE time >= 0 AND time < 100d GROUP BY time(10s), "sensor" fill(previous)`

func (s slowly) Stream(ctx context.Context, _ string, each func(store.Series) error) error {
	for {
		err := s.Client.Stream(ctx, slowQuery, each)
		if !tooManyQueries(err) { // because the test was just looking
			return err
		}
	}
}

func tooManyQueries(err error) bool {
	var e *store.Error
	return errors.As(err, &e) && strings.Contains(e.Message, "max-concurrent-queries")
}

// A dashboard that is left, or a panel that asks anew, must not leave its old question running: the store has two
// processors, not two hundred.
func TestRequestThatIsGivenUpEndsTheQueryInTheStore(t *testing.T) {
	client := openStore(t, func(c *embedded.Config) { c.MaxQueries = 1 })
	var lines strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&lines, "traffic,sensor=loop-%d speed=%d %d\n", i%50, i%90, int64(i)*40_000)
	}
	if err := client.Write(t.Context(), []byte(lines.String())); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(s *server) {
		s.deps.History = query.NewHistory(query.DefaultConfig(), slowly{client}, prometheus.NewRegistry())
	})
	busy := func() bool {
		t.Helper()
		_, err := client.Query(context.Background(), `SELECT "speed" FROM "traffic" WHERE time = 0`)
		if err != nil && !tooManyQueries(err) {
			t.Fatal(err)
		}
		return err != nil
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	for _, path := range []string{"/api/v1/history?sensor=loop-1&quantity=speed", "/api/v1/history?sensor=loop-1&quantity=speed&from=-30d&points=500&format=columns"} {
		ctx, giveUp := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			got, err := s.client.Do(r)
			if err == nil {
				got.Body.Close()
				err = fmt.Errorf("answered with %s", got.Status)
			}
			ended <- err
		}()
		until("the query to run", busy)
		giveUp()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
		until("the store to end the query", func() bool { return !busy() })
	}
}
