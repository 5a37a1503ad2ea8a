package query

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/telemetry"
)

// shardCount spreads the sensors over locks, so that a reader of all of them holds up the feed only for a part of them.
const shardCount = 64

// Latest keeps the newest reading of every sensor, quantity and channel: the one measured last, and of those measured
// at the same time the one received last. It may be used by any number of goroutines at once.
type Latest struct {
	cfg     Config
	seed    maphash.Seed
	shards  [shardCount]shard
	series  atomic.Int64
	metrics *metrics
}

type shard struct {
	mu      sync.RWMutex
	sensors map[telemetry.SensorID]*sensorLatest
}

type sensorLatest struct {
	// seen is the newest of the times in readings.
	seen     telemetry.UnixMilli
	readings []telemetry.Reading // ordered by quantity, then channel
}

// NewLatest returns an empty cache. Of cfg, which must be valid, it uses what concerns the cache.
func NewLatest(cfg Config, reg prometheus.Registerer) *Latest {
	l := &Latest{cfg: cfg, seed: maphash.MakeSeed(), metrics: newMetrics(reg)}
	for i := range l.shards {
		l.shards[i].sensors = make(map[telemetry.SensorID]*sensorLatest)
	}
	return l
}

// Run takes in batches until ctx ends or the channel is closed. It only reads them; it keeps nothing of a batch's memory
// but the strings.
func (l *Latest) Run(ctx context.Context, batches <-chan []telemetry.Reading) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case batch, ok := <-batches:
			if !ok {
				return nil
			}
			l.Add(batch)
		}
	}
}

// Add takes in readings, in any order; those that are older than what is kept change nothing.
func (l *Latest) Add(readings []telemetry.Reading) {
	for len(readings) > 0 {
		// Readings of one sensor come together: one lock and one look-up for all of them.
		id := readings[0].Sensor
		n := 1
		for n < len(readings) && readings[n].Sensor == id {
			n++
		}
		l.add(id, readings[:n])
		readings = readings[n:]
	}
}

func (l *Latest) add(id telemetry.SensorID, readings []telemetry.Reading) {
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.sensors[id]
	for i := range readings {
		r := &readings[i]
		if kept != nil {
			if at, found := kept.find(r); found {
				if r.Measured >= kept.readings[at].Measured {
					kept.readings[at] = *r
					kept.seen = max(kept.seen, r.Measured)
				}
				continue
			}
		}
		if kept != nil && len(kept.readings) >= l.cfg.MaxLatestOfSensor || !l.reserve() {
			l.metrics.refused.Inc()
			continue
		}
		if kept == nil {
			kept = &sensorLatest{seen: r.Measured}
			s.sensors[id] = kept
		}
		at, _ := kept.find(r)
		kept.readings = slices.Insert(kept.readings, at, *r)
		kept.seen = max(kept.seen, r.Measured)
	}
}

// reserve takes the place of one more series, if there is one.
func (l *Latest) reserve() bool {
	if l.series.Add(1) > int64(l.cfg.MaxLatest) {
		l.series.Add(-1)
		return false
	}
	l.metrics.series.Inc()
	return true
}

// find returns where a reading's series is, or would be.
func (s *sensorLatest) find(r *telemetry.Reading) (int, bool) {
	return slices.BinarySearchFunc(s.readings, r, func(kept telemetry.Reading, r *telemetry.Reading) int {
		if kept.Quantity != r.Quantity {
			return cmp.Compare(kept.Quantity, r.Quantity)
		}
		return cmp.Compare(kept.Channel, r.Channel)
	})
}

func (l *Latest) shard(id telemetry.SensorID) *shard {
	return &l.shards[maphash.String(l.seed, string(id))%shardCount]
}

// LastSeen is the measured time of the sensor's newest reading.
func (l *Latest) LastSeen(sensor telemetry.SensorID) (telemetry.UnixMilli, bool) {
	s := l.shard(sensor)
	s.mu.RLock()
	defer s.mu.RUnlock()
	kept, ok := s.sensors[sensor]
	if !ok {
		return 0, false
	}
	return kept.seen, true
}

// AppendLatest appends the sensor's newest readings to dst, ordered by quantity, then channel.
func (l *Latest) AppendLatest(dst []telemetry.Reading, sensor telemetry.SensorID) []telemetry.Reading {
	s := l.shard(sensor)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if kept, ok := s.sensors[sensor]; ok {
		dst = append(dst, kept.readings...)
	}
	return dst
}

// Filter chooses among the newest readings. The zero Filter chooses all of them.
type Filter struct {
	// Sensors chooses sensors; nil chooses all.
	Sensors []telemetry.SensorID
	// Domain chooses quantities of one domain; 0 chooses all.
	Domain telemetry.Domain
	// Quantities chooses quantities; nil chooses all.
	Quantities []telemetry.QuantityID
}

func (f *Filter) wants(q telemetry.QuantityID) bool {
	return (f.Domain == 0 || q.Quantity().Domain == f.Domain) && (f.Quantities == nil || slices.Contains(f.Quantities, q))
}

// Select returns the chosen readings, ordered by sensor, quantity and channel. It is not one instant of the whole city:
// readings that come while it works may be in it or not.
func (l *Latest) Select(f Filter) []telemetry.Reading {
	var all []telemetry.Reading
	take := func(readings []telemetry.Reading) {
		for i := range readings {
			if f.wants(readings[i].Quantity) {
				all = append(all, readings[i])
			}
		}
	}
	if f.Sensors != nil {
		ids := slices.Clone(f.Sensors)
		slices.Sort(ids)
		var of []telemetry.Reading
		for _, id := range slices.Compact(ids) {
			of = l.AppendLatest(of[:0], id)
			take(of)
		}
		return all
	}
	l.visit(take)
	slices.SortStableFunc(all, func(a, b telemetry.Reading) int { return cmp.Compare(a.Sensor, b.Sensor) })
	return all
}

// visit shows each the newest readings of every sensor, at least one, under a lock: it must be quick, and not call l.
func (l *Latest) visit(each func([]telemetry.Reading)) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.RLock()
		for _, kept := range s.sensors {
			each(kept.readings)
		}
		s.mu.RUnlock()
	}
}
