// Package drivers lists every driver that the bridge has. A new one is a folder beside the others and a line in All.
package drivers

import (
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ads1x15"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/aht20"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/bh1750"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/bmx280"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/contact"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ds18b20"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/dsmr"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ina219"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/ina226"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/line"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mcp9808"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/modbus"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mqtt"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/nmea"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/pms5003"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/pulse"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/scd4x"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sds011"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sht3x"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/sht4x"
)

// All lists the drivers, by name.
func All() []driver.Driver {
	return []driver.Driver{
		ads1x15.ADS1015(),
		ads1x15.ADS1115(),
		aht20.Driver(),
		bh1750.Driver(),
		bmx280.BME280(),
		bmx280.BME280SPI(),
		bmx280.BMP280(),
		bmx280.BMP280SPI(),
		contact.Driver(),
		ds18b20.Driver(),
		dsmr.Driver(),
		ina219.Driver(),
		ina226.Driver(),
		line.Driver(),
		mcp9808.Driver(),
		modbus.Driver(),
		mqtt.Driver(),
		nmea.Driver(),
		pms5003.Driver(),
		pulse.Driver(),
		scd4x.Driver(),
		sds011.Driver(),
		sht3x.Driver(),
		sht4x.Driver(),
	}
}
