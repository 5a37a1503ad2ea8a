package driver

import (
	"fmt"

	"github.com/go-viper/mapstructure/v2"
)

// Decode fills options from a map, as the settings' YAML or JSON gives it, and validates them. Keys that the options do not
// have are faults; numbers may be written as text ("0x76"), durations as 10s.
func Decode(options Options, from map[string]any) error {
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: options, ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
		MatchName:  func(key, field string) bool { return key == field },
	})
	if err != nil {
		return fmt.Errorf("decode options into %T: %w", options, err)
	}
	if err := decoder.Decode(from); err != nil {
		return err
	}
	return options.Validate()
}
