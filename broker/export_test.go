package broker

import "io"

// Relay hands on what a client sends as the front does, and tells odd of each topic that it writes anew.
func Relay(to io.Writer, from io.Reader, odd func(topic []byte)) error {
	t := topics{to: to, odd: odd}
	return t.relay(from)
}

// Inner is nats-server's own address.
func (b *Broker) Inner() string { return *b.inner.Load() }
