package bus_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/simonvetter/modbus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// tables is what the server of github.com/simonvetter/modbus, an implementation by others, serves: every register holds its
// address, every third bit is set, and there is nothing from address 1000 on.
type tables struct{}

func (tables) registers(unit uint8, address, n uint16) ([]uint16, error) {
	if unit != 3 {
		return nil, modbus.ErrGWTargetFailedToRespond
	}
	values := make([]uint16, n)
	for i := range values {
		if values[i] = address + uint16(i); values[i] >= 1000 {
			return nil, modbus.ErrIllegalDataAddress
		}
	}
	return values, nil
}

func (h tables) bits(unit uint8, address, n uint16) ([]bool, error) {
	values, err := h.registers(unit, address, n)
	bits := make([]bool, len(values))
	for i, v := range values {
		bits[i] = v%3 == 0
	}
	return bits, err
}

func (h tables) HandleCoils(r *modbus.CoilsRequest) ([]bool, error) {
	return h.bits(r.UnitId, r.Addr, r.Quantity)
}

func (h tables) HandleDiscreteInputs(r *modbus.DiscreteInputsRequest) ([]bool, error) {
	return h.bits(r.UnitId, r.Addr+1, r.Quantity)
}

func (h tables) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	return h.registers(r.UnitId, r.Addr, r.Quantity)
}

func (h tables) HandleInputRegisters(r *modbus.InputRegistersRequest) ([]uint16, error) {
	return h.registers(r.UnitId, r.Addr+1, r.Quantity)
}

// serve starts the server, at the address if that is not "", and returns the address and what stops it.
func serve(t *testing.T, address string, idle time.Duration) (at string, stop func()) {
	t.Helper()
	if address == "" {
		address = freeAddress(t)
	}
	s, err := modbus.NewServer(&modbus.ServerConfiguration{URL: "tcp://" + address, Timeout: idle, Logger: log.New(io.Discard, "", 0)}, tables{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return address, func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// modbusBus opens a line, and sees at its end that nothing of it is left.
func modbusBus(t *testing.T, device string, timeout time.Duration) bus.Registers {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	b, err := bus.Open(t.Context(), bus.Config{ID: "meters", Type: bus.Modbus, Device: device, Timeout: timeout}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		goleak.VerifyNone(t, leaks, goleak.IgnoreAnyFunction("github.com/simonvetter/modbus.(*ModbusServer).handleTCPClient"),
			goleak.IgnoreAnyFunction("github.com/lamppost-city/lamppost/firmware-bridge/bus_test.peer.func1"))
	})
	return b.Modbus
}

// peer is a server that does with each connection what converse says.
func peer(t *testing.T, converse func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			func() {
				defer c.Close()
				converse(c)
			}()
		}
	}()
	return l.Addr().String()
}

// answer is the frame that answers a request of one register with a value.
func answer(request []byte, value uint16) []byte {
	a := append(append([]byte{}, request[:5]...), 5, request[6], request[7], 2)
	return binary.BigEndian.AppendUint16(a, value)
}

// eachRequest calls reply for every request that comes over a connection.
func eachRequest(reply func(c net.Conn, request []byte)) func(net.Conn) {
	return func(c net.Conn) {
		for request := make([]byte, 12); ; {
			if _, err := io.ReadFull(c, request); err != nil {
				return
			}
			reply(c, request)
		}
	}
}

func send(c net.Conn, b []byte) { _, _ = c.Write(b) } // the other end may be gone

