package api

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

const (
	// hubBuffer is how many messages the hub may keep for us while we encode.
	hubBuffer = 4096
	// maxBatchReadings ends a batch before LiveFlush does, which bounds its memory (about 0.5 MB).
	maxBatchReadings = 4096
)

var (
	errLiveFull    = errors.New("as many listeners as allowed")
	errLiveStopped = errors.New("stopping")
)

// filter chooses readings. The zero filter takes every one.
type filter struct {
	sensors    map[telemetry.SensorID]struct{} // nil: every sensor
	quantities []bool                          // by QuantityID; nil: every quantity
	channels   map[string]bool                 // nil: every channel
}

func (f *filter) takesAll() bool { return f.sensors == nil && f.quantities == nil && f.channels == nil }

func (f *filter) takes(sensor telemetry.SensorID, quantity telemetry.QuantityID, channel string) bool {
	if f.quantities != nil && !f.quantities[quantity] || f.channels != nil && !f.channels[channel] {
		return false
	}
	if f.sensors == nil {
		return true
	}
	_, ok := f.sensors[sensor]
	return ok
}

// union returns a filter that takes at least what any of the listeners takes.
func union(listeners map[*listener]struct{}) *filter {
	if len(listeners) == 0 {
		return nil
	}
	u := &filter{
		sensors: map[telemetry.SensorID]struct{}{}, quantities: make([]bool, len(telemetry.Quantities())), channels: map[string]bool{},
	}
	for l := range listeners {
		f := l.filter.Load()
		if f.sensors == nil {
			u.sensors = nil
		} else if u.sensors != nil {
			maps.Copy(u.sensors, f.sensors)
		}
		if f.channels == nil {
			u.channels = nil
		} else if u.channels != nil {
			maps.Copy(u.channels, f.channels)
		}
		if f.quantities == nil {
			u.quantities = nil
		}
		for i, wanted := range f.quantities {
			if wanted && u.quantities != nil {
				u.quantities[i] = true
			}
		}
	}
	return u
}

// batch is some readings as they go over the wire. Once it has been handed out nobody changes it.
type batch struct {
	frames []byte // events, one after the other
	items  []item
}

// item says whose event ends at frames[end], and begins where the one before ends.
type item struct {
	sensor   telemetry.SensorID
	quantity telemetry.QuantityID
	channel  string
	end      int
}

// appendTaken appends the events that the filter takes.
func (b *batch) appendTaken(dst []byte, f *filter) []byte {
	start := 0
	for i := range b.items {
		it := &b.items[i]
		if f.takes(it.sensor, it.quantity, it.channel) {
			dst = append(dst, b.frames[start:it.end]...)
		}
		start = it.end
	}
	return dst
}

// taken counts the events that the filter takes.
func (b *batch) taken(f *filter) int {
	if f.takesAll() {
		return len(b.items)
	}
	n := 0
	for i := range b.items {
		if f.takes(b.items[i].sensor, b.items[i].quantity, b.items[i].channel) {
			n++
		}
	}
	return n
}

// listener is one client of the live stream. Its queue is closed when the feed stops.
type listener struct {
	// asked is what it asked for, chosen the places of that, and filter what that comes to at present: sensors are moved
	// and registered while it listens.
	asked  filter
	chosen choice
	filter atomic.Pointer[filter]
	queue  chan *batch
	lost   atomic.Uint64 // readings that it would have taken, since it was last told
}

// settle makes the filter from what is registered.
func (l *listener) settle(snapshot *registry.Snapshot) {
	f := l.asked
	if l.chosen.places() {
		f.sensors = make(map[telemetry.SensorID]struct{})
		for _, sensor := range l.chosen.sensorsIn(snapshot) {
			f.sensors[sensor.ID] = struct{}{}
		}
	}
	l.filter.Store(&f)
}

// feed takes readings from the hub, encodes each that anybody wants exactly once, and puts batches of them into the
// listeners' queues. It never waits for a listener: where a queue is full the listener loses the batch.
type feed struct {
	flush   time.Duration
	backlog int
	most    int
	encode  *encoder
	metrics *metrics
	// registered is what is registered at present.
	registered func() *registry.Snapshot

	mu        sync.Mutex
	snapshot  *registry.Snapshot // that listeners' filters were made from
	listeners map[*listener]struct{}
	wanted    *filter // what any listener takes; nil if there is none
	stopped   bool

	hubLost uint64 // as last seen; run only
}

