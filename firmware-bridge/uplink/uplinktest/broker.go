// Package uplinktest has brokers for the tests of whatever publishes. Messages come in over MQTT and can be looked at; what goes
// out is PUBACK, or not: Broker does as the test says, Mosquitto is the real one and can be restarted in the middle.
// Authority makes the certificates for either.
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
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Message is a PUBLISH that a broker got.
type Message struct {
	Topic, Payload string
	Retained       bool
}

// Connect is a CONNECT that a broker got.
type Connect struct {
	ClientID, User, Password string
	KeepAlive                time.Duration
	// Will is the message that it has left, if any.
	Will *Message
}

// Rules is what a broker does. What is nil is as a broker does that lets everybody do everything.
type Rules struct {
	// Answer says what happens to the nth message, from 1.
	Answer func(nth int) Verdict
	// Admit returns the code of CONNACK: 0 lets the client in, 4 is a bad user or password.
	Admit func(c Connect) byte
	// Grant says whether a topic filter may be subscribed to.
	Grant func(filter string) bool
}

// Broker does what a test says with each PUBLISH: it answers with PUBACK, keeps silent, or drops the connection.
type Broker struct {
	listener net.Listener
	rules    Rules
	conns    sync.WaitGroup

	mu       sync.Mutex
	seen     []Message // in the order in which they came, repeats included
	answered map[string]int
	connects []Connect
	present  map[net.Conn]bool // those that were let in
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
	return NewWith(t, Rules{Answer: answer})
}

// NewWith starts a broker of the given rules.
func NewWith(t testing.TB, rules Rules) *Broker {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, rules)
}

// NewSecure starts a broker of the given rules behind TLS.
func NewSecure(t testing.TB, cfg *tls.Config, rules Rules) *Broker {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, rules)
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
	return NewSecure(t, &tls.Config{Certificates: web.TLS.Certificates}, Rules{}), caFile
}

func serve(t testing.TB, l net.Listener, rules Rules) *Broker {
	if rules.Answer == nil {
		rules.Answer = AckAll
	}
	b := &Broker{listener: l, rules: rules, answered: map[string]int{}, present: map[net.Conn]bool{}}
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
	defer b.leave(c)
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			if !b.admit(c, p) {
				return
			}
		case *packets.SubscribePacket:
			err = b.subscribe(c, p)
		case *packets.PingreqPacket:
			err = b.write(c, packets.NewControlPacket(packets.Pingresp))
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

func (b *Broker) leave(c net.Conn) {
	b.mu.Lock()
	delete(b.present, c)
	b.mu.Unlock()
	c.Close()
}

// write keeps an answer and a message of Send apart.
func (b *Broker) write(c net.Conn, p packets.ControlPacket) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.Write(c)
}

func (b *Broker) admit(c net.Conn, p *packets.ConnectPacket) bool {
	connect := Connect{
		ClientID: p.ClientIdentifier, User: p.Username, Password: string(p.Password), KeepAlive: time.Duration(p.Keepalive) * time.Second,
	}
	if p.WillFlag {
		connect.Will = &Message{p.WillTopic, string(p.WillMessage), p.WillRetain}
	}
	reply := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	if b.rules.Admit != nil {
		reply.ReturnCode = b.rules.Admit(connect)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connects = append(b.connects, connect)
	b.present[c] = reply.ReturnCode == 0
	return reply.Write(c) == nil && reply.ReturnCode == 0
}

func (b *Broker) subscribe(c net.Conn, p *packets.SubscribePacket) error {
	reply := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	reply.MessageID = p.MessageID
	for i, filter := range p.Topics {
		code := p.Qoss[i]
		if b.rules.Grant != nil && !b.rules.Grant(filter) {
			code = 0x80
		}
		reply.ReturnCodes = append(reply.ReturnCodes, code)
	}
	return b.write(c, reply)
}

// Send sends a message to every client, with QoS 0, whatever it has subscribed to.
func (b *Broker) Send(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, in := range b.present {
		if !in {
			continue
		}
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Payload, p.Retain = m.Topic, []byte(m.Payload), m.Retained
		_ = p.Write(c) // it may be leaving
	}
}

// Connects returns every CONNECT, refused ones too.
func (b *Broker) Connects() []Connect {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.connects)
}

func (b *Broker) publish(c net.Conn, p *packets.PublishPacket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, Message{p.TopicName, string(p.Payload), p.Retain})
	reply := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	reply.MessageID = p.MessageID
	switch b.rules.Answer(len(b.seen)) {
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
