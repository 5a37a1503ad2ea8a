package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
)

// desk decides which settings are in force: the file's, or in their place those that came from afar, which are kept so that
// they survive a restart without a link. Settings that cannot be used change nothing, wherever they come from.
type desk struct {
	file    string // of the technician; "" for none
	kept    string // of the newest good settings from afar
	drivers []driver.Driver
	apply   func(*settings.Settings)
	date    func() time.Time
	log     *slog.Logger

	mu    sync.Mutex
	force control.Settings
	owed  func() error // what the card did not take of kept; nil if it is as it should be
}

// begin puts the newest good settings in force.
func (d *desk) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.force.Source = control.FromNobody
	if text, err := os.ReadFile(d.kept); err == nil && d.use(text, control.FromRemote) == nil {
		return
	}
	d.fromFile()
}

// fromFile puts the file's settings in force.
func (d *desk) fromFile() {
	if d.file == "" {
		return
	}
	text, err := os.ReadFile(d.file)
	if err != nil {
		d.refuse(control.FromFile, "", fmt.Errorf("read the settings: %w", err))
		return
	}
	_ = d.use(text, control.FromFile) // the refusal is noted
}

// reload reads the file again, unless settings from afar are in force.
func (d *desk) reload() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.force.Source != control.FromRemote {
		d.fromFile()
	}
}

// receive takes a message from afar: settings, or that there are none, which gives the word back to the file.
func (d *desk) receive(text []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(text) == 0 || string(text) == control.Withdrawn {
		if r := d.force.Refused; r != nil && r.Source == control.FromRemote {
			d.force.Refused = nil
		}
		if d.force.Source == control.FromRemote {
			d.log.Info("settings from afar are withdrawn")
			d.keep("they come back with the next start", func() error {
				if err := os.Remove(d.kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				return nil
			})
			d.fromFile()
		}
		return
	}
	if d.force.Source == control.FromRemote && d.force.ID == control.SettingsID(text) {
		d.force.Refused = nil
		return // a retained message comes again with every connection
	}
	if d.use(text, control.FromRemote) != nil {
		return
	}
	d.keep("they are lost with the next start", func() error { return replace(d.kept, text) })
}

// keep changes the file of settings from afar. A card that is full or read-only is asked again by settle; otherwise is what
// happens if it never takes the change.
func (d *desk) keep(otherwise string, change func() error) {
	d.owed = nil
	if err := change(); err != nil {
		d.log.Error("the card does not take the settings from afar, trying again and again", "otherwise", otherwise, "error", err)
		d.owed = change
	}
}

// settle tries again what the card did not take.
func (d *desk) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.owed == nil || d.owed() != nil {
		return
	}
	d.owed = nil
	d.log.Info("settings from afar are kept, the card takes them again")
}

// use puts settings in force if they are good.
func (d *desk) use(text []byte, from control.Source) error {
	s, err := settings.Parse(text, d.drivers)
	if err != nil {
		d.refuse(from, control.SettingsID(text), err)
		return err
	}
	d.apply(s)
	d.force = control.Settings{Source: from, ID: control.SettingsID(text), Buses: len(s.Buses), Sensors: len(s.Sensors), Applied: d.date()}
	d.log.Info("settings are in force", "source", string(from), "settings", d.force.ID, "buses", len(s.Buses), "sensors", len(s.Sensors))
	return nil
}

func (d *desk) refuse(from control.Source, id string, err error) {
	d.log.Error("settings are refused, the old ones stay in force", "source", string(from), "settings", id, "error", err.Error())
	d.force.Refused = &control.Refusal{Source: from, ID: id, At: d.date(), Error: err.Error()}
}

// refuseTooLong refuses settings that were not even read.
func (d *desk) refuseTooLong() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse(control.FromRemote, "", fmt.Errorf("settings are more than %d bytes; at most %d are allowed", uplink.MaxReceived, settings.MaxBytes))
}

func (d *desk) status() control.Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.force
}

// replace writes a file so that power loss leaves the old one or the new one.
func replace(path string, text []byte) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".next-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // gone already where all went well
	_, err = next.Write(text)
	if err == nil {
		err = next.Sync()
	}
	if err := errors.Join(err, next.Close()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
