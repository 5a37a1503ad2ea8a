package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// childDir tells a second process of this test's binary to be a store.
const childDir = "LAMPPOST_TEST_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(beStore(dir))
	}
	os.Exit(m.Run())
}

// beStore runs a store and writes into it from four sides, printing every point that was answered, until it is killed.
func beStore(dir string) int {
	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	cfg.CacheSnapshotBytes = 1 << 20 // so that data files are being written when it is killed
	log := storetest.Discard()
	s, err := embedded.New(cfg, log)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	go func() {
		if err := s.Run(context.Background()); err != nil {
			fmt.Println("error", err)
		}
	}()
	<-s.Ready()
	c, err := influx.New(s.Influx(), log)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	out := bufio.NewWriter(os.Stdout)
	began := time.Now().UnixMilli()
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := int64(0); ; n++ {
				var b strings.Builder
				for i := range int64(500) {
					fmt.Fprintf(&b, "traffic,sensor=loop-%d-%d-%d speed=%d %d\n", began, w, i%20, n, began+n*1000+i)
				}
				if err := c.Write(context.Background(), []byte(b.String())); err != nil {
					fmt.Println("error", err)
					return
				}
				mu.Lock()
				fmt.Fprintf(out, "stored %d %d %d\n", began, w, n)
				_ = out.Flush()
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return 1
}

func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	// batches is how many of each writer's batches were answered.
	batches := map[string]int{}
	for round := range 4 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		child.Stderr = os.Stderr
		pipe, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		for n := 0; lines.Scan(); n++ {
			var began, writer, batch int
			if _, err := fmt.Sscanf(lines.Text(), "stored %d %d %d", &began, &writer, &batch); err != nil {
				t.Errorf("child says %q", lines.Text())
				continue
			}
			batches[fmt.Sprintf("loop-%d-%d", began, writer)] = batch + 1
			if n == 40+30*round {
				_ = child.Process.Kill()
			}
		}
		_ = child.Wait()
	}

	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	s, _ := storetest.StartEmbedded(t, cfg)
	c := storetest.Client(t, s.Influx())
	if len(batches) < 16 {
		t.Fatalf("%d writers reported, want 16", len(batches))
	}
	for writer, n := range batches {
		// A batch that was stored but not yet reported when the kill came may be there as well.
		series, err := c.Query(context.Background(), fmt.Sprintf(`SELECT count("speed") FROM "traffic" WHERE "sensor" =~ /^%s-/ AND "speed" < %d`, writer, n))
		if err != nil {
			t.Fatal(err)
		}
		if len(series) != 1 || series[0].Values[0][0] != float64(500*n) {
			t.Errorf("writer %s: %v points, want %d", writer, series, 500*n)
		}
	}
	if err := s.Health(); err != nil {
		t.Error(err)
	}
}
