package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/internal/certificate"
	"github.com/lamppost-city/lamppost/internal/secret"
)

// Broker is the MQTT broker. Make it with New; Run serves.
type Broker struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	noise   *noise
	gate    *gatekeeper
	cert    *certificate.Renewed // nil without TLS

	ready     chan struct{}
	readyOnce sync.Once
	addr      atomic.Pointer[string]
	inner     atomic.Pointer[string] // nats-server's address behind the MQTT port, while it runs
	trouble   atomic.Pointer[string] // nil while healthy
	fullAt    atomic.Int64           // Unix nanoseconds of the last message that found no room; 0 = there is room
	unwritten atomic.Bool            // nats-server could not write and does not try again until it is started anew
}

// New checks the configuration and refuses, with ErrOpen, an address beyond loopback without credentials and TLS. creds
// may be nil, which means none. It opens nothing; reg may be nil.
func New(cfg Config, creds Credentials, reg prometheus.Registerer, log *slog.Logger) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.checkClosed(creds != nil && creds.Required()); err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, log: log, metrics: m, noise: newNoise(log), ready: make(chan struct{})}
	b.gate = newGatekeeper(cfg, creds, m, b.noise)
	if cfg.TLS.set() {
		b.cert = certificate.New(cfg.TLS.files())
	}
	b.setTrouble("not started")
	return b, nil
}

// Ready is closed when publishers are let in for the first time.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr is the host:port of the MQTT port, with the port really taken; "" before Ready.
func (b *Broker) Addr() string {
	if a := b.addr.Load(); a != nil {
		return *a
	}
	return ""
}

// Session returns the credentials of ingest, made anew by every New: it may subscribe to all topics and publish none.
// Only it may use the client ids of Config.Subscribers.
func (b *Broker) Session() (user string, password secret.String) {
	return b.gate.session.user, b.gate.session.password
}

// Control returns the credentials of the city's end of what bridges say and hear beside readings, made anew by every New: it
// may say the time, leave settings and give commands, and hear statuses and answers.
func (b *Broker) Control() (user string, password secret.String) {
	return b.gate.control.user, b.gate.control.password
}

// Player returns the credentials of a city that this process plays, made anew by every New: it may publish as everybody, also where
// publishers have passwords.
func (b *Broker) Player() (user string, password secret.String) {
	return b.gate.player.user, b.gate.player.password
}

// Stats returns what the broker holds, at most a second old; Stored is older where there are thousands of subscriptions.
func (b *Broker) Stats() Stats { return *b.metrics.stats.Load() }

// Health says why messages are not taken at present, or returns nil.
func (b *Broker) Health() error {
	if t := b.trouble.Load(); t != nil {
		return errors.New(*t)
	}
	if s := b.Stats(); s.Full {
		return fmt.Errorf("the message store is full (%d of %d bytes): publishers get no acknowledgement until ingest has taken messages", s.StoredBytes, s.StoreLimitBytes)
	}
	return nil
}

func (b *Broker) setTrouble(text string) { b.trouble.Store(&text) }

// errStoreStopped means that nats-server gave its store up, as it does when the disk is full. Starting again reads
// what is on disk, and goes on when there is room.
var errStoreStopped = errors.New("the message store stopped")

const (
	// startWait leaves time for reading a full store after a crash.
	startWait   = 5 * time.Minute
	restartWait = 5 * time.Second
)

// Run serves until ctx ends; then it closes the connections, brings the store to rest and returns nil. It returns an
// error when it cannot start: a taken port, a folder that is in use, unwritable or damaged. When the store stops while
// it runs (full disk), it starts the store again every few seconds and says so in Health.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.cfg.makeDir(); err != nil {
		return err
	}
	unlock, err := lockDir(b.cfg.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	defer b.setTrouble("stopped")
	for {
		err := b.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errStoreStopped) && !b.started() {
			return err
		}
		b.setTrouble(err.Error())
		b.log.Error("broker stopped, starting it again", "error", err, "after", restartWait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartWait):
		}
	}
}

