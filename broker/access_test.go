package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/lamppost-city/lamppost/broker"
)

// people are credentials as a registry has them; user = publisher, the password is "pw-"+user, or what changed names.
type people struct {
	none  bool
	calls atomic.Int64

	mu      sync.Mutex
	changed map[string]string // user to the password since; "" for none
	since   bool              // there are credentials though none is true
}

func (p *people) Required() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.none || p.since
}

func (p *people) password(user string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if password, ok := p.changed[user]; ok {
		return password
	}
	return "pw-" + user
}

func (p *people) change(user, password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = map[string]string{}
	}
	p.changed[user], p.since = password, true
}

func (p *people) Mark(user string) string { return p.password(user) }

func (p *people) Verify(user, password string) (broker.Grant, bool) {
	p.calls.Add(1)
	if right := p.password(user); right == "" || password != right {
		return broker.Grant{}, false
	}
	if user == "gateway" {
		return broker.Grant{All: true}, true
	}
	return broker.Grant{Publisher: "cam-01"}, user == "cam-01"
}

// refusedWith returns paho's error of a connection that must be refused.
func refusedWith(t *testing.T, o *mqtt.ClientOptions) string {
	t.Helper()
	c := mqtt.NewClient(o)
	defer c.Disconnect(0)
	token := c.Connect()
	if !token.WaitTimeout(wait) {
		t.Fatal("no answer to CONNECT")
	}
	if token.Error() == nil {
		t.Fatalf("%s was let in", o.Username)
	}
	return token.Error().Error()
}

func TestWithCredentialsOthersAreRefused(t *testing.T) {
	r := start(t, config(t), &people{})
	for _, c := range []struct{ rule, id, user, password string }{
		{"anonymous", "x", "", ""},
		{"wrong password", "x", "cam-01", "nonsense"},
		{"unknown user", "x", "cam-02", "pw-cam-02"},
		{"client id of ingest", "ingest", "cam-01", "pw-cam-01"},
		{"ingest with a guessed password", "ingest", "lamppost-ingest", "x"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := refusedWith(t, options(r.Addr(), c.id, c.user, c.password)); !strings.Contains(got, "not Authorized") {
				t.Errorf("got %q, want CONNACK 5, not authorized", got)
			}
		})
	}
	if n := r.metric(t, "lamppost_broker_refused_total", "credentials"); n != 5 {
		t.Errorf("counted %v refusals, want 5", n)
	}
}

func TestAnonymousSessionMayNotTakeTheClientIDOfIngest(t *testing.T) {
	r := start(t, config(t), nil)
	refusedWith(t, options(r.Addr(), "ingest", "", ""))
}

func TestRightPasswordIsVerifiedOnce(t *testing.T) {
	p := &people{}
	r := start(t, config(t), p)
	for i := range 5 {
		connect(t, options(r.Addr(), fmt.Sprint("c", i), "cam-01", "pw-cam-01")).Disconnect(0)
	}
	if n := p.calls.Load(); n != 1 {
		t.Errorf("Verify was called %d times, want once", n)
	}
}

func TestConnectionsEndWithTheirCredential(t *testing.T) {
	for _, c := range []struct{ rule, password string }{{"removed", ""}, {"changed", "another-password"}} {
		t.Run(c.rule, func(t *testing.T) {
			p := &people{}
			r := start(t, config(t), p)
			cam, other := connect(t, options(r.Addr(), "c", "cam-01", "pw-cam-01")), connect(t, options(r.Addr(), "g", "gateway", "pw-gateway"))
			publish(t, cam, "city/cam-01/readings", "before", 1)
			p.change("cam-01", c.password)
			eventually(t, "its connection ends", func() bool { return !cam.IsConnectionOpen() })
			refusedWith(t, options(r.Addr(), "c", "cam-01", "pw-cam-01"))
			if c.password != "" {
				publish(t, connect(t, options(r.Addr(), "c", "cam-01", c.password)), "city/cam-01/readings", "after", 1)
			}
			publish(t, other, "city/cam-02/readings", "other", 1)
		})
	}
}

func TestARemovedPasswordIsRefusedAtOnceThoughItWasRightAMomentAgo(t *testing.T) {
	p := &people{}
	r := start(t, config(t), p)
	connect(t, options(r.Addr(), "c", "cam-01", "pw-cam-01")).Disconnect(0)
	p.change("cam-01", "")
	refusedWith(t, options(r.Addr(), "c", "cam-01", "pw-cam-01"))
}

