package mqtt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/format"
	"github.com/lamppost-city/lamppost/telemetry/mapping"
)

const (
	// probeFor is how long a probe listens. Devices that speak less often are found only where the broker retains what they say.
	probeFor = 12 * time.Second
	// mostFound bounds what one broker may add to a report.
	mostFound = 32
	// longestProbed is the longest payload that is looked at: no device of a ready mapping says so much.
	longestProbed = 64 << 10
)

// probe listens to everything, publishes nothing, and tells which topics a ready mapping reads.
func probe(ctx context.Context, b *bus.Bus) ([]driver.Found, error) {
	p := prober{heard: make(map[string]bool)}
	for _, name := range mapping.Ready() {
		o := Options{Topic: "one", Format: "json", Mapping: name}
		decoder, err := o.decoder()
		if err != nil {
			return nil, fmt.Errorf("make mapping %s: %w", name, err)
		}
		p.decoders = append(p.decoders, named{name, decoder})
	}
	ctx, stop := context.WithTimeout(ctx, probeFor)
	defer stop()
	var wrong error
	err := b.Topics.Listen(ctx, bus.Ear{Filters: []string{"#"}, Hear: p.hear, Broker: func(err error) { wrong = err }})
	if ctx.Err() != nil {
		err = nil // that is how listening ends
	}
	if err == nil {
		err = wrong
	}
	return p.found, err
}

// prober looks at each topic until a mapping reads it.
type prober struct {
	decoders []named
	message  telemetry.Message
	heard    map[string]bool
	found    []driver.Found
}

type named struct {
	name string
	format.Decoder
}

func (p *prober) hear(m bus.Message) {
	if len(p.found) == mostFound || p.heard[m.Topic] || len(m.Payload) > longestProbed {
		return
	}
	best, most := "", 0
	for _, d := range p.decoders {
		p.message.Reset()
		d.Decode(&p.message, m.Topic, m.Payload, telemetry.Origin{Publisher: "probe", Received: telemetry.MilliOf(m.At)})
		if n := len(p.message.Readings); len(p.message.Faults) == 0 && n > most {
			best, most = d.name, n
		}
	}
	if most == 0 || strings.ContainsAny(m.Topic, "+#") {
		return
	}
	p.heard[m.Topic] = true
	p.found = append(p.found, driver.Found{
		Where:   fmt.Sprintf("topic %s, mapping %s", m.Topic, best),
		Options: map[string]any{"topic": m.Topic, "mapping": best},
	})
}
