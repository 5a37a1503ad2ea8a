package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// bench is the parent.
type bench struct {
	settings
	log *slog.Logger

	dir   string // of the round
	parts int    // folders made in it
}

// figures are what one round measures. Times are microseconds of processor time, rates are a second, memory is
// megabytes, delays are milliseconds at the 99th percentile.
type figures struct {
	barePerMessage, ingestPerMessage, ingestPerReading float64
	bareRate                                           float64 // messages
	ways                                               []wayFigures
	live                                               liveFigures
	memory, memoryAway                                 float64
	delayLive, delayQueryable                          float64
}

// way is a way from a broker to the store.
type way struct {
	broker, load string
	// apart gives the store a processor of its own, and the rest to broker and ingest.
	apart bool
}

// ways are those that are measured; others lie between them.
func ways() []way {
	all := []way{{embeddedBroker, threeFields, false}, {embeddedBroker, hundred, false}}
	if findMosquitto() != "" {
		all = append(all, way{mosquittoBroker, threeFields, false}, way{mosquittoBroker, hundred, false})
	}
	if len(processors()) > 1 {
		all = append(all, way{embeddedBroker, hundred, true})
	}
	return all
}

func (b *bench) load(kind string) load {
	l := load{kind: kind, messages: b.messages, sensors: b.sensors}
	if kind == hundred {
		l.messages = b.packed
	}
	return l
}

// folder names one that does not exist yet.
func (b *bench) folder() string {
	b.parts++
	return filepath.Join(b.dir, fmt.Sprint(b.parts))
}

// inRound runs f with a folder that is removed afterwards.
func (b *bench) inRound(f func() error) (err error) {
	if b.dir, err = os.MkdirTemp("", "lamppost-bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	return f()
}

// measure prints the table of medians.
func (b *bench) measure(ctx context.Context) error {
	began := time.Now()
	var all []figures
	for i := range b.rounds {
		fmt.Printf("round %d of %d\n", i+1, b.rounds)
		var f figures
		if err := b.inRound(func() error { return b.round(ctx, &f) }); err != nil {
			return err
		}
		all = append(all, f)
	}
	b.print(os.Stdout, all)
	fmt.Printf("\nmedians of %d rounds, %s in all\n", b.rounds, time.Since(began).Round(time.Second))
	return nil
}

// round measures everything once.
func (b *bench) round(ctx context.Context, f *figures) error {
	bare, err := b.drain(ctx, way{embeddedBroker, threeFields, false}, rolePaho)
	if err != nil {
		return err
	}
	f.barePerMessage, f.bareRate = bare.used, bare.rate
	for _, w := range ways() {
		var figures wayFigures
		if figures.broker, err = b.drain(ctx, w, roleReader); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		if figures.store, err = b.storeAlone(ctx, w); err != nil {
			return err
		}
		if figures.line, err = b.drain(ctx, w, roleIngest); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		f.ways = append(f.ways, figures)
	}
	f.ingestPerMessage, f.memory = f.ways[0].line.used, f.ways[0].line.memory
	f.ingestPerReading = f.ways[1].line.used / packedReadings
	for _, stage := range []func(context.Context, *figures) error{b.storeAway, b.allAtOnce, b.halfLoad} {
		if err := stage(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// wayFigures are what the broker gives alone, what the store takes alone, and what ingest makes of them.
type wayFigures struct{ broker, store, line drained }

// drained is what became of messages.
type drained struct {
	rate                            float64 // messages a second
	used, usedByBroker, usedByStore float64 // microseconds of processor time a message
	memory                          float64 // megabytes, the largest
}

// place says on which processors the store runs, and on which everything else.
func (w way) place() (store, rest []int) {
	if all := processors(); w.apart && len(all) > 1 {
		return all[len(all)-1:], all[:len(all)-1]
	}
	return nil, nil
}

// drain lets a child take messages that have been published before. Ingest has a store.
func (b *bench) drain(ctx context.Context, w way, role string) (d drained, err error) {
	l := b.load(w.load)
	onStore, rest := w.place()
	broker, err := b.startBroker(ctx, w.broker, b.folder(), clientID, rest)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, broker.end()) }()
	if _, err := l.publish(ctx, broker.address, time.Time{}, b.log); err != nil {
		return d, err
	}
	args := []string{"-address", broker.address, "-login", broker.login, "-client", clientID, "-dir", b.folder()}
	var storeProcess *exec.Cmd
	if role == roleIngest {
		store, err := b.begin(ctx, onStore, roleStore, load{}, "-dir", b.folder())
		if err != nil {
			return d, err
		}
		defer func() { err = errors.Join(err, store.end()) }()
		storeProcess = store.cmd
		args = append(args, "-store", store.first)
	}
	brokerBefore, storeBefore := used(broker.cmd), used(storeProcess)
	p, err := b.begin(ctx, rest, role, l, args...)
	if err != nil {
		return d, err
	}
	n := float64(l.messages)
	d.usedByBroker = float64((used(broker.cmd) - brokerBefore).Microseconds()) / n
	d.usedByStore = float64((used(storeProcess) - storeBefore).Microseconds()) / n
	if role == roleAway { // it has only said that it is ready
		if p.first, err = p.line(); err != nil {
			return d, errors.Join(err, p.end())
		}
	}
	if err := p.end(); err != nil {
		return d, err
	}
	took, usedByChild, err := p.reported()
	d.rate, d.used, d.memory = n/took, 1e6*usedByChild/n, maxResident(p.cmd)
	return d, err
}

// clientID is that of whoever takes the messages.
const clientID = "lamppost-ingest"

// reported reads what report has printed.
func (p *part) reported() (took, used float64, err error) {
	var n int
	if _, err := fmt.Sscan(p.first, &n, &took, &used); err != nil {
		return 0, 0, fmt.Errorf("%s process said %q: %w", p.role, p.first, err)
	}
	return took, used, nil
}

// storeAlone writes the same points, encoded beforehand, when nothing else is to be done.
func (b *bench) storeAlone(ctx context.Context, w way) (d drained, err error) {
	onStore, rest := w.place()
	store, err := b.begin(ctx, onStore, roleStore, load{}, "-dir", b.folder())
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, store.end()) }()
	l := b.load(w.load)
	before := used(store.cmd)
	p, err := b.begin(ctx, rest, roleFill, l, "-store", store.first)
	if err != nil {
		return d, err
	}
	n := float64(l.messages)
	d.usedByStore = float64((used(store.cmd) - before).Microseconds()) / n
	if err := p.end(); err != nil {
		return d, err
	}
	took, usedByChild, err := p.reported()
	d.rate, d.used = n/took, 1e6*usedByChild/n
	return d, err
}

// storeAway has messages read into the spool.
func (b *bench) storeAway(ctx context.Context, f *figures) error {
	d, err := b.drain(ctx, way{embeddedBroker, threeFields, false}, roleAway)
	f.memoryAway = d.memory
	return err
}
