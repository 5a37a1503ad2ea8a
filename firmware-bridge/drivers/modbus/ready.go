package modbus

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
)

//go:embed maps/*.yaml
var files embed.FS

// Map is what is known of a kind of device.
type Map struct {
	// Title says to a person what it is: maker, type, what it measures.
	Title string `mapstructure:"title"`
	// Order is that of all registers that do not say another.
	Order Order `mapstructure:"order"`
	// MaxRegisters is how many the device lets be read at once; 0 is what Modbus allows.
	MaxRegisters uint16 `mapstructure:"max_registers"`
	// MaxGap is how many registers that are not wanted it lets be read along; nil is the driver's own.
	MaxGap *int `mapstructure:"max_gap"`
	// Registers are at fixed addresses.
	Registers []Register `mapstructure:"registers"`
	// Models are those of SunSpec, of which the first that the device has is read.
	Models []Model `mapstructure:"models"`
	// Recognise is how a device of this kind is known.
	Recognise []Sign `mapstructure:"recognise"`
}

// Sign is a register by which a device can be known. Each has to fit.
type Sign struct {
	Table   string `mapstructure:"table"`
	Address uint16 `mapstructure:"address"`
	// Values are those that one register may have.
	Values []uint16 `mapstructure:"values"`
	// Texts are ways in which a string of Length registers may begin.
	Texts  []string `mapstructure:"texts"`
	Length uint16   `mapstructure:"length"`
}

// Names lists the ready maps.
func Names() []string {
	entries, err := files.ReadDir("maps")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Ready returns a ready map.
func Ready(name string) (Map, error) {
	if !slices.Contains(Names(), name) {
		return Map{}, fmt.Errorf("%q is none of %s", name, strings.Join(Names(), ", "))
	}
	text, err := files.ReadFile("maps/" + name + ".yaml")
	if err != nil {
		return Map{}, err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return Map{}, fmt.Errorf("read map %s: %w", name, err)
	}
	var m Map
	if err := driver.Decode(&m, fields); err != nil {
		return Map{}, fmt.Errorf("read map %s: %w", name, err)
	}
	return m, nil
}

// Validate says all that is wrong, each with its key, and gives the registers the map's order.
func (m *Map) Validate() error {
	lists, names := [][]Register{m.Registers}, []string{"registers"}
	for i := range m.Models {
		lists, names = append(lists, m.Models[i].Registers), append(names, fmt.Sprintf("models[%d].registers", i))
	}
	var faults []error
	for l, registers := range lists {
		for i := range registers {
			if registers[i].Order == "" {
				registers[i].Order = m.Order
			}
			if err := registers[i].Validate(); err != nil {
				faults = append(faults, prefixed(fmt.Sprintf("%s[%d].", names[l], i), err))
			}
		}
		if err := contradictions(registers); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// all are the registers at fixed addresses and those of all models.
func (m *Map) all() []Register {
	all := slices.Clone(m.Registers)
	for i := range m.Models {
		all = append(all, m.Models[i].Registers...)
	}
	return all
}

// quantities are those that the map has, by name.
func (m *Map) quantities() []string {
	var names []string
	for _, r := range m.all() {
		if r.Quantity != "" {
			names = append(names, r.Quantity)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
