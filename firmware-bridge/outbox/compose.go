package outbox

import (
	"errors"
	"fmt"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

var (
	// errNotYet: the date of this boot is not known yet.
	errNotYet = errors.New("the date is not known yet")
	// errNever: nobody has known the date of an earlier boot.
	errNever = errors.New("the date was never known")
)

// compose returns the payload of f, which is the uplink's from then on. It is called with mu held.
func (s *sender) compose(f *frame) ([]byte, error) {
	if f.kind == undated {
		return s.date(f)
	}
	if f.publisher == s.o.deps.Publisher {
		return append([]byte(nil), f.body...), nil
	}
	return s.rename(f)
}

// date makes SenML of samples.
func (s *sender) date(f *frame) ([]byte, error) {
	clock := s.o.deps.Clock
	if _, known := clock.DateOf(f.boot, 0); !known {
		if f.boot == clock.Boot() {
			return nil, errNotYet
		}
		return nil, errNever
	}
	s.message.Reset()
	unknown := ""
	err := f.samples(func(one sample) {
		quantity, ok := telemetry.QuantityByName(one.quantity)
		if !ok { // of another version
			unknown = one.quantity
			return
		}
		date, _ := clock.DateOf(f.boot, one.at)
		s.message.Readings = append(s.message.Readings, telemetry.Reading{
			Sensor: telemetry.SensorID(one.sensor), Quantity: quantity.ID, Channel: one.channel, Value: one.value, Measured: telemetry.MilliOf(date),
		})
	})
	if err != nil {
		return nil, err
	}
	if unknown != "" {
		s.complain("readings of a quantity that this version does not know are lost", fmt.Errorf("quantity %q", unknown))
		s.o.drop(Unknown, uint64(f.readings-len(s.message.Readings)))
	}
	return s.encode(f.seq)
}

// rename makes the names relative to this publisher, when the frame was made under another id.
func (s *sender) rename(f *frame) ([]byte, error) {
	if s.decoder == nil {
		limits := telemetry.DefaultLimits()
		limits.MaxNames = 1000
		s.decoder = senml.NewDecoder(limits)
	}
	s.message.Reset()
	s.decoder.DecodeCBOR(&s.message, f.body, telemetry.Origin{Publisher: f.publisher})
	if len(s.message.Faults) > 0 {
		return nil, fmt.Errorf("frame %d of publisher %s: %s", f.seq, f.publisher, s.message.Faults[0].Detail)
	}
	return s.encode(f.seq)
}

func (s *sender) encode(seq uint64) ([]byte, error) {
	s.message.Seq, s.message.HasSeq = seq, true
	return senml.AppendCBOR(make([]byte, 0, 32+40*len(s.message.Readings)), &s.message, s.o.deps.Publisher), nil
}
