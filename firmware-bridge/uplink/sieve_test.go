package uplink

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func publishPacket(t testing.TB, qos byte, id uint16, payload []byte) []byte {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = "a/b", qos, id, payload
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLongMessagesAreLeftOutOfTheStream(t *testing.T) {
	long := make([]byte, mostPacket)
	ping := []byte{0xd0, 0}
	small := publishPacket(t, 1, 7, []byte("small"))
	largest := publishPacket(t, 1, 8, make([]byte, MaxReceived))
	want := slices.Concat(ping, small, largest, ping)
	stream := slices.Concat(ping, publishPacket(t, 0, 0, long), small, publishPacket(t, 1, 300, long), publishPacket(t, 2, 301, long), largest, ping)
	for name, in := range map[string]io.Reader{
		"at once": bytes.NewReader(stream), "in halves": iotest.HalfReader(bytes.NewReader(stream)), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		var left []uint16
		got, err := io.ReadAll(&sieve{in: bufio.NewReader(in), tooLong: func(topic string, id uint16) {
			if topic != "a/b" {
				t.Errorf("the topic is %.40q", topic)
			}
			left = append(left, id)
		}})
		if err != nil || !bytes.Equal(got, want) || !slices.Equal(left, []uint16{0, 300, 301}) {
			t.Errorf("%s: %d bytes, want %d; left out %v; %v", name, len(got), len(want), left, err)
		}
	}
}

// Whatever comes, it is passed on as it is, save what is too long; nothing is made up.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0xd0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f, 0, 3})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add(publishPacket(f, 1, 1, []byte("x")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		got, err := io.ReadAll(&sieve{in: bufio.NewReader(bytes.NewReader(stream)), tooLong: func(string, uint16) {}})
		if err != nil || !bytes.HasPrefix(stream, got) {
			t.Errorf("%x becomes %x, %v", stream, got, err)
		}
	})
}
