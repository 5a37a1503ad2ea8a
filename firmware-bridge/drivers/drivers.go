// Package drivers lists every driver that the bridge has. A new one is a folder beside the others and a line in All.
package drivers

import (
	"slices"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/bmx280"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/mcp9808"
)

// All lists the drivers, by name.
func All() []driver.Driver {
	return slices.Concat(
		bmx280.Drivers(),
		[]driver.Driver{
			mcp9808.Driver(),
		},
	)
}
