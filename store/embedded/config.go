package embedded

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Config says where the store keeps its files and what bounds it.
type Config struct {
	// Dir is the folder that belongs to this store alone; it is created with mode 0700.
	Dir string `mapstructure:"dir"`
	// Listen is the address, which must be on loopback; port 0 takes a free one at every start.
	Listen string `mapstructure:"listen"`
	// Retention is how long points are kept, by their measured time; 0 keeps them for ever. It applies to what is stored
	// already as well: shortening it deletes. Points older than it are refused.
	Retention time.Duration `mapstructure:"retention"`
	// RetentionCheck is how often points that are too old are looked for.
	RetentionCheck time.Duration `mapstructure:"retention_check"`
	// WALSyncDelay is how long a write may wait for others to share its fsync; 0 syncs at once. See the package comment.
	WALSyncDelay time.Duration `mapstructure:"wal_sync_delay"`
	// CacheSnapshotBytes is how much of a shard is held in memory before it becomes a data file.
	CacheSnapshotBytes int64 `mapstructure:"cache_snapshot_bytes"`
	// CacheMaxBytes is how much of a shard may be held in memory at all; beyond it writes are answered with 500.
	CacheMaxBytes int64 `mapstructure:"cache_max_bytes"`
	// CacheColdAfter is how long after its last write a shard's memory becomes a data file, however little it holds.
	CacheColdAfter time.Duration `mapstructure:"cache_cold_after"`
	// MinFreeBytes is how much room there must be on the disk; below it writes are answered with 503 until there is.
	MinFreeBytes int64 `mapstructure:"min_free_bytes"`
	// MaxBodyBytes bounds a written body as it is sent (compressed, if it is); beyond it the answer is 413.
	MaxBodyBytes int64 `mapstructure:"max_body_bytes"`
	// MaxConnections bounds the connections; more wait to be accepted.
	MaxConnections int `mapstructure:"max_connections"`
	// QueryTimeout ends a query that takes longer.
	QueryTimeout time.Duration `mapstructure:"query_timeout"`
	// MaxQueries bounds the queries that run at once; more are refused, and can be tried again.
	MaxQueries int `mapstructure:"max_queries"`
	// MaxSelectPoints bounds the points that one query may read; 0 does not. The engine's watch over it races with the end
	// of the query that it watches, so it is off by default; QueryTimeout bounds a query all the same.
	MaxSelectPoints int `mapstructure:"max_select_points"`
	// MaxSelectSeries bounds the series that one query may read, counted once for each shard.
	MaxSelectSeries int `mapstructure:"max_select_series"`
	// MaxSelectBuckets bounds the periods of one query that groups by time.
	MaxSelectBuckets int `mapstructure:"max_select_buckets"`
	// MaxSeries bounds the combinations of measurement and tags; points of further ones are refused.
	MaxSeries int `mapstructure:"max_series"`
	// StopTimeout is how long requests under way, and then the files, may take to finish on stopping. What is cut off is
	// what a kill would cut off: nothing that was answered.
	StopTimeout time.Duration `mapstructure:"stop_timeout"`
}

// DefaultConfig returns a configuration in which only Dir is missing.
func DefaultConfig() Config {
	return Config{
		Listen:             "127.0.0.1:0",
		RetentionCheck:     30 * time.Minute,
		CacheSnapshotBytes: 25 << 20,
		CacheMaxBytes:      256 << 20,
		CacheColdAfter:     2 * time.Minute,
		MinFreeBytes:       256 << 20,
		MaxBodyBytes:       25_000_000,
		MaxConnections:     256,
		QueryTimeout:       time.Minute,
		MaxQueries:         64,
		MaxSelectSeries:    5_000_000,
		MaxSelectBuckets:   1_000_000,
		MaxSeries:          1_000_000,
		StopTimeout:        4 * time.Second,
	}
}

// minRetention is the shortest that the engine allows.
const minRetention = time.Hour

// Validate returns all faults of c, each with its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Dir == "" {
		fault("dir: is missing; set the folder in which readings are kept")
	}
	if err := checkLoopback(c.Listen); err != nil {
		fault("listen: %w", err)
	}
	if c.Retention != 0 && c.Retention < minRetention {
		fault("retention: is %s; set at least 1h, or 0 to keep readings for ever", c.Retention)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"retention_check", c.RetentionCheck}, {"cache_cold_after", c.CacheColdAfter}, {"query_timeout", c.QueryTimeout}, {"stop_timeout", c.StopTimeout},
	} {
		if d.value <= 0 {
			fault("%s: is %s; set a positive duration", d.key, d.value)
		}
	}
	if c.WALSyncDelay < 0 || c.WALSyncDelay > time.Second {
		fault("wal_sync_delay: is %s; set 0 to 1s", c.WALSyncDelay)
	}
	for _, n := range []struct {
		key        string
		value, min int64
	}{
		{"cache_snapshot_bytes", c.CacheSnapshotBytes, 1 << 20},
		{"cache_max_bytes", c.CacheMaxBytes, 2 * c.CacheSnapshotBytes},
		{"min_free_bytes", c.MinFreeBytes, 1 << 20},
		{"max_body_bytes", c.MaxBodyBytes, 1 << 20},
		{"max_connections", int64(c.MaxConnections), 4},
		{"max_queries", int64(c.MaxQueries), 1},
		{"max_select_points", int64(c.MaxSelectPoints), 0},
		{"max_select_series", int64(c.MaxSelectSeries), 1000},
		{"max_select_buckets", int64(c.MaxSelectBuckets), 1000},
		{"max_series", int64(c.MaxSeries), 1000},
	} {
		if n.value < n.min {
			fault("%s: is %d; set at least %d", n.key, n.value, n.min)
		}
	}
	return errors.Join(faults...)
}

// checkLoopback refuses names too: what a name means can change.
func checkLoopback(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port; set 127.0.0.1:0", address)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%q is not a loopback address; set 127.0.0.1 or [::1], and use an InfluxDB of its own to serve others", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return nil
}
