package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/influxdata/influxdb/models"
	"github.com/influxdata/influxdb/tsdb"
)

// tendEvery is how often shards that nothing is written to give back their memory.
const tendEvery = 10 * time.Second

// shards keeps writes to a shard apart from the two things that the engine of 1.8 does beside them and should not. Both take
// points that were answered out of its cache, and with the next snapshot out of its log:
//
//   - A cache without memory gets some with its first write. Another write at that moment goes into nothing.
//   - A shard that was idle when it was looked at gives back its cache, whatever has come into it since.
//
// So the first write to a shard runs alone, and shards are tended here, not by the engine's own monitor, while no write runs.
type shards struct {
	*tsdb.Store
	log *slog.Logger

	mu sync.Mutex
	// gates has one for every shard that was written, also after it is gone: a shard that had two would have none.
	gates map[uint64]*shardGate

	stop    context.CancelFunc
	tending sync.WaitGroup
}

// shardGate is passed by the writes of one shard, and closed for all of them while the shard is tended.
type shardGate struct {
	sync.RWMutex
	// warm is true when the shard's cache has memory.
	warm bool
}

func newShards(data *tsdb.Store, log *slog.Logger) *shards {
	return &shards{Store: data, log: log, gates: make(map[uint64]*shardGate), stop: func() {}}
}

// open begins to tend the shards.
func (s *shards) open() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.tending.Go(func() {
		ticker := time.NewTicker(tendEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if err := s.tend(); err != nil {
					s.log.Warn("embedded store cannot free the memory of a shard", "error", err)
				}
			}
		}
	})
}

// close ends the tending, not the store.
func (s *shards) close() {
	s.stop()
	s.tending.Wait()
}

func (s *shards) gate(shard uint64) *shardGate {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[shard]
	if g == nil {
		g = &shardGate{}
		s.gates[shard] = g
	}
	return g
}

// WriteToShard is for those who have no context.
func (s *shards) WriteToShard(shard uint64, points []models.Point) error {
	return s.WriteToShardWithContext(context.Background(), shard, points)
}

// WriteToShardWithContext writes points as the engine does, the first time alone.
func (s *shards) WriteToShardWithContext(ctx context.Context, shard uint64, points []models.Point) error {
	g := s.gate(shard)
	g.RLock()
	if g.warm {
		defer g.RUnlock()
		return s.Store.WriteToShardWithContext(ctx, shard, points)
	}
	g.RUnlock()

	g.Lock()
	defer g.Unlock()
	err := s.Store.WriteToShardWithContext(ctx, shard, points)
	g.warm = err == nil
	return err
}

// tend frees what idle shards hold, and lets the others compact their files.
func (s *shards) tend() error {
	var faults []error
	for _, id := range s.ShardIDs() {
		shard := s.Shard(id)
		if shard == nil { // deleted meanwhile
			continue
		}
		if idle, _ := shard.IsIdle(); !idle {
			shard.SetCompactionsEnabled(true)
		} else if err := s.free(shard); err != nil && !errors.Is(err, tsdb.ErrEngineClosed) {
			faults = append(faults, fmt.Errorf("shard %d: %w", id, err))
		}
	}
	return errors.Join(faults...)
}

func (s *shards) free(shard *tsdb.Shard) error {
	g := s.gate(shard.ID())
	g.Lock()
	defer g.Unlock()
	if idle, _ := shard.IsIdle(); !idle { // something was written while the gate was waited for
		return nil
	}
	g.warm = false
	return shard.Free()
}
