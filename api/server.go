package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of the HTTP server that nobody needs to change.
const (
	headerTimeout  = 10 * time.Second // to send the head of a request
	idleTimeout    = 2 * time.Minute  // between two requests on a connection
	maxHeaderBytes = 32 << 10
	maxBodyTime    = 2 * time.Minute // to send a body where the endpoint sets no shorter time
)

// Server is the HTTP address of a Lamppost process.
type Server struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	gate    *gate
	live    *feed
	handler http.Handler
	zone    *time.Location // the city's
	queries chan struct{}  // holds one element per running store query
	writes  chan struct{}  // holds one element while an import or replay runs
	encode  *encoder
	// inProgress is held for reading by every request.
	inProgress sync.RWMutex

	ready    chan struct{}
	addr     atomic.Pointer[string]
	serveErr atomic.Pointer[error]
}

// New builds the server from a valid configuration. It opens nothing: Run does.
func New(cfg Config, deps Deps, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := deps.check(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(cfg.CityZone)
	if err != nil {
		return nil, fmt.Errorf("find the city's time zone: %w", err)
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register api metrics: %w", err)
	}
	s := &Server{
		cfg: cfg, deps: deps, log: log, metrics: m,
		gate:    newGate(cfg, deps.Token, m),
		zone:    zone,
		queries: make(chan struct{}, cfg.MaxQueries),
		writes:  make(chan struct{}, 1),
		encode:  newEncoder(),
		ready:   make(chan struct{}),
	}
	s.live = newFeed(cfg, deps.Registry.Snapshot, s.encode, m)
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Ready is closed once the address accepts connections.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is host:port as it listens, "" before Ready.
func (s *Server) Addr() string {
	if addr := s.addr.Load(); addr != nil {
		return *addr
	}
	return ""
}

// URL is the address of the page for a person's browser, "" before Ready.
func (s *Server) URL() string {
	addr := s.Addr()
	if addr == "" {
		return ""
	}
	if s.cfg.TLSCertFile != "" {
		return "https://" + addr
	}
	return "http://" + addr
}

// Health is nil while the server accepts connections.
func (s *Server) Health() error {
	select {
	case <-s.ready:
	default:
		return errors.New("not listening yet")
	}
	if err := s.serveErr.Load(); err != nil {
		return *err
	}
	return nil
}

// Run listens and serves until the context ends, then lets requests in progress finish for Config.StopGrace and cuts off
// the rest. Live streams end at once. It returns nil after a stop that was asked for. Call it once.
func (s *Server) Run(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	// Requests outlive ctx by up to StopGrace, so that those in progress can end well.
	requests, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	feedCtx, stopFeed := context.WithCancel(ctx)
	defer stopFeed()
	feedDone := make(chan struct{})
	subscription := s.deps.Live.Subscribe(hubBuffer)
	go func() {
		defer close(feedDone)
		s.live.run(feedCtx, subscription)
	}()
	serveDone := make(chan struct{})
	var serveErr error
	go func() {
		defer close(serveDone)
		serveErr = server.Serve(listener)
	}()

	addr := listener.Addr().String()
	s.addr.Store(&addr)
	close(s.ready)
	s.log.Info("http address is open", "addr", addr, "tls", s.cfg.TLSCertFile != "")

	select {
	case <-serveDone:
		err = fmt.Errorf("serve http on %s: %w", addr, serveErr)
	case <-ctx.Done():
	}
	stopped := errors.New("stopped")
	s.serveErr.Store(&stopped)
	stopFeed()
	<-feedDone // every live stream has been told to end
	s.shutDown(server, cutOff)
	<-serveDone
	s.log.Info("http address is closed", "addr", addr)
	return err
}

// shutDown lets requests end by themselves for a while, then cuts them off, and returns when the last one has ended.
func (s *Server) shutDown(server *http.Server, cutOff func()) {
	grace, cancel := context.WithTimeout(context.Background(), s.cfg.StopGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		s.log.Warn("requests cut off at stop", "grace", s.cfg.StopGrace.String())
		server.Close()
	}
	cutOff()
	s.inProgress.Lock() // every request holds it for reading until it has ended
	s.log.Debug("every request has ended")
	s.inProgress.Unlock()
}

// sendBufferBytes is what the kernel holds of answers on one connection (Linux takes it twice). Left to itself it holds
// megabytes: a slow listener hears of what was minutes ago, hundreds of them fill the memory, and a write that waits
// goes on only when a third is free, so that who reads slowly looks like one who reads nothing.
const sendBufferBytes = 128 << 10

// shallow accepts connections with such buffers.
type shallow struct{ net.Listener }

func (l shallow) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBufferBytes) // one that cannot be set stays as it is
	}
	return conn, err
}

// listen opens the address, bounds its connections and wraps it in TLS where configured.
func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("http address %s is taken by another program; stop it, or listen on another port", s.cfg.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for http on %s: %w", s.cfg.Listen, err)
	}
	listener = netutil.LimitListener(shallow{listener}, s.cfg.MaxConnections)
	if s.cfg.TLSCertFile == "" {
		return listener, nil
	}
	certs := &certificate{certFile: s.cfg.TLSCertFile, keyFile: s.cfg.TLSKeyFile, log: s.log}
	if err := certs.load(); err != nil {
		listener.Close()
		return nil, err
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: certs.get,
	}), nil
}
