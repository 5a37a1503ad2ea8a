package main

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink/uplinktest"
	"github.com/lamppost-city/lamppost/internal/endtoend"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/senml"
)

// A board whose clock is a year behind takes the city's certificate for one that is not valid yet; and the city is where it could
// learn the date. It gets in, learns it, and dates its readings by it.
func TestABoardThatDoesNotKnowTheDateLearnsItThroughTLS(t *testing.T) {
	city := time.Now().AddDate(1, 0, 0)
	authority := uplinktest.NewAuthority(t, city)
	pair, _, _ := authority.Issue("broker", city.Add(-24*time.Hour), city.AddDate(0, 1, 0))
	broker := uplinktest.NewSecure(t, &tls.Config{Certificates: []tls.Certificate{pair}}, uplinktest.Rules{Answer: uplinktest.AckAll})
	dir := t.TempDir()
	p := built.bridge.With(
		"LAMPPOST_BRIDGE_BROKER_CA_FILE="+authority.File(), "LAMPPOST_BRIDGE_CLOCK_TRUST_SYSTEM=never", "LAMPPOST_BRIDGE_BRIDGE_HEALTH_EVERY=1s",
	).Start(t, "run", "--publisher", me, "--settings", filepath.Join(dir, "none.yaml"), "--data", filepath.Join(dir, "data"), "--mqtt", "mqtts://"+broker.Address())
	decoder := senml.NewDecoder(telemetry.DefaultLimits())
	endtoend.Eventually(t, 30*time.Second, "its health arrives with the city's date", func() error {
		broker.Send(uplinktest.Message{Topic: "city/time", Payload: strconv.FormatInt(time.Now().AddDate(1, 0, 0).UnixMilli(), 10)})
		for _, m := range broker.Seen() {
			if m.Topic != "city/"+me+"/readings" {
				continue
			}
			var got telemetry.Message
			decoder.DecodeCBOR(&got, []byte(m.Payload), telemetry.Origin{Publisher: me, Received: telemetry.MilliOf(time.Now())})
			if len(got.Readings) == 0 {
				return fmt.Errorf("%q holds no readings: %+v", m.Payload, got.Faults)
			}
			if apart := got.Readings[0].Measured.Time().Sub(city); apart < -time.Minute || apart > time.Minute {
				t.Fatalf("a reading is dated %s, and it is %s", got.Readings[0].Measured.Time(), city)
			}
			return nil
		}
		return fmt.Errorf("%d connections; its log: %s", len(broker.Connects()), p.Stderr())
	})
	p.Stop(10 * time.Second)
}
