package uplink

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// readBuffer holds about 4,000 PUBACKs: one system call for many.
	readBuffer = 16 << 10
	// flushBytes is how much waits at most before it is written without waiting for company.
	flushBytes = 64 << 10
	// holdBytes is how much may wait while a write is under way; then Write waits too.
	holdBytes = 1 << 20
)

var errClosed = errors.New("connection is closed")

// wire is the net.Conn that paho gets. It gathers paho's small writes (one per message) into few large ones, reads many
// packets with one system call, tells of each PUBACK that it reads, before paho sees it, and keeps what is too long from paho.
type wire struct {
	net.Conn
	in           sieve
	acks         ackReader
	flushAfter   time.Duration
	writeTimeout time.Duration

	mu      sync.Mutex
	room    *sync.Cond // out has shrunk, or err is set
	out     []byte
	closing bool
	err     error

	some, full chan struct{} // capacity 1: out is no longer empty; out has reached flushBytes
	gone       chan struct{} // closed by Close
	flushed    chan struct{} // closed when flush has returned
}

// newWire takes over conn and starts one goroutine, which Close ends.
func newWire(conn net.Conn, flushAfter, writeTimeout time.Duration, puback func(id uint16), tooLong func(topic string)) *wire {
	w := &wire{
		Conn: conn, in: sieve{in: bufio.NewReaderSize(conn, readBuffer)}, acks: ackReader{puback: puback},
		flushAfter: flushAfter, writeTimeout: writeTimeout,
		some: make(chan struct{}, 1), full: make(chan struct{}, 1), gone: make(chan struct{}), flushed: make(chan struct{}),
	}
	w.room = sync.NewCond(&w.mu)
	w.in.tooLong = func(topic string, id uint16) {
		if id > 0 { // or the broker would wait for it, and in the end send nothing more; where Write fails, Read does too
			_, _ = w.Write(binary.BigEndian.AppendUint16([]byte{packetPuback << 4, 2}, id))
		}
		tooLong(topic)
	}
	go w.flush()
	return w
}

// Read serves paho. Where a write has failed Read ends with that error: paho takes "use of closed network connection" for
// its own doing, and would tell nobody that the connection is lost.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.in.Read(p)
	w.acks.feed(p[:n])
	if errors.Is(err, net.ErrClosed) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err != nil {
			return n, w.err
		}
	}
	return n, err
}

// Write puts p into the buffer. An error of the network shows in a later Write, and in Read.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && !w.closing && len(w.out) > holdBytes {
		w.room.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.closing {
		return 0, errClosed
	}
	w.out = append(w.out, p...)
	notify(w.some)
	if len(w.out) >= flushBytes {
		notify(w.full)
	}
	return len(p), nil
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// flush writes what Write gathers, until Close or an error.
func (w *wire) flush() {
	defer close(w.flushed)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []byte
	for {
		select {
		case <-w.some:
			timer.Reset(w.flushAfter)
			select {
			case <-timer.C:
			case <-w.full:
			case <-w.gone:
			}
		case <-w.gone:
		}
		w.mu.Lock()
		batch, closing := w.out, w.closing
		w.out = spare[:0]
		if !closing { // Close has set a shorter one; a broken connection shows in Write
			_ = w.Conn.SetWriteDeadline(time.Now().Add(w.writeTimeout))
		}
		w.room.Broadcast()
		w.mu.Unlock()
		spare = batch
		if len(batch) > 0 {
			if _, err := w.Conn.Write(batch); err != nil {
				w.fail(err)
				return
			}
		} else if closing {
			return
		}
	}
}

// lastWords is how long a closing connection may take to get rid of its buffer (the DISCONNECT).
const lastWords = 250 * time.Millisecond

// fail passes err on to Write, and through the closed connection to Read, so that paho hears of it at once.
func (w *wire) fail(err error) {
	w.mu.Lock()
	w.err = err
	w.room.Broadcast()
	w.mu.Unlock()
	w.Conn.Close()
}

// Close writes what waits, briefly, and closes the connection. Any number of calls is fine.
func (w *wire) Close() error {
	w.mu.Lock()
	if !w.closing {
		w.closing = true
		_ = w.Conn.SetWriteDeadline(time.Now().Add(lastWords)) // also ends a write that is stuck
		w.room.Broadcast()
		close(w.gone)
	}
	w.mu.Unlock()
	<-w.flushed
	return w.Conn.Close()
}

// SetDeadline serves paho's CONNECT; writes have deadlines of their own.
func (w *wire) SetDeadline(t time.Time) error { return w.Conn.SetReadDeadline(t) }

// SetWriteDeadline does nothing: flush sets its own.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// ackReader follows the packets of a stream and reports each PUBACK (MQTT 3.1.1, section 3.4).
type ackReader struct {
	puback func(id uint16)

	state  byte // see feed
	kind   byte
	length int // remaining length, then bytes of the packet still to come
	shift  int
	id     uint16
}

const (
	atHeader = iota
	atLength
	atBody
)

const packetPuback = 4

// feed takes the next bytes of the stream, cut anywhere.
func (a *ackReader) feed(p []byte) {
	for len(p) > 0 {
		switch a.state {
		case atHeader:
			a.kind, a.length, a.shift, a.id, a.state = p[0]>>4, 0, 0, 0, atLength
			p = p[1:]
		case atLength:
			a.length |= int(p[0]&0x7f) << a.shift
			a.shift += 7
			if p[0]&0x80 == 0 {
				a.state = atBody
				if a.length == 0 {
					a.state = atHeader
				}
			}
			p = p[1:]
		case atBody:
			n := min(a.length, len(p))
			if a.kind == packetPuback {
				for _, b := range p[:n] {
					a.id = a.id<<8 | uint16(b)
				}
			}
			a.length -= n
			p = p[n:]
			if a.length == 0 {
				a.state = atHeader
				if a.kind == packetPuback {
					a.puback(a.id)
				}
			}
		}
	}
}
