package broker_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/broker"
)

const (
	childDir    = "LAMPPOST_TEST_BROKER_DIR"
	childSync   = "LAMPPOST_TEST_BROKER_SYNC"
	childFilter = "LAMPPOST_TEST_BROKER_FILTER"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child runs a broker until the process is killed, for the tests that kill it. It prints the address, and the user and
// password of ingest.
func child(dir string) error {
	cfg := broker.DefaultConfig()
	cfg.Listen, cfg.Dir = "127.0.0.1:0", dir
	cfg.Subscribers = []broker.Subscriber{{ClientID: "ingest", Filters: []string{cmp.Or(os.Getenv(childFilter), "city/+/readings")}}}
	cfg.Sync = cmp.Or(os.Getenv(childSync), cfg.Sync)
	b, err := broker.New(cfg, nil, nil, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	go func() {
		<-b.Ready()
		user, password := b.Session()
		fmt.Println(b.Addr(), user, password.Reveal())
	}()
	return b.Run(context.Background())
}