func newFeed(cfg Config, registered func() *registry.Snapshot, e *encoder, m *metrics) *feed {
	return &feed{
		registered: registered,
		flush:      cfg.LiveFlush, backlog: cfg.LiveBacklog, most: cfg.MaxLiveClients, encode: e, metrics: m,
		listeners: make(map[*listener]struct{}),
	}
}

// join adds a listener, who must leave.
func (f *feed) join(wants filter, chosen choice) (*listener, error) {
	l := &listener{asked: wants, chosen: chosen, queue: make(chan *batch, f.backlog)}
	f.mu.Lock()
	defer f.mu.Unlock()
	l.settle(f.registered())
	if f.stopped {
		return nil, errLiveStopped
	}
	if len(f.listeners) >= f.most {
		f.metrics.liveRefused.Inc()
		return nil, errLiveFull
	}
	f.listeners[l] = struct{}{}
	f.wanted = union(f.listeners)
	f.metrics.liveClients.Set(float64(len(f.listeners)))
	return l, nil
}

func (f *feed) leave(l *listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, l)
	f.wanted = union(f.listeners)
	f.metrics.liveClients.Set(float64(len(f.listeners)))
}

// run feeds until the context or the subscription ends, which it closes, then ends every stream.
func (f *feed) run(ctx context.Context, subscription Subscription) {
	defer f.stop()
	defer subscription.Close()
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()

	waiting, armed := &batch{}, false
	var last time.Time // when a batch was handed out
	for {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
			armed = false
		case readings, open := <-subscription.C():
			if !open {
				return
			}
			f.add(waiting, readings)
		}
		f.countHubLost(subscription.Lost())
		pause := f.flush - time.Since(last)
		switch {
		case len(waiting.items) == 0:
		case pause <= 0 || len(waiting.items) >= maxBatchReadings:
			f.handOut(waiting)
			last = time.Now()
			waiting = &batch{frames: make([]byte, 0, len(waiting.frames)), items: make([]item, 0, len(waiting.items))}
		case !armed:
			due.Reset(pause)
			armed = true
		}
	}
}

// wantedNow is what any listener takes, after what is registered now.
func (f *feed) wantedNow() *filter {
	snapshot := f.registered()
	f.mu.Lock()
	defer f.mu.Unlock()
	if snapshot != f.snapshot {
		f.snapshot = snapshot
		for l := range f.listeners {
			if l.chosen.places() {
				l.settle(snapshot)
			}
		}
		f.wanted = union(f.listeners)
	}
	return f.wanted
}

// add encodes the readings that any listener takes.
func (f *feed) add(b *batch, readings []telemetry.Reading) {
	wanted := f.wantedNow()
	if wanted == nil {
		return
	}
	for i := range readings {
		r := &readings[i]
		if !wanted.takes(r.Sensor, r.Quantity, r.Channel) {
			continue
		}
		b.frames = append(b.frames, "event: reading\ndata: "...)
		b.frames = f.encode.appendReading(b.frames, r)
		b.frames = append(b.frames, '\n', '\n')
		b.items = append(b.items, item{sensor: r.Sensor, quantity: r.Quantity, channel: r.Channel, end: len(b.frames)})
	}
}

// handOut puts the batch into every queue that has room.
func (f *feed) handOut(b *batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		select {
		case l.queue <- b:
		default:
			missed := b.taken(l.filter.Load())
			l.lost.Add(uint64(missed))
			f.metrics.liveLost.Add(float64(missed))
		}
	}
}

// countHubLost tells every listener of readings that this process itself was too slow for. Whose they were is not
// known, so each hears of all.
func (f *feed) countHubLost(total uint64) {
	missed := total - f.hubLost
	if missed == 0 {
		return
	}
	f.hubLost = total
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		l.lost.Add(missed)
	}
	if len(f.listeners) > 0 {
		f.metrics.liveLost.Add(float64(missed))
	}
}

// stop ends every stream and lets nobody join any more.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	for l := range f.listeners {
		close(l.queue)
	}
}
