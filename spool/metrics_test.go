package spool_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/spool"
)

// gather returns the values by name and labels.
func gather(t testing.TB, reg prometheus.Gatherer) map[string]float64 {
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

func TestMetricsShowTheStateAndLeaveWithTheSpool(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	dir := t.TempDir()
	s, err := spool.Open(dir, small(), reg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := spool.Open(t.TempDir(), small(), reg, nil); err == nil {
		t.Error("two spools in one registerer")
		closeSpool(t, other)
	}
	ends := appendFrames(t, s, 0, 10, 100)
	r := reader(t, s, "store")
	drain(t, r)
	if err := r.Commit(ends[3]); err != nil {
		t.Fatal(err)
	}
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
	closeSpool(t, s)
	if left := gather(t, reg); len(left) > 0 {
		t.Errorf("after Close: %v", left)
	}
	if s, err = spool.Open(dir, small(), reg, nil); err != nil {
		t.Fatalf("what Close has left is in the way: %v", err)
	}
	closeSpool(t, s)
}
