package bridge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
)

// probePatience is how long one driver may look for its devices on one bus.
const probePatience = 20 * time.Second

// scan asks every driver whether its devices are on the buses; of each bus one driver after another, the buses side by side.
func scan(ctx context.Context, buses []bus.Config, drivers []driver.Driver, open func(context.Context, bus.Config) (*bus.Bus, error)) []control.BusReport {
	reports := make([]control.BusReport, len(buses))
	var all sync.WaitGroup
	for i, cfg := range buses {
		all.Go(func() { reports[i] = scanBus(ctx, cfg, drivers, open) })
	}
	all.Wait()
	return reports
}

func scanBus(ctx context.Context, cfg bus.Config, drivers []driver.Driver, open func(context.Context, bus.Config) (*bus.Bus, error)) control.BusReport {
	r := control.BusReport{ID: cfg.ID, Type: string(cfg.Type), Device: cfg.Device, Devices: []control.DeviceReport{}}
	b, err := open(ctx, cfg)
	if err != nil {
		r.Error, r.Advice = err.Error(), fault.AdviceOf(err)
		return r
	}
	defer b.Close()
	for _, d := range drivers {
		if d.Bus != cfg.Type || d.Probe == nil || ctx.Err() != nil {
			continue
		}
		found, err := probe(ctx, d, b)
		if err != nil {
			r.Error, r.Advice = fmt.Sprintf("look for %s: %v", d.Name, err), fault.AdviceOf(err)
			continue
		}
		for _, f := range found {
			r.Devices = append(r.Devices, control.DeviceReport{Driver: d.Name, Title: d.Title, Where: f.Where, Options: f.Options})
		}
	}
	if b.I2C != nil {
		r.Answers = strangers(ctx, b, r.Devices, drivers)
	}
	return r
}

// strangers are the I2C addresses that answer, and that no driver has recognised; with the drivers that could be right.
func strangers(ctx context.Context, b *bus.Bus, known []control.DeviceReport, drivers []driver.Driver) []string {
	answers, err := bus.ScanI2C(ctx, b.I2C)
	if err != nil && len(answers) == 0 {
		return nil // the drivers' probes have said what is wrong with the bus
	}
	var all []string
	for _, a := range answers {
		where := fmt.Sprintf("%#x", a.Address)
		if slices.ContainsFunc(known, func(d control.DeviceReport) bool { return strings.HasSuffix(d.Where, where) }) {
			continue
		}
		var perhaps []string
		for _, d := range drivers {
			if slices.Contains(d.PerhapsAt, a.Address) {
				perhaps = append(perhaps, d.Name)
			}
		}
		switch {
		case a.Taken:
			where += " (used by the operating system)"
		case len(perhaps) > 0:
			where += " (perhaps: " + strings.Join(perhaps, ", ") + ")"
		}
		all = append(all, where)
	}
	return all
}

func probe(ctx context.Context, d driver.Driver, b *bus.Bus) (found []driver.Found, err error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	err = guard(func() (err error) {
		found, err = d.Probe(ctx, b)
		return err
	})
	return found, err
}

// written is settings as a person would write them.
type written struct {
	Version int             `yaml:"version"`
	Buses   []writtenBus    `yaml:"buses"`
	Sensors []writtenSensor `yaml:"sensors"`
}

type writtenBus struct {
	ID     string   `yaml:"id"`
	Type   bus.Kind `yaml:"type"`
	Device string   `yaml:"device,omitempty"`
}

type writtenSensor struct {
	ID      string         `yaml:"id"`
	Driver  string         `yaml:"driver"`
	Bus     string         `yaml:"bus"`
	Every   string         `yaml:"every"`
	Options map[string]any `yaml:"options,omitempty"`
}

// draft writes settings for what a scan has found. Sensors are named after the bridge, the driver and a number; whoever
// installs them gives them the ids of the registry.
func draft(publisher string, found []control.BusReport) ([]byte, error) {
	w := written{Version: settings.Version, Buses: []writtenBus{}, Sensors: []writtenSensor{}}
	count := make(map[string]int)
	for _, b := range found {
		if b.Error == "" || len(b.Devices) > 0 {
			w.Buses = append(w.Buses, writtenBus{ID: b.ID, Type: bus.Kind(b.Type), Device: b.Device})
		}
		for _, d := range b.Devices {
			count[d.Driver]++
			id := fmt.Sprintf("%s-%s-%d", publisher, strings.ReplaceAll(d.Driver, "_", "-"), count[d.Driver])
			w.Sensors = append(w.Sensors, writtenSensor{ID: id, Driver: d.Driver, Bus: b.ID, Every: "1m", Options: d.Options})
		}
	}
	var text strings.Builder
	text.WriteString("# What this bridge reads. Give the sensors the ids of the city's registry, then try them: lamppost-bridge check\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(w); err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return []byte(text.String()), nil
}
