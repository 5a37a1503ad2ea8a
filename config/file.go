package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// setKey is a key that a file sets, and the line it is set in.
type setKey struct {
	path string
	line int
}

// maxFileBytes bounds a configuration file.
const maxFileBytes = 1 << 20

// fileKeys lists the keys that a file sets, and reports those that do not exist.
func fileKeys(file string, known []string) ([]setKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s: has %d bytes; at most %d are read", file, len(text), maxFileBytes)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	w := walk{file: file, known: known}
	w.node(document.Content[0], "")
	return w.set, errors.Join(w.faults...)
}

type walk struct {
	file   string
	known  []string
	set    []setKey
	faults []error
}

func (w *walk) fault(line int, format string, args ...any) {
	w.faults = append(w.faults, fmt.Errorf("%s:%d: %s", w.file, line, fmt.Sprintf(format, args...)))
}

func (w *walk) node(n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		w.fault(n.Line, "%s must be a section of keys", strings.TrimSuffix(path, "."))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		full := path + strings.ToLower(name.Value)
		if first, twice := seen[full]; twice {
			w.fault(name.Line, "%s: is set in line %d already", full, first)
			continue
		}
		seen[full] = name.Line
		switch {
		case slices.Contains(w.known, full):
			w.set = append(w.set, setKey{full, name.Line})
		case slices.ContainsFunc(w.known, func(k string) bool { return strings.HasPrefix(k, full+".") }):
			if value.Tag != "!!null" {
				w.node(value, full+".")
			}
		default:
			w.fault(name.Line, "%s: unknown key%s", full, meant(full, w.known))
		}
	}
}
