package simbus_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/spi"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func open(t *testing.T, kind bus.Kind) *simbus.Bus {
	t.Helper()
	b, err := simbus.New(bus.Config{ID: "test", Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBytesMoveOnByThemselves(t *testing.T) {
	on := open(t, bus.I2C)
	chip := &simbus.Bytes{}
	copy(chip.Registers[0x88:], []byte{1, 2, 3})
	if err := on.I2C.Attach(0x76, chip); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if err := on.I2C.Tx(0x76, []byte{0x88}, got); err != nil || !cmp.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("read %x, %v", got, err)
	}
	if err := on.I2C.Tx(0x76, []byte{0x10, 7, 8}, nil); err != nil || chip.Registers[0x10] != 7 || chip.Registers[0x11] != 8 {
		t.Errorf("written %x, %v", chip.Registers[0x10:0x12], err)
	}
	chip.Pairs = true
	if err := on.I2C.Tx(0x76, []byte{0xf4, 1, 0xf2, 2, 0xf5}, nil); err != nil || chip.Registers[0xf4] != 1 || chip.Registers[0xf2] != 2 {
		t.Errorf("written in pairs %x, %v", chip.Registers[0xf2:0xf6], err)
	}
	if err := on.I2C.Attach(0x76, chip); err == nil {
		t.Error("two chips at one address")
	}
}

func TestCommandsAreAnsweredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := open(t, bus.I2C)
		chip := &simbus.Commands{Answer: func(command []byte) ([]byte, time.Duration, error) {
			if command[0] != 0xfd {
				return nil, 0, simbus.NotAcknowledged()
			}
			return []byte{1, 2}, 9 * time.Millisecond, nil
		}}
		if err := on.I2C.Attach(0x44, chip); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2)
		read := func() error { return on.I2C.Tx(0x44, nil, got) }
		if err := read(); fault.KindOf(err) != fault.Absent {
			t.Errorf("before any command: %v", err)
		}
		if err := on.I2C.Tx(0x44, []byte{0x01}, nil); fault.KindOf(err) != fault.Absent {
			t.Errorf("a command that it does not know: %v", err)
		}
		if err := on.I2C.Tx(0x44, []byte{0xfd}, nil); err != nil {
			t.Fatal(err)
		}
		if err := read(); fault.KindOf(err) != fault.Absent {
			t.Errorf("while it measures: %v", err)
		}
		time.Sleep(9 * time.Millisecond)
		if err := read(); err != nil || !cmp.Equal(got, []byte{1, 2}) {
			t.Errorf("got %x, %v", got, err)
		}
		if err := read(); fault.KindOf(err) != fault.Absent {
			t.Errorf("a second time: %v", err)
		}
		if err := bus.AnswersI2C(on.I2C, 0x44); err != nil {
			t.Errorf("it does not even acknowledge its address: %v", err)
		}
		on.I2C.Detach(0x44)
		if err := bus.AnswersI2C(on.I2C, 0x44); fault.KindOf(err) != fault.Absent {
			t.Errorf("a chip that is gone: %v", err)
		}
	})
}

func TestAChipSelectHasOneUser(t *testing.T) {
	on := open(t, bus.SPI)
	chip := &simbus.Bytes{Pairs: true}
	chip.Registers[0xd0] = 0x60
	if err := on.SPI.Attach(simbus.OnSPI{Bytes: chip}); err != nil {
		t.Fatal(err)
	}
	port := on.Bus().SPI
	c, err := port.Connect(0, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if err := c.Tx([]byte{0xd0, 0}, got); err != nil || got[1] != 0x60 {
		t.Errorf("read %x, %v", got, err)
	}
	if err := c.Tx([]byte{0x74, 0xb5}, nil); err != nil || chip.Registers[0xf4] != 0xb5 {
		t.Errorf("written %x, %v", chip.Registers[0xf4], err)
	}
	if _, err := port.Connect(0, spi.Mode0, 8); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("a second user: %v", err)
	}
	on.SPI.Detach()
	if err := c.Tx([]byte{0xd0, 0}, got); err != nil || got[1] != 0xff {
		t.Errorf("without a chip: %x, %v", got, err)
	}
	closer, ok := c.(io.Closer)
	if !ok {
		t.Fatal("the connection cannot be closed")
	}
	if err := errors.Join(closer.Close(), func() error { _, err := port.Connect(0, spi.Mode0, 8); return err }()); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}
