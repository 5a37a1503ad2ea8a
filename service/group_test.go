package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// diary notes what parts do, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// part is ready after a while and takes a while to stop.
func (d *diary) part(name string, warmUp, coolDown time.Duration) service.Part {
	ready := make(chan struct{})
	return service.Part{Name: name, Ready: ready, Run: func(ctx context.Context) error {
		d.note("start " + name)
		time.Sleep(warmUp)
		d.note("ready " + name)
		close(ready)
		<-ctx.Done()
		time.Sleep(coolDown)
		d.note("stop " + name)
		return nil
	}}
}

func TestPartsStartInOrderAndStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := service.NewGroup(10*time.Second, discard, d.part("store", 3*time.Second, time.Second), d.part("broker", time.Second, 2*time.Second), d.part("ingest", 0, time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		time.Sleep(5 * time.Second)
		for _, s := range g.Status() {
			if s.State != service.Ready {
				t.Errorf("%s is %s", s.Name, s.State)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{"start store", "ready store", "start broker", "ready broker", "start ingest", "ready ingest", "stop ingest", "stop broker", "stop store"}
		if !slices.Equal(d.lines, want) {
			t.Errorf("got %q, want %q", d.lines, want)
		}
	})
}

func TestFailingPartStopsTheOthersAndIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		broken := service.Part{Name: "broker", Run: func(context.Context) error { return errors.New("port is taken") }}
		err := service.NewGroup(10*time.Second, discard, d.part("store", time.Second, time.Second), broken).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "broker: port is taken") {
			t.Errorf("error: %v", err)
		}
		if !slices.Contains(d.lines, "stop store") {
			t.Errorf("store was not stopped: %q", d.lines)
		}
	})
}

func TestPartThatReturnsEarlyEndsTheProcess(t *testing.T) {
	err := service.NewGroup(time.Second, discard, service.Part{Name: "store", Run: func(context.Context) error { return nil }}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "store ended without being asked to") {
		t.Errorf("error: %v", err)
	}
}

func TestStopHasADeadlineThatNamesThePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		g := service.NewGroup(10*time.Second, discard, d.part("store", 0, 0), d.part("stubborn", 0, time.Minute))
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		began := time.Now()
		err := <-done
		if err == nil || !strings.Contains(err.Error(), "stubborn did not stop within 10s") {
			t.Errorf("error: %v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("stopping took %s", took)
		}
		time.Sleep(2 * time.Minute)
	})
}

func TestReadyzNamesEachPart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	sick := errors.New("store takes no readings")
	var mu sync.Mutex
	run := func(ctx context.Context) error { <-ctx.Done(); return nil }
	g := service.NewGroup(time.Second, discard, service.Part{Name: "store", Run: run, Health: func() error { mu.Lock(); defer mu.Unlock(); return sick }}, service.Part{Name: "api", Run: run})
	ask := func() (int, map[string]any) {
		recorder := httptest.NewRecorder()
		g.Readyz().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var answer map[string]any
		if err := json.NewDecoder(recorder.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return recorder.Code, answer
	}
	if code, _ := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("before the start: %d", code)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	for g.Status()[1].State != service.Ready {
		time.Sleep(time.Millisecond)
	}
	code, answer := ask()
	store := answer["parts"].([]any)[0].(map[string]any)
	if code != http.StatusServiceUnavailable || store["message"] != sick.Error() || store["state"] != "failing" {
		t.Errorf("with a sick store: %d %v", code, answer)
	}
	mu.Lock()
	sick = nil
	mu.Unlock()
	if code, answer := ask(); code != http.StatusOK {
		t.Errorf("all well: %d %v", code, answer)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
