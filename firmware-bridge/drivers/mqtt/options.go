package mqtt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/format"
)

// Options of one device, or of all devices under a topic filter.
type Options struct {
	// Topic is a topic filter: zigbee2mqtt/kitchen, or zigbee2mqtt/+ for all.
	Topic string `mapstructure:"topic"`
	// Format is a name of package format's list.
	Format string `mapstructure:"format"`
	// Mapping are the format's options. Of json it may be the name of a ready mapping alone.
	Mapping any `mapstructure:"mapping"`
	// Availability is a topic filter on which devices, or the broker in their stead, say online or offline; "" is none.
	Availability string `mapstructure:"availability"`
	// Silence is how long nothing may be heard until that is a fault; 0 is for ever.
	Silence time.Duration `mapstructure:"silence"`
}

// limits bound what one message may hold. A board has little memory, and no device says so much.
func limits() telemetry.Limits {
	return telemetry.Limits{MaxReadings: 1000, MaxDepth: 16, MaxNames: 4096}
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	var all []error
	if err := bus.CheckFilter(o.Topic); err != nil {
		all = append(all, fmt.Errorf("topic: %w", err))
	}
	if o.Availability != "" {
		if err := bus.CheckFilter(o.Availability); err != nil {
			all = append(all, fmt.Errorf("availability: %w", err))
		} else if o.Availability == o.Topic {
			all = append(all, errors.New("availability: is the topic of the readings; devices say that they are there on another"))
		}
	}
	if o.Silence < 0 || o.Silence > 30*24*time.Hour {
		all = append(all, fmt.Errorf("silence: %s is outside 0s to 720h", o.Silence))
	}
	if !slices.Contains(format.Names(), o.Format) {
		all = append(all, fmt.Errorf("format: %q is none of %s", o.Format, strings.Join(format.Names(), ", ")))
	} else if _, err := o.decoder(); err != nil {
		all = append(all, faults.Prefix("mapping", err))
	}
	return errors.Join(all...)
}

// decoder makes a decoder of the format.
func (o *Options) decoder() (format.Decoder, error) {
	var of map[string]any
	switch m := o.Mapping.(type) {
	case nil:
	case string:
		of = map[string]any{"ready": m}
	case map[string]any:
		of = maps.Clone(m)
	default:
		return nil, fmt.Errorf("ready: %v is neither the name of a ready mapping nor a mapping", m)
	}
	// A topic without wildcards is one device, and its readings are those of the entry, whatever a ready mapping makes of topics.
	if _, ready := of["ready"]; ready && of["sensor"] == nil && !strings.ContainsAny(o.Topic, "+#") {
		of["sensor"] = map[string]any{}
	}
	return format.New(o.Format, of, limits())
}
