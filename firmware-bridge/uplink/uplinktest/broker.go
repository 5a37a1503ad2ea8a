// Package uplinktest has brokers for the tests of whatever publishes. Messages come in over MQTT and can be looked at; what goes
// out is PUBACK, or not: Broker does as the test says, Mosquitto is the real one and can be restarted in the middle.
package uplinktest

import (
	"crypto/tls"
	"encoding/pem"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Message is a PUBLISH that a broker got.
type Message struct{ Topic, Payload string }

// Broker does what a test says with each PUBLISH: it answers with PUBACK, keeps silent, or drops the connection.
type Broker struct {
	listener net.Listener
	answer   func(nth int) Verdict
	conns    sync.WaitGroup

	mu       sync.Mutex
	seen     []Message // in the order in which they came, repeats included
	answered map[string]int
}

// Verdict is what the broker does with a message.
type Verdict int

// The verdicts. Other is a PUBACK for an identifier that was never used.
const (
	Ack Verdict = iota
	Silence
	Drop
	Other
)

// AckAll acknowledges everything.
func AckAll(int) Verdict { return Ack }

// New starts a broker that asks answer what to do with the nth message, from 1.
func New(t testing.TB, answer func(nth int) Verdict) *Broker {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, answer)
}

// NewTLS acknowledges everything, behind a certificate that the authority in caFile has signed.
func NewTLS(t testing.TB) (b *Broker, caFile string) {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // for its certificate, which is valid for 127.0.0.1
	web.StartTLS()
	defer web.Close()
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, AckAll), caFile
}

func serve(t testing.TB, l net.Listener, answer func(int) Verdict) *Broker {
	b := &Broker{listener: l, answer: answer, answered: map[string]int{}}
	b.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.conns.Wait()
	})
	return b
}

// Address is host:port.
func (b *Broker) Address() string { return b.listener.Addr().String() }

func (b *Broker) serve(c net.Conn) {
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			err = packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.PingreqPacket:
			err = packets.NewControlPacket(packets.Pingresp).Write(c)
		case *packets.DisconnectPacket:
			return
		case *packets.PublishPacket:
			if !b.publish(c, p) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (b *Broker) publish(c net.Conn, p *packets.PublishPacket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, Message{p.TopicName, string(p.Payload)})
	reply := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	reply.MessageID = p.MessageID
	switch b.answer(len(b.seen)) {
	case Drop:
		return false
	case Silence:
		return true
	case Other:
		reply.MessageID += 30_000
	default:
		b.answered[string(p.Payload)]++
	}
	return reply.Write(c) == nil
}

// Seen returns all messages in the order in which they came, repeats included.
func (b *Broker) Seen() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}

// Answered says how many times each payload was acknowledged.
func (b *Broker) Answered() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.answered)
}