func TestTheFirstCredentialEndsConnectionsWithoutOne(t *testing.T) {
	p := &people{none: true}
	r := start(t, config(t), p)
	in := newInbox()
	reader := ingest(t, r.Broker, in)
	anybody := connect(t, options(r.Addr(), "c", "", ""))
	publish(t, anybody, "city/cam-01/readings", "before", 1)
	p.change("cam-01", "its-own-password")
	eventually(t, "the anonymous connection ends", func() bool { return !anybody.IsConnectionOpen() })
	publish(t, connect(t, options(r.Addr(), "c", "cam-01", "its-own-password")), "city/cam-01/readings", "after", 1)
	eventually(t, "ingest goes on", func() bool { n, _ := in.counts(); return n == 2 && reader.IsConnectionOpen() })
}

func TestPublisherPublishesOnlyAsItself(t *testing.T) {
	r := start(t, config(t), &people{})
	in := newInbox()
	ingest(t, r.Broker, in)
	for i, c := range []struct {
		user, topic string
		allowed     bool
	}{
		{"cam-01", "city/cam-01/readings", true},
		{"cam-01", "city/cam-01/status", true},
		{"cam-01", "city/cam-01/answer", true},
		{"cam-01", "city/cam-01/config", false},
		{"cam-01", "city/cam-01/command", false},
		{"cam-01", "city/time", false},
		{"cam-01", "city/cam-02/readings", false},
		{"cam-01", "city/cam-01/readings/more", false},
		{"cam-01", "town/cam-01/readings", false},
		{"cam-01", "$SYS/anything", false},
		{"gateway", "city/cam-02/readings", true},
		{"gateway", "city/cam-02/config", false},
	} {
		t.Run(c.user+" "+c.topic, func(t *testing.T) {
			pub := connect(t, options(r.Addr(), fmt.Sprint("p", i), c.user, "pw-"+c.user))
			token := pub.Publish(c.topic, 1, false, c.topic)
			if !token.WaitTimeout(wait) {
				t.Fatal("neither PUBACK nor end of the connection")
			}
			if c.allowed != (token.Error() == nil) {
				t.Errorf("acknowledged with error %v, allowed is %v: what is not stored must not be acknowledged", token.Error(), c.allowed)
			}
		})
	}
	eventually(t, "the two readings that are allowed arrive", func() bool { n, _ := in.counts(); return n == 2 })
}

func TestPublisherReadsOnlyItsOwnSettings(t *testing.T) {
	r := start(t, config(t), &people{})
	c := connect(t, options(r.Addr(), "c", "cam-01", "pw-cam-01"))
	for filter, allowed := range map[string]bool{
		"city/cam-01/config":         true,
		"city/cam-01/command":        true,
		"city/time":                  true,
		"city/cam-02/command":        false,
		"city/cam-01/answer":         false,
		"city/cam-02/config":         false,
		"city/+/config":              false,
		"city/cam-01/readings":       false,
		"city/#":                     false,
		"#":                          false,
		"$MQTT/sub/#":                false,
		"$MQTT/msgs/#":               false,
		"$JS/API/#":                  false,
		"$share/g/city/+/readings":   false,
		"city/cam-01/config/further": false,
	} {
		t.Run(filter, func(t *testing.T) {
			token := c.Subscribe(filter, 1, func(mqtt.Client, mqtt.Message) {}).(*mqtt.SubscribeToken)
			if !token.WaitTimeout(wait) {
				t.Fatal("no SUBACK")
			}
			if got := token.Result()[filter] == 1; got != allowed {
				t.Errorf("allowed = %v, want %v", got, allowed)
			}
		})
	}
}

func TestControlSessionSaysWhatACitySays(t *testing.T) {
	r := start(t, config(t), &people{})
	user, password := r.Control()
	for i, c := range []struct {
		topic   string
		allowed bool
	}{
		{"city/time", true},
		{"city/cam-01/config", true},
		{"city/cam-01/command", true},
		{"city/cam-01/readings", false},
		{"city/cam-01/status", false},
		{"$JS/API/STREAM/DELETE/$MQTT_msgs", false},
	} {
		pub := connect(t, options(r.Addr(), fmt.Sprint("c", i), user, password.Reveal()))
		token := pub.Publish(c.topic, 1, false, "x")
		if !token.WaitTimeout(wait) || c.allowed != (token.Error() == nil) {
			t.Errorf("%s: acknowledged with error %v, allowed is %v", c.topic, token.Error(), c.allowed)
		}
	}
	sub := connect(t, options(r.Addr(), "s", user, password.Reveal()))
	for filter, allowed := range map[string]bool{"city/+/status": true, "city/+/answer": true, "city/+/readings": false, "city/#": false} {
		token := sub.Subscribe(filter, 1, func(mqtt.Client, mqtt.Message) {}).(*mqtt.SubscribeToken)
		if !token.WaitTimeout(wait) || (token.Result()[filter] == 1) != allowed {
			t.Errorf("%s: granted %v, want %v", filter, token.Result()[filter], allowed)
		}
	}
}

