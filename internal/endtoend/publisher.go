package endtoend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Publisher is an MQTT session that sends any bytes to any topic, right or wrong: the usual clients refuse to.
type Publisher struct {
	conn net.Conn
	next uint16
}

// patience bounds each answer of a broker.
const patience = 15 * time.Second

// Dial opens a session with a broker.
func Dial(addr, client string) (*Publisher, error) { return DialAs(addr, client, "", "") }

// DialAs is Dial with a user and password; neither is sent where the user is "".
func DialAs(addr, client, user, password string) (*Publisher, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &Publisher{conn: conn}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.ClientIdentifier, hello.CleanSession = "MQTT", 4, client, true
	if user != "" {
		hello.UsernameFlag, hello.Username, hello.PasswordFlag, hello.Password = true, user, true, []byte(password)
	}
	answer, err := p.exchange(hello)
	if err == nil {
		if c, ok := answer.(*packets.ConnackPacket); !ok || c.ReturnCode != packets.Accepted {
			err = fmt.Errorf("broker answered CONNECT with %v", answer)
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return p, nil
}

func (p *Publisher) exchange(packet packets.ControlPacket) (packets.ControlPacket, error) {
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := packet.Write(p.conn); err != nil {
		return nil, err
	}
	return packets.ReadPacket(p.conn)
}

// Publish sends one message with QoS 1 and waits for its PUBACK. After an error the session is over.
func (p *Publisher) Publish(topic, payload string) error {
	p.next++
	message := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	message.Qos, message.TopicName, message.Payload, message.MessageID = 1, topic, []byte(payload), p.next
	answer, err := p.exchange(message)
	if err != nil {
		return fmt.Errorf("publish to %q: %w", topic, err)
	}
	if ack, ok := answer.(*packets.PubackPacket); !ok || ack.MessageID != p.next {
		return fmt.Errorf("broker answered PUBLISH to %q with %v", topic, answer)
	}
	return nil
}

// Close ends the session.
func (p *Publisher) Close() error { return p.conn.Close() }
