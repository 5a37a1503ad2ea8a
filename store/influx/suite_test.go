package influx_test

import (
	"os"
	"testing"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// TestCityStore holds the suite against an InfluxDB that somebody runs: 1.8, 2.7 or 3 Core.
func TestCityStore(t *testing.T) {
	cfg := influx.DefaultConfig()
	cfg.URL = os.Getenv("LAMPPOST_TEST_INFLUX_URL")
	if cfg.URL == "" {
		t.Skip("LAMPPOST_TEST_INFLUX_URL is not set; with it, and _TOKEN, _ORG and _BUCKET, the suite runs against that InfluxDB")
	}
	cfg.Token = secret.String(os.Getenv("LAMPPOST_TEST_INFLUX_TOKEN"))
	cfg.Org = os.Getenv("LAMPPOST_TEST_INFLUX_ORG")
	cfg.Bucket = os.Getenv("LAMPPOST_TEST_INFLUX_BUCKET")
	storetest.Run(t, cfg)
}
