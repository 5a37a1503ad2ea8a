package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what a person may set.
type settings struct {
	messages, packed, sensors, rounds int
	away, paced                       time.Duration
	profile                           string
}

func run() error {
	var s settings
	flag.IntVar(&s.messages, "messages", 200_000, "messages of three readings each")
	flag.IntVar(&s.packed, "packed", 20_000, "messages of a hundred readings each (SenML CBOR)")
	flag.IntVar(&s.sensors, "sensors", 1_000, "sensors that send them")
	flag.IntVar(&s.rounds, "rounds", 3, "times each is measured; the median counts")
	flag.DurationVar(&s.away, "away", 0, "measure only this: ingest at full speed for so long, with the store away")
	flag.DurationVar(&s.paced, "paced", 10*time.Second, "how long readings are sent at half load, for the delays")
	flag.StringVar(&s.profile, "profile", "", "write a processor profile of each process into this folder")
	var c child
	role := flag.String("role", "", "internal: what this child process is")
	flag.StringVar(&c.load.kind, "load", "", "internal")
	flag.IntVar(&c.load.messages, "count", 0, "internal")
	flag.StringVar(&c.address, "address", "", "internal")
	flag.StringVar(&c.login, "login", "", "internal")
	flag.StringVar(&c.client, "client", "", "internal")
	flag.StringVar(&c.store, "store", "", "internal")
	flag.StringVar(&c.dir, "dir", "", "internal")
	flag.Parse()
	c.load.sensors = s.sensors

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	level := slog.LevelWarn
	if *role == roleAway {
		level = slog.LevelError // that the store is away is meant
	}
	c.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if *role != "" {
		return c.run(ctx, *role, s.profile)
	}
	b := bench{settings: s, log: c.log}
	if s.away > 0 {
		return b.away(ctx)
	}
	return b.measure(ctx)
}
