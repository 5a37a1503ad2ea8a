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
	ingestMemory               float64 // megabytes
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
	median := func(of func(figures) float64) float64 {
		values := make([]float64, len(all))
		for i, f := range all {
			values[i] = of(f)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	bare, whole := median(func(f figures) float64 { return f.bareCPU }), median(func(f figures) float64 { return f.ingestCPU })
	fill, rate := median(func(f figures) float64 { return f.fill }), median(func(f figures) float64 { return f.ingestRate })
	printTable([]row{
		{"bare paho subscriber, CPU per message", fmt.Sprintf("%.2f µs", bare), "1.00", ""},
		{
			"ingest, everything included, CPU per message of 3 fields", fmt.Sprintf("%.2f µs", whole),
			fmt.Sprintf("%.2f", median(func(f figures) float64 { return f.ingestCPU / f.bareCPU })), "≤ 1.0 of bare paho",
		},
		{"ingest, CPU per reading at 100 readings a message", fmt.Sprintf("%.2f µs", median(func(f figures) float64 { return f.packedCPU })), "", "≤ 1 µs"},
		{"bare paho subscriber, messages that waited at the broker", fmt.Sprintf("%.0f messages/s", median(func(f figures) float64 { return f.bareRate })), "", ""},
		{"store alone, same points encoded beforehand", fmt.Sprintf("%.0f messages/s", fill), "1.00", ""},
		{
			"ingest, broker to store", fmt.Sprintf("%.0f messages/s", rate),
			fmt.Sprintf("%.2f", median(func(f figures) float64 { return f.ingestRate / f.fill })), "≥ 0.9 of the store alone",
		},
		{"ingest, largest resident memory", fmt.Sprintf("%.0f MB", median(func(f figures) float64 { return f.ingestMemory })), "", "≤ 150 MB"},
	})
	return nil
}

func round(ctx context.Context, l load, log *slog.Logger) (f figures, err error) {
	dir, err := os.MkdirTemp("", "lamppost-bench")
	if err != nil {
		return f, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	at := l.begin()

	brokerPart, err := begin(ctx, l, "broker", "-dir", filepath.Join(dir, "broker"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, brokerPart.end()) }()
	address, login, _ := strings.Cut(brokerPart.first, " ")
	storePart, err := begin(ctx, l, "store", "-dir", filepath.Join(dir, "store"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, storePart.end()) }()

	if err := publish(ctx, address, l.messages, func(i int) (string, []byte) { return l.message(i, at) }, log); err != nil {
		return f, err
	}
	three := l
	three.packed = 0
	if f.bareRate, f.bareCPU, _, err = drain(ctx, three, "paho", "-address", address, "-login", login); err != nil {
		return f, err
	}
	to := login + " " + storePart.first
	if f.ingestRate, f.ingestCPU, f.ingestMemory, err = drain(ctx, three, "ingest", "-address", address, "-login", to, "-dir", dir); err != nil {
		return f, err
	}
	if err := publish(ctx, address, l.packed, func(i int) (string, []byte) { return l.pack(i, at) }, log); err != nil {
		return f, err
	}
	hundred := l
	hundred.messages = 0
	_, perMessage, _, err := drain(ctx, hundred, "ingest", "-address", address, "-login", to, "-dir", filepath.Join(dir, "packed"))
	if err != nil {
		return f, err
	}
	f.packedCPU = perMessage / packedReadings

	fresh, err := begin(ctx, l, "store", "-dir", filepath.Join(dir, "store-alone"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, fresh.end()) }()
	f.fill, err = fill(ctx, l, fresh.first, at, log)
	return f, err
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
