package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// boots is what is known of this boot and earlier ones, newest first. Its file is written when the date becomes known
// and when it is corrected by much, so a few times a boot.
type boots struct {
	path string
	most int

	// mu guards the rest, and is not held while the disk works.
	mu  *sync.Mutex
	all []bootLine
	// saved is what the file says of this boot, and when it was written or could not be.
	saved estimate
	tried Instant
}

// bootLine is a boot in the file.
type bootLine struct {
	Boot Boot `json:"boot"`
	// On is the date at instant 0.
	On     time.Time `json:"on"`
	Within float64   `json:"within_s"`
	// At is when that was known, in seconds since On.
	At     float64 `json:"at_s"`
	Source Source  `json:"source"`
}

type bootFile struct {
	Version int        `json:"version"`
	Boots   []bootLine `json:"boots"`
}

const (
	bootFileName    = "boots.json"
	bootFileVersion = 1
	// mostBootBytes is far more than a thousand boots take.
	mostBootBytes = 1 << 20
	// keepPause is how long the disk is left alone after something was written to it, or could not be.
	keepPause = time.Minute
)

// openBoots reads the file. What cannot be read counts as nothing, and is set aside if the disk lets it.
func openBoots(dir string, most int) (boots, error) {
	b := boots{path: filepath.Join(dir, bootFileName), most: most, mu: new(sync.Mutex)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return b, fmt.Errorf("make the folder of the clock: %w", err)
	}
	info, err := os.Stat(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("read what is known of earlier boots: %w", err)
	}
	var file bootFile
	text, err := []byte(nil), fmt.Errorf("it has %d bytes", info.Size())
	if info.Size() <= mostBootBytes {
		text, err = os.ReadFile(b.path)
	}
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err == nil && file.Version != bootFileVersion {
		err = fmt.Errorf("it is of version %d", file.Version)
	}
	if err != nil {
		aside := os.Rename(b.path, b.path+".bad")
		return b, fmt.Errorf("read what is known of earlier boots from %s: %w", b.path, errors.Join(err, aside))
	}
	b.all = file.Boots[:min(len(file.Boots), most)]
	return b, nil
}

// find returns what is known of a boot.
func (b *boots) find(boot Boot) (estimate, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.all, func(l bootLine) bool { return l.Boot == boot })
	if i < 0 {
		return estimate{}, false
	}
	l := b.all[i]
	return estimate{source: l.Source, zero: l.On, within: seconds(l.Within), at: Instant(seconds(l.At))}, true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// keep writes what is known of this boot, if that is new.
func (c *Clock) keep() {
	c.mu.Lock()
	best, now := c.best, c.Now()
	c.mu.Unlock()
	due, first := c.file.due(best, now)
	if !due {
		return
	}
	err := c.file.save(c.boot, best)
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.fault
	c.fault = ""
	if err != nil {
		c.fault = err.Error()
	}
	switch {
	case err != nil && was == "":
		c.log.Warn("the date of this boot cannot be kept, trying again and again", "error", c.fault)
	case err == nil && was != "" && !first:
		c.log.Info("the date of this boot is kept")
	}
}

// due says whether best is worth a write, and whether it is the first attempt.
func (b *boots) due(best estimate, now Instant) (due, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = b.tried == 0
	switch {
	case best.source == "" || best.source == Kept:
		return false, false
	case b.saved.source != "" && best.zero.Sub(b.saved.zero).Abs() < worthSaying:
		return false, false
	case !first && now.Sub(b.tried) < keepPause:
		return false, false
	}
	b.tried = max(now, 1)
	return true, first
}

// save puts best to the front and replaces the file.
func (b *boots) save(boot Boot, best estimate) error {
	line := bootLine{Boot: boot, On: best.zero, Within: best.within.Seconds(), At: time.Duration(best.at).Seconds(), Source: best.source}
	b.mu.Lock()
	all := append([]bootLine{line}, slices.DeleteFunc(slices.Clone(b.all), func(l bootLine) bool { return l.Boot == boot })...)
	all = all[:min(len(all), b.most)]
	b.mu.Unlock()
	text, err := json.MarshalIndent(bootFile{Version: bootFileVersion, Boots: all}, "", " ")
	if err == nil {
		err = replaceFile(b.path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the date of this boot: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all, b.saved = all, best
	return nil
}

// replaceFile gives path new content, so that after a power cut it has either the old or the new.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
