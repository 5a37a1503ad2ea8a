package broker

import (
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// MQTT allows white space and DEL in topics; nats-server ends the connection of whoever publishes to such a one, without
// PUBACK, so that its publisher sends it again for ever, and before all else that it has to say. topics writes these
// six bytes as %20, %09 and so on, and then each % as %25: no level of ours looks like that, so ingest keeps the message
// in quarantine.
type topics struct {
	to io.Writer
	// buf holds what has come and not gone, from 0 to n.
	buf []byte
	n   int
	// left is how much of the packet at hand passes as it is.
	left int
	// lost is true from where this cannot be MQTT: everything passes, and nats-server judges.
	lost bool
	// odd is told of each topic before it is written anew.
	odd func(topic []byte)
}

const (
	packetPublish = 0x30
	// maxTopic is the length of the longest string in MQTT.
	maxTopic = 65_535
	// maxHead is the largest part of a PUBLISH that has to be seen at once: its fixed header and its topic.
	maxHead = 5 + 2 + maxTopic

	firstBuffer = 2 << 10
	lastBuffer  = 64 << 10
)

// relay hands on what comes from a client until its end or an error of either side.
func (t *topics) relay(from io.Reader) error {
	t.buf = make([]byte, firstBuffer)
	for {
		n, err := from.Read(t.buf[t.n:])
		t.n += n
		if n > 0 {
			full := t.n == len(t.buf)
			if err := t.handOn(); err != nil {
				return err
			}
			t.grow(full)
		}
		if err != nil {
			// What is left is the beginning of a packet that will have no end.
			return err
		}
	}
}

// grow makes room after a read that filled the buffer: more for a client that has much to say, and as much as a topic
// may need where one did not fit.
func (t *topics) grow(full bool) {
	size := len(t.buf)
	switch {
	case t.n == size:
		size = max(2*size, lastBuffer)
		if t.n >= lastBuffer {
			size = maxHead
		}
	case full && size < lastBuffer:
		size *= 2
	default:
		return
	}
	buf := make([]byte, size)
	copy(buf, t.buf[:t.n])
	t.buf = buf
}

// handOn writes all of the buffer but the beginning of a packet whose topic is not there yet.
func (t *topics) handOn() error {
	gone, at := 0, 0
	for at < t.n {
		if t.lost {
			at = t.n
			break
		}
		if t.left > 0 {
			step := min(t.left, t.n-at)
			at += step
			t.left -= step
			continue
		}
		p, ok := parseHead(t.buf[at:t.n])
		if !ok {
			break
		}
		t.lost, t.left = p.broken, p.size
		if p.topic == nil || !isOdd(p.topic) {
			continue
		}
		if err := t.write(gone, at); err != nil {
			return err
		}
		t.odd(p.topic)
		if _, err := t.to.Write(p.anew(t.buf[at])); err != nil {
			return err
		}
		at += p.head
		gone = at
		t.left = p.size - p.head
	}
	if err := t.write(gone, at); err != nil {
		return err
	}
	t.n = copy(t.buf, t.buf[at:t.n])
	return nil
}

func (t *topics) write(from, to int) error {
	if from == to {
		return nil
	}
	_, err := t.to.Write(t.buf[from:to])
	return err
}

// head is the beginning of a packet.
type head struct {
	// size is that of the whole packet, its fixed header included.
	size int
	// topic is nil where the packet is no PUBLISH; head is where it ends.
	topic []byte
	head  int
	// broken is true where the length of the packet cannot be read.
	broken bool
}

// parseHead reads section 2.2 and 3.3.2.1 of MQTT 3.1.1; false asks for more bytes.
func parseHead(b []byte) (head, bool) {
	length, fixed := 0, 1
	for shift := 0; ; shift += 7 {
		if fixed == len(b) {
			return head{}, false
		}
		digit := b[fixed]
		length |= int(digit&0x7f) << shift
		fixed++
		if digit&0x80 == 0 {
			break
		}
		if fixed == 5 {
			return head{broken: true}, true
		}
	}
	h := head{size: fixed + length}
	if b[0]&0xf0 != packetPublish || length < 2 {
		return h, true
	}
	if len(b) < fixed+2 {
		return head{}, false
	}
	h.head = fixed + 2 + int(binary.BigEndian.Uint16(b[fixed:]))
	switch {
	case h.head > h.size:
		return h, true // nats-server says what it thinks of that
	case h.head > len(b):
		return head{}, false
	}
	h.topic = b[fixed+2 : h.head]
	return h, true
}

// anew returns the head with the topic escaped.
func (h *head) anew(kind byte) []byte {
	topic := escape(h.topic)
	b := binary.AppendUvarint([]byte{kind}, uint64(h.size-h.head+2+len(topic)))
	return append(binary.BigEndian.AppendUint16(b, uint16(len(topic))), topic...)
}

func isOdd(topic []byte) bool {
	for _, c := range topic {
		if refusedByte(c) {
			return true
		}
	}
	return false
}

// refusedByte is what nats-server refuses in topics though MQTT does not (mqttToNATSSubjectConversion in its mqtt.go).
func refusedByte(c byte) bool {
	return c == ' ' || c == 0x7f || c <= '\r' && (c == '\t' || c == '\n' || c == '\f' || c == '\r')
}

// escape cuts what would become too long, between two characters.
func escape(topic []byte) []byte {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(topic)+16)
	for _, c := range topic {
		if c == '%' || refusedByte(c) {
			out = append(out, '%', digits[c>>4], digits[c&0xf])
		} else {
			out = append(out, c)
		}
	}
	if len(out) <= maxTopic {
		return out
	}
	end := maxTopic
	for end > 0 && !utf8.RuneStart(out[end]) {
		end--
	}
	return out[:end]
}
