package chip

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Numbers by which chips say what they are. The registers are the same in all chips of a family, so that a driver that meets a
// wrong chip can name it.
const (
	// BoschID is the register of Bosch's environmental sensors (BST-BMP280-DS001, section 4.3.1).
	BoschID byte = 0xd0
	// BME280ID is what it holds in a BME280.
	BME280ID byte = 0x60
	// BMP280ID is what it holds in a BMP280.
	BMP280ID byte = 0x58

	// TexasMaker is the register of the maker in many chips of Texas Instruments (SBOS547A, section 7.6).
	TexasMaker byte = 0xfe
	// TexasDie is the one of the chip's type and revision.
	TexasDie byte = 0xff
	// TexasInstruments is "TI".
	TexasInstruments uint16 = 0x5449
	// INA226Die is INA226's.
	INA226Die uint16 = 0x2260
)

// Bosch names the chip with an id, and the driver for it.
func Bosch(id byte) (name, driver string) {
	switch id {
	case BME280ID:
		return "BME280", "bme280"
	case BMP280ID, 0x56, 0x57: // samples of the first series
		return "BMP280", "bmp280"
	case 0x55:
		return "BMP180", ""
	case 0x61:
		return "BME680 or BME688", ""
	case 0x50:
		return "BMP388", ""
	}
	return "", ""
}

// Texas names the chip of Texas Instruments with a die id, and the driver for it.
func Texas(die uint16) (name, driver string) {
	switch die {
	case INA226Die, INA226Die | 1: // the lowest four bits are the revision
		return "INA226", "ina226"
	case 0x2270:
		return "INA228", ""
	case 0x3220:
		return "INA3221", ""
	case 0x1050:
		return "HDC1080", ""
	case 0x07d0:
		return "HDC2010 or HDC2080", ""
	}
	return "chip of Texas Instruments", ""
}

// Register16 reads a register of 16 bits, most significant byte first.
func Register16(b i2c.Bus, address uint16, register byte) (uint16, error) {
	var both [2]byte
	if err := b.Tx(address, []byte{register}, both[:]); err != nil {
		return 0, fmt.Errorf("read register %#02x: %w", register, err)
	}
	return binary.BigEndian.Uint16(both[:]), nil
}

// sht4xSerial is the command for the serial number of SHT4x (data sheet, section 4.5), and sht3xStatus that for the status of
// SHT3x (data sheet, section 4.11).
var (
	sht4xSerial = [1]byte{0x89}
	sht3xStatus = [2]byte{0xf3, 0x2d}
)

// Name says which chip answers at an address, and which driver is for it: a small list, of what is often mistaken for each other.
// Both are "" if it is none of that list. It asks only what is harmless to other chips at these addresses.
func Name(ctx context.Context, b i2c.Bus, address uint16) (name, driver string) {
	switch {
	case address == 0x76 || address == 0x77:
		var id [1]byte
		if b.Tx(address, []byte{BoschID}, id[:]) == nil {
			return Bosch(id[0])
		}
	case address >= 0x18 && address <= 0x1f:
		maker, err := Register16(b, address, 0x06)
		device, err2 := Register16(b, address, 0x07)
		if err == nil && err2 == nil && maker == 0x0054 && device>>8 == 0x04 {
			return "MCP9808", "mcp9808"
		}
	case address >= 0x40 && address <= 0x4f:
		if maker, err := Register16(b, address, TexasMaker); err == nil && maker == TexasInstruments {
			if die, err := Register16(b, address, TexasDie); err == nil {
				return Texas(die)
			}
		}
		return sensirion(ctx, b, address)
	}
	return "", ""
}

// sensirion asks for SHT4x first: a chip that is not of its kind takes the command for the number of a register.
func sensirion(ctx context.Context, b i2c.Bus, address uint16) (name, driver string) {
	if address < 0x44 || address > 0x46 {
		return "", ""
	}
	if _, err := Ask(ctx, b, address, sht4xSerial[:], time.Millisecond, 2); err == nil {
		return "SHT4x", "sht4x"
	}
	if _, err := Ask(ctx, b, address, sht3xStatus[:], time.Millisecond, 1); err == nil {
		return "SHT3x", "sht3x"
	}
	return "", ""
}
