package query

import (
	"container/list"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// maxTouched bounds the hours of which is remembered when readings came for them: twelve years.
const maxTouched = 100_000

// blockOf is the length of the pieces in which a history of a step is kept: of whole steps, few enough that those at both
// ends, which are cut, are soon asked for again; 0 where there is none.
func blockOf(step time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, block := range []time.Duration{time.Hour, 6 * time.Hour, day, 7 * day, 28 * day} {
		if step > 0 && block%step == 0 && block >= 4*step {
			return block
		}
	}
	return 0
}

// blocks keeps what the store has answered, in blocks of time of one statement each, up to some bytes. A block is good for
// as long as no reading has come for its hours since before it was asked for, and for no longer than an age, in case that
// others write into the same store. It may be used by any number of goroutines at once.
type blocks struct {
	bytes   int64
	age     time.Duration
	metrics *historyMetrics
	seed    maphash.Seed

	mu    sync.Mutex
	kept  map[blockKey]*list.Element // of *block
	order list.List                  // the one used last at the front
	held  int64
	// touched is the number of the last change of an hour since 1970; those before floor are forgotten.
	touched map[int64]uint64
	changes uint64
	floor   uint64
}

type blockKey struct {
	statement string
	from      telemetry.UnixMilli
}

type block struct {
	key    blockKey
	series []store.Series
	bytes  int64
	// since is the number of changes before the store was asked.
	since   uint64
	expires time.Time
}

func newBlocks(cfg Config, m *historyMetrics) *blocks {
	return &blocks{
		bytes: cfg.CacheBytes, age: cfg.CacheAge, metrics: m, seed: maphash.MakeSeed(),
		kept: make(map[blockKey]*list.Element), touched: make(map[int64]uint64),
	}
}

// changed notes that readings of some minutes since 1970 have come into the store.
func (b *blocks) changed(minutes []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
	for _, minute := range minutes {
		b.touched[floorDiv(minute, 60)] = b.changes
	}
	if len(b.touched) > maxTouched { // readings of all times: everything kept is from before
		clear(b.touched)
		b.floor = b.changes
	}
}

// now is what put wants to know of the time before the store is asked.
func (b *blocks) now() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}

// get returns a block that is still good. Its series must not be changed.
func (b *blocks) get(key blockKey, length time.Duration) ([]store.Series, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.kept[key]
	if !ok {
		b.metrics.missed.Inc()
		return nil, false
	}
	one := at.Value.(*block)
	if time.Now().After(one.expires) || !b.good(one, length) {
		b.drop(at)
		b.metrics.missed.Inc()
		return nil, false
	}
	b.order.MoveToFront(at)
	b.metrics.hit.Inc()
	return one.series, true
}

// good tells whether nothing has come for a block's hours.
func (b *blocks) good(one *block, length time.Duration) bool {
	if one.since < b.floor {
		return false
	}
	const hour = int64(time.Hour / time.Millisecond)
	for h := floorDiv(int64(one.key.from), hour); h*hour < int64(one.key.from)+length.Milliseconds(); h++ {
		if b.touched[h] > one.since {
			return false
		}
	}
	return true
}

// put keeps a block. It takes the series over.
func (b *blocks) put(key blockKey, series []store.Series, since uint64) {
	one := &block{key: key, series: series, since: since, bytes: int64(len(key.statement)) + 200}
	for i := range series {
		one.bytes += 400 + 8*int64(len(series[i].Times)*(1+len(series[i].Values)))
	}
	if one.bytes > b.bytes/4 {
		return
	}
	// Neighbours do not grow old at the same moment.
	share := 0.5 + float64(maphash.Comparable(b.seed, key)%1024)/2048
	one.expires = time.Now().Add(time.Duration(share * float64(b.age)))
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.kept[key]; ok {
		b.drop(at)
	}
	b.kept[key] = b.order.PushFront(one)
	b.held += one.bytes
	for b.held > b.bytes {
		b.drop(b.order.Back())
	}
	b.metrics.held.Set(float64(b.held))
}

func (b *blocks) drop(at *list.Element) {
	one := b.order.Remove(at).(*block)
	delete(b.kept, one.key)
	b.held -= one.bytes
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

func ceilDiv(n, by int64) int64 { return -floorDiv(-n, by) }

// split sorts the rows of series into blocks by their number, which begin an offset after whole multiples of their length since
// 1970. Its memory is its own.
func split(all []store.Series, length, offset time.Duration) map[int64][]store.Series {
	parts := make(map[int64][]store.Series)
	numberOf := func(t telemetry.UnixMilli) int64 {
		return floorDiv(int64(t)-offset.Milliseconds(), length.Milliseconds())
	}
	for i := range all {
		s := &all[i]
		for from := 0; from < len(s.Times); {
			number, to := numberOf(s.Times[from]), from+1
			for to < len(s.Times) && numberOf(s.Times[to]) == number {
				to++
			}
			part := store.Series{Measurement: s.Measurement, Tags: s.Tags, Columns: s.Columns, Times: slices.Clone(s.Times[from:to])}
			for _, column := range s.Values {
				part.Values = append(part.Values, slices.Clone(column[from:to]))
			}
			parts[number] = append(parts[number], part)
			from = to
		}
	}
	return parts
}
