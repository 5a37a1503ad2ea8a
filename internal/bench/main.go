package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"text/tabwriter"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	role := flag.String("role", "", "internal: what this child process is")
	messages := flag.Int("messages", 200_000, "messages of three readings each")
	packed := flag.Int("packed", 4_000, "messages of a hundred readings each (SenML CBOR)")
	sensors := flag.Int("sensors", 1_000, "sensors that send them")
	rounds := flag.Int("rounds", 3, "times each is measured; the median counts")
	address := flag.String("address", "", "internal")
	login := flag.String("login", "", "internal")
	dir := flag.String("dir", "", "internal")
	profile := flag.String("profile", "", "write a processor profile of each ingest process into this folder")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	level := slog.LevelWarn
	if *role == "ingest-away" {
		level = slog.LevelError // that the store is away is meant
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	load := load{messages: *messages, packed: *packed, sensors: *sensors, profile: *profile}
	child := child{log: log, load: load, address: *address, login: *login, dir: *dir}
	switch *role {
	case "":
		return measure(ctx, load, *rounds, log)
	case "broker":
		return child.broker(ctx)
	case "store":
		return child.store(ctx)
	case "paho":
		return child.paho(ctx)
	case "ingest":
		return child.ingest(ctx, false)
	case "ingest-away":
		return child.ingest(ctx, true)
	case "latency":
		return child.latency(ctx)
	}
	return fmt.Errorf("no role %q", *role)
}

// row is a line of the table.
type row struct {
	what, value, ratio, bar string
}

func printTable(rows []row) {
	host, _ := os.Hostname()
	fmt.Printf("\n%s: %s, %d processors, %s\n\n", host, processor(), runtime.NumCPU(), runtime.Version())
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\tratio\tbar")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.value, r.ratio, r.bar)
	}
	_ = w.Flush()
}

// processor names the machine's processor as Linux does.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
