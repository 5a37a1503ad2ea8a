package influx

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// maxPooledBytes keeps an unusually large body from staying in memory for ever.
const maxPooledBytes = 4 << 20

// payloads packs bodies into memory that is used again. A compressor at level 1 holds about 1.2 MB.
type payloads struct {
	level   int
	bodies  sync.Pool // of *payload
	writers sync.Pool // of *gzip.Writer
}

func newPayloads(level int) *payloads {
	p := &payloads{level: level}
	p.bodies.New = func() any { return &payload{pool: p} }
	return p
}

// pack copies lines into a payload of which the caller holds one reference.
func (p *payloads) pack(lines []byte) (*payload, error) {
	out := p.bodies.Get().(*payload)
	out.refs.Store(1)
	out.buf.Reset()
	out.compressed = p.level > 0
	if !out.compressed {
		out.buf.Write(lines)
		return out, nil
	}
	w, _ := p.writers.Get().(*gzip.Writer)
	if w == nil {
		var err error
		if w, err = gzip.NewWriterLevel(&out.buf, p.level); err != nil {
			return nil, err
		}
	} else {
		w.Reset(&out.buf)
	}
	_, err := w.Write(lines)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	p.writers.Put(w)
	return out, nil
}

// payload is a body that can be sent more than once, and is freed when its last reader is closed. The transport may
// still be reading when the answer is there, so the memory must not go back to the pool when Write returns.
type payload struct {
	pool       *payloads
	buf        bytes.Buffer
	refs       atomic.Int32
	compressed bool
}

func (p *payload) release() {
	if p.refs.Add(-1) == 0 && p.buf.Cap() <= maxPooledBytes {
		p.pool.bodies.Put(p)
	}
}

func (p *payload) open() *payloadReader {
	p.refs.Add(1)
	r := &payloadReader{payload: p}
	r.reader.Reset(p.buf.Bytes())
	return r
}

// reopen lets the transport send again on a fresh connection when the server had just closed the idle one. The
// transport calls it only while Write waits, hence while a reference is held.
func (p *payload) reopen() (io.ReadCloser, error) { return p.open(), nil }

// payloadReader is one reading of a payload. HTTP/2 closes a body while another goroutine may be reading it.
type payloadReader struct {
	mu      sync.Mutex
	payload *payload // nil once closed
	reader  bytes.Reader
}

var errClosed = errors.New("read of a closed request body")

func (r *payloadReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.payload == nil {
		return 0, errClosed
	}
	return r.reader.Read(b)
}

func (r *payloadReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.payload != nil {
		r.reader.Reset(nil)
		r.payload.release()
		r.payload = nil
	}
	return nil
}
