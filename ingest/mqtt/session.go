package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Session is a persistent subscription to everything below the topic root. The broker keeps what comes while Session is
// away.
type Session struct {
	cfg     Config
	id      string
	log     *slog.Logger
	metrics *metrics
	pool    pool
	tls     *tls.Config
	state   atomic.Pointer[string] // what is wrong; nil while connected
	ready   chan struct{}
}

// New prepares a session; number tells the connections of one process apart, counting from 0.
func New(cfg Config, number int, reg prometheus.Registerer, log *slog.Logger) (*Session, error) {
	id := cfg.ClientID
	if number > 0 {
		id = fmt.Sprintf("%s-%d", id, number)
	}
	s := &Session{cfg: cfg, id: id, log: log.With("client_id", id), metrics: newMetrics(reg), ready: make(chan struct{})}
	s.down(errors.New("not connected yet"))
	if u, err := url.Parse(cfg.URL); err != nil {
		return nil, fmt.Errorf("broker's URL: %w", err)
	} else if schemes[u.Scheme] == "tls" {
		if s.tls, err = tlsConfig(cfg, u.Hostname()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Ready is closed at the first subscription that the broker granted.
func (s *Session) Ready() <-chan struct{} { return s.ready }

// Health says why no messages can come, or returns nil.
func (s *Session) Health() error {
	if wrong := s.state.Load(); wrong != nil {
		return errors.New(*wrong)
	}
	return nil
}

func (s *Session) down(err error) {
	text := err.Error()
	s.state.Store(&text)
}

// Run connects, and connects again whenever the connection is lost, until ctx ends. It then takes no more messages,
// waits a few seconds for the batches that are out to be released, and leaves the broker. Whoever reads out must go on
// until Run has returned; out is not closed.
func (s *Session) Run(ctx context.Context, out chan<- *Batch) error {
	pause := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		began := time.Now()
		err := s.connectAndWait(ctx, out)
		if ctx.Err() != nil {
			return nil
		}
		s.down(err)
		if time.Since(began) > s.cfg.MaxBackoff {
			pause = 0
		}
		pause = min(max(2*pause, 100*time.Millisecond), s.cfg.MaxBackoff)
		s.log.Warn("broker lost, connecting again", "error", err, "pause", pause)
		pause = pause/2 + rand.N(pause/2+1)
	}
}

// connectAndWait lives as long as one connection. A client is never used twice: paho's own reconnection loses track of
// which acknowledgements belong to which connection.
func (s *Session) connectAndWait(ctx context.Context, out chan<- *Batch) error {
	lost := make(chan error, 1)
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	client := paho.NewClient(s.options(taking, out, lost))
	token := client.Connect()
	if !token.WaitTimeout(s.cfg.ConnectTimeout) {
		client.Disconnect(0)
		return fmt.Errorf("broker %s did not answer within %s", s.cfg.URL, s.cfg.ConnectTimeout)
	}
	if token.Error() != nil {
		return fmt.Errorf("connect to broker %s: %w", redactURL(s.cfg.URL), token.Error())
	}
	if err := s.subscribe(client); err != nil {
		client.Disconnect(100)
		return err
	}
	s.metrics.connects.Inc()
	s.state.Store(nil)
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
	s.log.Info("reading from broker", "url", redactURL(s.cfg.URL), "filter", s.filter())
	select {
	case err := <-lost:
		stopTaking()
		return fmt.Errorf("connection to broker lost: %w", err)
	case <-ctx.Done():
		s.leave(client)
		return nil
	}
}

// leaveTimeout bounds the wait for the last acknowledgements.
const leaveTimeout = 5 * time.Second

// leave waits until the line has acknowledged what it took, and disconnects.
func (s *Session) leave(client paho.Client) {
	deadline := time.Now().Add(leaveTimeout)
	for s.pool.delivered.Load() > 0 {
		if time.Now().After(deadline) {
			s.log.Warn("left the broker with messages unacknowledged; they will come again", "batches", s.pool.delivered.Load())
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	client.Disconnect(250)
}

func (s *Session) filter() string {
	filter := s.cfg.TopicRoot + "/#"
	if s.cfg.ShareGroup != "" {
		filter = "$share/" + s.cfg.ShareGroup + "/" + filter
	}
	return filter
}

func (s *Session) subscribe(client paho.Client) error {
	token, ok := client.Subscribe(s.filter(), 1, nil).(*paho.SubscribeToken)
	if !ok || !token.WaitTimeout(s.cfg.ConnectTimeout) {
		return fmt.Errorf("broker did not answer the subscription to %s within %s", s.filter(), s.cfg.ConnectTimeout)
	}
	if token.Error() != nil {
		return fmt.Errorf("subscribe to %s: %w", s.filter(), token.Error())
	}
	// A refusal is not an error in paho: MQTT 3.1.1 section 3.9.3, return code 0x80.
	for filter, granted := range token.Result() {
		if granted > 1 {
			return fmt.Errorf("broker refused the subscription to %s: check that user %q may read there", filter, s.cfg.User)
		}
	}
	return nil
}

func (s *Session) options(taking context.Context, out chan<- *Batch, lost chan<- error) *paho.ClientOptions {
	user, password := s.cfg.User, s.cfg.Password
	if u, err := url.Parse(s.cfg.URL); err == nil && u.User != nil {
		user = u.User.Username()
		if p, ok := u.User.Password(); ok {
			password = secret.String(p)
		}
	}
	return paho.NewClientOptions().
		AddBroker(s.cfg.URL).
		SetProtocolVersion(4). // else paho tries 3.1 after a refusal, and hides why
		SetClientID(s.id).
		SetUsername(user).
		SetPassword(password.Reveal()).
		SetCleanSession(false).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetAutoAckDisabled(true).
		SetOrderMatters(true).
		SetStore(noStore{}).
		SetKeepAlive(s.cfg.KeepAlive).
		SetPingTimeout(s.cfg.KeepAlive).
		SetConnectTimeout(s.cfg.ConnectTimeout).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			s.log.Warn("broker delivered a message of a quality of service that was not asked for", "qos", m.Qos())
		}).
		SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			conn, err := s.dial(taking, u)
			if err != nil {
				return nil, err
			}
			return &tap{
				Conn: conn, stopped: taking.Done(), out: out, pool: &s.pool, maxPayload: int(s.cfg.MaxPayloadBytes), seen: s.metrics.count,
			}, nil
		})
}

func (s *Session) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: s.cfg.ConnectTimeout}
	port := u.Port()
	if s.tls != nil {
		if port == "" {
			port = "8883"
		}
		return (&tls.Dialer{NetDialer: dialer, Config: s.tls}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	}
	if port == "" {
		port = "1883"
	}
	return dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
}

func tlsConfig(cfg Config, host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("broker's certificate authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker's certificate authorities: %s holds no PEM certificate", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate for the broker: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "?"
	}
	return u.Redacted()
}

// noStore is paho's message store, left out: what is received is kept in ingest's spool, and nothing is published.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
