package broker

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const handshakeWait = 10 * time.Second

// servedBy says whether a stored session has all the subscriptions already.
func (s Subscriber) servedBy(rec sessionRecord) bool {
	for _, f := range s.Filters {
		if rec.Cons[natsSubject(f)] == nil {
			return false
		}
	}
	return true
}

// consumers is how many subscriptions nats-server makes of the filters: "a/#" matches "a" too, which costs a second one.
func (s Subscriber) consumers() int {
	n := len(s.Filters)
	for _, f := range s.Filters {
		if strings.HasSuffix(f, "/#") {
			n++
		}
	}
	return n
}

// natsSubject writes a topic filter as nats-server does, for filters without empty levels or dots; others are taken as
// not yet subscribed, which costs no more than subscribing again.
func natsSubject(filter string) string {
	return strings.NewReplacer("/", ".", "+", "*", "#", ">").Replace(filter)
}

// The packets of MQTT 3.1.1 with which a session is made, section 3 of the specification.
const (
	packetConnect    = 0x10
	packetConnack    = 0x20
	packetSubscribe  = 0x82
	packetSuback     = 0x90
	packetDisconnect = 0xe0

	// connectFlags are user name, password, and not clean.
	connectFlags = 0xc0
)

// makeSession makes a persistent session with its subscriptions, as its client would by connecting, subscribing and
// leaving. Where the session is there already, with its messages, nothing is lost.
func (b *Broker) makeSession(ctx context.Context, s Subscriber) error {
	conn, err := b.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(handshakeWait)); err != nil {
		return fmt.Errorf("set a deadline: %w", err)
	}
	read := bufio.NewReader(conn)
	hello := mqttString(nil, "MQTT")
	hello = append(hello, 4, connectFlags, 0, 30) // version 3.1.1, keep-alive of 30 s
	hello = mqttString(hello, s.ClientID)
	hello = mqttString(hello, b.gate.internal.user)
	hello = mqttString(hello, b.gate.internal.password.Reveal())
	answer, err := exchange(conn, read, packetConnect, hello, packetConnack)
	if err != nil {
		return err
	}
	if len(answer) != 2 || answer[1] != 0 {
		return fmt.Errorf("the broker refuses its own session: CONNACK % x", answer)
	}
	subscribe := []byte{0, 1} // packet identifier
	for _, f := range s.Filters {
		subscribe = append(mqttString(subscribe, f), 1)
	}
	answer, err = exchange(conn, read, packetSubscribe, subscribe, packetSuback)
	if err != nil {
		return err
	}
	for i, f := range s.Filters {
		if len(answer) != 2+len(s.Filters) || answer[2+i] != 1 {
			return fmt.Errorf("subscribe to %s: refused, SUBACK % x", f, answer)
		}
	}
	if _, err := conn.Write(mqttPacket(packetDisconnect, nil)); err != nil {
		return fmt.Errorf("leave the session: %w", err)
	}
	return nil
}

// exchange sends a packet and returns the body of its answer. Messages that the session is due may come before it; they
// are not acknowledged, so they come again to the session's own client.
func exchange(conn net.Conn, read *bufio.Reader, kind byte, body []byte, answer byte) ([]byte, error) {
	if _, err := conn.Write(mqttPacket(kind, body)); err != nil {
		return nil, fmt.Errorf("send MQTT packet %#x: %w", kind, err)
	}
	for {
		got, err := read.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("await MQTT packet %#x: %w", answer, err)
		}
		// The length is written as a variable-length integer, as in Go's encoding, of at most four bytes.
		length, err := binary.ReadUvarint(read)
		if err != nil {
			return nil, fmt.Errorf("await MQTT packet %#x: %w", answer, err)
		}
		if got != answer {
			if _, err := io.CopyN(io.Discard, read, int64(length)); err != nil {
				return nil, fmt.Errorf("await MQTT packet %#x: %w", answer, err)
			}
			continue
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(read, data); err != nil {
			return nil, fmt.Errorf("read MQTT packet %#x: %w", answer, err)
		}
		return data, nil
	}
}

func mqttPacket(kind byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...)
}

func mqttString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// URL is the address of the MQTT port, mqtts where it speaks TLS; of use after Ready.
func (b *Broker) URL() string {
	if b.cert == nil {
		return "mqtt://" + b.Addr()
	}
	return "mqtts://" + b.Addr()
}

// Dial connects a session of this process, after Ready: without TLS and past the front, which has nothing to see to there.
func (b *Broker) Dial(ctx context.Context) (net.Conn, error) {
	inner := b.inner.Load()
	if inner == nil {
		return nil, errors.New("the broker is starting or stopping")
	}
	conn, err := b.gate.peers.dialInner(ctx, *inner, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to the broker of this process: %w", err)
	}
	return conn, nil
}
