// Package bmx280 reads the BME280 (temperature, humidity, air pressure) and the BMP280 (temperature, air pressure) of Bosch
// Sensortec, on I2C and on SPI, through periph's driver. The humidity is computed here: see damp.
//
// Data sheets: Bosch BST-BME280-DS002 and BST-BMP280-DS001; section numbers are of the latter. A reading takes 7 to 115 ms
// by the oversampling, of which up to 98 ms do not end with the context.
//
// Not tried on hardware: whether every board ties CSB and SDO so that a chip starts in SPI mode at the first transaction.
package bmx280

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/devices/v3/bmxx80"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
)

// Options of a chip on I2C.
type Options struct {
	// Address is 0x76 or 0x77, set by the pin SDO.
	Address uint16 `mapstructure:"address"`
	// Sampling is what both kinds of bus have in common.
	Sampling `mapstructure:",squash"`

	model model
}

// SPIOptions of a chip on SPI.
type SPIOptions struct {
	// Sampling is what both kinds of bus have in common.
	Sampling `mapstructure:",squash"`

	model model
}

// Sampling is how it measures.
type Sampling struct {
	// Quantity is what the temperature is of: temperature, device_temperature.
	Quantity string `mapstructure:"quantity"`
	// TemperatureOversampling is how many conversions make a value: 1, 2, 4, 8 or 16.
	TemperatureOversampling int `mapstructure:"temperature_oversampling"`
	// PressureOversampling is the same for the pressure; 0 leaves it out.
	PressureOversampling int `mapstructure:"pressure_oversampling"`
	// HumidityOversampling is the same for the humidity; 0 leaves it out. The BMP280 has none.
	HumidityOversampling int `mapstructure:"humidity_oversampling"`
	// Filter smooths pressure and temperature: 0 for none, or the coefficient 2, 4, 8 or 16. The chip then measures twice a
	// second by itself, and warms itself a little.
	Filter int `mapstructure:"filter"`
}

// Validate says all that is wrong, each with its key.
func (o *Options) Validate() error {
	return errors.Join(o.model.on.Check(o.Address), o.validate(o.model))
}

// Validate says all that is wrong, each with its key.
func (o *SPIOptions) Validate() error { return o.validate(o.model) }

func (o *Sampling) validate(m model) error {
	faults := []error{chip.TemperatureOption("quantity", o.Quantity)}
	check := func(key string, value int, allowed []int) {
		if !slices.Contains(allowed, value) {
			faults = append(faults, fmt.Errorf("%s: %d is none of %v", key, value, allowed))
		}
	}
	check("temperature_oversampling", o.TemperatureOversampling, []int{1, 2, 4, 8, 16})
	check("pressure_oversampling", o.PressureOversampling, []int{0, 1, 2, 4, 8, 16})
	check("filter", o.Filter, []int{0, 2, 4, 8, 16})
	if m.humid {
		check("humidity_oversampling", o.HumidityOversampling, []int{0, 1, 2, 4, 8, 16})
	} else if o.HumidityOversampling != 0 {
		faults = append(faults, errors.New("humidity_oversampling: the BMP280 measures no humidity; leave it out"))
	}
	return errors.Join(faults...)
}

// standby is the pause between measurements that the chip makes by itself.
const standby = 500 * time.Millisecond

// periph returns the same in periph's words.
func (o *Sampling) periph() *bmxx80.Opts {
	steps := []int{0, 1, 2, 4, 8, 16}
	over := func(n int) bmxx80.Oversampling { return bmxx80.Oversampling(slices.Index(steps, n)) }
	p := &bmxx80.Opts{
		Temperature: over(o.TemperatureOversampling), Pressure: over(o.PressureOversampling), Humidity: over(o.HumidityOversampling),
	}
	if o.Filter > 0 {
		p.Filter = bmxx80.Filter(slices.Index([]int{0, 2, 4, 8, 16}, o.Filter))
		p.Standby = standby
	}
	return p
}

// longest is how long a measurement takes at most (section 3.8.1; data sheet of the BME280, section 9.1).
func (o *Sampling) longest() time.Duration {
	µs := 1250 + 2300*o.TemperatureOversampling
	if o.PressureOversampling > 0 {
		µs += 2300*o.PressureOversampling + 575
	}
	if o.HumidityOversampling > 0 {
		µs += 2300*o.HumidityOversampling + 575
	}
	return time.Duration(µs) * time.Microsecond
}

// model is one of the two chips.
type model struct {
	name, driver, title string
	id                  byte
	humid               bool
	on                  chip.Model
}

func bme280() model {
	m := model{name: "BME280", driver: "bme280", title: "temperature, humidity, air pressure", id: chip.BME280ID, humid: true}
	m.on = m.chip()
	return m
}

func bmp280() model {
	m := model{name: "BMP280", driver: "bmp280", title: "temperature, air pressure", id: chip.BMP280ID}
	m.on = m.chip()
	return m
}

func (m model) chip() chip.Model {
	return chip.Model{
		Name: m.name, Addresses: []uint16{0x76, 0x77}, Pins: "the pin SDO",
		Identify: func(_ context.Context, b i2c.Bus, address uint16) error { return m.identify(b, address) },
	}
}

func (m model) sampling() Sampling {
	s := Sampling{Quantity: "temperature", TemperatureOversampling: 2, PressureOversampling: 4}
	if m.humid {
		s.HumidityOversampling = 2
	}
	return s
}

// BME280 describes the BME280 on I2C.
func BME280() driver.Driver { return bme280().overI2C() }

// BME280SPI describes the BME280 on SPI.
func BME280SPI() driver.Driver { return bme280().overSPI() }

// BMP280 describes the BMP280 on I2C.
func BMP280() driver.Driver { return bmp280().overI2C() }

// BMP280SPI describes the BMP280 on SPI.
func BMP280SPI() driver.Driver { return bmp280().overSPI() }

func (m model) overI2C() driver.Driver {
	return driver.Driver{
		Name:    m.driver,
		Title:   "Bosch " + m.name + " on I2C: " + m.title,
		Bus:     bus.I2C,
		Options: func() driver.Options { return &Options{Address: 0x76, Sampling: m.sampling(), model: m} },
		Open: func(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
			o := s.Options.(*Options)
			if err := m.on.Find(ctx, s.Bus.I2C, o.Address); err != nil {
				return nil, err
			}
			return start(ctx, &i2cLink{Witness: bus.Witness{Bus: s.Bus.I2C}, address: o.Address}, m, o.Sampling)
		},
		Simulate: simulateI2C,
		Probe:    m.on.Probe,
		Example: "id: mast-3-weather\ndriver: " + m.driver + `
bus: i2c-1
every: 1m
options:
  address: 0x76
`,
	}
}

func (m model) overSPI() driver.Driver {
	return driver.Driver{
		Name:    m.driver,
		Title:   "Bosch " + m.name + " on SPI: " + m.title,
		Bus:     bus.SPI,
		Options: func() driver.Options { return &SPIOptions{Sampling: m.sampling(), model: m} },
		Open: func(ctx context.Context, s driver.Setup) (driver.Sensor, error) {
			return start(ctx, &spiLink{PortWitness: bus.PortWitness{Port: s.Bus.SPI}}, m, s.Options.(*SPIOptions).Sampling)
		},
		Simulate: simulateSPI,
		Example: "id: mast-3-weather\ndriver: " + m.driver + `
bus: spi-0
every: 1m
`,
	}
}
