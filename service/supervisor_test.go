package service_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/service"
)

// supervisor is a systemd that listens, and asks for signs of life every 100 ms.
func supervisor(t *testing.T) (said <-chan string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "100000")
	words := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 100)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			select {
			case words <- string(buffer[:n]):
			default:
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return words
}

func next(t *testing.T, said <-chan string) string {
	t.Helper()
	select {
	case word := <-said:
		return word
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was said")
		return ""
	}
}

func TestSupervisorHearsOfStartLifeAndStop(t *testing.T) {
	said := supervisor(t)
	stuck := make(chan struct{})
	healthy := make(chan struct{}, 1)
	group := service.NewGroup(time.Second, slog.New(slog.DiscardHandler), service.Part{
		Name: "one", Run: func(ctx context.Context) error { <-ctx.Done(); return nil },
		Health: func() error {
			select {
			case healthy <- struct{}{}:
			case <-stuck:
			}
			return nil
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- group.Run(ctx) }()
	if word := next(t, said); word != "READY=1" {
		t.Errorf("first %q", word)
	}
	for range 3 {
		<-healthy // a part that answers
		if word := next(t, said); word != "WATCHDOG=1" {
			t.Errorf("then %q", word)
		}
	}
	// Now nobody takes what the part's Health says: it goes through once more, and hangs.
	words := 0
	for quiet := time.After(500 * time.Millisecond); quiet != nil; {
		select {
		case <-said:
			words++
		case <-quiet:
			quiet = nil
		}
	}
	if words > 1 {
		t.Errorf("a process that hangs says %d times that it is alive", words)
	}
	stop()
	close(stuck)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for word := next(t, said); word != "STOPPING=1"; word = next(t, said) {
		if word != "WATCHDOG=1" {
			t.Errorf("at last %q", word)
		}
	}
}
