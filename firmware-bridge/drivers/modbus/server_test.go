package modbus_test

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"testing"
	"time"

	server "github.com/simonvetter/modbus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver/drivertest"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/modbus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

// gateway lets the server of github.com/simonvetter/modbus answer for a simulated line.
type gateway struct{ line *simbus.ModbusLine }

func (g gateway) read(unit uint8, table bus.Table, address, n uint16) ([]uint16, error) {
	values, err := g.line.Read(context.Background(), unit, table, address, n)
	var e bus.Exception
	switch {
	case errors.As(err, &e) && e == bus.IllegalAddress:
		return nil, server.ErrIllegalDataAddress
	case errors.As(err, &e) && e == bus.IllegalValue:
		return nil, server.ErrIllegalDataValue
	case fault.KindOf(err) == fault.Timeout:
		return nil, server.ErrGWTargetFailedToRespond
	}
	return values, err
}

func (g gateway) HandleCoils(*server.CoilsRequest) ([]bool, error) {
	return nil, server.ErrIllegalFunction
}

func (g gateway) HandleDiscreteInputs(*server.DiscreteInputsRequest) ([]bool, error) {
	return nil, server.ErrIllegalFunction
}

func (g gateway) HandleHoldingRegisters(r *server.HoldingRegistersRequest) ([]uint16, error) {
	return g.read(r.UnitId, bus.HoldingRegisters, r.Addr, r.Quantity)
}

func (g gateway) HandleInputRegisters(r *server.InputRegistersRequest) ([]uint16, error) {
	return g.read(r.UnitId, bus.InputRegisters, r.Addr, r.Quantity)
}

func serve(t *testing.T, address string, line *simbus.ModbusLine) (stop func()) {
	t.Helper()
	s, err := server.NewServer(&server.ServerConfiguration{URL: "tcp://" + address, Logger: log.New(io.Discard, "", 0)}, gateway{line})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// Every ready map, from a server by others over TCP to readings; the server is killed in between.
func TestReadyMapsOverTCP(t *testing.T) {
	for _, name := range modbus.Names() {
		t.Run(name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			l.Close()
			device := simulated(t, name)
			stop := serve(t, address, device.Modbus)

			b, err := bus.Open(t.Context(), bus.Config{ID: "meters", Type: bus.Modbus, Device: "tcp://" + address, Timeout: 2 * time.Second}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			s := drivertest.Open(t, modbus.Driver(), b, map[string]any{"map": name})
			want, err := s.Read(t.Context())
			if err != nil || len(want) < 15 {
				t.Fatalf("%d readings, %v", len(want), err)
			}

			stop()
			if got, err := s.Read(t.Context()); fault.KindOf(err) != fault.Lost || len(got) != 0 {
				t.Errorf("while it is away: %d readings, %v (%s)", len(got), err, fault.KindOf(err))
			}
			stop = serve(t, address, device.Modbus)
			deadline := time.Now().Add(10 * time.Second)
			for {
				got, err := s.Read(t.Context())
				if err == nil && len(got) == len(want) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("it is back, and still %d readings, %v", len(got), err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			stop()
			goleak.VerifyNone(t, leaks)
		})
	}
}
