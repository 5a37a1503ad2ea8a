package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/telemetry"
)

// CheckResult is how one try of one sensor went.
type CheckResult struct {
	Sensor settings.Sensor
	Read   []driver.Measurement
	// Took is how long opening and reading took together.
	Took time.Duration
	// Err is what is wrong; nil if everything was read.
	Err error
}

// check tries every sensor of the settings once: those of one bus one after another, the buses side by side. The results are in
// the order of the settings.
func (f *fleet) check(ctx context.Context, s *settings.Settings) []CheckResult {
	results := make([]CheckResult, len(s.Sensors))
	var buses sync.WaitGroup
	for _, cfg := range s.Buses {
		on := &shared{cfg: cfg, sensors: sensorsOn(s, cfg.ID)}
		buses.Go(func() {
			defer on.close(f.log)
			for i, one := range s.Sensors {
				if one.Bus != cfg.ID {
					continue
				}
				began := time.Now()
				read, err := f.checkOne(ctx, one, on)
				results[i] = CheckResult{Sensor: one, Read: read, Took: time.Since(began), Err: err}
			}
		})
	}
	buses.Wait()
	return results
}

// checkOne reads a sensor once. One that speaks only on its own is listened to.
func (f *fleet) checkOne(ctx context.Context, cfg settings.Sensor, on *shared) ([]driver.Measurement, error) {
	try := &station{cfg: cfg, clock: f.clock, changed: func() {}, log: f.log, now: make(chan struct{}, 1)}
	var mu sync.Mutex
	var read []driver.Measurement
	try.take = func(_ telemetry.SensorID, ms []driver.Measurement) {
		mu.Lock()
		read = append(read, ms...)
		mu.Unlock()
	}
	all := func() []driver.Measurement {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(read)
	}
	var sensor driver.Sensor
	err := try.within(ctx, nil, func(ctx context.Context) (err error) {
		sensor, _, err = f.open(ctx, cfg, on)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = try.within(ctx, sensor, func(ctx context.Context) error {
		got, err := sensor.Read(ctx)
		err = errors.Join(err, try.accept(got))
		if l, ok := sensor.(driver.Listener); ok && err == nil && len(all()) == 0 {
			return listenOnce(ctx, l, try)
		}
		return err
	})
	if errors.Is(err, errHangs) {
		return nil, err // it is being closed already
	}
	_ = guard(sensor.Close) // the reading is what was asked for
	return all(), err
}

// listenOnce waits for the first good measurement.
func listenOnce(ctx context.Context, l driver.Listener, try *station) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough := errors.New("heard one")
	err := l.Listen(ctx, func(ms []driver.Measurement, wrong error) {
		if wrong = errors.Join(wrong, try.accept(ms)); wrong != nil {
			stop(wrong)
		} else if len(ms) > 0 {
			stop(enough)
		}
	})
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, enough):
		return nil
	case errors.Is(cause, context.DeadlineExceeded):
		return fault.New(fault.Timeout, errors.New("it said nothing"), "make it report, or look at topic and wiring")
	case cause != nil:
		return cause
	}
	return err
}

// PrintCheck writes the results as a table, and says whether everything was read.
func PrintCheck(w io.Writer, results []CheckResult) (good bool, err error) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "SENSOR\tDRIVER\tBUS\tTOOK\tREAD")
	good = true
	for _, r := range results {
		lines := values(r.Read)
		if r.Err != nil {
			good = false
			lines = append(lines, "FAILED ("+string(fault.KindOf(r.Err))+"): "+oneLine(r.Err))
			if advice := fault.AdviceOf(r.Err); advice != "" {
				lines = append(lines, "  "+advice)
			}
		}
		if len(lines) == 0 {
			lines = []string{"nothing yet"}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Sensor.ID, r.Sensor.Driver, r.Sensor.Bus, shortly(r.Took), lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(table, "\t\t\t\t%s\n", line)
		}
	}
	return good, table.Flush()
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func shortly(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// values writes measurements for people, a few to a line.
func values(ms []driver.Measurement) []string {
	var lines []string
	for chunk := range slices.Chunk(ms, 3) {
		words := make([]string, len(chunk))
		for i, m := range chunk {
			words[i] = value(m)
		}
		lines = append(lines, strings.Join(words, ", "))
	}
	return lines
}

func value(m driver.Measurement) string {
	name := m.Quantity
	if m.Channel != "" {
		name += "/" + m.Channel
	}
	if m.Sensor != "" {
		name = string(m.Sensor) + " " + name
	}
	q, ok := telemetry.QuantityByName(m.Quantity)
	if !ok {
		return name + " " + strconv.FormatFloat(m.Value, 'g', 6, 64)
	}
	if i := int(m.Value); q.Kind == telemetry.State && i >= 0 && i < len(q.States) {
		return name + " " + q.States[i]
	}
	return strings.TrimSpace(name + " " + strconv.FormatFloat(m.Value, 'g', 6, 64) + " " + q.Unit.Symbol)
}
