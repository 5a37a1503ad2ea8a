package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// liveFigures are of messages that are published and stored at the same time, all on the same processors.
type liveFigures struct {
	rate float64 // messages a second
	// Microseconds of processor time a message.
	publisher, broker, ingest, store float64
}

// scene is a broker and a store, and what a child needs to know of them.
type scene struct {
	broker *brokerPart
	store  *part
	args   []string
}

func (b *bench) scene(ctx context.Context) (*scene, error) {
	broker, err := b.startBroker(ctx, embeddedBroker, b.folder(), clientID, nil)
	if err != nil {
		return nil, err
	}
	store, err := b.begin(ctx, nil, roleStore, load{}, "-dir", b.folder())
	if err != nil {
		return nil, errors.Join(err, broker.end())
	}
	return &scene{broker, store, []string{
		"-address", broker.address, "-login", broker.login, "-client", clientID, "-dir", b.folder(), "-store", store.first,
	}}, nil
}

func (s *scene) end() error { return errors.Join(s.store.end(), s.broker.end()) }

// allAtOnce publishes as fast as the broker acknowledges while ingest takes the messages.
func (b *bench) allAtOnce(ctx context.Context, f *figures) (err error) {
	s, err := b.scene(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	l := b.load(threeFields)
	n, micro := float64(l.messages), func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(l.messages) }
	own, brokerBefore, storeBefore, began := processorTime(), used(s.broker.cmd), used(s.store.cmd), time.Now()
	published := make(chan error, 1)
	go func() {
		_, err := l.publish(ctx, s.broker.address, time.Time{}, b.log)
		published <- err
	}()
	p, err := b.begin(ctx, nil, roleIngest, l, s.args...)
	f.live.rate = n / time.Since(began).Seconds()
	if all := errors.Join(err, <-published); all != nil {
		return all
	}
	f.live.publisher, f.live.broker, f.live.store = micro(processorTime()-own), micro(used(s.broker.cmd)-brokerBefore), micro(used(s.store.cmd)-storeBefore)
	if err := p.end(); err != nil {
		return err
	}
	_, usedByIngest, err := p.reported()
	f.live.ingest = 1e6 * usedByIngest / n
	return err
}

// halfLoad sends half as many messages a second as can be published and stored at the same time.
func (b *bench) halfLoad(ctx context.Context, f *figures) (err error) {
	s, err := b.scene(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	l := b.load(threeFields)
	sending := make(chan error, 1)
	go func() { sending <- l.paced(ctx, s.broker.address, f.live.rate/2, b.paced, b.log) }()
	p, err := b.begin(ctx, nil, roleLatency, l, s.args...)
	if all := errors.Join(err, <-sending); all != nil {
		return all
	}
	if err := p.end(); err != nil {
		return err
	}
	if _, err := fmt.Sscan(p.first, &f.delayLive, &f.delayQueryable); err != nil {
		return fmt.Errorf("latency process said %q: %w", p.first, err)
	}
	return nil
}

// away publishes as fast as the broker acknowledges, for as long as is asked, to an ingest whose store is away.
func (b *bench) away(ctx context.Context) error {
	return b.inRound(func() (err error) {
		broker, err := b.startBroker(ctx, embeddedBroker, b.folder(), clientID, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, broker.end()) }()
		dir := b.folder()
		p, err := b.begin(ctx, nil, roleAway, load{kind: threeFields, sensors: b.sensors},
			"-address", broker.address, "-login", broker.login, "-client", clientID, "-dir", dir)
		if err != nil {
			return err
		}
		began := time.Now()
		published, err := b.load(threeFields).publish(ctx, broker.address, began.Add(b.settings.away), b.log)
		took := time.Since(began)
		if err != nil {
			return errors.Join(err, p.end())
		}
		_ = p.stdin.Close()
		if p.first, err = p.line(); err != nil {
			return errors.Join(err, p.end())
		}
		if err := p.end(); err != nil {
			return err
		}
		var taken float64
		if _, err := fmt.Sscan(p.first, &taken); err != nil {
			return fmt.Errorf("away process said %q: %w", p.first, err)
		}
		size, err := sizeOf(dir)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n\n", machine())
		w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintf(w, "the store away, the publisher at full speed for\t%s\t\n", took.Round(time.Second))
		fmt.Fprintf(w, "messages published, taken by ingest\t%d, %.0f\t\n", published, taken)
		fmt.Fprintf(w, "messages a second\t%.0f\t\n", taken/took.Seconds())
		fmt.Fprintf(w, "in ingest's folder afterwards\t%.0f MB\t\n", size)
		fmt.Fprintf(w, "ingest, largest resident memory\t%.0f MB\tbar ≤ 150 MB\n", maxResident(p.cmd))
		return w.Flush()
	})
}

// sizeOf is the size of a folder's files in megabytes.
func sizeOf(dir string) (megabytes float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			megabytes += float64(info.Size()) / 1e6
		}
		return err
	})
	return megabytes, err
}