func (b *Broker) started() bool {
	select {
	case <-b.ready:
		return true
	default:
		return false
	}
}

// serve is one life of nats-server.
func (b *Broker) serve(ctx context.Context) error {
	if err := roomToStart(b.cfg.Dir); err != nil {
		return err
	}
	before, err := storedStreams(b.cfg.Dir)
	if err != nil {
		return err
	}
	port, err := b.openPort(ctx)
	if err != nil {
		return err
	}
	defer port.Close()
	srv, opts, log, err := b.newServer()
	if err != nil {
		return err
	}
	b.gate.shut()
	b.fullAt.Store(0)
	b.unwritten.Store(false)
	go srv.Start()
	// nats-server ends its own goroutines in Shutdown, and WaitForShutdown waits for them.
	defer func() {
		b.gate.stop()
		srv.Shutdown()
		srv.WaitForShutdown()
	}()
	if err := waitStarted(ctx, srv, log); err != nil {
		return err
	}
	st, err := openStore(srv, b.gate.internal)
	if err != nil {
		return err
	}
	defer st.close()
	inner := net.JoinHostPort(opts.MQTT.Host, strconv.Itoa(opts.MQTT.Port)) // with the port that was taken
	b.inner.Store(&inner)
	defer b.inner.Store(nil)
	if err := b.prepare(ctx, srv, st, before, log); err != nil {
		return err
	}
	trim := &trimmer{srv: srv, store: st, cfg: b.cfg}
	if err := b.poll(ctx, trim); err != nil {
		return err
	}
	room := b.checkRoom(srv)
	b.gate.open(st)
	b.judge(room, 0, nil)
	addr := port.Addr().String()
	b.addr.Store(&addr)
	defer b.serveFront(port, inner)()
	b.readyOnce.Do(func() { close(b.ready) })
	b.log.Info("broker ready", "address", addr, "dir", b.cfg.Dir, "tls", b.cert != nil, "credentials", b.gate.required())
	return b.watch(ctx, trim)
}

// prepare sets the bounds of the store, checks that nothing of it is missing, and makes the durable sessions.
func (b *Broker) prepare(ctx context.Context, srv *server.Server, st *messageStore, before []string, log *natsLog) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	damaged := func(err error) error {
		return fmt.Errorf("the broker's folder %s is damaged: %w%s; restore it from a backup, or move it away to start empty", b.cfg.Dir, err, log.lastTrouble())
	}
	if err := st.complete(ctx, before); err != nil {
		return damaged(err)
	}
	if err := st.bound(ctx, b.cfg); err != nil {
		return err
	}
	tidy := newTidy(b.cfg, st, b.log)
	if err := tidy.run(ctx); err != nil {
		return damaged(err)
	}
	if err := st.sendAgain(ctx); err != nil {
		return err
	}
	for _, s := range b.cfg.Subscribers {
		if s.servedBy(tidy.sessions[s.ClientID]) {
			continue // connecting in its name would have the stored messages sent to nobody
		}
		if err := b.makeSession(ctx, s); err != nil {
			return fmt.Errorf("make session %s: %w%s", s.ClientID, err, log.lastTrouble())
		}
	}
	return awaitLeft(ctx, srv)
}

