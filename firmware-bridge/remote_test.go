package bridge

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
)

// deskOf is a desk over a folder, and the settings that it has applied.
func deskOf(t *testing.T, dir string) (d *desk, applied *[]*settings.Settings) {
	t.Helper()
	applied = new([]*settings.Settings)
	d = &desk{
		file: filepath.Join(dir, "sensors.yaml"), kept: filepath.Join(dir, "kept"), drivers: []driver.Driver{driverFor(nil)},
		apply: func(s *settings.Settings) { *applied = append(*applied, s) },
		date:  func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }, log: slog.New(slog.DiscardHandler),
	}
	return d, applied
}

func settingsWith(ids ...string) string {
	text := "version: 1\nbuses: [{id: pins, type: gpio}]\nsensors:\n"
	for _, id := range ids {
		text += "  - {driver: fake, bus: pins, every: 1s, id: " + id + "}\n"
	}
	return text
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSettingsFromAfarReplaceTheFilesAndOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sensors.yaml"), settingsWith("file-1"))
	d, applied := deskOf(t, dir)
	d.begin()
	if s := d.status(); s.Source != control.FromFile || s.Sensors != 1 {
		t.Errorf("at first %+v", s)
	}
	d.receive([]byte(settingsWith("afar-1", "afar-2")))
	d.receive([]byte(settingsWith("afar-1", "afar-2"))) // retained: it comes with every connection
	if s := d.status(); s.Source != control.FromRemote || s.Sensors != 2 || len(*applied) != 2 {
		t.Errorf("from afar %+v, applied %d times", s, len(*applied))
	}
	write(t, filepath.Join(dir, "sensors.yaml"), settingsWith("file-1", "file-2", "file-3"))
	d.reload()
	if s := d.status(); s.Source != control.FromRemote {
		t.Errorf("after a reload %+v", s)
	}
	again, _ := deskOf(t, dir)
	again.begin()
	if s := again.status(); s.Source != control.FromRemote || s.Sensors != 2 {
		t.Errorf("after a restart %+v", s)
	}
	again.receive(nil)
	if s := again.status(); s.Source != control.FromFile || s.Sensors != 3 {
		t.Errorf("after they were withdrawn %+v", s)
	}
	last, _ := deskOf(t, dir)
	last.begin()
	if s := last.status(); s.Source != control.FromFile {
		t.Errorf("withdrawn settings came back: %+v", s)
	}
}

func TestWithdrawnSettingsAreRefusedNoMore(t *testing.T) {
	for _, withdrawn := range []string{"", control.Withdrawn} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "sensors.yaml"), settingsWith("file-1"))
		d, applied := deskOf(t, dir)
		d.begin()
		d.receive([]byte("version: 99"))
		if s := d.status(); s.Source != control.FromFile || s.Refused == nil {
			t.Fatalf("bad ones from afar: %+v", s)
		}
		d.receive([]byte(withdrawn))
		if s := d.status(); s.Source != control.FromFile || s.Refused != nil || len(*applied) != 1 {
			t.Errorf("withdrawn by %q: %+v, applied %d times", withdrawn, s, len(*applied))
		}
		d.receive([]byte(settingsWith("afar-1")))
		d.receive([]byte(withdrawn))
		if s := d.status(); s.Source != control.FromFile || len(*applied) != 3 {
			t.Errorf("good ones withdrawn by %q: %+v, applied %d times", withdrawn, s, len(*applied))
		}
	}
}

func TestBadSettingsNeverTakeAWorkingOnesPlace(t *testing.T) {
	for name, bad := range map[string]string{
		"garbage":         "\x00\xff",
		"another version": "version: 99\nbuses: []\nsensors: []",
		"unknown driver":  strings.Replace(settingsWith("afar-1"), "fake", "laser", 1),
		"a shell":         settingsWith("afar-1") + "shell: reboot\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d, applied := deskOf(t, dir)
			d.begin()
			d.receive([]byte(settingsWith("good-1")))
			d.receive([]byte(bad))
			s := d.status()
			if s.Source != control.FromRemote || s.Sensors != 1 || len(*applied) != 1 {
				t.Errorf("in force %+v, applied %d times", s, len(*applied))
			}
			if s.Refused == nil || s.Refused.Error == "" || s.Refused.ID == s.ID || s.Refused.At.IsZero() {
				t.Errorf("refused %+v", s.Refused)
			}
			again, _ := deskOf(t, dir)
			again.begin()
			if got := again.status(); got.ID != s.ID {
				t.Errorf("after a restart %+v", got)
			}
			d.receive([]byte(settingsWith("good-1")))
			if got := d.status(); got.Refused != nil || len(*applied) != 1 {
				t.Errorf("after the ones in force %+v, applied %d times", got, len(*applied))
			}
			d.receive([]byte(settingsWith("good-2")))
			if got := d.status(); got.Refused != nil || got.Sensors != 1 {
				t.Errorf("after good ones %+v", got)
			}
		})
	}
}

// A card that is full or read-only gets the newest settings, or that there are none, once it takes them.
func TestSettingsThatTheCardDidNotTakeAreKeptOnceItDoes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sensors.yaml"), settingsWith("file-1"))
	d, _ := deskOf(t, dir)
	d.begin()
	kept := func() control.Settings {
		again, _ := deskOf(t, dir)
		d.kept, again.kept = filepath.Join(dir, "card", "kept"), filepath.Join(dir, "card", "kept")
		again.begin()
		return again.status()
	}
	d.kept = filepath.Join(dir, "card", "kept") // there is no such folder yet: nothing can be written
	d.receive([]byte(settingsWith("afar-1")))
	d.receive([]byte(settingsWith("afar-1", "afar-2")))
	d.settle()
	if s := kept(); s.Source != control.FromFile {
		t.Fatalf("nothing can have been kept: %+v", s)
	}
	if err := os.Mkdir(filepath.Join(dir, "card"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.settle()
	if s := kept(); s.Source != control.FromRemote || s.Sensors != 2 {
		t.Errorf("the newest are to be kept: %+v", s)
	}

	path := d.kept
	d.kept = filepath.Join(dir, "sensors.yaml", "kept") // not a folder: it cannot be removed there
	d.receive([]byte(control.Withdrawn))
	d.settle()
	d.kept = path
	d.settle()
	if s := kept(); s.Source != control.FromFile {
		t.Errorf("withdrawn settings came back: %+v", s)
	}
}

func TestNoSettingsAtAllIsSaid(t *testing.T) {
	d, applied := deskOf(t, t.TempDir())
	d.begin()
	if s := d.status(); s.Source != control.FromNobody || s.Refused == nil || len(*applied) != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestStateOfADriverIsKept(t *testing.T) {
	s := stateIn(t.TempDir(), "meter-1")
	if got, err := s.Load(); got != nil || err != nil {
		t.Errorf("before the first Save: %q, %v", got, err)
	}
	for _, text := range []string{"1", "22"} {
		if err := s.Save([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Load(); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := s.Save(make([]byte, maxStateBytes+1)); err == nil {
		t.Error("too much was saved")
	}
}
