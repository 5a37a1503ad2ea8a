package chip

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// CRC8 is the checksum of Sensirion's words and of the AHT20: polynomial 0x31, from 0xff.
func CRC8(data []byte) byte {
	crc := byte(0xff)
	for _, b := range data {
		crc ^= b
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

var errCRC = errors.New("the checksum is wrong")

// Noise is the fault of an answer with a wrong checksum.
func Noise(err error) error {
	return fault.New(fault.Garbled, err, "noise on the bus: look at the cable's length and shield, the pull-up resistors, and the clock of the bus (100 kHz)")
}

// Words takes the words of 16 bits out of an answer in which each is followed by its CRC8.
func Words(answer []byte) ([]uint16, error) {
	words := make([]uint16, 0, len(answer)/3)
	for at := 0; at+3 <= len(answer); at += 3 {
		if CRC8(answer[at:at+2]) != answer[at+2] {
			return nil, Noise(fmt.Errorf("% x: %w", answer, errCRC))
		}
		words = append(words, uint16(answer[at])<<8|uint16(answer[at+1]))
	}
	return words, nil
}

// AppendWord appends a word of 16 bits and its CRC8.
func AppendWord(to []byte, word uint16) []byte {
	pair := []byte{byte(word >> 8), byte(word)}
	return append(append(to, pair...), CRC8(pair))
}

// Ask sends a command to a chip of Sensirion, waits until it is done, and reads n words. A chip that needs somewhat longer is
// given that: it does not acknowledge while it is busy.
func Ask(ctx context.Context, b i2c.Bus, address uint16, command []byte, takes time.Duration, n int) ([]uint16, error) {
	if err := b.Tx(address, command, nil); err != nil {
		return nil, fmt.Errorf("send %#x: %w", command, err)
	}
	answer := make([]byte, 3*n)
	for _, pause := range []time.Duration{takes, takes/2 + time.Millisecond} {
		if err := Wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("wait for the answer to %#x: %w", command, err)
		}
		err := b.Tx(address, nil, answer)
		if err == nil {
			words, err := Words(answer)
			if err != nil {
				return nil, fmt.Errorf("answer to %#x: %w", command, err)
			}
			return words, nil
		}
		if fault.KindOf(err) != fault.Absent {
			return nil, fmt.Errorf("read the answer to %#x: %w", command, err)
		}
	}
	if err := bus.AnswersI2C(b, address); err != nil {
		return nil, fmt.Errorf("read the answer to %#x: %w", command, err)
	}
	return nil, fault.New(fault.Timeout, fmt.Errorf("no answer to %#x, though the chip acknowledges its address", command), "take the sensor's supply away for a second; if this comes again it is broken, or another chip")
}
