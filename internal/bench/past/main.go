// Command past fills an embedded store with a long past of a made-up city, for measuring questions about it.
//
//	go run ./internal/bench/past -dir data/store -csv sensors.csv
//	lamppost sensors import sensors.csv --data data
//	lamppost up --data data
//	go run ./internal/bench/past -ask http://127.0.0.1:8080
//
// It does not go through the line of ingest, and not through the store's own way in either: a year of a thousand sensors
// at a minute is 525 million points, for which they take an hour. It writes the data files that the store itself
// would end up with once all its compactions are done. The folder must be that of a store that is not running, and hold no readings
// of that time.
//
//	sensors × minutes ──encode, a week at a time──► DATA/store/data/…/<shard>/000000001-000000001.tsm
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/influxdata/influxdb/services/meta"

	"github.com/lamppost-city/lamppost/store/embedded"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "past:", err)
		os.Exit(1)
	}
}

// settings are what a person may set.
type settings struct {
	dir, csv string
	sensors  int
	days     int
	step     time.Duration
	until    time.Time
	workers  int
}

func run() error {
	var s settings
	var until string
	flag.StringVar(&s.dir, "dir", "", "the store's folder, such as data/store")
	flag.StringVar(&s.csv, "csv", "", "write the sensors into this file, for `lamppost sensors import`")
	flag.IntVar(&s.sensors, "sensors", 1000, "how many sensors, each with one quantity")
	flag.IntVar(&s.days, "days", 365, "how many days")
	flag.DurationVar(&s.step, "step", time.Minute, "how often each reports")
	flag.StringVar(&until, "until", "", "when the past ends, in RFC 3339; now without it")
	flag.IntVar(&s.workers, "workers", 2, "how many weeks are encoded at once")
	var q questions
	flag.StringVar(&q.url, "ask", "", "measure instead: ask the server at this address, such as http://127.0.0.1:8080, for histories")
	flag.IntVar(&q.rounds, "rounds", 200, "how many questions")
	flag.IntVar(&q.series, "series", 50, "of how many sensors each")
	flag.IntVar(&q.points, "points", 1000, "how many steps at most")
	flag.DurationVar(&q.back, "back", 30*24*time.Hour, "over how long")
	flag.BoolVar(&q.same, "same", false, "ask for the same sensors every time")
	flag.Parse()
	s.until = time.Now()
	if until != "" {
		var err error
		if s.until, err = time.Parse(time.RFC3339, until); err != nil {
			return fmt.Errorf("-until: %w", err)
		}
	}
	s.until = s.until.Truncate(s.step)
	if q.url != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		return q.ask(ctx, s.sensors)
	}
	if s.dir == "" || s.sensors < 1 || s.days < 1 || s.step < time.Second || s.workers < 1 {
		return errors.New("-dir is needed, and -sensors, -days, -workers of at least 1 and -step of at least 1s")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if s.csv != "" {
		if err := os.WriteFile(s.csv, registerOf(s.sensors, s.step), 0o600); err != nil {
			return err
		}
	}
	began := time.Now()
	points, bytes, err := s.fill(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("%d points of %d sensors over %d days, %.1f MB, in %s (%.1f million points a second)\n",
		points, s.sensors, s.days, float64(bytes)/1e6, took.Round(time.Second), float64(points)/took.Seconds()/1e6)
	return nil
}

// fill writes every week into its shard.
func (s settings) fill(ctx context.Context) (points, bytes int64, err error) {
	bucket, err := prepare(ctx, s.dir)
	if err != nil {
		return 0, 0, err
	}
	database, policy, _ := strings.Cut(bucket, "/")
	names := meta.NewClient(&meta.Config{Dir: filepath.Join(s.dir, "meta")})
	if err := names.Open(); err != nil {
		return 0, 0, fmt.Errorf("open the store's names: %w", err)
	}
	defer func() { err = errors.Join(err, names.Close()) }()
	from := s.until.AddDate(0, 0, -s.days)
	var shards []shard
	for at := from; at.Before(s.until); {
		group, err := names.CreateShardGroup(database, policy, at)
		if err != nil {
			return 0, 0, fmt.Errorf("make the shard of %s: %w", at.Format(time.DateOnly), err)
		}
		end := group.EndTime
		if end.After(s.until) {
			end = s.until
		}
		shards = append(shards, shard{
			dir:  filepath.Join(s.dir, "data", database, policy, fmt.Sprint(group.Shards[0].ID)),
			from: at, to: end, step: s.step, sensors: s.sensors,
		})
		at = group.EndTime
	}
	err = s.writeAll(ctx, shards)
	for i := range shards {
		points, bytes = points+shards[i].points, bytes+shards[i].bytes
	}
	return points, bytes, err
}

// writeAll writes several shards at once, and goes on after none that failed.
func (s settings) writeAll(ctx context.Context, shards []shard) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	next := make(chan *shard)
	faults := make([]error, s.workers)
	var working sync.WaitGroup
	for i := range faults {
		working.Go(func() {
			for one := range next {
				if err := one.write(ctx); err != nil && faults[i] == nil {
					faults[i] = fmt.Errorf("write the week of %s: %w", one.from.Format(time.DateOnly), err)
					stop()
				}
			}
		})
	}
	for i := range shards {
		next <- &shards[i]
	}
	close(next)
	working.Wait()
	return errors.Join(faults...)
}

// prepare lets the store make its folder, database and password, and returns the bucket.
func prepare(ctx context.Context, dir string) (string, error) {
	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	store, err := embedded.New(cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	select {
	case <-store.Ready():
	case err := <-ended:
		return "", errors.Join(errors.New("the store did not start"), err)
	}
	bucket := store.Influx().Bucket
	stop()
	return bucket, <-ended
}
