// Package options fills structs from what configuration makes of YAML and JSON: maps come in, structs go out. The formats call it for
// what people write of them, and the bridge's settings for the check of keys.
package options

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-viper/mapstructure/v2"
)

// Decode fills the struct that into points to, by its mapstructure tags. A key that the struct does not have is an error. One value
// may stand where a list is wanted, and numbers may be texts.
func Decode(into any, from map[string]any) error {
	if err := CheckKeys(from); err != nil {
		return err
	}
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, ErrorUnused: true, WeaklyTypedInput: true,
		MatchName: func(key, field string) bool { return key == field },
	})
	if err != nil {
		return fmt.Errorf("decode options into %T: %w", into, err)
	}
	if err := decoder.Decode(from); err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil
}

// CheckKeys refuses keys that are no texts, at any depth: YAML allows them, JSON does not, and mapstructure panics over them.
func CheckKeys(from map[string]any) error { return textKeys("", from) }

func textKeys(path string, value any) error {
	switch v := value.(type) {
	case map[any]any:
		return fmt.Errorf("%s: has a key that is no text", strings.TrimPrefix(path, "."))
	case map[string]any:
		for key, inner := range v {
			if err := textKeys(path+"."+key, inner); err != nil {
				return err
			}
		}
	case []any:
		for i, inner := range v {
			if err := textKeys(fmt.Sprintf("%s[%d]", path, i), inner); err != nil {
				return err
			}
		}
	}
	return nil
}
