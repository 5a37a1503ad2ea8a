package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/firmware-bridge/control"
	"github.com/lamppost-city/lamppost/firmware-bridge/outbox"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/internal/smalldisk"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// smallFiles let a card of a few megabytes fill as a large one does.
func smallFiles() []string {
	return []string{
		"LAMPPOST_BRIDGE_OUTBOX_SPOOL_SEGMENT_BYTES=65536", "LAMPPOST_BRIDGE_OUTBOX_SPOOL_MAX_FRAME_BYTES=32768",
		"LAMPPOST_BRIDGE_BRIDGE_STATUS_EVERY=10s", "LAMPPOST_BRIDGE_BRIDGE_HEALTH_EVERY=1s", "LAMPPOST_BRIDGE_BROKER_RETRY_MAX=1s",
	}
}

// street is a bridge whose data lie on a card of their own, and its city: a broker, its end of the control topics, and a
// listener.
type street struct {
	*cabinet
	data string
	city *control.City
	ear  *ear
}

func newStreet(t *testing.T) (*street, *uplinktest.Mosquitto) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a card takes root")
	}
	broker := uplinktest.StartMosquitto(t)
	dir := t.TempDir()
	s := &street{cabinet: &cabinet{t: t, mqtt: broker.Address(), dir: dir, settings: filepath.Join(dir, "sensors.yaml")}, data: filepath.Join(dir, "data")}
	s.write(thermometers(10, 100*time.Millisecond))
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	s.ear = hear(t, broker.Address())
	s.city = desk(t, s.cabinet)
	return s, broker
}

// wait waits until the status is as it should be.
func (s *street) wait(what string, holds func(control.Status) bool) {
	s.t.Helper()
	endtoend.Eventually(s.t, 40*time.Second, what, func() error {
		is, err := s.city.Bridge(me)
		if err == nil && (is.State != control.Online || !holds(is)) {
			err = fmt.Errorf("the status is %+v, the outbox %+v", is, is.Outbox)
		}
		return err
	})
}

// tells waits until the health tells the disk's state.
func (s *street) tells(state string) {
	s.t.Helper()
	q, _ := telemetry.QuantityByName("disk_state")
	endtoend.Eventually(s.t, 20*time.Second, "the health tells that the disk is "+state, func() error {
		s.ear.mu.Lock()
		defer s.ear.mu.Unlock()
		if n := len(s.ear.disk); n == 0 || q.States[int(s.ear.disk[n-1])] != state {
			return fmt.Errorf("it tells %v", s.ear.disk)
		}
		return nil
	})
}

func disk(state outbox.DiskState) func(control.Status) bool {
	return func(s control.Status) bool {
		return s.Outbox != nil && s.Outbox.Disk == string(state) && (s.Outbox.Error == "") == (state == outbox.DiskFine)
	}
}

// goesOn expects readings of all sensors to reach the city, and all of them to work.
func (s *street) goesOn(when string) {
	s.t.Helper()
	from := s.ear.count()
	endtoend.Eventually(s.t, 20*time.Second, when+" readings reach the city", func() error {
		if n := s.ear.count() - from; n < 300 {
			return fmt.Errorf("%d did", n)
		}
		return nil
	})
	s.wait(when+" all sensors work", func(is control.Status) bool {
		return !slices.ContainsFunc(is.Sensors, func(r control.SensorReport) bool { return r.State != control.Working })
	})
}

// ear hears what reaches the city.
type ear struct {
	mu       sync.Mutex
	readings int
	seqs     map[uint64]bool
	disk     []float64 // disk_state, as the bridge's health tells it
}

func hear(t *testing.T, broker string) *ear {
	t.Helper()
	e := &ear{seqs: make(map[uint64]bool)}
	decoder := senml.NewDecoder(telemetry.DefaultLimits())
	o := mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("ear").SetCleanSession(false).SetAutoReconnect(true).
		SetMaxReconnectInterval(100 * time.Millisecond).
		SetDefaultPublishHandler(func(_ mqtt.Client, got mqtt.Message) {
			var m telemetry.Message
			e.mu.Lock()
			defer e.mu.Unlock()
			decoder.DecodeCBOR(&m, got.Payload(), telemetry.Origin{Publisher: me, Received: telemetry.MilliOf(time.Now())})
			e.readings += len(m.Readings)
			for _, r := range m.Readings {
				if r.Quantity.String() == "disk_state" {
					e.disk = append(e.disk, r.Value)
				}
			}
			e.seqs[m.Seq] = true
		})
	k := mqtt.NewClient(o)
	if token := k.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { k.Disconnect(100) })
	if token := k.Subscribe("city/"+me+"/readings", 1, nil); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return e
}

