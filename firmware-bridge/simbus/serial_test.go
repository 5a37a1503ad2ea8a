package simbus_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/simbus"
)

func line(t *testing.T, cfg bus.Config) (bus.Port, *simbus.SerialLine) {
	t.Helper()
	cfg.ID, cfg.Type = "serial", bus.Serial
	b, err := simbus.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Serial.Say(0, []byte("before"))
	p, err := b.Bus().Serial.Open(bus.Mode{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p, b.Serial
}

// hear reads for so long.
func hear(t *testing.T, p bus.Port, d time.Duration) string {
	t.Helper()
	var all []byte
	buffer := make([]byte, 3)
	for end := time.Now().Add(d); time.Until(end) > 0; {
		if err := p.SetReadTimeout(time.Until(end)); err != nil {
			t.Fatal(err)
		}
		n, err := p.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, buffer[:n]...)
	}
	return string(all)
}

func TestSerialDeviceSpeaksAnswersAndIsDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dev := line(t, bus.Config{Baud: 4800, Parity: "even"})
		if got := dev.Mode().String(); got != "4800 8E1" {
			t.Errorf("mode %s", got)
		}
		dev.Talk(time.Second, func(time.Time) []byte { return []byte("tick ") })
		dev.Say(1500*time.Millisecond, []byte("late "))
		dev.Say(1200*time.Millisecond, []byte("soon "))
		if got := hear(t, p, 2500*time.Millisecond); got != "tick soon late tick " {
			t.Errorf("heard %q", got)
		}
		dev.Talk(0, nil)
		dev.Answer(func(heard []byte, say simbus.Say) { say(time.Millisecond, bytes.ToUpper(heard)) })
		if _, err := p.Write([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		dev.Garble(func(b []byte) []byte { return append(b[1:], '!') })
		if got := hear(t, p, time.Second); got != "BC!" {
			t.Errorf("heard %q", got)
		}
		dev.Say(0, []byte("old"))
		if err := p.ResetInputBuffer(); err != nil {
			t.Fatal(err)
		}
		if got := hear(t, p, time.Second); got != "" {
			t.Errorf("heard %q, which was forgotten", got)
		}
	})
}

func TestUnpluggedLineIsLostAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dev := line(t, bus.Config{})
		if _, err := dev.Open(bus.Mode{}); fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("a second user: %v", err)
		}
		ended := make(chan error)
		read := func() {
			_, err := p.Read(make([]byte, 1))
			ended <- err
		}
		go read()
		synctest.Wait()
		dev.Unplug(true)
		if err := <-ended; fault.KindOf(err) != fault.Lost {
			t.Errorf("got %v", err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := dev.Open(bus.Mode{}); fault.KindOf(err) != fault.Lost {
			t.Errorf("open without a plug: %v", err)
		}
		dev.Unplug(false)
		p, err := dev.Open(bus.Mode{})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := p.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		p.Close()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}
