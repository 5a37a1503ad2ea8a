package spool

import (
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Stats is the state of a spool at one moment. Counters begin at 0 when the spool is opened.
type Stats struct {
	Bytes     int64         // size of the segment files together
	MaxBytes  int64         // Config.MaxBytes
	Frames    uint64        // frames on disk that some reader has not committed; all of them if there is no reader
	Segments  int           // segment files
	OldestAge time.Duration // how long the oldest of Frames has waited, estimated from its place in its segment; 0 if none waits
	Full      bool          // MaxBytes is reached: appends wait, or drop
	DiskFull  bool          // the disk is full: appends wait, drop or fail
	End       Position      // behind the newest frame

	AppendedFrames, AppendedBytes uint64 // bytes include the frames' headers
	DeliveredFrames               uint64 // over all readers, repeated ones included
	DroppedFrames, DroppedBytes   uint64 // by WhenFull drop_oldest and MaxAge; frames that some reader had not committed, bytes of whole files
	BadSegments                   uint64 // segments in which damage was met
	BadFrames, BadBytes           uint64 // lost to damage; frames are at least so many where the damage hides how many they were
	TornTails, TornBytes          uint64 // cut by Open; never confirmed, or lost by power loss under SyncInterval

	Failures Failures // what the disk refused to do
	Syncs    Syncs    // how long it took to make frames durable

	Readers []ReaderStats // by name
}

// ReaderStats is the state of one reader's cursor.
type ReaderStats struct {
	Name      string
	Committed Position
	Frames    uint64 // behind the committed position
}

// Failures counts, by what was to be done, how often the disk refused it.
type Failures [operations]uint64

// All gives the counts by their names: write, sync, truncate, create, remove, cursor, read.
func (f Failures) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for o, n := range f {
			if !yield(operation(o).String(), n) {
				return
			}
		}
	}
}

// operation names what a disk refused to do.
type operation int

const (
	opWrite operation = iota
	opSync
	opTruncate
	opCreate
	opRemove
	opCursor
	opRead
	operations
)

func (o operation) String() string {
	return [operations]string{"write", "sync", "truncate", "create", "remove", "cursor", "read"}[o]
}

// counts is what has happened since Open.
type counts struct {
	appendedFrames, appendedBytes atomic.Uint64
	deliveredFrames               atomic.Uint64
	droppedFrames, droppedBytes   atomic.Uint64
	badSegments                   atomic.Uint64
	badFrames, badBytes           atomic.Uint64
	tornTails, tornBytes          atomic.Uint64
	failures                      [operations]atomic.Uint64
	syncs                         syncCounts
}

func (c *counts) failed(o operation) { c.failures[o].Add(1) }

// Stats returns the state of the spool. It is cheap: no file is touched.
func (s *Spool) Stats() Stats {
	c := &s.counts
	s.mu.Lock()
	defer s.mu.Unlock()
	low := s.lowestFrame()
	stats := Stats{
		Bytes: s.bytes, MaxBytes: s.cfg.MaxBytes, Segments: len(s.segs) + len(s.doomed),
		Frames: s.nextFrame() - low, OldestAge: s.ageOf(low),
		Full: s.full, DiskFull: s.diskFull, End: s.end(),
		AppendedFrames: c.appendedFrames.Load(), AppendedBytes: c.appendedBytes.Load(),
		DeliveredFrames: c.deliveredFrames.Load(),
		DroppedFrames:   c.droppedFrames.Load(), DroppedBytes: c.droppedBytes.Load(),
		BadSegments: c.badSegments.Load(), BadFrames: c.badFrames.Load(), BadBytes: c.badBytes.Load(),
		TornTails: c.tornTails.Load(), TornBytes: c.tornBytes.Load(),
		Syncs:   c.syncs.load(),
		Readers: make([]ReaderStats, 0, len(s.cursors)),
	}
	for o := range c.failures {
		stats.Failures[o] = c.failures[o].Load()
	}
	for _, r := range s.cursors {
		stats.Readers = append(stats.Readers, ReaderStats{Name: r.name, Committed: r.at, Frames: s.nextFrame() - r.frame})
	}
	slices.SortFunc(stats.Readers, func(a, b ReaderStats) int { return strings.Compare(a.Name, b.Name) })
	return stats
}

// ageOf estimates how long ago the frame of the given number came. It is called with mu held.
func (s *Spool) ageOf(frame uint64) time.Duration {
	for _, seg := range s.segs {
		if frame >= seg.first+uint64(seg.frames) {
			continue
		}
		age := time.Since(seg.firstAt)
		if frame > seg.first && seg.frames > 1 {
			span := seg.lastAt.Sub(seg.firstAt)
			age -= time.Duration(float64(span) * float64(frame-seg.first) / float64(seg.frames-1))
		}
		return max(age, 0)
	}
	return 0
}
