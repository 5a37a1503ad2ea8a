package embedded_test

import (
	"testing"

	"github.com/lamppost-city/lamppost/store/storetest"
)

func TestEmbeddedStoreHoldsTheSuite(t *testing.T) {
	cfg := storetest.Start(t)
	storetest.Run(t, cfg)
	t.Run("compressed", func(t *testing.T) {
		cfg.GzipLevel = 1
		storetest.Run(t, cfg)
	})
}
