package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Part is something long-lived that a process consists of.
type Part struct {
	// Name is one word, for people and logs.
	Name string
	// Run blocks until ctx ends and everything accepted is finished. An error, or returning early, ends the process.
	Run func(ctx context.Context) error
	// Ready is closed once the parts after this one may start; nil means at once.
	Ready <-chan struct{}
	// Health says what is wrong while the part runs; nil, or a nil error, is well.
	Health func() error
}

// State is where a part is in its life.
type State string

// The states.
const (
	Waiting  State = "waiting"  // not started yet
	Starting State = "starting" // started, not ready
	Ready    State = "ready"
	Failing  State = "failing" // ready, but its Health says that something is wrong
	Stopping State = "stopping"
	Stopped  State = "stopped"
)

// Status is how a part does.
type Status struct {
	Name  string
	State State
	// Message says what is wrong, or is empty.
	Message string
}

// Group runs parts. Make one with NewGroup.
type Group struct {
	log         *slog.Logger
	stopTimeout time.Duration
	parts       []*running
	failed      chan error
}

type running struct {
	Part
	mu    sync.Mutex
	state State
	done  chan struct{}
	stop  context.CancelFunc
}

// DefaultStopTimeout bounds the whole of an ordered stop.
const DefaultStopTimeout = 10 * time.Second

// NewGroup prepares a group; parts start in the order given. stopTimeout bounds the stop of all of them together.
func NewGroup(stopTimeout time.Duration, log *slog.Logger, parts ...Part) *Group {
	g := &Group{log: log, stopTimeout: stopTimeout, failed: make(chan error, len(parts))}
	for _, p := range parts {
		g.parts = append(g.parts, &running{Part: p, state: Waiting, done: make(chan struct{})})
	}
	return g
}

// Run starts every part when the one before it is ready, and blocks until ctx ends or a part fails. It then stops them
// in reverse, each after the one that stands on it has ended. It returns the first failure, or says which parts would
// not stop in time. Where systemd started the process it is told when all parts are ready, that the process is alive
// as long as every Health returns, and when the stop begins.
func (g *Group) Run(ctx context.Context) error {
	err := g.start(ctx)
	if err == nil {
		supervisor := g.tellSupervisor()
		defer supervisor()
		select {
		case <-ctx.Done():
		case err = <-g.failed:
		}
	}
	return errors.Join(err, g.stop())
}

func (g *Group) start(ctx context.Context) error {
	for _, r := range g.parts {
		began := time.Now()
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r.stop = cancel
		r.set(Starting)
		go g.run(own, r)
		select {
		case <-r.readiness():
			r.set(Ready)
			g.log.Info("part is ready", "part", r.Name, "took_ms", time.Since(began).Milliseconds())
		case err := <-g.failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (r *running) readiness() <-chan struct{} {
	if r.Ready == nil {
		return always
	}
	return r.Ready
}

// run lives as long as the part.
func (g *Group) run(ctx context.Context, r *running) {
	err := r.Run(ctx)
	early := ctx.Err() == nil
	r.set(Stopped)
	close(r.done)
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		g.failed <- fmt.Errorf("%s: %w", r.Name, err)
	case early:
		g.failed <- fmt.Errorf("%s ended without being asked to", r.Name)
	}
}

// stop ends the started parts, last first.
func (g *Group) stop() error {
	deadline := time.NewTimer(g.stopTimeout)
	defer deadline.Stop()
	for i := len(g.parts) - 1; i >= 0; i-- {
		r := g.parts[i]
		if r.stop == nil {
			continue
		}
		r.set(Stopping)
		r.stop()
		select {
		case <-r.done:
		case <-deadline.C:
			for _, other := range g.parts[:i] {
				if other.stop != nil {
					other.stop()
				}
			}
			return fmt.Errorf("%s did not stop within %s", r.Name, g.stopTimeout)
		}
	}
	select {
	case err := <-g.failed:
		return err
	default:
		return nil
	}
}

func (r *running) set(s State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != Stopped {
		r.state = s
	}
}

// Status tells how every part does, in the order of their start.
func (g *Group) Status() []Status {
	all := make([]Status, len(g.parts))
	for i, r := range g.parts {
		r.mu.Lock()
		all[i] = Status{Name: r.Name, State: r.state}
		r.mu.Unlock()
		if r.Health == nil || all[i].State == Waiting || all[i].State == Stopped {
			continue
		}
		if err := r.Health(); err != nil {
			all[i].Message = err.Error()
			if all[i].State == Ready {
				all[i].State = Failing
			}
		}
	}
	return all
}
