package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/physic"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/driver"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/telemetry"
)

func TestCheckSaysWhatWasReadAndWhatToLookAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		absent := fault.New(fault.Absent, errors.New("nothing answers at 0x76"), "0x77 answers: set address 0x77")
		s := newStreet(t, map[telemetry.SensorID]*device{
			"air-1": {read: func(context.Context) ([]driver.Measurement, error) {
				return []driver.Measurement{{Quantity: "temperature", Value: 21.4375}, {Quantity: "door", Value: 1}, {Quantity: "voltage", Channel: "L1", Value: 230.5}}, nil
			}},
			"air-2": {open: func() error { return absent }},
			"air-3": {read: func(context.Context) ([]driver.Measurement, error) { return speed(-5), nil }},
			"air-4": {
				read: func(context.Context) ([]driver.Measurement, error) { return nil, nil },
				listen: func(ctx context.Context, deliver func([]driver.Measurement, error)) error {
					deliver(speed(12), nil)
					<-ctx.Done()
					return ctx.Err()
				},
			},
			"air-5": {
				read: func(context.Context) ([]driver.Measurement, error) { return nil, nil },
				listen: func(ctx context.Context, _ func([]driver.Measurement, error)) error {
					<-ctx.Done()
					return ctx.Err()
				},
			},
		})
		parsed, err := settings.Parse([]byte(settingsWith("air-1", "air-2", "air-3", "air-4", "air-5")), s.known)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		good, err := PrintCheck(&out, s.check(t.Context(), parsed))
		if err != nil || good {
			t.Errorf("good: %t, %v", good, err)
		}
		rows := strings.Split(out.String(), "\n")
		for i, want := range []string{
			"SENSOR DRIVER BUS TOOK READ",
			"air-1 fake pins 0s temperature 21.4375 °C, door open, voltage/L1 230.5 V",
			"air-2 fake pins 0s FAILED (absent): nothing answers at 0x76",
			"0x77 answers: set address 0x77",
			"air-3 fake pins 0s FAILED (implausible): speed is -5, outside 0 to 300",
			"look at the unit, the factor and the byte order",
			"air-4 fake pins 0s speed 12 km/h",
			"air-5 fake pins 10s FAILED (timeout): it said nothing",
			"make it report, or look at topic and wiring",
		} {
			if got := strings.Join(strings.Fields(rows[i]), " "); got != want {
				t.Errorf("row %d is %q, want %q", i, got, want)
			}
		}
	})
}

func TestBusesOfTheMachineAreListed(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"dev/i2c-1", "dev/spidev0.0", "dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0", "dev/ttyUSB0", "dev/null", "sys/bus/w1/devices/28-0316a2794bff/name"} {
		file := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, file, "")
	}
	var got []string
	for _, b := range bus.List(root) {
		got = append(got, string(b.Type)+" "+b.Device)
		if err := b.Validate(); err != nil {
			t.Errorf("%+v: %v", b, err)
		}
	}
	want := "i2c /dev/i2c-1\nspi /dev/spidev0.0\nserial /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0\nonewire "
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// On a Raspberry Pi serial0 is the line on the pins, and the other one has the Bluetooth radio.
func TestTheSerialLineOfARaspberryPiIsTheOneOnItsPins(t *testing.T) {
	for _, links := range [][2]string{{"ttyS0", "ttyAMA0"}, {"ttyAMA0", "ttyS0"}} {
		root := t.TempDir()
		dev := filepath.Join(root, "dev")
		if err := os.Mkdir(dev, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"ttyS0", "ttyAMA0", "ttyAMA2"} {
			write(t, filepath.Join(dev, line), "")
		}
		for i, line := range links {
			if err := os.Symlink(line, filepath.Join(dev, fmt.Sprintf("serial%d", i))); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, b := range bus.List(root) {
			got = append(got, b.Device)
		}
		if want := "/dev/serial0 /dev/ttyAMA2"; strings.Join(got, " ") != want {
			t.Errorf("serial0 is %s: got %s, want %s", links[0], strings.Join(got, " "), want)
		}
	}
}

func TestLongNamesOfAdaptersLoseWholeWords(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "dev", "serial", "by-id")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]string{
		"usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0": "usb-uart-a50285bi-if00-port0",
		"usb-QEMU_SERIAL_1-0000:00:04.0-1-if00-port0":  "1-0000-00-04-0-1-if00-port0",
		"usb-" + strings.Repeat("x", 40):               strings.Repeat("x", 32),
		"usb-1a86_USB_Serial-if00-port0":               "usb-1a86-usb-serial-if00-port0",
	} {
		write(t, filepath.Join(dir, device), "")
		found := bus.List(root)
		if len(found) != 1 || found[0].ID != want || found[0].Validate() != nil {
			t.Errorf("%s: got %+v, want the id %s", device, found, want)
		}
		if err := os.Remove(filepath.Join(dir, device)); err != nil {
			t.Fatal(err)
		}
	}
}

// chipAt is an I2C bus on which one address answers.
type chipAt uint16

func (c chipAt) Tx(address uint16, _, _ []byte) error {
	if address != uint16(c) {
		return fault.New(fault.Absent, errors.New("nobody"), "")
	}
	return nil
}

func (chipAt) SetSpeed(physic.Frequency) error { return nil }
func (chipAt) String() string                  { return "test" }

func TestWhatAnswersAndCannotBeToldIsNamedWithTheDriversThatCouldBeRight(t *testing.T) {
	known := []driver.Driver{{Name: "light", Bus: bus.I2C, PerhapsAt: []uint16{0x23, 0x5c}}, {Name: "other", Bus: bus.I2C}}
	for address, want := range map[chipAt]string{0x23: "0x23 (perhaps: light)", 0x24: "0x24"} {
		found := scan(t.Context(), []bus.Config{{ID: "one", Type: bus.I2C}}, known, func(_ context.Context, cfg bus.Config) (*bus.Bus, error) {
			return &bus.Bus{Config: cfg, I2C: address}, nil
		})
		if len(found) != 1 || len(found[0].Answers) != 1 || found[0].Answers[0] != want {
			t.Errorf("found %+v, want %s", found, want)
		}
	}
}

func TestWhatIsFoundBecomesSettings(t *testing.T) {
	known := []driver.Driver{driverFor(nil)}
	known[0].Probe = func(_ context.Context, b *bus.Bus) ([]driver.Found, error) {
		if b.ID == "two" {
			return []driver.Found{{Where: "line 1"}, {Where: "line 2"}}, nil
		}
		return nil, fault.New(fault.Denied, errors.New("not allowed"), "add the user to group gpio")
	}
	buses := []bus.Config{{ID: "two", Type: bus.GPIO}, {ID: "none", Type: bus.GPIO}, {ID: "gone", Type: bus.GPIO}, {ID: "other", Type: bus.I2C, Device: "/dev/i2c-1"}}
	found := scan(t.Context(), buses, known, func(_ context.Context, cfg bus.Config) (*bus.Bus, error) {
		if cfg.ID == "gone" {
			return nil, errors.New("no such device")
		}
		return &bus.Bus{Config: cfg}, nil
	})
	if len(found) != 4 || len(found[0].Devices) != 2 || found[1].Advice != "add the user to group gpio" || found[2].Error == "" || found[3].Error != "" {
		t.Errorf("found %+v", found)
	}
	text, err := draft("bridge-7", found)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Parse(text, known)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if len(s.Buses) != 2 || len(s.Sensors) != 2 || s.Sensors[1].ID != "bridge-7-fake-2" {
		t.Errorf("got %s", text)
	}
}
