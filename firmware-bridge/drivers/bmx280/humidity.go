package bmx280

import (
	"errors"
	"fmt"

	"github.com/lamppost-city/lamppost/firmware-bridge/driver/chip"
)

// Registers (data sheet of the BME280, section 4.2.2, table 16, and section 5.4).
const (
	registerFirst    = 0x88 // dig_T1 to dig_H1
	registerSecond   = 0xe1 // dig_H2 to dig_H6
	registerRaw      = 0xfa // temperature and humidity
	firstCalibration = 0xa1 - registerFirst + 1
	secondLength     = 0xe7 - registerSecond + 1
)

// damp is what a BME280's humidity is computed of. periph's driver computes it as well, but takes dig_H4 and dig_H5, of which
// each has 12 bits and a sign, for numbers without one: with a chip that has a negative one its humidity is far off.
type damp struct {
	t1             uint16
	t2, t3         int16
	h1, h3         uint8
	h2, h4, h5, h6 int16
}

// readDamp reads the calibration, twice: it has no checksum.
func readDamp(l link) (damp, error) {
	var read [2]damp
	for i := range read {
		var first [firstCalibration]byte
		var second [secondLength]byte
		if err := errors.Join(l.read(registerFirst, first[:]), l.read(registerSecond, second[:])); err != nil {
			return damp{}, fmt.Errorf("read the calibration of the humidity: %w", err)
		}
		word := func(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }
		read[i] = damp{
			t1: word(first[0:]), t2: int16(word(first[2:])), t3: int16(word(first[4:])), h1: first[firstCalibration-1],
			h2: int16(word(second[0:])), h3: second[2],
			h4: int16(int8(second[3]))<<4 | int16(second[4]&0x0f),
			h5: int16(int8(second[5]))<<4 | int16(second[4]>>4),
			h6: int16(int8(second[6])),
		}
	}
	if read[0] != read[1] {
		return damp{}, chip.Noise(errors.New("the calibration is not the same when it is read again"))
	}
	return read[0], nil
}

// humidity computes the ratio of what the chip has measured last, by the formulas of the data sheet's section 8.1.
func (d damp) humidity(l link) (float64, error) {
	var raw [5]byte
	if err := l.read(registerRaw, raw[:]); err != nil {
		return 0, fmt.Errorf("read the humidity: %w", err)
	}
	t := float64(uint32(raw[0])<<12 | uint32(raw[1])<<4 | uint32(raw[2])>>4)
	h := float64(uint32(raw[3])<<8 | uint32(raw[4]))

	low := t/131072 - float64(d.t1)/8192
	fine := (t/16384-float64(d.t1)/1024)*float64(d.t2) + low*low*float64(d.t3)
	x := fine - 76800
	x = (h - (float64(d.h4)*64 + float64(d.h5)/16384*x)) *
		(float64(d.h2) / 65536 * (1 + float64(d.h6)/67108864*x*(1+float64(d.h3)/67108864*x)))
	x *= 1 - float64(d.h1)*x/524288
	return min(max(x, 0), 100) / 100, nil
}
