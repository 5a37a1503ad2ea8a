package broker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/broker"
)

// packet is a packet of MQTT 3.1.1, text a string in it, publish a PUBLISH with QoS 1.
func packet(kind byte, body ...[]byte) []byte {
	whole := slices.Concat(body...)
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(whole))), whole...)
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func publishPacket(topic, payload string) []byte {
	return packet(0x32, text(topic), []byte{0, 7}, []byte(payload))
}

func connectPacket(id, user, password string) []byte {
	if user == "" {
		return packet(0x10, text("MQTT"), []byte{4, 0x02, 0, 60}, text(id))
	}
	return packet(0x10, text("MQTT"), []byte{4, 0xc2, 0, 60}, text(id), text(user), text(password))
}

// TestTopicsWithWhiteSpaceAreKeptLikeOthers: nats-server alone would end the connection, and with it all that the
// publisher has to say.
func TestTopicsWithWhiteSpaceAreKeptLikeOthers(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secured), func(t *testing.T) {
			cfg := config(t)
			cfg.Subscribers[0].Filters = []string{"city/#"}
			var creds broker.Credentials
			user, password := "", ""
			if secured {
				cfg.TLS, creds, user, password = keyPair(t), everything{}, "gateway", "x"
			}
			r := start(t, cfg, creds)
			var mu sync.Mutex
			var got []string
			o := options(r.Addr(), "ingest", "", "").SetCleanSession(false).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, m.Topic()+" "+string(m.Payload()))
			})
			u, p := r.Session()
			o.SetUsername(u).SetPassword(p.Reveal()).SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return r.Dial(t.Context()) })
			connect(t, o)
			pub := options(r.Addr(), "cam", user, password)
			if secured {
				pub.Servers[0].Scheme = "ssl"
				pub.SetTLSConfig(trusting(t, cfg.TLS))
			}
			c := connect(t, pub)
			var want []string
			for i, topic := range []string{
				"city/cam 01/readings", "city/cam-01/readings", "city/cam-01/read ings", "city/\t\r\n\f\x7f/readings", "city/100 %/readings",
				"city/100%/readings", "city/ ", "city/\u00e9 \U0001F6A6/readings", "city/cam-01/readings",
			} {
				if secured && (strings.Count(topic, "/") != 2 || !strings.HasSuffix(topic, "/readings")) {
					continue // who has a credential may not publish there, as with any other topic that is nobody's
				}
				payload := fmt.Sprintf("message %d, %s", i, strings.Repeat("with white space ", 1000))
				token := c.Publish(topic, 1, false, payload)
				if !token.WaitTimeout(wait) || token.Error() != nil {
					t.Fatalf("topic %q: %v", topic, token.Error())
				}
				if strings.ContainsAny(topic, " \t\r\n\f\x7f") {
					topic = strings.NewReplacer("%", "%25", " ", "%20", "\t", "%09", "\r", "%0D", "\n", "%0A", "\f", "%0C", "\x7f", "%7F").Replace(topic)
				}
				want = append(want, topic+" "+payload)
			}
			eventually(t, "all arrive", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(got) >= len(want)
			})
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// everything are credentials with which everybody may publish for everybody.
type everything struct{}

func (everything) Required() bool                             { return true }
func (everything) Verify(string, string) (broker.Grant, bool) { return broker.Grant{All: true}, true }
func (everything) Mark(string) string                         { return "everybody" }

func TestNobodyComesInPastTheMQTTPort(t *testing.T) {
	r := start(t, config(t), nil)
	user, password := r.Session()
	for _, c := range []struct{ user, password string }{{"", ""}, {user, password.Reveal()}} {
		conn, err := net.Dial("tcp", r.Inner())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(wait))
		if _, err := conn.Write(connectPacket("x", c.user, c.password)); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn)
		if want := []byte{0x20, 2, 0, 5}; !bytes.Equal(answer, want) {
			t.Errorf("user %q is answered with % x, want CONNACK 5", c.user, answer)
		}
	}
}

// relayed is what comes out of the front, and the topics that it has written anew.
func relayed(from io.Reader) (out []byte, odd []string) {
	var to bytes.Buffer
	_ = broker.Relay(&to, from, func(topic []byte) { odd = append(odd, string(topic)) })
	return to.Bytes(), odd
}

