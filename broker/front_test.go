package broker

import (
	"net"
	"testing"
)

func TestAConnectionThatIsClosedTwiceTakesNobodyElseAway(t *testing.T) {
	behind, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = behind.Close() }()
	all := newPeers()
	first, err := all.dialInner(t.Context(), behind.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	port := first.LocalAddr()
	_ = first.Close()
	if all.find(port.String()) != nil {
		t.Error("a closed connection is remembered")
	}
	all.add(port, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}) // the next one from the same port
	_ = first.Close()
	if all.find(port.String()) == nil {
		t.Error("the next connection from the same port is forgotten")
	}
}