// awaitLeft returns when only our own connection to the store is left: those that made the sessions would count among
// MaxConnections. nats-server tells nobody that it has forgotten a connection.
func awaitLeft(ctx context.Context, srv *server.Server) error {
	for srv.NumClients() > 1 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the broker's own sessions do not leave: %w", ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// openPort takes the MQTT port, and sees that the certificate can be used.
func (b *Broker) openPort(ctx context.Context) (net.Listener, error) {
	if b.cert != nil {
		if _, err := b.cert.Current(); err != nil {
			return nil, err
		}
	}
	listen := b.cfg.Listen
	if a := b.Addr(); a != "" {
		listen = a // started before: keep the port that was taken
	}
	return openPort(ctx, listen)
}

// serveFront lets clients in, and returns what ends that.
func (b *Broker) serveFront(port net.Listener, inner string) (stop func()) {
	f := &front{
		cfg: b.cfg, listener: port, inner: inner, cert: b.cert, peers: b.gate.peers, metrics: b.metrics, noise: b.noise,
		open: map[net.Conn]struct{}{},
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		f.run()
	}()
	return func() {
		f.stop()
		<-accepting
	}
}

// newServer configures nats-server as an MQTT broker and nothing else.
func (b *Broker) newServer() (*server.Server, *server.Options, *natsLog, error) {
	opts := b.options()
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("configure the broker: %w", err)
	}
	// The root alone is no topic of anybody's, and not below the subject of stored messages. It is let in as <root>/.
	root := natsSubject(b.cfg.TopicRoot)
	if err := srv.GlobalAccount().AddMapping(root, root+"./"); err != nil {
		return nil, nil, nil, fmt.Errorf("configure the broker: %w", err)
	}
	log := &natsLog{
		log: b.log, noise: b.noise, metrics: b.metrics, peers: b.gate.peers, full: b.noRoom, broken: func() { b.unwritten.Store(true) }, fatal: make(chan error, 1),
		kick: func(id uint64) { _ = srv.DisconnectClientByID(id) }, // an error means that it is gone already
	}
	srv.SetLoggerV2(log, false, false, false)
	return srv, opts, log, nil
}

func (b *Broker) options() *server.Options {
	always, every, _ := b.cfg.sync() // validated by New
	return &server.Options{
		ServerName: "lamppost",
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,

		MaxConn:    b.cfg.MaxConnections + 1, // one is ours, to the store
		MaxSubs:    3*b.cfg.MaxSubscriptions + 2,
		MaxPayload: int32(b.cfg.MaxPayloadBytes),
		MaxPending: b.cfg.MaxPendingBytes,
		// A client that does not read is ended by MaxPending or by its keep-alive, not after the ten seconds for which
		// an ingest may well hold its breath.
		WriteDeadline: 10 * time.Second,
		WriteTimeout:  server.WriteTimeoutPolicyRetry,

		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               b.cfg.Dir,
		JetStreamMaxMemory:     64 << 20,
		// The bounds are those of the streams. nats-server stops its store for good at this one.
		JetStreamMaxStore: math.MaxInt64 / 4,
		// Each subscription with QoS 1 is a consumer of the stream of messages, of which nats-server allows a thousand.
		JetStreamLimits:       server.JSLimitOpts{DefaultMaxConsumers: 4 * int(b.cfg.MaxSessions)},
		StreamMaxBufferedMsgs: 1 << 20,
		StreamMaxBufferedSize: 256 << 20,
		SyncAlways:            always,
		SyncInterval:          every,

		CustomClientAuthentication: b.gate,
		MQTT: server.MQTTOpts{
			Host:          "127.0.0.1",
			Port:          server.RANDOM_PORT,
			AckWait:       b.cfg.AckWait,
			MaxAckPending: uint16(b.cfg.MaxAckPending),
			JSAPITimeout:  10 * time.Second,
		},
	}
}

// waitStarted waits until nats-server serves or has given up.
func waitStarted(ctx context.Context, srv *server.Server, log *natsLog) error {
	for end := time.Now().Add(startWait); ; {
		ok := srv.ReadyForConnections(100 * time.Millisecond)
		select {
		case err := <-log.fatal:
			return fmt.Errorf("start the broker: %w", err)
		default:
		}
		switch {
		case ok:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(end):
			return fmt.Errorf("start the broker: not ready within %v%s", startWait, log.lastTrouble())
		}
	}
}

// lastTrouble is nats-server's last complaint, for an error text.
func (l *natsLog) lastTrouble() string {
	if t := l.trouble.Load(); t != nil {
		return " (" + clipLine(*t) + ")"
	}
	return ""
}
