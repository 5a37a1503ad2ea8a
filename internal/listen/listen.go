// Package listen says what the parts that open an address have to know of it before. The address of a configuration comes in, and
// whether it is one, and who can reach it, goes out; it opens nothing.
//
//	Config.Validate, New ──► Check, OnLoopback
package listen

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Check returns nil for host:port with a port from 0 to 65535, and else what is wrong, to be said after the key. example is an
// address that would do.
func Check(addr, example string) error {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("is %q; write host:port, such as %s", addr, example)
	}
	if port, err := strconv.Atoi(text); err != nil || port < 0 || port > 65_535 {
		return fmt.Errorf("is %q; the port must be a number from 0 to 65535", addr)
	}
	return nil
}

// OnLoopback says whether only this machine can reach the address. It takes a name other than localhost for one that others
// know too, and asks nobody.
func OnLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
