package mqtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// MQTT control packet types, MQTT 3.1.1 section 2.2.1.
const (
	packetPublish = 3
	packetPuback  = 4
)

// maxControlBytes bounds every packet but PUBLISH; what a broker sends to a subscriber has a few bytes.
const maxControlBytes = 64 << 10

// keptOfOversize is how much of a payload beyond the limit is kept, for a person to recognise it by.
const keptOfOversize = 64 << 10

// tap is the network connection under a paho client. It delivers the PUBLISH packets of QoS 0 and 1 as batches, and
// lets paho read the rest.
type tap struct {
	net.Conn
	stopped    <-chan struct{} // once closed, messages are dropped and left unacknowledged
	out        chan<- *Batch
	pool       *pool
	maxPayload int
	seen       func(*Batch)
	broken     atomic.Pointer[error] // why an acknowledgement could not be written

	batch   *Batch
	start   int // of the first byte in batch.buffer that is not parsed
	forPaho bytes.Buffer
	// skip is how many bytes are still to come of oversize, a message that is too large to keep.
	skip     int
	oversize message
}

// message is a delivery and, for QoS 1, its packet's identifier.
type message struct {
	Delivery
	packet uint16
	qos    byte
}

// Read serves paho. It blocks until there is something for paho, and delivers messages meanwhile.
func (t *tap) Read(p []byte) (int, error) {
	for t.forPaho.Len() == 0 {
		if err := t.receive(); err != nil {
			return 0, err
		}
	}
	return t.forPaho.Read(p)
}

// receive reads once from the network and hands over what has become complete.
func (t *tap) receive() error {
	if t.batch == nil {
		t.batch, t.start = t.pool.get(t), 0
	}
	t.makeRoom()
	b := t.batch
	n, err := t.Conn.Read(b.buffer[len(b.buffer):cap(b.buffer)])
	if err != nil {
		t.drop()
		if wrote := t.broken.Load(); wrote != nil {
			// paho takes no notice of a read that fails because the connection has been closed on this side.
			return fmt.Errorf("acknowledgement could not be written: %s", strings.ReplaceAll((*wrote).Error(), net.ErrClosed.Error(), "connection closed"))
		}
		return err
	}
	b.buffer = b.buffer[:len(b.buffer)+n]
	if err := t.parse(telemetry.MilliOf(time.Now())); err != nil {
		t.drop()
		return err
	}
	if len(b.Deliveries) > 0 {
		t.deliver()
	}
	return nil
}

// makeRoom gives the batch a larger buffer where an incomplete packet fills its own.
func (t *tap) makeRoom() {
	b := t.batch
	if len(b.buffer) < cap(b.buffer) {
		return
	}
	if t.start > 0 { // only without deliveries: nothing refers to the parsed part
		b.buffer = b.buffer[:copy(b.buffer[:cap(b.buffer)], b.buffer[t.start:])]
		t.start = 0
		return
	}
	larger := make([]byte, len(b.buffer), 2*cap(b.buffer))
	copy(larger, b.buffer)
	b.buffer = larger
}

// deliver passes the batch on and takes the incomplete packet at its end over into the next.
func (t *tap) deliver() {
	full := t.batch
	next := t.pool.get(t)
	next.buffer = append(next.buffer, full.buffer[t.start:]...)
	t.batch, t.start = next, 0
	select {
	case <-t.stopped:
		full.Release() // not acknowledged, so the broker keeps its messages
		return
	default:
	}
	t.pool.delivered.Add(1)
	full.delivered = true
	t.seen(full) // once it is sent it is another's
	select {
	case t.out <- full:
	case <-t.stopped:
		full.Release()
	}
}

// drop gives back the batch that will not be delivered.
func (t *tap) drop() {
	if t.batch != nil {
		t.batch.Release()
		t.batch = nil
	}
}

// parse takes every complete packet off the batch's buffer.
func (t *tap) parse(now telemetry.UnixMilli) error {
	b := t.batch
	for {
		if t.skip > 0 {
			n := min(t.skip, len(b.buffer)-t.start)
			t.skip -= n
			t.start += n
			if t.skip > 0 {
				return nil
			}
			t.oversize.Received = now
			b.add(t.oversize)
			t.oversize = message{}
		}
		rest := b.buffer[t.start:]
		header, length, err := packetLength(rest)
		if err != nil {
			return err
		}
		if header == 0 {
			return nil
		}
		if rest[0]>>4 != packetPublish || rest[0]>>1&3 > 1 {
			if length > maxControlBytes {
				return fmt.Errorf("broker sent a packet of type %d with %d bytes", rest[0]>>4, length)
			}
			if len(rest) < header+length {
				return nil
			}
			t.forPaho.Write(rest[:header+length])
			t.start += header + length
			continue
		}
		used, err := t.publish(rest, header, length, now)
		if err != nil {
			return err
		}
		if used == 0 {
			return nil
		}
		t.start += used
	}
}

// publish adds the PUBLISH packet at the beginning of rest to the batch and returns its size, or 0 if it is incomplete.
func (t *tap) publish(rest []byte, header, length int, now telemetry.UnixMilli) (int, error) {
	if len(rest) < header+2 {
		return 0, nil
	}
	topicLength := int(binary.BigEndian.Uint16(rest[header:]))
	payloadAt := header + 2 + topicLength
	qos := rest[0] >> 1 & 3
	if qos > 0 {
		payloadAt += 2
	}
	total := header + length
	if payloadAt > total {
		return 0, fmt.Errorf("broker sent a PUBLISH of %d bytes with a topic of %d", length, topicLength)
	}
	size := total - payloadAt
	keep := total
	if size > t.maxPayload {
		keep = payloadAt + min(size, keptOfOversize)
	}
	if len(rest) < keep {
		return 0, nil
	}
	m := message{qos: qos, Delivery: Delivery{
		Topic: rest[header+2 : header+2+topicLength], Payload: rest[payloadAt:keep:keep], SizeBytes: int64(size), Received: now,
		Retained: rest[0]&1 == 1,
	}}
	if qos > 0 {
		m.packet = binary.BigEndian.Uint16(rest[payloadAt-2:])
	}
	if keep < total {
		// Its parts may lie in a buffer that is handed over before the rest has come.
		m.Topic, m.Payload = bytes.Clone(m.Topic), bytes.Clone(m.Payload)
		t.oversize, t.skip = m, total-keep
		return keep, nil
	}
	t.batch.add(m)
	return total, nil
}

// packetLength reads a fixed header, MQTT 3.1.1 section 2.2. It returns 0, 0 if the header is incomplete.
func packetLength(rest []byte) (header, length int, err error) {
	for i := 1; i < len(rest) && i <= 4; i++ {
		length |= int(rest[i]&0x7f) << (7 * (i - 1))
		if rest[i] < 0x80 {
			return i + 1, length, nil
		}
	}
	if len(rest) > 4 {
		return 0, 0, errors.New("broker sent a packet whose length is not valid")
	}
	return 0, 0, nil
}

// acknowledge writes PUBACK packets. Packets that paho writes meanwhile stay whole: net.Conn's Write is atomic.
func (t *tap) acknowledge(packets []byte) error {
	if err := t.SetWriteDeadline(time.Now().Add(ackTimeout)); err != nil {
		return err
	}
	if _, err := t.Write(packets); err != nil {
		t.broken.Store(&err)
		_ = t.Close() // a broken packet would follow
		return err
	}
	return t.SetWriteDeadline(time.Time{}) // it would end paho's next ping
}
