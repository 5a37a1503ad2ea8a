package spool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lamppost-city/lamppost/spool"
)

func benchConfig(policy spool.SyncPolicy) spool.Config {
	cfg := spool.DefaultConfig()
	cfg.Sync = policy
	cfg.MaxBytes = 1 << 30
	cfg.WhenFull = spool.FullDropOldest
	cfg.Readers = []string{"store"}
	return cfg
}

func BenchmarkAppend(b *testing.B) {
	for _, policy := range []spool.SyncPolicy{spool.SyncCommit, spool.SyncInterval} {
		for _, size := range []int{200, 64 << 10} {
			for _, callers := range []int{1, 64} {
				b.Run(fmt.Sprintf("sync=%s/frame=%d/callers=%d", policy, size, callers), func(b *testing.B) {
					benchAppend(b, policy, size, callers)
				})
			}
		}
	}
}

func benchAppend(b *testing.B, policy spool.SyncPolicy, size, callers int) {
	s, err := spool.Open(b.TempDir(), benchConfig(policy), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	defer func() {
		b.ReportMetric(float64(b.N)/float64(max(1, s.Stats().Syncs.Count)), "frames/sync")
	}()
	frame := frameOf(0, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	if callers == 1 {
		for b.Loop() {
			if _, err := s.Append(b.Context(), frame); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.ResetTimer()
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := caller; i < b.N; i += callers {
				if _, err := s.Append(b.Context(), frame); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkDisk is what the disk does by itself: a frame appended to a file, with and without fdatasync.
func BenchmarkDisk(b *testing.B) {
	for _, size := range []int{200, 64 << 10} {
		for _, synced := range []bool{true, false} {
			b.Run(fmt.Sprintf("fdatasync=%v/frame=%d", synced, size), func(b *testing.B) { benchDisk(b, size, synced) })
		}
	}
}

func benchDisk(b *testing.B, size int, synced bool) {
	f, err := spool.RealDisk().OpenFile(filepath.Join(b.TempDir(), "file"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	frame := frameOf(0, size)
	b.SetBytes(int64(size))
	at := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(frame, at%(64<<20)); err != nil {
			b.Fatal(err)
		}
		at += int64(size)
		if !synced {
			continue
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{200, 64 << 10} {
		b.Run(fmt.Sprintf("frame=%d", size), func(b *testing.B) {
			s, err := spool.Open(b.TempDir(), benchConfig(spool.SyncInterval), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			frame := frameOf(0, size)
			frames := 64 << 20 / size
			for range frames {
				if _, err := s.Append(b.Context(), frame); err != nil {
					b.Fatal(err)
				}
			}
			r, err := s.Reader("store")
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for left := frames; b.Loop(); left-- {
				if left == 0 {
					if err := r.Seek(spool.Position{}); err != nil {
						b.Fatal(err)
					}
					left = frames
				}
				if _, _, err := r.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, policy := range []spool.SyncPolicy{spool.SyncCommit, spool.SyncInterval} {
		b.Run("sync="+string(policy), func(b *testing.B) {
			s, err := spool.Open(b.TempDir(), benchConfig(policy), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			r, err := s.Reader("store")
			if err != nil {
				b.Fatal(err)
			}
			var ends []spool.Position
			for range 1000 {
				end, err := s.Append(b.Context(), frameOf(0, 200))
				if err != nil {
					b.Fatal(err)
				}
				ends = append(ends, end)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i == len(ends) {
					b.StopTimer()
					for j := range ends {
						if ends[j], err = s.Append(b.Context(), frameOf(0, 200)); err != nil {
							b.Fatal(err)
						}
					}
					i = 0
					b.StartTimer()
				}
				if err := r.Commit(ends[i]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
