package config

import (
	"reflect"
	"strings"
	"time"
)

// key is a value that can be set: its path in the file, and its place in the struct.
type key struct {
	path  string
	index []int
	kind  reflect.Type
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
)

// keysOf lists every key of a struct type, in the order of its fields. A field belongs to the configuration if it has a
// mapstructure tag other than "-".
func keysOf(t reflect.Type, prefix string, index []int) []key {
	var all []key
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("mapstructure")
		if name == "" || name == "-" {
			continue
		}
		at := append(append([]int(nil), index...), i)
		if field.Type.Kind() == reflect.Struct && field.Type != timeType {
			all = append(all, keysOf(field.Type, prefix+name+".", at)...)
			continue
		}
		all = append(all, key{path: prefix + name, index: at, kind: field.Type})
	}
	return all
}

// envName is the environment variable of a key.
func envName(prefix, path string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// nearest finds the name that a person may have meant, or "".
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/4)+1
	for _, candidate := range names {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
