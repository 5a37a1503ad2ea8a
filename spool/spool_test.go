package spool_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lamppost-city/lamppost/spool"
)

func TestFramesComeBackInOrderAfterReopening(t *testing.T) {
	for _, policy := range []spool.SyncPolicy{spool.SyncCommit, spool.SyncInterval} {
		t.Run(string(policy), func(t *testing.T) {
			dir := t.TempDir()
			cfg := spool.DefaultConfig()
			cfg.Sync = policy
			cfg.SegmentBytes = 4096
			cfg.Readers = []string{"store"}
			next := 0
			for round := range 5 {
				s, err := spool.Open(dir, cfg, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 100 {
					if _, err := s.Append(context.Background(), fmt.Appendf(nil, "frame %d", round*100+i)); err != nil {
						t.Fatal(err)
					}
				}
				r, err := s.Reader("store")
				if err != nil {
					t.Fatal(err)
				}
				for range 70 {
					frame, end, err := r.Next(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					if want := fmt.Sprintf("frame %d", next); string(frame) != want {
						t.Fatalf("got %q, want %q", frame, want)
					}
					next++
					if err := r.Commit(end); err != nil {
						t.Fatal(err)
					}
				}
				if got, want := s.Stats().Frames, uint64((round+1)*30); got != want {
					t.Errorf("Stats().Frames = %d, want %d", got, want)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
