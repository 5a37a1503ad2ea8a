package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// A process that is killed before its ledger was written for the first time has lost nothing, and the next says nothing else.
func TestKillBeforeTheLedgerIsWrittenAlarmsNobody(t *testing.T) {
	file := write(t, "lamppost.yml", "ingest:\n  ledger:\n    flush_interval: 1m\n")
	c := endtoend.NewCity(t, lamppost.built, "--demo", "0", "--config", file)
	c.Start()
	register(t, c)
	if err := session(t, c).Publish("city/loop-1/readings", fmt.Sprintf(`{"time":%d,"speed":50}`, time.Now().UnixMilli())); err != nil {
		t.Fatal(err)
	}
	endtoend.Eventually(t, 10*time.Second, "the reading is in the spool", func() error {
		var list struct {
			Items []struct{} `json:"items"`
		}
		if err := c.Get("/api/v1/latest?sensor=loop-1", &list); err != nil || len(list.Items) != 1 {
			return fmt.Errorf("%d readings, %w", len(list.Items), err)
		}
		return nil
	})
	c.Kill()
	next := c.Start()
	c.Settled(1, 10*time.Second)
	for line := range strings.Lines(next.Stderr()) {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
			t.Error(line)
		}
	}
	c.MustBeClean()
	c.Stop()
}