func TestOnlyTheTopicIsWrittenAnew(t *testing.T) {
	big := strings.Repeat("payload with spaces ", 20_000)
	for _, c := range []struct {
		rule      string
		in, out   []byte
		rewritten int
	}{
		{"a topic grows the packet's length", publishPacket("city/a b/readings", "x y"), publishPacket("city/a%20b/readings", "x y"), 1},
		{"the length may need another byte", publishPacket("a b", strings.Repeat("x", 120)), publishPacket("a%20b", strings.Repeat("x", 120)), 1},
		{"a large payload passes", publishPacket("a b", big), publishPacket("a%20b", big), 1},
		{"a long topic is seen whole", publishPacket("a b"+strings.Repeat("c", 60_000), "x"), publishPacket("a%20b"+strings.Repeat("c", 60_000), "x"), 1},
		{"QoS 0, retained", packet(0x31, text("a b"), []byte("x")), packet(0x31, text("a%20b"), []byte("x")), 1},
		{"another packet passes", connectPacket("a b", "c d", "e\tf"), connectPacket("a b", "c d", "e\tf"), 0},
		{"a percent sign alone passes", publishPacket("a%20b", "x"), publishPacket("a%20b", "x"), 0},
		{"a topic that is longer than its packet passes", packet(0x30, []byte{0, 200}, []byte("a b")), packet(0x30, []byte{0, 200}, []byte("a b")), 0},
		{"no MQTT passes", []byte("\x30\xff\xff\xff\xff\xff\x00\x03a b"), []byte("\x30\xff\xff\xff\xff\xff\x00\x03a b"), 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			in := slices.Concat(publishPacket("city/cam-01/readings", "before"), c.in, publishPacket("city/cam-01/readings", "after"))
			want := slices.Concat(publishPacket("city/cam-01/readings", "before"), c.out, publishPacket("city/cam-01/readings", "after"))
			for name, from := range map[string]io.Reader{"at once": bytes.NewReader(in), "byte by byte": iotest.OneByteReader(bytes.NewReader(in))} {
				if got, odd := relayed(from); !bytes.Equal(got, want) || len(odd) != c.rewritten {
					t.Errorf("%s: %d topics written anew, %d bytes, want %d and %d", name, len(odd), len(got), c.rewritten, len(want))
				}
			}
		})
	}
}

func TestAnEscapedTopicThatIsTooLongIsCut(t *testing.T) {
	got, _ := relayed(bytes.NewReader(publishPacket(strings.Repeat("é ", 20_000), "payload")))
	topic := got[4+2 : 4+2+int(binary.BigEndian.Uint16(got[4:]))]
	if len(topic) > 65_535 || len(topic) < 65_500 || !utf8.Valid(topic) || !strings.HasPrefix(string(topic), "é%20é%20") || !bytes.HasSuffix(got, []byte("\x00\x07payload")) {
		t.Errorf("topic of %d bytes in a packet of %d", len(topic), len(got))
	}
}

// pieces reads in pieces of random sizes.
type pieces struct {
	from io.Reader
	r    *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) { return p.from.Read(b[:1+p.r.IntN(len(b))]) }

func FuzzRelay(f *testing.F) {
	f.Add(slices.Concat(connectPacket("a", "", ""), publishPacket("city/a b/readings", "x"), publishPacket("city/a/readings", "y")), uint64(1))
	f.Add([]byte("\x30\xff\xff\xff\xff\xff\x00\x03a b"), uint64(2))
	f.Add([]byte{0x30, 0x00, 0x30, 0x01, 0x00, 0x30, 0x02, 0x00, 0x05}, uint64(3))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		want, odd := relayed(bytes.NewReader(in))
		got, oddAgain := relayed(&pieces{bytes.NewReader(in), rand.New(rand.NewPCG(seed, 0))})
		if !bytes.Equal(got, want) || !slices.Equal(odd, oddAgain) {
			t.Fatalf("in pieces % x, at once % x", got, want)
		}
		if len(odd) == 0 && !bytes.HasPrefix(in, want) {
			t.Fatalf("nothing was odd, and % x became % x", in, want)
		}
	})
}

// BenchmarkRelay is what looking at every packet costs, of 200 bytes, 20 in each read.
func BenchmarkRelay(b *testing.B) {
	const together = 20
	one := bytes.Repeat(publishPacket("city/cam-01/readings", strings.Repeat("x", 200)), together)
	b.ReportAllocs()
	b.SetBytes(int64(len(one)) / together)
	if err := broker.Relay(io.Discard, &repeat{one, (b.N + together - 1) / together}, nil); !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
}

type repeat struct {
	data []byte
	left int
}

func (r *repeat) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(b, r.data), nil
}
