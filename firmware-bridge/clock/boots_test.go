package clock_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

func TestEarlierBootsAreDatedIfTheirDateWasEverKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := newBoard(1, noon)
		c, _, stop := start(t, clock.DefaultConfig(), dir, first)
		time.Sleep(time.Minute)
		c.Tell(first.date(), c.Now(), time.Second)
		synctest.Wait() // power fails right afterwards: nothing waits for an orderly end
		files, err := os.ReadFile(filepath.Join(dir, "boots.json"))
		stop()
		if err != nil || !strings.Contains(string(files), first.boot.String()) {
			t.Fatalf("the date of the boot is not on the disk once it is known: %s, %v", files, err)
		}

		second := newBoard(2, noon.Add(24*time.Hour))
		c, _, stop = start(t, clock.DefaultConfig(), dir, second)
		wantDate(t, c, time.Time{}, 0)
		if got, ok := c.DateOf(first.boot, clock.Instant(time.Second)); !ok || !got.Equal(noon.Add(time.Second)) {
			t.Errorf("the boot before: %s, %v", got, ok)
		}
		if _, ok := c.DateOf(second.boot, 0); ok {
			t.Error("the present boot is dated")
		}
		stop() // and its date never becomes known

		third := newBoard(3, noon.Add(48*time.Hour))
		third.set(0, true)
		c, _, _ = start(t, clock.DefaultConfig(), dir, third)
		if _, ok := c.DateOf(second.boot, 0); ok {
			t.Error("a boot whose date nobody knew is dated")
		}
		if _, ok := c.DateOf(first.boot, 0); !ok {
			t.Error("the first boot is forgotten")
		}
		if got, ok := c.DateOf(third.boot, 0); !ok || got.Sub(third.truth).Abs() > 20*time.Millisecond {
			t.Errorf("the present boot: %s, %v", got, ok)
		}
	})
}

func TestProcessThatIsStartedAgainKnowsTheDateOfItsBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := newBoard(1, noon)
		c, _, stop := start(t, clock.DefaultConfig(), dir, b)
		c.Tell(b.date(), c.Now(), 500*time.Millisecond)
		stop()
		before := stat(t, dir)
		time.Sleep(time.Hour)
		c, _, _ = start(t, clock.DefaultConfig(), dir, b)
		wantDate(t, c, noon, 0)
		if s := c.Status(); s.Source != clock.Kept || s.Uncertainty < 800*time.Millisecond {
			t.Errorf("%+v, want it kept, and less certain by 0.36 s after an hour", s)
		}
		b.set(0, true)
		time.Sleep(10 * time.Minute)
		if s := c.Status(); s.Source != clock.System || stat(t, dir) != before {
			t.Errorf("%+v; the file was written again: %v", s, stat(t, dir) != before)
		}
	})
}

func stat(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "boots.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFileIsBoundedAndTheNewestBootsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cfg := clock.DefaultConfig()
		cfg.Boots = 5
		for n := byte(1); n <= 9; n++ {
			b := newBoard(n, noon.AddDate(0, 0, int(n)))
			b.set(0, true)
			_, _, stop := start(t, cfg, dir, b)
			stop()
		}
		b := newBoard(10, noon)
		c, _, _ := start(t, cfg, dir, b)
		for n := byte(1); n <= 9; n++ {
			if _, ok := c.DateOf(clock.Boot{15: n}, 0); ok != (n > 4) {
				t.Errorf("boot %d is remembered: %v", n, ok)
			}
		}
	})
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"version":1,"boots":[{"boot":"0000`, "not ours": "\x00\xff\x00", "newer": `{"version":2}`,
		"another type": `{"version":1,"boots":{"boot":1}}`, "large": strings.Repeat(" ", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "boots.json")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				b := newBoard(1, noon)
				c, _, stop := start(t, clock.DefaultConfig(), dir, b)
				if c.Status().Fault == "" {
					t.Error("the status does not say so")
				}
				if kept, err := os.ReadFile(path + ".bad"); err != nil || string(kept) != text {
					t.Errorf("the file is not set aside: %v", err)
				}
				c.Tell(b.date(), c.Now(), time.Second)
				synctest.Wait()
				if c.Status().Fault != "" {
					t.Errorf("the fault stays: %s", c.Status().Fault)
				}
				stop()
				c, _, _ = start(t, clock.DefaultConfig(), dir, b)
				wantDate(t, c, noon, 0)
			})
		})
	}
}

func TestEveryBeginningOfTheFileIsSurvived(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		b.set(0, true)
		_, _, stop := start(t, clock.DefaultConfig(), dir, b)
		stop()
	})
	whole := stat(t, dir)
	for cut := range len(whole) - 1 { // the last byte is a line feed
		if err := os.WriteFile(filepath.Join(dir, "boots.json"), []byte(whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := clock.OpenOn(clock.DefaultConfig(), dir, newBoard(2, noon).machine(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if date, ok := c.DateOf(clock.Boot{15: 1}, 0); ok {
			t.Fatalf("%d of %d bytes date the boot before: %s", cut, len(whole), date)
		}
	}
}

func TestFolderThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := t.TempDir()
		dir := filepath.Join(place, "clock")
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
			t.Fatal(err)
		}
		b := newBoard(1, noon)
		b.set(0, true)
		c, _, stop := start(t, clock.DefaultConfig(), dir, b)
		time.Sleep(10 * time.Second)
		wantDate(t, c, noon, 20*time.Millisecond)
		if c.Status().Fault == "" {
			t.Error("the status does not say so")
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if c.Status().Fault != "" {
			t.Errorf("the fault stays: %s", c.Status().Fault)
		}
		stop()
		stat(t, dir)
	})
}
