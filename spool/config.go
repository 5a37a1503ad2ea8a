package spool

import (
	"errors"
	"fmt"
	"time"
)

// SyncPolicy says when frames are forced to the disk.
type SyncPolicy string

const (
	// SyncCommit makes Append return after fdatasync; concurrent callers share one.
	SyncCommit SyncPolicy = "commit"
	// SyncInterval makes Append return after write(2), with fdatasync every SyncInterval or SyncBytes.
	SyncInterval SyncPolicy = "interval"
)

// FullPolicy says what happens when MaxBytes or the disk's end is reached.
type FullPolicy string

const (
	// FullBlock makes Append wait for room. Nothing is ever dropped.
	FullBlock FullPolicy = "block"
	// FullDropOldest drops the oldest segments, counts their frames and moves the cursors that stood in them.
	FullDropOldest FullPolicy = "drop_oldest"
)

// Config is everything about a spool that may be changed. The zero Config is not valid; start from DefaultConfig or
// EdgeConfig.
type Config struct {
	// SegmentBytes is the size at which a segment file ends and the next one begins. Disk space comes back in whole segments.
	SegmentBytes int64 `mapstructure:"segment_bytes"`
	// MaxFrameBytes bounds one frame's payload.
	MaxFrameBytes int64 `mapstructure:"max_frame_bytes"`
	// GroupBytes bounds what concurrent callers of Append write at once, and with it the memory of the write path:
	// two such buffers. A frame larger than it goes alone.
	GroupBytes int64 `mapstructure:"group_bytes"`
	// ReadBufferBytes is the memory of one reader, unless a single frame is larger.
	ReadBufferBytes int64 `mapstructure:"read_buffer_bytes"`

	// MaxBytes bounds the segment files together; WhenFull says what happens then.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// MaxAge drops segments whose newest frame is older; 0 keeps for ever. Only with WhenFull drop_oldest.
	MaxAge time.Duration `mapstructure:"max_age"`
	// WhenFull is block or drop_oldest.
	WhenFull FullPolicy `mapstructure:"when_full"`
	// MaxBadBytes bounds the *.bad files, which hold damaged bytes for whoever wants to look; the oldest go first.
	MaxBadBytes int64 `mapstructure:"max_bad_bytes"`

	// Sync is commit or interval.
	Sync SyncPolicy `mapstructure:"sync"`
	// SyncInterval is the longest that frames (and committed cursors) wait for fdatasync under Sync interval.
	SyncInterval time.Duration `mapstructure:"sync_interval"`
	// SyncBytes is the most that waits for fdatasync under Sync interval. So much is also kept in memory, to be written
	// again should fdatasync fail.
	SyncBytes int64 `mapstructure:"sync_bytes"`
	// DiskRetry is how long Append waits before it tries a full disk again.
	DiskRetry time.Duration `mapstructure:"disk_retry"`

	// Readers lists the readers that count. Each of them holds the frames it has not committed, from Open on, also
	// before it is opened for the first time; a cursor that is not listed, left by an earlier version perhaps, holds
	// nothing. Empty means that every cursor file in the folder counts, so a forgotten one fills the spool.
	// It belongs to the wiring, not to the configuration file.
	Readers []string `mapstructure:"-"`
}

// DefaultConfig suits a server: every frame is on disk before Append returns, and nothing is dropped.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:    16 << 20,
		MaxFrameBytes:   4 << 20,
		GroupBytes:      1 << 20,
		ReadBufferBytes: 256 << 10,
		MaxBytes:        8 << 30,
		WhenFull:        FullBlock,
		MaxBadBytes:     64 << 20,
		Sync:            SyncCommit,
		SyncInterval:    time.Second,
		SyncBytes:       1 << 20,
		DiskRetry:       time.Second,
	}
}

