package bmx280

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/bmxx80"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Registers (section 4.2; ctrl_hum: data sheet of the BME280, section 5.4.3).
const (
	registerHumidity = 0xf2
	registerMeasure  = 0xf4
	modeBits         = 0x03
	modeSleep        = 0x00
)

// link is the way to a chip.
type link interface {
	// connect gives the chip to periph's driver, which sets it up.
	connect(o *bmxx80.Opts) (*bmxx80.Dev, error)
	read(register byte, into []byte) error
	write(register, value byte) error
	// identify says which chip is there.
	identify(m model) error
	Until(ctx context.Context)
	Cause(err error) error
	Close() error
}

type i2cLink struct {
	bus.Witness
	address uint16
}

// connect reads the calibration twice: it has no checksum, and noise in it would make all values wrong until the next start.
func (l *i2cLink) connect(o *bmxx80.Opts) (*bmxx80.Dev, error) {
	first, err := bmxx80.NewI2C(&l.Witness, l.address, o)
	if err != nil {
		return nil, err
	}
	second, err := bmxx80.NewI2C(&l.Witness, l.address, o)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(first, second) {
		return nil, chip.Noise(errors.New("the calibration is not the same when it is read again"))
	}
	return second, nil
}

func (l *i2cLink) read(register byte, into []byte) error {
	return l.Tx(l.address, []byte{register}, into)
}

func (l *i2cLink) write(register, value byte) error {
	return l.Tx(l.address, []byte{register, value}, nil)
}

func (l *i2cLink) identify(m model) error { return m.identify(l, l.address) }

func (l *i2cLink) Close() error { return nil }

type spiLink struct{ bus.PortWitness }

func (l *spiLink) connect(o *bmxx80.Opts) (*bmxx80.Dev, error) {
	if err := l.PortWitness.Close(); err != nil {
		return nil, err
	}
	return bmxx80.NewSPI(&l.PortWitness, o)
}

// read and write use the highest bit of the register for what is done (section 5.3.2).
func (l *spiLink) read(register byte, into []byte) error {
	in := make([]byte, 1+len(into))
	out := make([]byte, len(in))
	out[0] = register | 0x80
	err := l.Tx(out, in)
	copy(into, in[1:])
	return err
}

func (l *spiLink) write(register, value byte) error {
	return l.Tx([]byte{register &^ 0x80, value}, nil)
}

func (l *spiLink) identify(m model) error {
	var id [1]byte
	if err := l.read(chip.BoschID, id[:]); err != nil {
		return fmt.Errorf("ask the %s for its id: %w", m.name, err)
	}
	if id[0] == 0x00 || id[0] == 0xff { // nobody drives the line
		return fault.New(fault.Absent, fmt.Errorf("no %s answers: id %#02x", m.name, id[0]), "look at the chip's supply, at MOSI, MISO and SCK, and which chip select it is on")
	}
	return m.is(id[0], "this chip select")
}

func (m model) identify(b i2c.Bus, address uint16) error {
	var id [1]byte
	if err := b.Tx(address, []byte{chip.BoschID}, id[:]); err != nil {
		return fmt.Errorf("ask the %s at %#x for its id: %w", m.name, address, err)
	}
	return m.is(id[0], fmt.Sprintf("%#x", address))
}

// is compares ids. Samples of the BMP280's first series have others.
func (m model) is(id byte, where string) error {
	name, driver := chip.Bosch(id)
	if name == m.name {
		return nil
	}
	advice := "another chip answers; look at the driver's name and the pin SDO"
	if name != "" {
		advice = "it is a " + name
	}
	if driver != "" {
		advice += ": set driver: " + driver
	}
	return fault.New(fault.Misconfigured, fmt.Errorf("the chip at %s is no %s: id %#02x", where, m.name, id), advice)
}

type sensor struct {
	link     link
	model    model
	sampling Sampling

	mu       sync.Mutex // Close may come during a Read
	chip     *bmxx80.Dev
	damp     damp    // of a BME280
	settings [4]byte // the registers from ctrl_hum to config, as periph has set them
}

