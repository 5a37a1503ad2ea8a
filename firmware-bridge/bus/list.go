package bus

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// List finds the buses that a machine has, by the files below root ("/" but in tests): I2C, SPI, serial lines (by their
// lasting names where there are such) and 1-Wire. A bus that is there may still be empty, or not be for sensors.
func List(root string) []Config {
	var all []Config
	aliased := serialAliases(root)
	add := func(kind Kind, pattern string) (some bool) {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return false // the patterns are constants, and well formed
		}
		for _, path := range found {
			device := "/" + strings.TrimPrefix(strings.TrimPrefix(path, filepath.Clean(root)), "/")
			if aliased[filepath.Base(device)] {
				continue
			}
			all = append(all, Config{ID: idOf(device), Type: kind, Device: device})
		}
		return len(found) > 0
	}
	add(I2C, "dev/i2c-*")
	add(SPI, "dev/spidev*")
	if !add(Serial, "dev/serial/by-id/*") {
		add(Serial, "dev/ttyUSB*")
		add(Serial, "dev/ttyACM*")
	}
	add(Serial, "dev/serial0")
	add(Serial, "dev/ttyAMA*")
	if found, err := filepath.Glob(filepath.Join(root, "sys", "bus", "w1", "devices", "*-*")); err == nil && len(found) > 0 {
		all = append(all, Config{ID: "onewire", Type: OneWire})
	}
	return all
}

// serialAliases are the lines behind the names that a Raspberry Pi gives them: serial0 is the one on its pins, whichever that is, and
// serial1 has a Bluetooth radio on it, which is left alone.
func serialAliases(root string) map[string]bool {
	lines := make(map[string]bool)
	for _, alias := range []string{"serial0", "serial1"} {
		if line, err := os.Readlink(filepath.Join(root, "dev", alias)); err == nil {
			lines[filepath.Base(line)] = true
		}
	}
	return lines
}

// LocalBroker tells whether something takes connections at address, host:port, and the bus that this would be.
func LocalBroker(ctx context.Context, address string) (cfg Config, there bool) {
	if address == "" {
		return cfg, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return cfg, false
	}
	_ = conn.Close()
	return Config{ID: "local-broker", Type: MQTT, Device: "mqtt://" + address}, true
}

// idOf makes a bus's id of its device: the last part of the path, in the letters that ids have. Of a long one the words at its
// end are left, which tell adapters of one make apart.
func idOf(device string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, filepath.Base(device))
	id = strings.Trim(id, "-")
	for len(id) > 32 {
		_, rest, words := strings.Cut(id, "-")
		if !words {
			rest = id[len(id)-32:]
		}
		id = strings.Trim(rest, "-")
	}
	return id
}