// EdgeConfig suits a small computer with an SD card: few and larger writes, little memory, and the newest readings
// rather than the oldest when the card is full.
func EdgeConfig() Config {
	return Config{
		SegmentBytes:    1 << 20,
		MaxFrameBytes:   256 << 10,
		GroupBytes:      64 << 10,
		ReadBufferBytes: 64 << 10,
		MaxBytes:        256 << 20,
		WhenFull:        FullDropOldest,
		MaxBadBytes:     4 << 20,
		Sync:            SyncInterval,
		SyncInterval:    time.Second,
		SyncBytes:       64 << 10,
		DiskRetry:       time.Second,
	}
}

// Validate returns every fault at once, each as "key: what is wrong and what to do".
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	atLeast := func(key string, value, least int64) {
		if value < least {
			fault("%s: %d is too small; set at least %d", key, value, least)
		}
	}
	atLeast("segment_bytes", c.SegmentBytes, 4<<10)
	atLeast("max_frame_bytes", c.MaxFrameBytes, 1)
	atLeast("group_bytes", c.GroupBytes, 1)
	atLeast("read_buffer_bytes", c.ReadBufferBytes, 4<<10)
	atLeast("max_bad_bytes", c.MaxBadBytes, 0)
	if c.MaxFrameBytes > maxFrameBytes {
		fault("max_frame_bytes: %d is too large; set at most %d", c.MaxFrameBytes, maxFrameBytes)
	}
	if c.SegmentBytes > maxSegmentBytes {
		fault("segment_bytes: %d is too large; set at most %d", c.SegmentBytes, int64(maxSegmentBytes))
	}
	if c.GroupBytes > maxFrameBytes {
		fault("group_bytes: %d is too large; set at most %d", c.GroupBytes, maxFrameBytes)
	}
	if least := c.leastMaxBytes(); c.MaxBytes < least {
		fault("max_bytes: %d does not hold two segments and what is on its way; set at least %d, or smaller segment_bytes, group_bytes and max_frame_bytes", c.MaxBytes, least)
	}
	switch c.WhenFull {
	case FullBlock:
		if c.MaxAge != 0 {
			fault("max_age: when_full block never drops anything; set 0, or when_full drop_oldest")
		}
	case FullDropOldest:
		if c.MaxAge != 0 && c.MaxAge < time.Second {
			fault("max_age: %s is too short; set 0 (for ever) or at least 1s", c.MaxAge)
		}
	default:
		fault("when_full: %q is unknown; set %s or %s", c.WhenFull, FullBlock, FullDropOldest)
	}
	return errors.Join(append(faults, c.validateSync()...)...)
}

// leastMaxBytes leaves room for the segment that is written to, which may end with a whole group, for the one before it,
// for two groups on their way, and for the frame that waits to join.
func (c Config) leastMaxBytes() int64 {
	return 2*c.SegmentBytes + 4*(max(c.MaxFrameBytes+frameHeaderBytes, c.GroupBytes)+segmentHeaderBytes)
}

func (c Config) validateSync() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch c.Sync {
	case SyncCommit:
	case SyncInterval:
		if c.SyncInterval < time.Millisecond || c.SyncInterval > 10*time.Minute {
			fault("sync_interval: %s is out of bounds; set 1ms to 10m, or sync commit", c.SyncInterval)
		}
		if c.SyncBytes < 1 || c.SyncBytes > 1<<30 {
			fault("sync_bytes: %d is out of bounds; set 1 to %d", c.SyncBytes, 1<<30)
		}
	default:
		fault("sync: %q is unknown; set %s or %s", c.Sync, SyncCommit, SyncInterval)
	}
	if c.DiskRetry < time.Millisecond {
		fault("disk_retry: %s is too short; set at least 1ms", c.DiskRetry)
	}
	if len(c.Readers) > maxReaders {
		fault("readers: %d are too many; list at most %d", len(c.Readers), maxReaders)
	}
	for _, name := range c.Readers {
		if !validReaderName(name) {
			fault("readers: %q is not a name; use 1 to 63 of a-z, 0-9 and -, starting with a letter or digit", name)
		}
	}
	return faults
}
