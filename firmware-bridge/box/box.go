// Package box reads how the board itself does: temperature, memory, disk, radio link, uptime. The bridge sends that as readings
// of its own, under its own id, and shows it in its status; everything comes from files of the kernel, without any rights.
package box

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
)

// Board is where the kernel shows itself.
type Board struct {
	// Root is "/", or a folder with files like the kernel's.
	Root string
	// Data is the folder whose disk counts.
	Data string
}

// Read returns what can be known: device_temperature, memory_used, disk_used, uptime, signal_strength. What a board does not
// have is left out; an error is about what should be there. Memory and disk are ratios, the uptime is in seconds, the signal
// in dBm.
func (b Board) Read() ([]driver.Measurement, error) {
	var all []driver.Measurement
	var faults []error
	add := func(quantity string, read func() (float64, bool, error)) {
		v, there, err := read()
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", quantity, err))
		case there:
			all = append(all, driver.Measurement{Quantity: quantity, Value: v})
		}
	}
	add("device_temperature", b.temperature)
	add("memory_used", b.memory)
	add("disk_used", b.disk)
	add("uptime", b.uptime)
	add("signal_strength", b.signal)
	return all, errors.Join(faults...)
}

func (b Board) file(path ...string) string {
	return filepath.Join(append([]string{b.Root}, path...)...)
}

// temperature is that of the hottest thermal zone.
func (b Board) temperature() (float64, bool, error) {
	zones, err := filepath.Glob(b.file("sys", "class", "thermal", "thermal_zone*", "temp"))
	if err != nil {
		return 0, false, err
	}
	hottest, there := 0.0, false
	for _, zone := range zones {
		text, err := os.ReadFile(zone)
		if err != nil {
			continue // zones that are off answer with an error
		}
		milli, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		if err == nil && (!there || milli/1000 > hottest) {
			hottest, there = milli/1000, true
		}
	}
	return hottest, there, nil
}

// memory is the part that programs use: what is not available of what there is.
func (b Board) memory() (float64, bool, error) {
	text, err := os.ReadFile(b.file("proc", "meminfo"))
	if err != nil {
		return 0, false, err
	}
	sizes := make(map[string]float64)
	for line := range bytes.Lines(text) {
		name, rest, _ := strings.Cut(string(line), ":")
		if fields := strings.Fields(rest); len(fields) > 0 {
			if v, err := strconv.ParseFloat(fields[0], 64); err == nil {
				sizes[name] = v
			}
		}
	}
	total, available := sizes["MemTotal"], sizes["MemAvailable"]
	if total <= 0 {
		return 0, false, errors.New("/proc/meminfo has no MemTotal")
	}
	return 1 - available/total, true, nil
}

// disk is the part of the data folder's disk that is in use, as users other than root see it.
func (b Board) disk() (float64, bool, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(b.Data, &s); err != nil {
		return 0, false, err
	}
	used := float64(s.Blocks - s.Bfree)
	if whole := used + float64(s.Bavail); whole > 0 {
		return used / whole, true, nil
	}
	return 0, false, nil
}

func (b Board) uptime() (float64, bool, error) {
	text, err := os.ReadFile(b.file("proc", "uptime"))
	if err != nil {
		return 0, false, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	v, err := strconv.ParseFloat(first, 64)
	return v, err == nil, err
}

// signal is the level of the first radio interface in /proc/net/wireless, which not every kernel has.
func (b Board) signal() (float64, bool, error) {
	file, err := os.Open(b.file("proc", "net", "wireless"))
	if err != nil {
		return 0, false, nil
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// " wlan0: 0000   54.  -56.  -256        0      0      0      0     12        0"
		_, rest, ok := strings.Cut(lines.Text(), ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 3 {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSuffix(fields[2], "."), 64); err == nil && v < 0 && v > -130 {
			return v, true, nil
		}
	}
	return 0, false, lines.Err()
}
