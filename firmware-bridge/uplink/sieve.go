package uplink

import (
	"bufio"
	"encoding/binary"
	"math"
)

// mostPacket is the longest packet that paho gets: whatever a handler could take, with the longest topic. paho makes room for a
// packet's whole length, up to 256 MB, before it reads the first byte of it.
const mostPacket = MaxReceived + 1<<16 + 16

// sieve reads a stream of packets, and leaves out every PUBLISH that is longer than mostPacket.
type sieve struct {
	in *bufio.Reader
	// tooLong is called for each that was left out, with its topic ("" if that is long itself), and its packet identifier, which is 0
	// at QoS 0.
	tooLong func(topic string, id uint16)

	left int // bytes of the present packet that are to be passed on
}

// longestTopic is how much of a topic is looked at; the buffer of in has to hold it.
const longestTopic = 1 << 10

const (
	packetPublish = 3
	// longestHeader is a type and four bytes of length (MQTT 3.1.1, section 2.2).
	longestHeader = 5
)

// Read passes on what is left of a packet, or the beginning of the next.
func (s *sieve) Read(p []byte) (int, error) {
	for s.left == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n, err := s.in.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

// next looks at the header of the next packet. Where there is no whole one it is for paho to say so.
func (s *sieve) next() error {
	length := 0
	for size := 2; size <= longestHeader; size++ {
		header, err := s.in.Peek(size)
		if err != nil {
			if s.left = s.in.Buffered(); s.left > 0 {
				return nil
			}
			return err
		}
		last := header[size-1]
		length |= int(last&0x7f) << (7 * (size - 2))
		if last&0x80 != 0 {
			continue
		}
		if header[0]>>4 == packetPublish && size+length > mostPacket {
			return s.skip(header[0]>>1&3, size, length)
		}
		s.left = size + length
		return nil
	}
	s.left = math.MaxInt
	return nil
}

// skip reads a PUBLISH to its end (MQTT 3.1.1, section 3.3) without keeping it.
func (s *sieve) skip(qos byte, header, length int) error {
	whole := header + length
	start, err := s.in.Peek(header + 2)
	if err != nil {
		return err
	}
	length = int(binary.BigEndian.Uint16(start[header:]))
	toID := header + 2 + length
	topic := ""
	if length <= longestTopic {
		if start, err = s.in.Peek(toID); err != nil {
			return err
		}
		topic = string(start[header+2:])
	}
	if _, err := s.in.Discard(toID); err != nil {
		return err
	}
	var id uint16
	if qos > 0 {
		number, err := s.in.Peek(2)
		if err != nil {
			return err
		}
		id = binary.BigEndian.Uint16(number)
	}
	if _, err := s.in.Discard(whole - toID); err != nil {
		return err
	}
	s.tooLong(topic, id)
	return nil
}
