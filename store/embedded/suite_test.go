package embedded_test

import (
	"testing"

	"github.com/lamppost-city/lamppost/store/storetest"
)

func TestEmbeddedStoreHoldsTheSuite(t *testing.T) {
	cfg := storetest.Start(t)
	cfg.GzipLevel = 1 // all other tests here write plain bodies
	storetest.Run(t, cfg)
}