func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.readings
}

// gaps are the numbers that never came, between those that did.
func (e *ear) gaps() (gaps []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []uint64
	for seq := range e.seqs {
		all = append(all, seq)
	}
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] != all[i-1]+1 {
			gaps = append(gaps, fmt.Sprintf("%d to %d", all[i-1], all[i]))
		}
	}
	return gaps
}

// Something else fills the card. Nothing stops and nothing is lost, and with room everything is as before.
func TestAFullCardStopsNothingAndMendsWithRoom(t *testing.T) {
	s, broker := newStreet(t)
	smalldisk.Mount(t, s.data, "size=2m")
	b := s.start(smallFiles()...)
	s.wait("all is well", disk(outbox.DiskFine))
	s.goesOn("at first")

	filler := filepath.Join(s.data, "log")
	smalldisk.Fill(t, filler)
	s.wait("the full card is named", disk(outbox.DiskFull))
	s.tells("full")
	s.goesOn("with a full card")
	next := thermometers(9, 100*time.Millisecond)
	if err := s.city.Configure(t.Context(), me, []byte(next)); err != nil {
		t.Fatal(err)
	}
	s.wait("settings from afar are in force", func(is control.Status) bool { return is.Settings.Source == control.FromRemote && len(is.Sensors) == 9 })
	broker.Kill()
	pause(3 * time.Second) // what is read now is in memory only
	broker.Restart()
	s.goesOn("after the broker was away")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.wait("the card is well", disk(outbox.DiskFine))
	s.goesOn("with room")
	endtoend.Eventually(t, 20*time.Second, "the settings are on the card", func() error {
		_, err := os.Stat(filepath.Join(s.data, "settings-from-afar"))
		return err
	})
	b.Kill()
	b = s.start(smallFiles()...)
	s.goesOn("after a power cut")
	s.wait("nothing waits", func(is control.Status) bool {
		return is.Outbox.WaitingReadings < 200 && len(is.Outbox.Dropped) == 0 && len(is.Sensors) == 9
	})
	if end := b.Stop(15 * time.Second); end.Code != 0 {
		t.Errorf("the bridge ended with code %d", end.Code)
	}
	if gaps := s.ear.gaps(); len(gaps) > 0 {
		t.Errorf("messages never came: %v", gaps)
	}
}

// The kernel makes a card read-only at the first fault of its file system, under the open files of the bridge; after a power
// cut it may come up read-only.
func TestAReadOnlyCardStopsNothingAndMendsWhenItIsWritable(t *testing.T) {
	s, _ := newStreet(t)
	image := filepath.Join(s.dir, "card.img")
	tool := func(name string, args ...string) error {
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(image, nil, 0o600))
	must(os.Truncate(image, 16<<20))
	if err := tool("mkfs.ext4", "-q", image); err != nil {
		t.Skipf("no ext4 can be made here: %v", err)
	}
	if err := tool("mount", "-o", "loop", image, s.data); err != nil {
		t.Skipf("no file can be mounted as a disk here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(s.data, unix.MNT_DETACH) })

	b := s.start(smallFiles()...)
	s.wait("all is well", disk(outbox.DiskFine))
	s.goesOn("at first")
	must(tool("mount", "-o", "remount,abort", s.data)) // what errors=remount-ro does
	s.wait("the card is named", disk(outbox.DiskReadOnly))
	s.tells("read_only")
	s.goesOn("with a card that has turned read-only")

	b.Kill()
	must(unix.Unmount(s.data, 0))
	_ = tool("e2fsck", "-fy", image) // it ends with 1 where it has mended something, as after a power cut
	must(tool("mount", "-o", "loop", image, s.data))
	must(tool("mount", "-o", "remount,ro", s.data))
	b = s.start(smallFiles()...)
	s.wait("it starts on a card that is read-only, and names that", disk(outbox.DiskReadOnly))
	s.goesOn("started on a card that is read-only")
	must(tool("mount", "-o", "remount,rw", s.data))
	s.wait("the card is well", disk(outbox.DiskFine))
	s.goesOn("with a card that is well")
	s.tells("fine")
	s.wait("nothing waits", func(is control.Status) bool { return is.Outbox.WaitingReadings < 200 && len(is.Outbox.Dropped) == 0 })
	if end := b.Stop(15 * time.Second); end.Code != 0 {
		t.Errorf("the bridge ended with code %d", end.Code)
	}
}
