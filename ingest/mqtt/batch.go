package mqtt

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Delivery is one message as the broker delivered it. Topic and Payload are parts of its Batch's memory.
type Delivery struct {
	Topic []byte
	// Payload is at most Config.MaxPayloadBytes long; of a longer one only the beginning is kept.
	Payload []byte
	// SizeBytes is the length of the whole payload.
	SizeBytes int64
	// Received is when its last byte arrived.
	Received telemetry.UnixMilli
	// Retained is true for a message that the broker had kept and gives to whoever subscribes anew, and not for the same
	// message when it is published (MQTT 3.1.1, section 3.3.1.3).
	Retained bool
}

// Batch is a run of messages from one connection, in the order received. Whoever takes it out of the channel owns it
// until Release.
type Batch struct {
	Deliveries []Delivery

	buffer    []byte
	packets   []uint16 // identifiers of the QoS 1 packets among the deliveries
	tap       *tap
	pool      *pool
	delivered bool
}

func (b *Batch) add(m message) {
	b.Deliveries = append(b.Deliveries, m.Delivery)
	if m.qos > 0 {
		b.packets = append(b.packets, m.packet)
	}
}

// ackTimeout bounds how long a broker may take to accept acknowledgements.
const ackTimeout = 30 * time.Second

// Acknowledge tells the broker that every message of the batch is safe. After an error the broker delivers those
// messages again, over another connection.
func (b *Batch) Acknowledge() error {
	if b.tap == nil || len(b.packets) == 0 {
		return nil
	}
	acks := make([]byte, 0, 4*len(b.packets))
	for _, id := range b.packets {
		acks = append(acks, packetPuback<<4, 2)
		acks = binary.BigEndian.AppendUint16(acks, id)
	}
	if err := b.tap.acknowledge(acks); err != nil {
		return fmt.Errorf("acknowledge %d messages: %w", len(b.packets), err)
	}
	return nil
}

// Release gives the batch's memory back. Deliveries must not be used any more.
func (b *Batch) Release() {
	if b.pool != nil {
		b.pool.put(b)
	}
}

// chunkBytes is how much is read from the network at once, and the size of a batch's memory.
const chunkBytes = 128 << 10

// pool lends batches, and counts those that were delivered and not yet released.
type pool struct {
	free      sync.Pool
	delivered atomic.Int64
}

func (p *pool) get(t *tap) *Batch {
	if b, ok := p.free.Get().(*Batch); ok {
		b.tap, b.pool = t, p
		return b
	}
	return &Batch{buffer: make([]byte, 0, chunkBytes), tap: t, pool: p}
}

func (p *pool) put(b *Batch) {
	if b.delivered {
		p.delivered.Add(-1)
	}
	b.tap, b.pool, b.delivered = nil, nil, false
	clear(b.Deliveries)
	b.Deliveries, b.packets = b.Deliveries[:0], b.packets[:0]
	if cap(b.buffer) == chunkBytes {
		b.buffer = b.buffer[:0]
		p.free.Put(b)
	}
}
