package broker_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/internal/smalldisk"
)

func TestAStartOnAFullDiskSaysSoAndHarmsNothing(t *testing.T) {
	cfg := config(t)
	smalldisk.Mount(t, cfg.Dir, "size=64m")
	cfg.MinFreeBytes = 1 << 20
	r := start(t, cfg, nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 10)
	r.stop()
	filler := filepath.Join(cfg.Dir, "filler")
	smalldisk.Fill(t, filler)
	b, err := broker.New(cfg, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	began := time.Now()
	if err := b.Run(ctx); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("run ended after %s: %v", time.Since(began), err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r = start(t, cfg, nil)
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "ingest takes what is stored", func() bool { n, _ := in.counts(); return n == 10 })
	r.stop()
}
