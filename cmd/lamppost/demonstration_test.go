package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// TestADemonstrationHasBridgesAndBatteries: what a fleet's dashboard shows of firmware, charge and reception is there.
func TestADemonstrationHasBridgesAndBatteries(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "300")
	city.Start()
	endtoend.Eventually(t, 2*time.Minute, "three bridges are online, one of them older", func() error {
		var list api.BridgeList
		if err := city.Get("/api/v1/bridges", &list); err != nil {
			return err
		}
		older, failing := 0, 0
		for i := range list.Items {
			b := &list.Items[i]
			failing += b.Failing
			if b.Version == olderBridge {
				older++
			}
			if b.State != "online" || b.Started == nil || b.Sensors == 0 || b.Title == b.Publisher {
				return fmt.Errorf("%+v", b)
			}
		}
		if len(list.Items) != 3 || older != 1 || failing != 1 {
			return fmt.Errorf("%d bridges, %d of them older, %d sensors failing", len(list.Items), older, failing)
		}
		return nil
	})
	endtoend.Eventually(t, 8*time.Minute, "batteries have told of themselves, and a few are low", func() error {
		var latest struct {
			Items []struct {
				Sensor string
				Value  float64
			}
		}
		if err := city.Get("/api/v1/latest?quantity=battery_level", &latest); err != nil {
			return err
		}
		low := 0
		for _, one := range latest.Items {
			if one.Value < 0.2 {
				low++
			}
		}
		if len(latest.Items) < 35 || low < 1 || low > 6 {
			return fmt.Errorf("%d batteries, %d of them low", len(latest.Items), low)
		}
		return nil
	})
	city.Stop()
}
