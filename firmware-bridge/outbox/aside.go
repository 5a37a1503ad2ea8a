package outbox

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

// aside is the file of readings that nobody can date, one in a line of JSON, for people: whoever knows when the machine
// was switched on that day can add at_s to it. What an earlier process has left is kept beside it once. When it is full
// the rest is only counted.
type aside struct {
	path string
	room int64 // bytes that may still be written; the old file has as much
	file *os.File
	owed bool // something is written that is not synced
	full bool
}

const asideName = "undated.jsonl"

func newAside(dir string, most int64) *aside {
	return &aside{path: filepath.Join(dir, asideName), room: most / 2}
}

type asideLine struct {
	Boot     clock.Boot `json:"boot"`
	At       float64    `json:"at_s"`
	Sensor   string     `json:"sensor"`
	Quantity string     `json:"quantity"`
	Channel  string     `json:"channel,omitempty"`
	Value    *float64   `json:"value"`
}

// put writes the readings of f.
func (a *aside) put(f *frame) error {
	if a.full {
		return nil
	}
	var text []byte
	err := f.samples(func(s sample) {
		line := asideLine{Boot: f.boot, At: float64(s.at) / 1e9, Sensor: s.sensor, Quantity: s.quantity, Channel: s.channel}
		if !math.IsNaN(s.value) && !math.IsInf(s.value, 0) {
			line.Value = &s.value
		}
		if b, err := json.Marshal(line); err == nil {
			text = append(append(text, b...), '\n')
		}
	})
	if err != nil {
		return err
	}
	if int64(len(text)) > a.room {
		a.full = true
		return nil
	}
	if err := a.open(); err != nil {
		return fmt.Errorf("set undated readings aside: %w", err)
	}
	n, err := a.file.Write(text)
	a.room -= int64(n)
	a.owed = true
	if err != nil {
		return fmt.Errorf("set undated readings aside: %w", err)
	}
	return nil
}

func (a *aside) open() (err error) {
	if a.file != nil {
		return nil
	}
	if info, err := os.Stat(a.path); err == nil && info.Size() > 0 {
		if err := os.Rename(a.path, a.path+".old"); err != nil {
			return err
		}
	}
	a.file, err = os.OpenFile(a.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return err
}

// sync makes what was put durable, before the spool forgets it.
func (a *aside) sync() error {
	if !a.owed {
		return nil
	}
	a.owed = false
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("set undated readings aside: %w", err)
	}
	return nil
}

func (a *aside) close() error {
	if a.file == nil {
		return nil
	}
	err := a.sync()
	if closed := a.file.Close(); err == nil {
		err = closed
	}
	return err
}