func TestModbusTCPReadsTheTablesOfAnotherImplementation(t *testing.T) {
	address, stop := serve(t, "", time.Minute)
	defer stop()
	line := modbusBus(t, "tcp://"+address, 0)
	for _, c := range []struct {
		table      bus.Table
		address, n uint16
		want       string
	}{
		{bus.HoldingRegisters, 100, 3, "[100 101 102]"},
		{bus.InputRegisters, 100, 3, "[101 102 103]"},
		{bus.Coils, 100, 10, "[0 0 1 0 0 1 0 0 1 0]"},
		{bus.DiscreteInputs, 100, 10, "[0 1 0 0 1 0 0 1 0 0]"},
	} {
		if got, err := line.Read(t.Context(), 3, c.table, c.address, c.n); err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s %d: got %v, %v; want %s", c.table, c.address, got, err, c.want)
		}
	}
	if got, err := line.Read(t.Context(), 3, bus.HoldingRegisters, 875, 125); err != nil || len(got) != 125 {
		t.Errorf("125 registers: got %d, %v", len(got), err)
	}
	if _, err := line.Read(t.Context(), 3, bus.HoldingRegisters, 999, 2); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "unit 3, holding registers 999 to 1000: illegal data address") {
		t.Errorf("got %v", err)
	}
	found, err := bus.ScanModbus(t.Context(), line, 1, 10)
	if err != nil || len(found) != 1 || found[0].Unit != 3 {
		t.Errorf("a scan found %v, %v", found, err)
	}
}

