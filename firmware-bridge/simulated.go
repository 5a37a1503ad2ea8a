package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// openSimulated makes a bus in memory, with the devices of the sensors on it.
func openSimulated(_ context.Context, cfg bus.Config, on []settings.Sensor, clock driver.Clock, log *slog.Logger) (*bus.Bus, error) {
	b, err := simbus.New(cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range on {
		d, options := s.How()
		setup := driver.Setup{Sensor: s.ID, Bus: b.Bus(), Options: options, Every: s.Every, Clock: clock, State: stateFile{}, Log: log}
		if err := d.Simulate(setup, b); err != nil {
			return nil, fmt.Errorf("simulate the %s of %s: %w", s.Driver, s.ID, err)
		}
	}
	return b.Bus(), nil
}

// exampleBus is the id of the bus in an example.
type exampleBus struct {
	Bus string `yaml:"bus"`
}

// Examples are settings with the example of every driver, each on a bus of its own: what --simulate reads where nobody has
// written settings.
func Examples(drivers []driver.Driver) ([]byte, error) {
	var buses, sensors strings.Builder
	for i, d := range drivers {
		var example exampleBus
		if err := yaml.Unmarshal([]byte(d.Example), &example); err != nil {
			return nil, fmt.Errorf("example of %s: %w", d.Name, err)
		}
		id := fmt.Sprintf("%s-%d", d.Bus, i)
		device := "simulated"
		switch d.Bus { // never dialled, but an address has to have a form
		case bus.Modbus:
			device = "tcp://127.0.0.1:502"
		case bus.MQTT:
			device = "mqtt://127.0.0.1:1883"
		}
		fmt.Fprintf(&buses, "  - {id: %s, type: %s, device: '%s'}\n", id, d.Bus, device)
		for j, line := range strings.Split(strings.TrimRight(d.Example, "\n"), "\n") {
			switch {
			case line == "bus: "+example.Bus:
				line = "bus: " + id
			case strings.HasPrefix(line, "id: "): // examples are of different cabinets, and may name the same sensor
				line = "id: " + d.Name + "-" + string(d.Bus)
			}
			if j == 0 {
				sensors.WriteString("  - " + line + "\n")
				continue
			}
			sensors.WriteString("    " + line + "\n")
		}
	}
	return fmt.Appendf(nil, "version: %d\nbuses:\n%ssensors:\n%s", settings.Version, buses.String(), sensors.String()), nil
}
