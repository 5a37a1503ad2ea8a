package config

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Print writes the configuration as a YAML file that Load reads, with the source of every value that is not a default
// in a comment. Secrets are [redacted], and so are passwords within URLs. Keys that cannot be set, because of what others
// say, are left out.
func Print[T any](w io.Writer, cfg T, sources Sources, without ...string) error {
	value := reflect.ValueOf(cfg)
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range keysOf(value.Type(), "", nil) {
		if slices.Contains(without, k.path) {
			continue
		}
		leaf, err := leafOf(value.FieldByIndex(k.index), k)
		if err != nil {
			return fmt.Errorf("print %s: %w", k.path, err)
		}
		section := root
		parts := strings.Split(k.path, ".")
		for _, name := range parts[:len(parts)-1] {
			section = sectionOf(section, name)
		}
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: parts[len(parts)-1]}
		if source, set := sources[k.path]; set && leaf.Kind == yaml.ScalarNode {
			leaf.LineComment = "from " + string(source)
		} else if set {
			name.HeadComment = "from " + string(source)
		}
		section.Content = append(section.Content, name, leaf)
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return err
	}
	_, err := w.Write(text.Bytes())
	return err
}

func sectionOf(parent *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(parent.Content); i += 2 {
		if parent.Content[i].Value == name {
			return parent.Content[i+1]
		}
	}
	section := &yaml.Node{Kind: yaml.MappingNode}
	parent.Content = append(parent.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, section)
	return section
}

func leafOf(field reflect.Value, k key) (*yaml.Node, error) {
	scalar := func(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }
	switch v := field.Interface().(type) {
	case time.Duration:
		return scalar(v.String()), nil
	case time.Time:
		return scalar(v.Format(time.RFC3339)), nil
	case secret.String:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String(), Style: yaml.DoubleQuotedStyle}, nil
	case string:
		if u, err := url.Parse(v); err == nil && u.User != nil {
			return scalar(u.Redacted()), nil // an address may hold a password
		}
	}
	if field.Kind() == reflect.Int64 && strings.HasSuffix(k.path, "_bytes") {
		return scalar(formatBytes(field.Int())), nil
	}
	var node yaml.Node
	if err := node.Encode(plain(field)); err != nil {
		return nil, err
	}
	return &node, nil
}

// plain turns lists of sections into what YAML shows with their configuration's names.
func plain(field reflect.Value) any {
	if field.Kind() != reflect.Slice || field.Type().Elem().Kind() != reflect.Struct {
		return field.Interface()
	}
	list := make([]map[string]any, field.Len())
	for i := range list {
		list[i] = make(map[string]any)
		for _, k := range keysOf(field.Type().Elem(), "", nil) {
			list[i][k.path] = field.Index(i).FieldByIndex(k.index).Interface()
		}
	}
	return list
}

// formatBytes writes a size in the largest unit that divides it.
func formatBytes(n int64) string {
	for _, unit := range byteUnits[:4] {
		if factor := int64(unit.factor); n != 0 && n%factor == 0 {
			return strconv.FormatInt(n/factor, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}
