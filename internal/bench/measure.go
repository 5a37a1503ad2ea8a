package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/influx"
)

// part is a running child.
type part struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first string // its first line
}

// begin starts a child and waits for its first line.
func begin(ctx context.Context, l load, role string, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args = append([]string{"-role", role, "-messages", strconv.Itoa(l.messages), "-packed", strconv.Itoa(l.packed), "-sensors", strconv.Itoa(l.sensors), "-profile", l.profile}, args...)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = stdin.Close()
		return nil, errors.Join(fmt.Errorf("%s process: %w", role, err), cmd.Wait())
	}
	return &part{cmd: cmd, stdin: stdin, first: strings.TrimSpace(line)}, nil
}

func (p *part) end() error {
	_ = p.stdin.Close()
	return p.cmd.Wait()
}

// figures are what one round gives.
type figures struct {
	bareCPU, ingestCPU         float64 // microseconds a message
	packedCPU                  float64 // microseconds a reading
	bareRate, ingestRate, fill float64 // messages a second
	ingestMemory, awayMemory   float64 // megabytes
	live, queryable            float64 // milliseconds, 99th percentile
}

// measure prints the table of medians.
func measure(ctx context.Context, l load, rounds int, log *slog.Logger) error {
	var all []figures
	for i := range rounds {
		fmt.Printf("round %d of %d\n", i+1, rounds)
		f, err := round(ctx, l, log)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	m := func(format string, of func(figures) float64) string {
		values := make([]float64, len(all))
		for i, f := range all {
			values[i] = of(f)
		}
		slices.Sort(values)
		return fmt.Sprintf(format, values[len(values)/2])
	}
	printTable([]row{
		{"bare paho subscriber, CPU per message", m("%.2f µs", func(f figures) float64 { return f.bareCPU }), "1.00", ""},
		{
			"ingest, everything included, CPU per message of 3 fields", m("%.2f µs", func(f figures) float64 { return f.ingestCPU }),
			m("%.2f", func(f figures) float64 { return f.ingestCPU / f.bareCPU }), "≤ 1.0 of bare paho",
		},
		{"ingest, CPU per reading at 100 readings a message", m("%.2f µs", func(f figures) float64 { return f.packedCPU }), "", "≤ 1 µs"},
		{"bare paho subscriber, messages that waited at the broker", m("%.0f messages/s", func(f figures) float64 { return f.bareRate }), "", ""},
		{"store alone, same points encoded beforehand", m("%.0f messages/s", func(f figures) float64 { return f.fill }), "1.00", ""},
		{
			"ingest, broker to store", m("%.0f messages/s", func(f figures) float64 { return f.ingestRate }),
			m("%.2f", func(f figures) float64 { return f.ingestRate / f.fill }), "≥ 0.9 of the store alone",
		},
		{"ingest, largest resident memory", m("%.0f MB", func(f figures) float64 { return f.ingestMemory }), "", "≤ 150 MB"},
		{"the same with the store away", m("%.0f MB", func(f figures) float64 { return f.awayMemory }), "", "≤ 150 MB"},
		{"published to live, p99 at half load", m("%.0f ms", func(f figures) float64 { return f.live }), "", "≤ 150 ms"},
		{"published to queryable, p99 at half load", m("%.0f ms", func(f figures) float64 { return f.queryable }), "", "≤ 1000 ms"},
	})
	return nil
}

// round measures everything once, with processes and folders of its own.
func round(ctx context.Context, l load, log *slog.Logger) (f figures, err error) {
	dir, err := os.MkdirTemp("", "lamppost-bench")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	brokerPart, err := begin(ctx, l, "broker", "-dir", filepath.Join(dir, "broker"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, brokerPart.end()) }()
	storePart, err := begin(ctx, l, "store", "-dir", filepath.Join(dir, "store"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, storePart.end()) }()
	r := bout{load: l, dir: dir, store: storePart.first, at: l.begin(), log: log}
	r.address, r.login, _ = strings.Cut(brokerPart.first, " ")
	for _, stage := range []func(context.Context, *figures) error{r.threeFields, r.hundredReadings, r.storeAway, r.halfLoad, r.storeAlone} {
		if err := stage(ctx, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}

// bout is one round under way.
type bout struct {
	load                       load
	dir, address, login, store string
	at                         time.Time
	log                        *slog.Logger
}

func (r *bout) ingestArgs(folder, store string) []string {
	return []string{"-address", r.address, "-login", r.login + " " + store, "-dir", filepath.Join(r.dir, folder)}
}

func (r *bout) threeFields(ctx context.Context, f *figures) (err error) {
	if err := publish(ctx, r.address, r.load.messages, func(i int) (string, []byte) { return r.load.message(i, r.at) }, r.log); err != nil {
		return err
	}
	only := r.load
	only.packed = 0
	if f.bareRate, f.bareCPU, _, err = drain(ctx, only, "paho", "-address", r.address, "-login", r.login); err != nil {
		return err
	}
	f.ingestRate, f.ingestCPU, f.ingestMemory, err = drain(ctx, only, "ingest", r.ingestArgs("three", r.store)...)
	return err
}

func (r *bout) hundredReadings(ctx context.Context, f *figures) error {
	if err := publish(ctx, r.address, r.load.packed, func(i int) (string, []byte) { return r.load.pack(i, r.at) }, r.log); err != nil {
		return err
	}
	only := r.load
	only.messages = 0
	_, perMessage, _, err := drain(ctx, only, "ingest", r.ingestArgs("hundred", r.store)...)
	f.packedCPU = perMessage / packedReadings
	return err
}

// storeAway points ingest to a port where nobody listens.
func (r *bout) storeAway(ctx context.Context, f *figures) (err error) {
	later := r.at.Add(6 * time.Hour)
	if err := publish(ctx, r.address, r.load.messages, func(i int) (string, []byte) { return r.load.message(i, later) }, r.log); err != nil {
		return err
	}
	only := r.load
	only.packed = 0
	_, _, f.awayMemory, err = drain(ctx, only, "ingest-away", r.ingestArgs("away", "http://127.0.0.1:1 none:none none/none")...)
	return err
}

// halfLoad sends half of what ingest could carry to the store when messages waited for it.
func (r *bout) halfLoad(ctx context.Context, f *figures) error {
	sending := make(chan error, 1)
	go func() { sending <- r.load.paced(ctx, r.address, f.ingestRate/2, r.log) }()
	p, err := begin(ctx, r.load, "latency", r.ingestArgs("latency", r.store)...)
	if all := errors.Join(err, <-sending); all != nil {
		return all
	}
	if err := p.end(); err != nil {
		return err
	}
	if _, err := fmt.Sscan(p.first, &f.live, &f.queryable); err != nil {
		return fmt.Errorf("latency process said %q: %w", p.first, err)
	}
	return nil
}

func (r *bout) storeAlone(ctx context.Context, f *figures) (err error) {
	fresh, err := begin(ctx, r.load, "store", "-dir", filepath.Join(r.dir, "store-alone"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.end()) }()
	f.fill, err = fill(ctx, r.load, fresh.first, r.at, r.log)
	return err
}

// drain runs a child that reads what waits at the broker, and returns messages a second, microseconds of processor time
// a message, and megabytes of memory.
func drain(ctx context.Context, l load, role string, args ...string) (rate, cpu, memory float64, err error) {
	p, err := begin(ctx, l, role, args...)
	if err != nil {
		return 0, 0, 0, err
	}
	if err := p.end(); err != nil {
		return 0, 0, 0, fmt.Errorf("%s process: %w", role, err)
	}
	var n, took, used float64
	if _, err := fmt.Sscan(p.first, &n, &took, &used); err != nil {
		return 0, 0, 0, fmt.Errorf("%s process said %q: %w", role, p.first, err)
	}
	return n / took, 1e6 * used / n, maxResident(p.cmd), nil
}

// fill writes the load's points, encoded before the clock starts, with as many writers and lines a body as ingest uses.
func fill(ctx context.Context, l load, at string, beginning time.Time, log *slog.Logger) (float64, error) {
	where := strings.Fields(at)
	cfg := influx.DefaultConfig()
	cfg.URL, cfg.Token, cfg.Bucket = where[0], secret.String(where[1]), where[2]
	client, err := influx.New(cfg, log)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	const linesPerBody = 10_000
	bodies := make(chan []byte, l.messages/linesPerBody+1)
	var body bytes.Buffer
	for i := range l.messages {
		body.Write(l.line(nil, i, beginning))
		if (i+1)%linesPerBody == 0 || i == l.messages-1 {
			bodies <- bytes.Clone(body.Bytes())
			body.Reset()
		}
	}
	close(bodies)
	start := time.Now()
	var writers sync.WaitGroup
	failures := make(chan error, 2)
	for range 2 {
		writers.Go(func() {
			for b := range bodies {
				if err := client.Write(ctx, b); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	writers.Wait()
	select {
	case err := <-failures:
		return 0, err
	default:
		return float64(l.messages) / time.Since(start).Seconds(), nil
	}
}
