package bus_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

func crc16(b []byte) []byte {
	c := uint16(0xffff)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			low := c & 1
			if c >>= 1; low == 1 {
				c ^= 0xa001
			}
		}
	}
	return binary.LittleEndian.AppendUint16(b, c)
}

// pulled is the address at which meter ends.
const pulled = 9999

// meter answers on a line: each register holds its address. Before every third answer there is noise, every fifth is damaged.
func meter(line io.ReadWriter) {
	for n := 1; ; n++ {
		request := make([]byte, 8)
		if _, err := io.ReadFull(line, request); err != nil {
			return
		}
		address, count := binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(request[4:])
		if address == pulled {
			return
		}
		frame := []byte{request[0], request[1], byte(2 * count)}
		for i := range count {
			frame = binary.BigEndian.AppendUint16(frame, address+i)
		}
		frame = crc16(frame)
		if n%3 == 0 {
			frame = append([]byte{0xff, 0x00, request[0]}, frame...)
		}
		if n%5 == 0 {
			frame[len(frame)-1] ^= 4
		}
		if _, err := line.Write(frame); err != nil {
			return
		}
	}
}

func readAll(t *testing.T, line bus.Registers) {
	t.Helper()
	for i := range uint16(40) {
		want := []uint16{i, i + 1, i + 2}
		got, err := line.Read(t.Context(), uint8(1+i%3), bus.InputRegisters, i, 3)
		if err != nil || len(got) != 3 || got[0] != want[0] || got[2] != want[2] {
			t.Fatalf("register %d: got %v, %v", i, got, err)
		}
	}
}

func TestModbusRTUOverASerialDevice(t *testing.T) {
	other, path := pty(t)
	line := modbusBus(t, "rtu:"+path, time.Second)
	if _, err := line.Read(t.Context(), 0, bus.HoldingRegisters, 0, 1); fault.KindOf(err) != fault.Misconfigured { // opens it
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		meter(other)
		other.Close()
	}()
	readAll(t, line)
	_, err := line.Read(t.Context(), 1, bus.HoldingRegisters, pulled, 1)
	<-gone
	if fault.KindOf(err) != fault.Lost {
		t.Errorf("got %v", err)
	}
}

func TestModbusRTUOverTCP(t *testing.T) {
	line := modbusBus(t, "rtuovertcp://"+peer(t, func(c net.Conn) { meter(c) }), time.Second)
	readAll(t, line)
}
