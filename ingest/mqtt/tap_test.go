package mqtt

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// script is a connection that delivers fixed bytes in pieces of random size, and remembers what is written.
type script struct {
	net.Conn
	in      *bytes.Reader
	pieces  *rand.Rand
	written bytes.Buffer
	// deadline is the one for writing that is set.
	deadline time.Time
}

func (s *script) Read(p []byte) (int, error) {
	n := 1 + s.pieces.IntN(len(p))
	if s.pieces.IntN(3) == 0 {
		n = min(n, 1+s.pieces.IntN(7))
	}
	return s.in.Read(p[:n])
}

func (s *script) Write(p []byte) (int, error) { return s.written.Write(p) }

func (s *script) SetWriteDeadline(at time.Time) error {
	s.deadline = at
	return nil
}

func (s *script) Close() error { return nil }

type delivered struct {
	topic string
	body  string
	size  int64
}

// run reads the whole stream through a tap and returns the messages, what paho got, and the acknowledgements.
func run(t *testing.T, stream []byte, seed uint64, maxPayload int) (messages []delivered, forPaho, acks []byte, err error) {
	t.Helper()
	out := make(chan *Batch)
	var pool pool
	conn := &script{in: bytes.NewReader(stream), pieces: rand.New(rand.NewPCG(seed, 1))}
	tapped := &tap{Conn: conn, stopped: make(chan struct{}), out: out, pool: &pool, maxPayload: maxPayload, seen: func(*Batch) {}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := range out {
			for _, d := range b.Deliveries {
				messages = append(messages, delivered{string(d.Topic), string(d.Payload), d.SizeBytes})
			}
			if err := b.Acknowledge(); err != nil {
				t.Error(err)
			}
			b.Release()
		}
	}()
	forPaho, err = io.ReadAll(tapped)
	close(out)
	<-done
	if !conn.deadline.IsZero() {
		t.Error("the deadline of an acknowledgement is left for what paho writes later")
	}
	if n := pool.delivered.Load(); n != 0 {
		t.Errorf("%d batches were not released", n)
	}
	return messages, forPaho, conn.written.Bytes(), err
}

// stream encodes packets with the client's own encoder, an independent one.
func stream(t *testing.T, all ...packets.ControlPacket) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range all {
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func publish(topic string, payload []byte, qos byte, id uint16) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos, p.MessageID = topic, payload, qos, id
	return p
}

func TestTapSeparatesMessagesFromControlPackets(t *testing.T) {
	connack := packets.NewControlPacket(packets.Connack)
	suback := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	suback.MessageID, suback.ReturnCodes = 1, []byte{1}
	pingresp := packets.NewControlPacket(packets.Pingresp)

	all := []packets.ControlPacket{connack}
	var want []delivered
	var wantAcks []byte
	for i := range 400 {
		size := []int{0, 1, 90, 130, 5000, 200_000}[i%6]
		payload := bytes.Repeat([]byte{byte(i)}, size)
		topic := fmt.Sprintf("city/p-%d/readings", i)
		qos := byte(i % 2)
		all = append(all, publish(topic, payload, qos, uint16(i+1)))
		want = append(want, delivered{topic, string(payload), int64(size)})
		if qos == 1 {
			wantAcks = append(wantAcks, 0x40, 2, byte((i+1)>>8), byte(i+1))
		}
		if i%50 == 7 {
			all = append(all, suback, pingresp)
		}
	}
	control := slices.DeleteFunc(slices.Clone(all), func(p packets.ControlPacket) bool {
		_, is := p.(*packets.PublishPacket)
		return is
	})
	for seed := range uint64(20) {
		messages, forPaho, acks, err := run(t, stream(t, all...), seed, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(messages, want) {
			t.Fatalf("seed %d: got %d messages, want %d, or they differ", seed, len(messages), len(want))
		}
		if !bytes.Equal(forPaho, stream(t, control...)) {
			t.Fatalf("seed %d: paho did not get exactly the control packets", seed)
		}
		if !bytes.Equal(acks, wantAcks) {
			t.Fatalf("seed %d: acknowledgements are not in the order received", seed)
		}
	}
}

func TestTapKeepsOnlyTheBeginningOfALargePayload(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 10_000_000)
	in := stream(t, publish("city/p/readings", []byte("before"), 1, 1), publish("city/p/readings", large, 1, 2), publish("city/p/readings", []byte("behind"), 1, 3))
	messages, _, acks, err := run(t, in, 3, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != 3 || messages[1].size != 10_000_000 || len(messages[1].body) != keptOfOversize || messages[2].body != "behind" {
		t.Fatalf("got %d messages; the large one has %d of %d bytes", len(messages), len(messages[1].body), messages[1].size)
	}
	if want := []byte{0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3}; !bytes.Equal(acks, want) {
		t.Errorf("acknowledged % x, want % x", acks, want)
	}
}

func TestTapEndsTheConnectionOnANonsensicalPacket(t *testing.T) {
	for name, in := range map[string][]byte{
		"length of five bytes":        {0x32, 0xff, 0xff, 0xff, 0xff, 0x01},
		"topic longer than packet":    {0x32, 0x05, 0x00, 0x20, 'a', 'b', 'c'},
		"control packet of megabytes": {0x90, 0xff, 0xff, 0x7f, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := run(t, append(in, make([]byte, 64)...), 1, 1<<20); err == nil {
				t.Error("it was taken for good")
			}
		})
	}
}

func FuzzTap(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0, 0x32, 7, 0, 1, 'a', 0, 1, 'x', 'y'}, uint64(1))
	f.Add([]byte{0x30, 0, 0x32, 0xff, 0xff, 0xff, 0xff, 1}, uint64(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		messages, _, _, _ := run(t, in, seed, 1<<10)
		for _, m := range messages {
			if int64(len(m.body)) > m.size {
				t.Errorf("payload of %d bytes in a message of %d", len(m.body), m.size)
			}
		}
	})
}
