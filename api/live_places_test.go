package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/lamppost-city/lamppost/telemetry"
)

func TestLiveByPlaceAndChannel(t *testing.T) {
	s := start(t, nil)
	aCity(s)
	inOldTown, atRing := s.listen("?district=old-town"), s.listen("?site=ring&quantity=speed")
	laneOne, noLane := s.listen("?channel=1"), s.listen("?channel=&sensor=loop-1")
	no2, speed := quantity(t, "no2"), quantity(t, "speed")
	say := func(sensor, channel string, q telemetry.QuantityID, value float64) {
		s.hub.Publish([]telemetry.Reading{{Sensor: telemetry.SensorID(sensor), Channel: channel, Quantity: q, Value: value, Measured: 1}})
	}
	wants := func(events <-chan event, value float64) {
		t.Helper()
		var got struct{ Value float64 }
		if err := json.Unmarshal([]byte(next(t, events).data), &got); err != nil || got.Value != value {
			t.Errorf("heard %v (%v), want %v", got.Value, err, value)
		}
	}
	say("loop-1", "1", speed, 1)
	say("air-2", "", no2, 2)
	say("loop-1", "", speed, 3)
	wants(inOldTown, 2)
	wants(atRing, 1)
	wants(atRing, 3)
	wants(laneOne, 1)
	wants(noLane, 3)
	// A sensor that is moved while somebody listens is heard where it stands now.
	s.change("PUT", "/api/v1/sensors/loop-1", `{"site":"market","quantities":["speed"]}`).want(http.StatusOK)
	say("loop-1", "1", speed, 4)
	say("air-1", "", no2, 5)
	wants(inOldTown, 4)
	wants(inOldTown, 5)
	s.change("PUT", "/api/v1/sensors/loop-1", `{"site":"ring","quantities":["speed"]}`).want(http.StatusOK)
	say("loop-1", "2", speed, 6)
	wants(atRing, 6) // and not 4
	for path, says := range map[string]string{"?site=A": "query.site", "?district=x": "query.district", "?channel=a%20b": "query.channel"} {
		s.get("/api/v1/live"+path).problem(http.StatusUnprocessableEntity, says)
	}
}
