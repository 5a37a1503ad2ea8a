package metrics_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/spool/metrics"
)

// gather returns the values by name and labels, and of a histogram how much it has counted.
func gather(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather() // a pedantic registry checks descriptions as well
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += "," + label.GetName() + "=" + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// filled is a spool with ten frames, of which its reader has had all and committed four.
func filled(t *testing.T) *spool.Spool {
	t.Helper()
	cfg := spool.DefaultConfig()
	cfg.SegmentBytes, cfg.GroupBytes, cfg.MaxFrameBytes, cfg.MaxBytes = 4<<10, 4<<10, 2<<10, 64<<10
	s, err := spool.Open(t.TempDir(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := s.Reader("store")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := s.Append(t.Context(), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		_, end, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i != 3 {
			continue
		}
		if err := r.Commit(end); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestMetricsShowTheState(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.New(filled(t)))
	got := gather(t, reg)
	if age := got["lamppost_spool_oldest_seconds"]; age <= 0 || age > 60 {
		t.Errorf("lamppost_spool_oldest_seconds %v", age)
	}
	want := map[string]float64{
		"lamppost_spool_size_bytes": 1296, "lamppost_spool_limit_bytes": 65536, "lamppost_spool_files": 1,
		"lamppost_spool_waiting_frames": 6, "lamppost_spool_reader_waiting_frames,reader=store": 6,
		"lamppost_spool_oldest_seconds": got["lamppost_spool_oldest_seconds"],
		"lamppost_spool_full":           0, "lamppost_spool_disk_full": 0,
		"lamppost_spool_appended_frames_total": 10, "lamppost_spool_appended_bytes_total": 1160, "lamppost_spool_delivered_frames_total": 10,
		"lamppost_spool_dropped_frames_total": 0, "lamppost_spool_dropped_bytes_total": 0,
		"lamppost_spool_damaged_frames_total": 0, "lamppost_spool_damaged_segments_total": 0, "lamppost_spool_torn_tails_total": 0,
		"lamppost_spool_sync_seconds": 10,
	}
	for _, operation := range strings.Fields("write sync truncate create remove cursor read") {
		want["lamppost_spool_failures_total,operation="+operation] = 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestBucketsHoldThoseBeforeThem(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s := filled(t)
	reg.MustRegister(metrics.New(s))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "lamppost_spool_sync_seconds" {
			continue
		}
		buckets := family.GetMetric()[0].GetHistogram().GetBucket()
		if len(buckets) != len(spool.SyncBounds()) {
			t.Fatalf("%d buckets", len(buckets))
		}
		last, slow := uint64(0), s.Stats().Syncs
		for _, b := range buckets {
			if b.GetCumulativeCount() < last {
				t.Errorf("fewer took at most %g s than less time", b.GetUpperBound())
			}
			last = b.GetCumulativeCount()
		}
		inBuckets := uint64(0)
		for _, n := range slow.Within {
			inBuckets += n
		}
		if last != inBuckets || last == 0 {
			t.Errorf("the last bucket holds %d of %d", last, inBuckets)
		}
		return
	}
	t.Error("no histogram")
}

func TestTwoSpoolsAreNotMixedUp(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.New(filled(t)))
	if err := reg.Register(metrics.New(filled(t))); err == nil {
		t.Error("two spools in one registerer")
	}
}
