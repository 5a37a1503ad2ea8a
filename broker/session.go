package broker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
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

// natsSubject writes a topic filter as nats-server does, for filters without empty levels or dots; others are taken as
// not yet subscribed, which costs no more than subscribing again.
func natsSubject(filter string) string {
	return strings.NewReplacer("/", ".", "+", "*", "#", ">").Replace(filter)
}

// makeSession makes a persistent session with its subscriptions, as its client would by connecting, subscribing and
// leaving. Where the session is there already, with its messages, nothing is lost.
func (b *Broker) makeSession(ctx context.Context, addr string, s Subscriber) error {
	conn, err := b.dialSelf(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(handshakeWait)); err != nil {
		return err
	}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion = "MQTT", 4
	hello.ClientIdentifier = s.ClientID
	hello.UsernameFlag, hello.Username = true, b.gate.internal.user
	hello.PasswordFlag, hello.Password = true, []byte(b.gate.internal.password.Reveal())
	hello.Keepalive = 30
	ack, err := exchange[*packets.ConnackPacket](conn, hello)
	if err != nil {
		return err
	}
	if ack.ReturnCode != packets.Accepted {
		return fmt.Errorf("the broker refuses its own session: %s", packets.ConnackReturnCodes[ack.ReturnCode])
	}
	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID = 1
	for _, f := range s.Filters {
		subscribe.Topics = append(subscribe.Topics, f)
		subscribe.Qoss = append(subscribe.Qoss, 1)
	}
	granted, err := exchange[*packets.SubackPacket](conn, subscribe)
	if err != nil {
		return err
	}
	for i, code := range granted.ReturnCodes {
		if code != 1 {
			return fmt.Errorf("subscribe to %s: refused with code %#x", s.Filters[i], code)
		}
	}
	return packets.NewControlPacket(packets.Disconnect).Write(conn)
}

// exchange sends a packet and waits for its answer. Messages that the session is due may come before it; they are not
// acknowledged, so they come again to the session's own client.
func exchange[T packets.ControlPacket](conn net.Conn, send packets.ControlPacket) (answer T, err error) {
	if err := send.Write(conn); err != nil {
		return answer, fmt.Errorf("send %T: %w", send, err)
	}
	for {
		got, err := packets.ReadPacket(conn)
		if err != nil {
			return answer, fmt.Errorf("await %T: %w", answer, err)
		}
		if a, ok := got.(T); ok {
			return a, nil
		}
	}
}

// dialSelf connects to the broker's own port.
func (b *Broker) dialSelf(ctx context.Context, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	dialer := &net.Dialer{Timeout: handshakeWait}
	if b.cert == nil {
		return dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	}
	return (&tls.Dialer{NetDialer: dialer, Config: b.cert.own()}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
}
