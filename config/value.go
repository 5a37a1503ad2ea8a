package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

// assign converts what was set to the field's type.
func assign(field reflect.Value, k key, raw any) error {
	switch {
	case k.kind == durationType:
		d, err := parseDuration(raw)
		if err != nil {
			return err
		}
		field.SetInt(int64(d))
		return nil
	case k.kind == timeType:
		at, err := parseTime(raw)
		if err != nil {
			return err
		}
		field.Set(reflect.ValueOf(at))
		return nil
	case k.kind.Kind() == reflect.Int64 && strings.HasSuffix(k.path, "_bytes"):
		n, err := parseBytes(raw)
		if err != nil {
			return err
		}
		field.SetInt(n)
		return nil
	}
	return assignPlain(field, raw)
}

func assignPlain(field reflect.Value, raw any) error {
	text, isText := raw.(string)
	switch field.Kind() {
	case reflect.String:
		switch raw.(type) {
		case string, int, int64, uint64, float64, bool:
			field.SetString(fmt.Sprint(raw))
			return nil
		}
		return errors.New("must be a text")
	case reflect.Bool:
		if b, ok := raw.(bool); ok {
			field.SetBool(b)
			return nil
		}
		if b, err := strconv.ParseBool(text); isText && err == nil {
			field.SetBool(b)
			return nil
		}
		return fmt.Errorf("must be true or false, is %v", raw)
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, err := strconv.ParseInt(strings.TrimSpace(fmt.Sprint(raw)), 10, 64)
		if err != nil || field.OverflowInt(n) {
			return fmt.Errorf("must be a whole number, is %v", raw)
		}
		field.SetInt(n)
		return nil
	case reflect.Float64:
		f, err := strconv.ParseFloat(strings.TrimSpace(fmt.Sprint(raw)), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("must be a number, is %v", raw)
		}
		field.SetFloat(f)
		return nil
	case reflect.Slice:
		return assignList(field, raw)
	}
	return fmt.Errorf("cannot be set (it is a %s)", field.Type())
}

// assignList reads a list of texts, in a variable or flag separated by commas, or a list of sections.
func assignList(field reflect.Value, raw any) error {
	if text, ok := raw.(string); ok && field.Type().Elem().Kind() == reflect.String {
		list := reflect.MakeSlice(field.Type(), 0, 4)
		for part := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = reflect.Append(list, reflect.ValueOf(part).Convert(field.Type().Elem()))
			}
		}
		field.Set(list)
		return nil
	}
	list := reflect.New(field.Type())
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{Result: list.Interface(), ErrorUnused: true})
	if err != nil {
		return err
	}
	if err := decoder.Decode(raw); err != nil {
		return fmt.Errorf("must be a list: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	field.Set(list.Elem())
	return nil
}

// parseDuration reads Go's syntax and whole or broken days: 1.5d.
func parseDuration(raw any) (time.Duration, error) {
	text := strings.TrimSpace(fmt.Sprint(raw))
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && math.Abs(n) < 100_000 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("must be a duration such as 500ms, 90s, 12h or 30d, is %q", text)
	}
	return d, nil
}

func parseTime(raw any) (time.Time, error) {
	if at, ok := raw.(time.Time); ok {
		return at, nil
	}
	text := strings.TrimSpace(fmt.Sprint(raw))
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("must be a time such as 2000-01-01T00:00:00Z, is %q", text)
}

// byteUnits are powers of 1024 and of 1000; longer names come first.
var byteUnits = []struct {
	suffix string
	factor float64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

func parseBytes(raw any) (int64, error) {
	text := strings.TrimSpace(fmt.Sprint(raw))
	number, factor := text, 1.0
	for _, unit := range byteUnits {
		if before, ok := strings.CutSuffix(text, unit.suffix); ok {
			number, factor = strings.TrimSpace(before), unit.factor
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.Abs(n*factor) > 1<<62 || n*factor != math.Trunc(n*factor) {
		return 0, fmt.Errorf("must be a size such as 1048576 or 64MiB, is %q", text)
	}
	return int64(n * factor), nil
}
