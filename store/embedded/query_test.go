package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

func TestEndedContextEndsTheQueryInTheStore(t *testing.T) {
	s := startSlow(t)
	s.cancel()
	var e *store.Error
	if err := <-s.failed; !errors.As(err, &e) || e.Kind != store.Retry || !errors.Is(err, context.Canceled) {
		t.Errorf("ended query: %v", err)
	}
	until(t, "the store to end the query", func() bool { return !busy(t, s.client) })
}

func TestStopDoesNotWaitForALongQuery(t *testing.T) {
	s := startSlow(t)
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	var e *store.Error
	if err := <-s.failed; !errors.As(err, &e) || e.Kind != store.Retry {
		t.Errorf("query that was under way: %v", err)
	}
}

// slowQuery takes many seconds: each of its periods looks at every point again.
var slowQuery = `SELECT ` + strings.Repeat(`percentile("speed", 50), `, 200) + `max("speed") FROM "traffic" WHERE time >= 0 AND time < 100d GROUP BY time(10s), "sensor" fill(previous)`

func fill(t *testing.T, c *influx.Client, points int) {
	t.Helper()
	var b strings.Builder
	for i := range points {
		fmt.Fprintf(&b, "traffic,sensor=loop-%d speed=%d %d\n", i%50, i%90, int64(i)*40_000)
	}
	write(t, c, b.String())
}

// slow is a store that allows one query at a time, and is busy with one.
type slow struct {
	client *influx.Client
	failed <-chan error
	cancel context.CancelFunc
	stop   func()
}

func startSlow(t *testing.T) slow {
	t.Helper()
	cfg := config(t)
	cfg.MaxQueries = 1
	s, stop := storetest.StartEmbedded(t, cfg)
	c := storetest.Client(t, s.Influx())
	fill(t, c, 200_000)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Query(ctx, slowQuery)
		for refused(err) { // because the test was just looking
			_, err = c.Query(ctx, slowQuery)
		}
		failed <- err
	}()
	until(t, "the query to run", func() bool { return busy(t, c) })
	return slow{client: c, failed: failed, cancel: cancel, stop: stop}
}

// busy tells whether the store refuses a query because another one runs.
func busy(t *testing.T, c *influx.Client) bool {
	t.Helper()
	_, err := c.Query(context.Background(), `SELECT "speed" FROM "traffic" WHERE time = 0`)
	if err != nil && !refused(err) {
		t.Fatal(err)
	}
	return err != nil
}

// refused tells whether there were too many queries, which is worth another attempt.
func refused(err error) bool {
	var e *store.Error
	return errors.As(err, &e) && e.Kind == store.Retry && strings.Contains(e.Message, "max-concurrent-queries")
}
