package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/lamppost-city/lamppost/internal/certificate"
)

// front is what listens on the MQTT port. nats-server listens behind it, on a port of loopback that only the front gets
// into; each connection has its own to there.
//
//	publisher ──► front: TLS, topics ──► nats-server
//	ingest ──────────────Dial──────────────┘
//
// It is there for topics that nats-server cannot bear; see topics.
type front struct {
	cfg      Config
	listener net.Listener
	inner    string // nats-server's address
	cert     *certificate.Renewed
	peers    *peers
	metrics  *metrics
	noise    *noise

	mu      sync.Mutex
	open    map[net.Conn]struct{} // both ends
	stopped bool
	wait    sync.WaitGroup
}

// peers knows who is behind each connection to nats-server, by the address that nats-server sees.
type peers struct {
	mu sync.Mutex
	of map[string]net.Addr
}

func newPeers() *peers { return &peers{of: map[string]net.Addr{}} }

func (p *peers) add(seen, client net.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[seen.String()] = client
}

func (p *peers) remove(seen net.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, seen.String())
}

// find returns nil for a connection that did not come through the front.
func (p *peers) find(seen string) net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[seen]
}

// peer is a connection to nats-server.
type peer struct {
	*net.TCPConn
	peers  *peers
	forget sync.Once
}

// Close ends the connection and forgets whose it was: once, for by the second time another may have come from its port.
func (p *peer) Close() error {
	p.forget.Do(func() { p.peers.remove(p.LocalAddr()) })
	return p.TCPConn.Close()
}

// dialInner connects to nats-server at the address inner, in the name of a client at its address.
func (p *peers) dialInner(ctx context.Context, inner string, client net.Addr) (*peer, error) {
	conn, err := (&net.Dialer{Timeout: handshakeWait}).DialContext(ctx, "tcp", inner)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%s is no TCP address", inner)
	}
	if client == nil {
		client = tcp.LocalAddr()
	}
	// nats-server asks whose it is when it has read a CONNECT, and nothing has been sent yet.
	p.add(tcp.LocalAddr(), client)
	return &peer{TCPConn: tcp, peers: p}, nil
}

// openPort takes the MQTT port.
func openPort(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("open the MQTT port: %w; stop the other program, or listen on another port", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the MQTT port: %w", err)
	}
	return l, nil
}

// run accepts connections until stop.
func (f *front) run() {
	pause := time.Duration(0)
	for {
		conn, err := f.listener.Accept()
		if err == nil {
			pause = 0
			f.start(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Too many open files, most likely.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		f.noise.warn("mqtt connection not accepted", "error", err)
		time.Sleep(pause)
	}
}

// start serves a connection, unless there are too many.
func (f *front) start(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		conn.Close()
		return
	}
	if len(f.open) >= 2*f.cfg.MaxConnections+spareConnections {
		f.metrics.refused.WithLabelValues(refusedConnections).Inc()
		conn.Close()
		return
	}
	f.open[conn] = struct{}{}
	f.wait.Go(func() {
		f.handle(conn)
		f.end(conn)
	})
}

// keep notes a connection that stop has to close; false where it is too late.
func (f *front) keep(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped {
		f.open[conn] = struct{}{}
	}
	return !f.stopped
}

func (f *front) end(conn net.Conn) {
	conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, conn)
}

// spareConnections may be open beyond both ends of those that nats-server counts: in the TLS handshake, or about to be
// refused.
const spareConnections = 100

// stop closes the port and every connection, and returns when all have ended.
func (f *front) stop() {
	f.mu.Lock()
	f.stopped = true
	f.listener.Close()
	for conn := range f.open {
		conn.Close()
	}
	f.mu.Unlock()
	f.wait.Wait()
}

func (f *front) handle(conn net.Conn) {
	outer := conn
	if f.cert != nil {
		secured := tls.Server(conn, f.cert.Server())
		ctx, cancel := context.WithTimeout(context.Background(), handshakeWait)
		err := secured.HandshakeContext(ctx)
		cancel()
		if err != nil {
			f.metrics.refused.WithLabelValues(refusedProtocol).Inc()
			f.noise.warn("mqtt client refused", "reason", refusedProtocol, "text", clipLine("TLS handshake: "+err.Error()), "address", conn.RemoteAddr().String())
			return
		}
		outer = secured
	}
	inner, err := f.peers.dialInner(context.Background(), f.inner, conn.RemoteAddr())
	if err != nil {
		f.noise.warn("mqtt connection not handed on", "address", conn.RemoteAddr().String(), "error", err)
		return
	}
	defer f.end(inner)
	if !f.keep(inner) {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		// nats-server ended it, or the client reads no more: the other direction ends with it.
		handBack(outer, inner)
		outer.Close()
		inner.Close()
	}()
	told := false
	t := topics{to: inner, odd: func(topic []byte) {
		f.metrics.escaped.Inc()
		if !told {
			told = true
			f.noise.warn("topic with white space, escaped", "topic", clip(string(topic)), "address", conn.RemoteAddr().String())
		}
	}}
	_ = t.relay(outer) // that a connection ends is not worth a word
	// What was handed on is still read, and answered where it can be.
	_ = inner.CloseWrite()
	<-answered
}

// handBack copies what nats-server says to the client.
func handBack(to io.Writer, from io.Reader) {
	buf := make([]byte, firstBuffer/2)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			if n == len(buf) && n < lastBuffer {
				buf = make([]byte, 2*n)
			}
		}
		if err != nil {
			return
		}
	}
}
