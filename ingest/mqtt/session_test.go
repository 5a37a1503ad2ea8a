package mqtt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/broker"
	"github.com/lamppost-city/lamppost/ingest/mqtt"
)

func TestBrokerThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	g := newGate(t)
	s := subscribe(t, configFor(b, g.Addr().String()))
	s.unwell("connect to broker mqtt://" + g.Addr().String())
	g.to(b.Addr())
	s.waitReady()
	if err := s.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	payloads, set := numbered(0, 5)
	publish(t, b.Addr(), payloads...)
	s.until(set, nil)
}

func TestRestartOfTheBrokerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	b, stop := startBroker(t, dir)
	g := newGate(t)
	g.to(b.Addr())
	cfg := configFor(b, g.Addr().String())
	s := subscribe(t, cfg)
	s.waitReady()
	payloads, set := numbered(0, 20)
	publish(t, b.Addr(), payloads[:10]...)
	// Half are taken, none is acknowledged.
	taken := <-s.out
	stop()
	g.to("")
	g.cut()
	s.unwell("connect to broker")
	if err := taken.Acknowledge(); err == nil {
		t.Error("an acknowledgement over a lost connection reports success")
	}
	taken.Release()
	s.stop() // its password is the old broker's

	b, _ = startBroker(t, dir)
	g.to(b.Addr())
	publish(t, b.Addr(), payloads[10:]...)
	s = subscribe(t, configFor(b, g.Addr().String()))
	s.until(set, nil)
}

func TestMessageThatIsNotAcknowledgedComesAgain(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	g := newGate(t)
	g.to(b.Addr())
	s := subscribe(t, configFor(b, g.Addr().String()))
	s.waitReady()
	payloads, set := numbered(0, 30)
	publish(t, b.Addr(), payloads...)
	refused := 0
	s.until(set, func(*mqtt.Batch) bool {
		if refused++; refused <= 3 {
			g.cut()
			return false
		}
		return true
	})
	s.stop()
	// All are acknowledged: a new subscriber is only given what is new.
	s = subscribe(t, configFor(b, b.Addr()))
	publish(t, b.Addr(), "new")
	batch := <-s.out
	if len(batch.Deliveries) != 1 || string(batch.Deliveries[0].Payload) != "new" {
		t.Errorf("came again: %q", batch.Deliveries[0].Payload)
	}
	if err := batch.Acknowledge(); err != nil {
		t.Error(err)
	}
	batch.Release()
}

func TestConnectionThatIsCutInsideAPacket(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	g := newGate(t)
	g.to(b.Addr())
	payloads, set := numbered(0, 40)
	for i, payload := range payloads {
		delete(set, payload)
		payloads[i] = payload + strings.Repeat(".", 200*i)
		set[payloads[i]] = true
	}
	g.cutNextAfter(4001)
	s := subscribe(t, configFor(b, g.Addr().String()))
	s.waitReady()
	publish(t, b.Addr(), payloads...)
	cuts := 0
	s.until(set, func(*mqtt.Batch) bool {
		if cuts++; cuts < 4 {
			g.cutNextAfter(int64(4003 + 1777*cuts))
		}
		return true
	})
	if g.connections() < 2 {
		t.Errorf("%d connections: nothing was cut", g.connections())
	}
}

func TestLineThatIsSlowerThanTheKeepAliveLosesNothing(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	g := newGate(t)
	g.to(b.Addr())
	cfg := configFor(b, g.Addr().String())
	cfg.KeepAlive = time.Second
	s := subscribeInto(t, cfg, make(chan *mqtt.Batch))
	s.waitReady()
	payloads, set := numbered(0, 300)
	publish(t, b.Addr(), payloads...)
	// Nobody takes anything until the broker's answers to pings, which lie behind the messages, have been missed.
	deadline := time.Now().Add(wait)
	for {
		g.mu.Lock()
		gone := true
		for c := range g.open {
			if _, err := c.Write(nil); err == nil {
				gone = false
			}
		}
		g.mu.Unlock()
		if gone {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection is still there")
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.until(set, nil)
}

func TestStopWhileNobodyTakesAnything(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	s, err := mqtt.New(configFor(b, b.Addr()), 0, prometheus.NewRegistry(), discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, make(chan *mqtt.Batch)) }()
	<-s.Ready()
	publish(t, b.Addr(), "a", "b")
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(wait):
		t.Error("the session does not end")
	}
}

