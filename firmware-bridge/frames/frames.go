// Package frames finds frames in what comes over a serial line, between whatever noise there is.
//
// The drivers of serial devices call it. They say what a frame looks like (Splitter) and how long to wait for one; what comes
// back is the next whole frame, dated with its first byte, or a fault that tells silence from garbage.
//
//	port ──bytes──► Reader ──► Splitter: done, frame, or more bytes needed
//	                  ▲            │
//	                  └────────────┘ noise is dropped, and named if nothing better comes
package frames

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/bus"
	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// Splitter finds the first frame in b. done is how many bytes at the beginning of b are finished with: noise, and the frame
// itself, which lies in b. With no frame and nothing done more bytes are needed. wrong says what was wrong with bytes that
// looked like a frame and were dropped.
type Splitter func(b []byte) (done int, frame []byte, wrong error)

// Reader reads frames. It has one user at a time, save that anybody may ask SoFar.
type Reader struct {
	Port  bus.Port
	Clock interface{ Now() clock.Instant }
	Split Splitter
	// MaxBytes is the length of the longest frame. What is longer is no frame.
	MaxBytes int
	// Advice is for the person where bytes come and no frame is among them: usually the mode that the line is open in.
	Advice string

	buffer []byte
	marks  []mark // of the bytes in buffer, in order

	mu  sync.Mutex
	now heard
}

// heard is what has come in since the last frame, or fault.
type heard struct {
	bytes int
	wrong error
}

// mark says when the bytes from an offset on came in.
type mark struct {
	offset int
	at     clock.Instant
}

// Frame is a frame, valid until the next call, and when its first byte came in.
type Frame struct {
	Bytes []byte
	At    clock.Instant
}

// poll is how long a Read of the port may last: so long it takes at most until the end of ctx is noticed.
const poll = 200 * time.Millisecond

var (
	errSilence = errors.New("nothing came in")
	errNoFrame = errors.New("no frame is among the bytes that came in")
	errTooLong = errors.New("a frame does not end")
)

// Reset forgets what has come in and was not read, so that the next frame is a fresh one.
func (r *Reader) Reset() error {
	r.buffer, r.marks = r.buffer[:0], r.marks[:0]
	r.forget()
	return r.Port.ResetInputBuffer()
}

// Next waits for the next frame, for so long at most.
func (r *Reader) Next(ctx context.Context, within time.Duration) (Frame, error) {
	limit, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		if f, ok := r.scan(); ok {
			return f, nil
		}
		if limit.Err() != nil {
			return Frame{}, r.fault(ctx, within)
		}
		if err := r.fill(limit); err != nil {
			return Frame{}, err
		}
	}
}

// Quiet says whether nothing comes in for so long.
func (r *Reader) Quiet(ctx context.Context, d time.Duration) (bool, error) {
	limit, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for limit.Err() == nil {
		before := len(r.buffer)
		if err := r.fill(limit); err != nil || len(r.buffer) > before {
			return false, err
		}
	}
	return true, nil
}

// fill reads what there is, and waits for it a while.
func (r *Reader) fill(ctx context.Context) error {
	wait := poll
	if end, ok := ctx.Deadline(); ok {
		wait = max(0, min(wait, time.Until(end)))
	}
	if err := r.Port.SetReadTimeout(wait); err != nil {
		return err
	}
	var chunk [512]byte
	n, err := r.Port.Read(chunk[:])
	if n > 0 {
		r.marks = append(r.marks, mark{offset: len(r.buffer), at: r.Clock.Now()})
		r.buffer = append(r.buffer, chunk[:n]...)
		r.mu.Lock()
		r.now.bytes += n
		r.mu.Unlock()
	}
	return err
}

// forget begins anew to look for what is wrong, and returns what was heard until now.
func (r *Reader) forget() heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.now
	r.now = heard{}
	return before
}

func (r *Reader) note(wrong error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.wrong = wrong
}

// SoFar is a fault if something has come in since the last frame, or fault, and none of it is a frame yet; nil if nothing has.
// It is for one who cannot wait for Next any longer.
func (r *Reader) SoFar() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.fault(r.Advice, func(err error) error { return err })
}

// fault is nil if nothing was heard.
func (h heard) fault(advice string, why func(error) error) error {
	switch {
	case h.wrong != nil:
		return fault.New(fault.Garbled, why(h.wrong), advice)
	case h.bytes > 0:
		return fault.New(fault.Garbled, why(fmt.Errorf("%d bytes: %w", h.bytes, errNoFrame)), advice)
	}
	return nil
}

// scan looks for a frame in what has come in.
func (r *Reader) scan() (Frame, bool) {
	for len(r.buffer) > 0 {
		done, frame, wrong := r.Split(r.buffer)
		if wrong != nil {
			r.note(wrong)
		}
		if frame != nil {
			f := Frame{Bytes: append([]byte(nil), frame...), At: r.at(cap(r.buffer) - cap(frame))} // frame lies in buffer
			r.drop(done)
			r.forget()
			return f, true
		}
		switch {
		case done > 0:
			r.drop(done)
		case len(r.buffer) > r.MaxBytes:
			r.note(errTooLong)
			r.drop(1)
		default:
			return Frame{}, false
		}
	}
	return Frame{}, false
}

// at is when the byte at an offset came in.
func (r *Reader) at(offset int) clock.Instant {
	at := r.marks[0].at
	for _, m := range r.marks {
		if m.offset > offset {
			break
		}
		at = m.at
	}
	return at
}

// drop forgets the first n bytes.
func (r *Reader) drop(n int) {
	r.buffer = append(r.buffer[:0], r.buffer[n:]...)
	kept := r.marks[:0]
	for i, m := range r.marks {
		if i+1 < len(r.marks) && r.marks[i+1].offset <= n {
			continue // all of its bytes are gone
		}
		kept = append(kept, mark{offset: max(0, m.offset-n), at: m.at})
	}
	r.marks = kept
	if len(r.buffer) == 0 {
		r.marks = r.marks[:0]
	}
}

func (r *Reader) fault(ctx context.Context, within time.Duration) error {
	before := r.forget()
	why := func(err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
		return fmt.Errorf("%w within %s", err, within)
	}
	if err := before.fault(r.Advice, why); err != nil {
		return err
	}
	return fault.New(fault.Timeout, why(errSilence), "look at the sensor's supply and cable (are TX and RX swapped?), and at the device of the bus")
}

// Heard opens a line in the mode, and says whether a frame comes in within the time. It writes nothing: for probes.
func Heard(ctx context.Context, line bus.Line, mode bus.Mode, split Splitter, maxBytes int, within time.Duration) (bool, error) {
	port, err := line.Open(mode)
	if err != nil {
		return false, err
	}
	defer port.Close()
	r := Reader{Port: port, Clock: noClock{}, Split: split, MaxBytes: maxBytes}
	_, err = r.Next(ctx, within)
	switch fault.KindOf(err) {
	case fault.Timeout, fault.Garbled:
		return false, nil
	}
	return err == nil, err
}

type noClock struct{}

func (noClock) Now() clock.Instant { return 0 }
