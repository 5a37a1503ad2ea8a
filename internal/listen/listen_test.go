package listen_test

import (
	"testing"

	"github.com/lamppost-city/lamppost/internal/listen"
)

func TestWhatCanBeListenedAtAndWhoReachesIt(t *testing.T) {
	for _, c := range []struct {
		addr           string
		good, loopback bool
	}{
		{"127.0.0.1:0", true, true},
		{"127.8.8.8:65535", true, true},
		{"[::1]:9464", true, true},
		{"localhost:9464", true, true},
		{"0.0.0.0:9464", true, false},
		{":9464", true, false},
		{"[::]:9464", true, false},
		{"city.example:9464", true, false},
		{"192.0.2.1:65536", false, false},
		{"192.0.2.1:-1", false, false},
		{"192.0.2.1:http", false, false},
		{"192.0.2.1", false, false},
		{"", false, false},
	} {
		if err := listen.Check(c.addr, "127.0.0.1:1"); (err == nil) != c.good {
			t.Errorf("%q: %v", c.addr, err)
		}
		if got := listen.OnLoopback(c.addr); got != c.loopback {
			t.Errorf("%q: on loopback is %t", c.addr, got)
		}
	}
}