func TestWrongPasswordIsNamed(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	cfg := configFor(b, b.Addr())
	cfg.Password = "wrong-password"
	s := subscribe(t, cfg)
	s.unwell("connect to broker", "not Authorized")
	if strings.Contains(s.Health().Error(), "wrong-password") {
		t.Error("health shows the password")
	}
}

// answering is a broker that gives one fixed answer to a subscription: a return code, or none if it is negative.
func answering(t *testing.T, connack, suback int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.ConnectPacket:
				if connack >= 0 {
					_, _ = c.Write([]byte{0x20, 2, 0, byte(connack)})
				}
			case *packets.SubscribePacket:
				if suback >= 0 {
					_, _ = c.Write([]byte{0x90, 3, byte(p.MessageID >> 8), byte(p.MessageID), byte(suback)})
				}
			}
		}
	}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

func TestBrokerThatDoesNotGrantTheSubscription(t *testing.T) {
	for _, c := range []struct {
		name            string
		connack, suback int
		words           []string
	}{
		{"refuses it", 0, 0x80, []string{"refused the subscription to city/#", `user "reader" may read there`}},
		{"grants less", 0, 0, []string{"quality of service 0", "city/#"}},
		{"does not answer it", 0, -1, []string{"subscribe to city/#", "no answer within"}},
		{"does not know the user", 4, -1, []string{"connect to broker", "bad user name or password"}},
		{"does not answer at all", -1, -1, []string{"connect to broker", "mqtt://reader:xxxxx@"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := mqtt.DefaultConfig()
			cfg.URL = "mqtt://reader:top-secret@" + answering(t, c.connack, c.suback)
			cfg.ConnectTimeout, cfg.MaxBackoff = 300*time.Millisecond, time.Second
			s := subscribe(t, cfg)
			s.unwell(c.words...)
			if strings.Contains(s.Health().Error(), "top-secret") {
				t.Errorf("health shows the password: %v", s.Health())
			}
			select {
			case <-s.Ready():
				t.Error("the session calls itself ready")
			default:
			}
		})
	}
}

func TestStopDoesNotWaitForABrokerThatDoesNotAnswer(t *testing.T) {
	cfg := mqtt.DefaultConfig()
	cfg.URL, cfg.ConnectTimeout = "mqtt://"+answering(t, -1, -1), time.Hour
	s := subscribe(t, cfg)
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLS(t *testing.T) {
	certFile, keyFile := selfSigned(t)
	b, _ := startBroker(t, t.TempDir(), func(cfg *broker.Config) { cfg.TLS = broker.TLS{CertFile: certFile, KeyFile: keyFile} })
	cfg := configFor(b, b.Addr())
	cfg.URL = "mqtts://" + b.Addr()
	t.Run("authority that nobody knows", func(t *testing.T) {
		subscribe(t, cfg).unwell("connect to broker", "certificate")
	})
	t.Run("authority from a file", func(t *testing.T) {
		known := cfg
		known.CAFile = certFile
		s := subscribe(t, known)
		s.waitReady()
		if err := s.Health(); err != nil {
			t.Error(err)
		}
	})
	for name, edit := range map[string]func(*mqtt.Config){
		"file that is not there": func(c *mqtt.Config) { c.CAFile = filepath.Join(t.TempDir(), "none") },
		"file that is no PEM":    func(c *mqtt.Config) { c.CAFile = os.Args[0] },
		"key without a pair":     func(c *mqtt.Config) { c.CertFile, c.KeyFile = keyFile, keyFile },
	} {
		t.Run(name, func(t *testing.T) {
			bad := cfg
			edit(&bad)
			if _, err := mqtt.New(bad, 0, prometheus.NewRegistry(), discard()); err == nil || !strings.Contains(err.Error(), "broker") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := mqtt.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := mqtt.Config{URL: "http://user:top-secret@x", Connections: 2, CertFile: "x"}.Validate()
	if err == nil {
		t.Fatal("no fault")
	}
	for _, key := range []string{
		"url: ", "client_id: ", "topic_root: ", "connections: ", "max_payload_bytes: ", "keep_alive: ", "connect_timeout: ", "max_backoff: ", "cert_file: ",
	} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not named in: %v", key, err)
		}
	}
	if strings.Contains(err.Error(), "top-secret") {
		t.Errorf("the password is shown: %v", err)
	}
}
