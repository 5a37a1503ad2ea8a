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
	// entered is whether a subscription has been granted before.
	entered bool
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
		return nil, errors.New("broker's URL cannot be read") // err would show the password in it
	} else if schemes[u.Scheme] == "tls" && cfg.Dial == nil {
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
//
// While nobody reads out nothing is read from the broker either, not even its answers to pings, so the connection ends
// after a while. The broker keeps the messages, and delivers them again once there is a reader.
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
		if err == nil {
			return nil
		}
		s.down(err)
		if time.Since(began) > s.cfg.MaxBackoff {
			pause = 0
		}
		pause = min(max(2*pause, 100*time.Millisecond), s.cfg.MaxBackoff)
		s.log.Warn("broker lost, connecting again", "error", err, "pause_ms", pause.Milliseconds())
		pause = pause/2 + rand.N(pause/2+1)
	}
}

// connectAndWait lives as long as one connection, and returns nil when ctx ends. A client is never used twice: paho's
// own reconnection loses track of which acknowledgements belong to which connection.
func (s *Session) connectAndWait(ctx context.Context, out chan<- *Batch) error {
	// The connection outlives ctx: the last acknowledgements go over it.
	connected, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	lost := make(chan error, 1)
	client := paho.NewClient(s.options(taking, connected, out, lost))
	if err := s.enter(ctx, client); err != nil || ctx.Err() != nil {
		client.Disconnect(0)
		if ctx.Err() != nil {
			err = nil
		}
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
		return fmt.Errorf("connection to broker lost: %w", err)
	case <-ctx.Done():
		s.leave(client)
		return nil
	}
}

// enter connects and subscribes.
func (s *Session) enter(ctx context.Context, client paho.Client) error {
	token := client.Connect()
	if err := s.await(ctx, token); err != nil {
		return fmt.Errorf("connect to broker %s: %w", redactURL(s.cfg.URL), err)
	}
	if t, ok := token.(*paho.ConnectToken); ok && s.entered && !t.SessionPresent() {
		s.log.Warn("broker has forgotten the session; what was published meanwhile did not reach it")
	}
	if err := s.subscribe(ctx, client); err != nil {
		return err
	}
	s.entered = true
	return nil
}

// await waits for an answer of the broker.
func (s *Session) await(ctx context.Context, token paho.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.cfg.ConnectTimeout):
		return fmt.Errorf("no answer within %s", s.cfg.ConnectTimeout)
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

func (s *Session) subscribe(ctx context.Context, client paho.Client) error {
	token := client.Subscribe(s.filter(), 1, nil)
	if err := s.await(ctx, token); err != nil {
		return fmt.Errorf("subscribe to %s: %w", s.filter(), err)
	}
	subscribed, ok := token.(*paho.SubscribeToken)
	if !ok {
		return fmt.Errorf("subscribe to %s: the broker's answer is a %T", s.filter(), token)
	}
	// A refusal is not an error in paho: MQTT 3.1.1 section 3.9.3, return code 0x80.
	for filter, granted := range subscribed.Result() {
		switch {
		case granted > 1:
			return fmt.Errorf("broker refused the subscription to %s: check that user %q may read there", filter, s.user())
		case granted == 0:
			return fmt.Errorf("broker grants %s quality of service 0 only, with which messages get lost: let user %q read with 1", filter, s.user())
		}
	}
	return nil
}

// login returns the user and password of the URL, if it has any, else the configuration's.
func (s *Session) login() (user string, password secret.String) {
	user, password = s.cfg.User, s.cfg.Password
	if u, err := url.Parse(s.cfg.URL); err == nil && u.User != nil {
		user = u.User.Username()
		if p, ok := u.User.Password(); ok {
			password = secret.String(p)
		}
	}
	return user, password
}

func (s *Session) user() string {
	user, _ := s.login()
	return user
}

// options of a client whose tap takes messages until taking ends, and whose connection is closed when connected ends.
func (s *Session) options(taking, connected context.Context, out chan<- *Batch, lost chan<- error) *paho.ClientOptions {
	user, password := s.login()
	return paho.NewClientOptions().
		AddBroker(s.cfg.URL).
		SetProtocolVersion(4). // else paho tries 3.1 after a refusal, and hides why
		SetClientID(s.id).
		SetUsername(user).
		SetPassword(password.Reveal()).
		SetProtocolVersion(4). // else paho hides a refusal behind that of a second attempt with MQTT 3.1
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
			context.AfterFunc(connected, func() { _ = conn.Close() })
			return &tap{
				Conn: conn, stopped: taking.Done(), out: out, pool: &s.pool, maxPayload: int(s.cfg.MaxPayloadBytes), seen: s.metrics.count,
			}, nil
		})
}

func (s *Session) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	if s.cfg.Dial != nil {
		limited, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
		defer cancel()
		return s.cfg.Dial(limited)
	}
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