func TestModbusTCPGoesOnAfterTheServerWasAway(t *testing.T) {
	address, stop := serve(t, "", time.Minute)
	line := modbusBus(t, "tcp://"+address, time.Second)
	read := func() error {
		_, err := line.Read(t.Context(), 3, bus.HoldingRegisters, 1, 1)
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := read(); fault.KindOf(err) != fault.Lost || !strings.Contains(fault.AdviceOf(err), address) {
		t.Errorf("while it is away: %v (%s)", err, fault.AdviceOf(err))
	}
	_, stop = serve(t, address, time.Minute)
	defer stop()
	deadline := time.Now().Add(5 * time.Second)
	for err := read(); err != nil; err = read() {
		if time.Now().After(deadline) {
			t.Fatalf("it is back, and still: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Many gateways end a connection that was not used for a while.
func TestModbusTCPDoesNotMindThatIdleConnectionsAreEnded(t *testing.T) {
	address, stop := serve(t, "", 20*time.Millisecond)
	defer stop()
	line := modbusBus(t, "tcp://"+address, time.Second)
	for i := range uint16(4) {
		if got, err := line.Read(t.Context(), 3, bus.HoldingRegisters, i, 1); err != nil || got[0] != i {
			t.Fatalf("read %d: %v, %v", i, got, err)
		}
		time.Sleep(60 * time.Millisecond)
	}
}

func TestModbusTCPSkipsLateAnswers(t *testing.T) {
	const timeout = 50 * time.Millisecond
	n := uint16(0)
	address := peer(t, eachRequest(func(c net.Conn, r []byte) {
		if n++; n%2 == 1 {
			time.Sleep(timeout * 3 / 2)
		}
		send(c, answer(r, binary.BigEndian.Uint16(r[8:])))
	}))
	line := modbusBus(t, "tcp://"+address, timeout)
	good := 0
	for i := range uint16(12) {
		got, err := line.Read(t.Context(), 1, bus.HoldingRegisters, i, 1)
		if err == nil {
			if good++; got[0] != i {
				t.Errorf("register %d: got %d", i, got[0])
			}
		} else if fault.KindOf(err) != fault.Timeout {
			t.Errorf("register %d: %v", i, err)
		}
	}
	if good == 0 {
		t.Error("no read was good")
	}
}

func TestModbusTCPNamesFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		reply  func(c net.Conn, r []byte)
		kind   fault.Kind
		advice string
	}{
		{"silence", func(net.Conn, []byte) {}, fault.Timeout, "unit's id"},
		{"half a frame", func(c net.Conn, r []byte) { send(c, answer(r, 1)[:9]) }, fault.Garbled, "damaged"},
		{"half a header", func(c net.Conn, r []byte) { send(c, r[:3]) }, fault.Garbled, "damaged"},
		{"another protocol", func(c net.Conn, _ []byte) { send(c, []byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, fault.Garbled, "rtuovertcp"},
		{"another unit", func(c net.Conn, r []byte) { r[6]++; send(c, answer(r, 1)) }, fault.Garbled, "mixes up"},
		{"another length", func(c net.Conn, r []byte) { send(c, append(answer(r, 1)[:5], 4, r[6], r[7], 1, 9)) }, fault.Garbled, ""},
		{"an end of the connection", func(c net.Conn, _ []byte) { c.Close() }, fault.Lost, "ended the connection"},
		{"an exception", func(c net.Conn, r []byte) { send(c, append(append([]byte{}, r[:5]...), 3, r[6], r[7]|0x80, 11)) }, fault.Refused, "behind it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := modbusBus(t, "tcp://"+peer(t, eachRequest(c.reply)), 50*time.Millisecond)
			_, err := line.Read(t.Context(), 1, bus.HoldingRegisters, 7, 1)
			if fault.KindOf(err) != c.kind || !strings.Contains(fault.AdviceOf(err), c.advice) {
				t.Errorf("got %v (%s: %s)", err, fault.KindOf(err), fault.AdviceOf(err))
			}
		})
	}
}

func TestModbusTCPLeavesAConnectionOnWhichNobodyAnswers(t *testing.T) {
	connections := make(chan int, 100)
	n := 0
	line := modbusBus(t, "tcp://"+peer(t, func(c net.Conn) {
		n++
		connections <- n
		mute := n == 1
		eachRequest(func(c net.Conn, r []byte) {
			if !mute {
				send(c, answer(r, 7))
			}
		})(c)
	}), 20*time.Millisecond)
	for i := 0; ; i++ {
		got, err := line.Read(t.Context(), 1, bus.HoldingRegisters, 7, 1)
		if err == nil && got[0] == 7 {
			break
		}
		if fault.KindOf(err) != fault.Timeout || i > 10 {
			t.Fatalf("read %d: %v", i, err)
		}
	}
}

func TestModbusLineEndsAtOnce(t *testing.T) {
	address := peer(t, eachRequest(func(net.Conn, []byte) {}))
	b, err := bus.Open(t.Context(), bus.Config{ID: "meters", Type: bus.Modbus, Device: "tcp://" + address, Timeout: time.Minute}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := b.Modbus.Read(context.Background(), 1, bus.HoldingRegisters, 7, 1)
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond) // so that it probably waits for the answer; it must end in any case
	before := time.Now()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; fault.KindOf(err) != fault.Lost {
		t.Errorf("got %v", err)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestModbusDevicesAreChecked(t *testing.T) {
	for _, device := range []string{"/dev/ttyUSB0", "rtu:ttyUSB0", "rtu:", "tcp://", "tcp://:502", "tcp://host/path", "rtuovertcp://host", "udp://host:502", "tcp://host:%zz"} {
		_, err := bus.Open(t.Context(), bus.Config{ID: "meters", Type: bus.Modbus, Device: device}, slog.New(slog.DiscardHandler))
		if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), "device: ") {
			t.Errorf("%q: %v", device, err)
		}
	}
	for _, device := range []string{"rtu:/dev/ttyUSB9", "rtu:///dev/ttyUSB9", "tcp://127.0.0.1", "tcp://[::1]:1502", "rtuovertcp://127.0.0.1:4001"} {
		b, err := bus.Open(t.Context(), bus.Config{ID: "meters", Type: bus.Modbus, Device: device}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%q: %v", device, err)
			continue
		}
		b.Close()
	}
}

func TestModbusSerialLineThatIsNotThereIsLost(t *testing.T) {
	line := modbusBus(t, "rtu:/dev/no-such-line", 0)
	if _, err := line.Read(t.Context(), 1, bus.HoldingRegisters, 7, 1); fault.KindOf(err) != fault.Lost || !strings.Contains(fault.AdviceOf(err), "not there") {
		t.Errorf("got %v (%s)", err, fault.AdviceOf(err))
	}
}
