package mapping

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/internal/options"
)

//go:embed ready/*.yaml
var files embed.FS

// Ready lists the names of the mappings that are ready.
func Ready() []string {
	entries, err := files.ReadDir("ready")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Decode reads a mapping from what configuration makes of YAML or JSON. The key ready names a mapping that is ready; what stands
// beside it (time, sensor, readings ...) takes the place of the ready mapping's own, and what stands at more_readings is put behind
// its readings. Decode finds keys that there are not; Validate, and New, find the rest.
func Decode(from map[string]any) (Options, error) {
	var o Options
	merged := make(map[string]any, len(from))
	if name, ok := from["ready"]; ok {
		ready, err := readyFields(fmt.Sprint(name))
		if err != nil {
			return o, err
		}
		merged = ready
	}
	for key, value := range from {
		if key != "ready" && key != "more_readings" {
			merged[key] = value
		}
	}
	if more, ok := from["more_readings"]; ok {
		list, isList := more.([]any)
		own, isOwn := merged["readings"].([]any)
		if !isList || !isOwn {
			return o, errors.New("more_readings: is a list to be put behind readings; there is no list, or nothing to put it behind")
		}
		merged["readings"] = slices.Concat(own, list)
	}
	err := options.Decode(&o, merged)
	return o, err
}

func readyFields(name string) (map[string]any, error) {
	if !slices.Contains(Ready(), name) {
		return nil, fmt.Errorf("ready: %q is none of %s", name, strings.Join(Ready(), ", "))
	}
	text, err := files.ReadFile("ready/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("ready: %w", err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("ready: read %s: %w", name, err)
	}
	return fields, nil
}
