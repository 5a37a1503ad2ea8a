package line

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Options of one device.
type Options struct {
	// Pattern is a regular expression (Go's RE2) that finds the values of a line in groups with names: T=(?P<t>[-0-9.]+). Lines
	// that do not match are passed over.
	Pattern string `mapstructure:"pattern"`
	// Readings say what the groups mean.
	Readings []Reading `mapstructure:"readings"`
	// Poll is what the device is sent to make it answer, with its line end; "" if it speaks by itself.
	Poll string `mapstructure:"poll"`
	// Checksum is how lines are checked: none, xor or sum8 of the characters before a * and two hexadecimal digits at the end of
	// the line. A $ or ! at its beginning does not count for xor.
	Checksum string `mapstructure:"checksum"`
	// MaxLine is how many characters a line has at most, 8 to 4096.
	MaxLine int `mapstructure:"max_line"`
	// Wait is how long to wait for a line that matches, 100ms to 1m.
	Wait time.Duration `mapstructure:"wait"`
	// Example is a line as the device sends it. It is tried when the settings are read, and is what a simulated device says.
	Example string `mapstructure:"example"`

	pattern *regexp.Regexp
}

// Reading is what a group of the pattern means.
type Reading struct {
	// Group is the name in the pattern. A group that matched nothing gives no reading.
	Group string `mapstructure:"group"`
	// Scale makes a measurement of the number. Of a state the group may also be the state's name.
	driver.Scale `mapstructure:",squash"`
}

const (
	none = "none"
	xor  = "xor"
	sum8 = "sum8"
)

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	pattern, err := regexp.Compile(o.Pattern)
	switch {
	case o.Pattern == "":
		fault("pattern: is empty; write one like T=(?P<t>[-0-9.]+)")
	case err != nil:
		fault("pattern: %w", err)
	}
	if len(o.Readings) == 0 {
		fault("readings: there are none; name at least one group of the pattern")
	}
	for i, r := range o.Readings {
		if pattern != nil && (r.Group == "" || pattern.SubexpIndex(r.Group) < 0) {
			names := slices.DeleteFunc(pattern.SubexpNames(), func(s string) bool { return s == "" })
			fault("readings[%d].group: %q is no group of the pattern; it has %q", i, r.Group, names)
		}
		if err := r.Validate(); err != nil {
			fault("readings[%d].%w", i, err)
		}
	}
	if o.Checksum != none && o.Checksum != xor && o.Checksum != sum8 {
		fault("checksum: %q is none of none, xor and sum8", o.Checksum)
	}
	if o.MaxLine < 8 || o.MaxLine > 4096 {
		fault("max_line: %d is outside 8 to 4096", o.MaxLine)
	}
	if o.Wait < 100*time.Millisecond || o.Wait > time.Minute {
		fault("wait: %s is outside 100ms to 1m", o.Wait)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	o.pattern = pattern
	if o.Example != "" {
		if _, err := o.Parse([]byte(o.Example)); err != nil {
			fault("example: %w", err)
		}
	}
	return errors.Join(faults...)
}

var (
	errSum     = errors.New("the checksum of a line is wrong")
	errNoSum   = errors.New("a line does not end in a checksum")
	errNoMatch = errors.New("a line does not match the pattern")
	errNumber  = errors.New("this is no number")
)

// Parse reads a line without its end. The good measurements are returned beside an error. The options have to be valid.
func (o *Options) Parse(line []byte) ([]driver.Measurement, error) {
	line, err := o.checked(line)
	if err != nil {
		return nil, fault.New(fault.Garbled, err, "")
	}
	groups := o.pattern.FindSubmatch(line)
	if groups == nil {
		return nil, fault.New(fault.Garbled, fmt.Errorf("%w: %.80q", errNoMatch, line), "look at pattern, and at the line's baud rate")
	}
	var all []driver.Measurement
	var faults []error
	for _, r := range o.Readings {
		text := strings.TrimSpace(string(groups[o.pattern.SubexpIndex(r.Group)]))
		if text == "" {
			continue
		}
		m, err := r.measure(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("group %s: %w", r.Group, err))
			continue
		}
		all = append(all, m)
	}
	return all, errors.Join(faults...)
}

// measure takes a number, with a point or a comma, or the name of a state.
func (r *Reading) measure(text string) (driver.Measurement, error) {
	if q, ok := telemetry.QuantityByName(r.Quantity); ok {
		if i, ok := q.StateIndex(strings.ToLower(text)); ok {
			return driver.Measurement{Quantity: r.Quantity, Channel: r.Channel, Value: float64(i)}, nil
		}
	}
	v, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	if err != nil {
		return driver.Measurement{}, fault.New(fault.Garbled, fmt.Errorf("%.40q: %w", text, errNumber), "")
	}
	return r.Measure(v)
}

// checked takes the checksum off a line, if there has to be one.
func (o *Options) checked(line []byte) ([]byte, error) {
	if o.Checksum == none {
		return line, nil
	}
	line = bytes.TrimRight(line, " ")
	star := len(line) - 3
	if star < 0 || line[star] != '*' {
		return nil, fmt.Errorf("%w: %.80q", errNoSum, line)
	}
	sum, err := hex.DecodeString(string(line[star+1:]))
	if err != nil || sum[0] != o.sum(line[:star]) {
		return nil, fmt.Errorf("%w: %.80q", errSum, line)
	}
	return line[:star], nil
}

func (o *Options) sum(b []byte) (sum byte) {
	if o.Checksum == xor && len(b) > 0 && (b[0] == '$' || b[0] == '!') {
		b = b[1:]
	}
	for _, c := range b {
		if o.Checksum == xor {
			sum ^= c
		} else {
			sum += c
		}
	}
	return sum
}
