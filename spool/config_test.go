package spool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

func TestDefaultsAreValid(t *testing.T) {
	for name, cfg := range map[string]spool.Config{"default": spool.DefaultConfig(), "edge": spool.EdgeConfig()} {
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryFaultIsReportedAtOnceWithItsKey(t *testing.T) {
	err := spool.Config{MaxAge: time.Hour, WhenFull: spool.FullBlock, Sync: spool.SyncInterval, Readers: []string{"a b"}}.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	keys := []string{
		"segment_bytes", "max_frame_bytes", "group_bytes", "read_buffer_bytes", "max_bytes", "max_age", "sync_interval", "sync_bytes", "disk_retry", "readers",
	}
	lines := strings.Split(err.Error(), "\n")
	for _, key := range keys {
		found := 0
		for _, line := range lines {
			if strings.HasPrefix(line, key+": ") {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s is reported %d times in\n%v", key, found, err)
		}
	}
	if len(lines) != len(keys) {
		t.Errorf("%d faults, want %d:\n%v", len(lines), len(keys), err)
	}
}

func TestSingleFaults(t *testing.T) {
	for key, change := range map[string]func(*spool.Config){
		"segment_bytes":   func(c *spool.Config) { c.SegmentBytes = 1 << 50; c.MaxBytes = 1 << 60 },
		"max_frame_bytes": func(c *spool.Config) { c.MaxFrameBytes = 1 << 40; c.MaxBytes = 1 << 60 },
		"group_bytes":     func(c *spool.Config) { c.GroupBytes = 1 << 40; c.MaxBytes = 1 << 60 },
		"max_bytes":       func(c *spool.Config) { c.MaxBytes = 2 * c.SegmentBytes },
		"max_bad_bytes":   func(c *spool.Config) { c.MaxBadBytes = -1 },
		"max_age":         func(c *spool.Config) { c.WhenFull = spool.FullDropOldest; c.MaxAge = time.Millisecond },
		"when_full":       func(c *spool.Config) { c.WhenFull = "drop_newest" },
		"sync":            func(c *spool.Config) { c.Sync = "never" },
		"sync_interval":   func(c *spool.Config) { c.Sync = spool.SyncInterval; c.SyncInterval = time.Hour },
		"readers":         func(c *spool.Config) { c.Readers = make([]string, 65); fill(c.Readers, "a") },
	} {
		cfg := spool.DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", key, err)
		}
		if _, err := spool.Open(t.TempDir(), cfg, nil); err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("%s: Open returns %v", key, err)
		}
	}
}

func fill(names []string, name string) {
	for i := range names {
		names[i] = name
	}
}