func TestIngestSessionPublishesNothing(t *testing.T) {
	r := start(t, config(t), nil)
	user, password := r.Session()
	c := connect(t, options(r.Addr(), "ingest", user, password.Reveal()))
	if token := c.Publish("city/cam-01/readings", 1, false, "x"); !token.WaitTimeout(wait) || token.Error() == nil {
		t.Error("ingest's session published")
	}
}

func TestAnonymousSessionCannotReachTheStore(t *testing.T) {
	r := start(t, config(t), nil)
	publish(t, connect(t, options(r.Addr(), "cam", "", "")), "city/cam-01/readings", "m", 10)
	for i, topic := range []string{"$JS/API/STREAM/DELETE/$MQTT_msgs", "$JS/API/STREAM/PURGE/$MQTT_msgs", "$MQTT/msgs/city/x/readings", "$MQTT/sess/x"} {
		c := connect(t, options(r.Addr(), fmt.Sprint("x", i), "", ""))
		if token := c.Publish(topic, 1, false, "{}"); !token.WaitTimeout(wait) || token.Error() == nil {
			t.Errorf("%s was published", topic)
		}
	}
	in := newInbox()
	ingest(t, r.Broker, in)
	eventually(t, "the messages are still there", func() bool { n, _ := in.counts(); return n == 10 })
}

func TestBeyondLoopbackItWantsCredentialsAndTLS(t *testing.T) {
	withTLS := broker.TLS{CertFile: "cert.pem", KeyFile: "key.pem"}
	for _, c := range []struct {
		listen  string
		creds   broker.Credentials
		tls     broker.TLS
		refusal string
	}{
		{"0.0.0.0:1883", nil, broker.TLS{}, "without credentials and TLS"},
		{":1883", nil, broker.TLS{}, "without credentials and TLS"},
		{"192.0.2.1:1883", &people{none: true}, withTLS, "without credentials:"},
		{"[::]:1883", &people{}, broker.TLS{}, "without TLS"},
		{"example.org:1883", &people{}, broker.TLS{}, "without TLS"},
		{"0.0.0.0:8883", &people{}, withTLS, ""},
		{"[::1]:1883", nil, broker.TLS{}, ""},
		{"localhost:1883", nil, broker.TLS{}, ""},
		{"127.8.8.8:1883", nil, broker.TLS{}, ""},
	} {
		t.Run(c.listen, func(t *testing.T) {
			cfg := config(t)
			cfg.Listen, cfg.TLS = c.listen, c.tls
			_, err := broker.New(cfg, c.creds, nil, slog.New(slog.DiscardHandler))
			if c.refusal == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, broker.ErrOpen) || !strings.Contains(err.Error(), c.refusal) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one sentence with %q", err, c.refusal)
			}
		})
	}
}

func TestTLSOnEveryAddress(t *testing.T) {
	cfg := config(t)
	cfg.Listen = "0.0.0.0:0"
	cfg.TLS = keyPair(t)
	r := start(t, cfg, &people{})
	port := r.Addr()[strings.LastIndex(r.Addr(), ":"):]
	o := options("127.0.0.1"+port, "c", "cam-01", "pw-cam-01")
	o.Servers[0].Scheme = "ssl"
	publish(t, connect(t, o.SetTLSConfig(trusting(t, cfg.TLS))), "city/cam-01/readings", "m", 10)
	eventually(t, "the messages are stored", func() bool { return r.Stats().Stored == 10 })
	plain := options("127.0.0.1"+port, "c", "cam-01", "pw-cam-01").SetConnectTimeout(time.Second)
	refusedWith(t, plain)
}

// trusting is how a client trusts what keyPair wrote.
func trusting(t *testing.T, files broker.TLS) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	cert, err := os.ReadFile(files.CertFile)
	if err != nil || !roots.AppendCertsFromPEM(cert) {
		t.Fatal("read the certificate", err)
	}
	return &tls.Config{RootCAs: roots, ServerName: "lamppost.test"}
}

// keyPair writes a certificate that nobody signed, for a name that is not the address.
func keyPair(t *testing.T) broker.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lamppost.test"}, DNSNames: []string{"lamppost.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := broker.TLS{CertFile: filepath.Join(t.TempDir(), "cert.pem"), KeyFile: filepath.Join(t.TempDir(), "key.pem")}
	for file, block := range map[string]*pem.Block{files.CertFile: {Type: "CERTIFICATE", Bytes: cert}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
