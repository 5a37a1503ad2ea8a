package registry_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/registry"
)

// importForEverIn makes the test's binary import into the file that it names until it is killed.
const importForEverIn = "LAMPPOST_TEST_IMPORT_FOR_EVER_IN"

// crashRows is large enough for a kill to fall within an import.
const crashRows = 1500

func importForEver(path string) int {
	ctx := context.Background()
	r, err := registry.OpenWith(ctx, path, testConfig(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("opened")
	for round := r.Snapshot().Version; ; round++ {
		// Every row changes in every round, all to the same title.
		text := roundCSV(round)
		if _, err := r.Import(ctx, strings.NewReader(text), registry.ImportOptions{By: by}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println("imported")
	}
}

func roundCSV(round int64) string {
	var csv strings.Builder
	csv.WriteString(header + "\n")
	for i := range crashRows {
		fmt.Fprintf(&csv, "lamp-%04d,round %d,site-%03d,round %d,,1,2,,,no2\n", i, round, i/10, round)
	}
	return csv.String()
}

func TestKilledImportLeavesAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	var last int64
	for kill := range 6 {
		importAndKill(t, path, kill == 0)
		r := openAt(t, path, testConfig())
		now := r.Snapshot()
		if now.Version < last {
			t.Fatalf("kill %d: version went back from %d to %d", kill, last, now.Version)
		}
		last = now.Version
		if now.Version == 0 {
			if n := len(now.Sensors()) + len(now.Sites()); n != 0 {
				t.Fatalf("kill %d: no import ended, but %d things are registered", kill, n)
			}
			continue
		}
		if n := len(now.Sensors()); n != crashRows {
			t.Fatalf("kill %d: %d sensors after version %d", kill, n, now.Version)
		}
		want := now.Sensors()[0].Title
		for _, s := range now.Sensors() {
			if site, ok := now.Site(s.Site); s.Title != want || !ok || site.Title != want {
				t.Fatalf("kill %d: %s is of %q, its site of %q, others of %q", kill, s.ID, s.Title, site.Title, want)
			}
		}
		if _, total, err := r.Audit(t.Context(), registry.AuditFilter{Kind: registry.KindSensor}); err != nil || int64(total) != now.Version*crashRows {
			t.Fatalf("kill %d: %d audit entries after version %d: %v", kill, total, now.Version, err)
		}
	}
	if last == 0 {
		t.Error("every kill came before the first import was done; nothing was tested")
	}
}

// importAndKill lets a child process import, and kills it within an import: its first, or the one after the first.
func importAndKill(t *testing.T, path string, first bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), importForEverIn+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	expect := func(want string) {
		if line, err := said.ReadString('\n'); line != want+"\n" {
			t.Errorf("the child said %q instead of %q: %v", line, want, err)
		}
	}
	expect("opened")
	begun, usual := time.Now(), 50*time.Millisecond
	if !first {
		expect("imported")
		usual = time.Since(begun)
	}
	time.Sleep(rand.N(usual)) // a crash has no moment of its own
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}