func start(ctx context.Context, l link, m model, o Sampling) (driver.Sensor, error) {
	s := &sensor{link: l, model: m, sampling: o}
	if err := s.setUp(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return s, nil
}

// setUp lets periph's driver read the calibration and set up the chip.
func (s *sensor) setUp(ctx context.Context) error {
	s.link.Until(ctx)
	c, err := s.link.connect(s.sampling.periph())
	if err != nil {
		err = fmt.Errorf("set up the %s: %w", s.model.name, s.link.Cause(err))
		if fault.KindOf(err) != fault.Other || ctx.Err() != nil {
			return err
		}
		return errors.Join(s.link.identify(s.model), err) // it was the chip's id that periph did not like
	}
	if err := s.link.identify(s.model); err != nil {
		return err
	}
	if err := s.link.read(registerHumidity, s.settings[:]); err != nil {
		return fmt.Errorf("read the settings of the %s: %w", s.model.name, err)
	}
	if s.model.humid {
		if s.damp, err = readDamp(s.link); err != nil {
			return err
		}
	}
	s.chip = c
	if s.sampling.Filter == 0 {
		return nil
	}
	return chip.Wait(ctx, s.sampling.longest()) // until it has measured for the first time
}

// slack is how much longer than the data sheet says a measurement may take: the chip is little slower, but a small board that
// is busy with its card does not ask for some tenths of a second.
const slack = time.Second

// Read measures, or takes what the chip has measured last if it filters.
func (s *sensor) Read(ctx context.Context) ([]driver.Measurement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, s.sampling.longest()+slack)
	defer cancel()
	s.link.Until(bounded) // periph waits for a status bit, for ever if need be
	var e physic.Env
	err := s.chip.Sense(&e)
	s.link.Until(ctx)
	if err != nil {
		cause := s.link.Cause(err)
		if bounded.Err() != nil && ctx.Err() == nil {
			if wrong := s.link.identify(s.model); wrong != nil {
				return nil, wrong
			}
			return nil, fault.New(fault.Timeout, fmt.Errorf("measure: the %s does not come to an end", s.model.name), "take its supply away for a second; if this comes again it is broken")
		}
		return nil, fmt.Errorf("measure: %w", cause)
	}
	if err := s.remembers(ctx); err != nil {
		return nil, err
	}
	const advice = "the chip or its calibration is damaged; replace it"
	values := []chip.Value{{Quantity: s.sampling.Quantity, Unit: "Cel", Value: e.Temperature.Celsius(), Least: -40, Most: 85, Advice: advice}}
	if s.sampling.HumidityOversampling > 0 {
		humidity, err := s.damp.humidity(s.link)
		if err != nil {
			return nil, err
		}
		values = append(values, chip.Value{Quantity: "relative_humidity", Value: humidity, Advice: advice})
	}
	if s.sampling.PressureOversampling > 0 {
		values = append(values, chip.Value{
			Quantity: "pressure", Unit: "Pa", Value: float64(e.Pressure) / float64(physic.Pascal), Least: 30_000, Most: 110_000, Advice: advice,
		})
	}
	return chip.Measure(values...)
}

// remembers looks whether the chip still has its settings. One that was without supply for a moment answers with the numbers of
// what it has not measured, which look like values; another one may have been put in, with another calibration.
func (s *sensor) remembers(ctx context.Context) error {
	if err := s.link.identify(s.model); err != nil {
		return err
	}
	var now [4]byte
	if err := s.link.read(registerHumidity, now[:]); err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	was := s.settings
	now[1], was[1] = 0, 0 // status
	if !s.model.humid {
		now[0], was[0] = 0, 0 // not a register of the BMP280
	}
	if now == was {
		return nil
	}
	err := fault.New(fault.Garbled, fmt.Errorf("the %s has forgotten its settings: % x in place of % x", s.model.name, now, was), "it was without supply for a moment and is set up anew; if this comes again look at its supply and plug")
	return errors.Join(err, s.setUp(ctx))
}

// Close puts a chip to sleep that measures by itself. The others sleep between measurements anyway.
func (s *sensor) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.sampling.Filter > 0 {
		s.link.Until(context.Background())
		err = s.link.write(registerMeasure, s.settings[registerMeasure-registerHumidity]&^modeBits|modeSleep)
	}
	return errors.Join(err, s.link.Close())
}
