package spool

import (
	"context"
	"fmt"
	"time"
)

// Append adds one frame and returns the position behind it, once the frame is durable under the policy (SyncCommit: on
// the disk; SyncInterval: with the kernel). The frame is copied: it stays the caller's. Concurrent callers share one
// write and one fdatasync.
//
// With WhenFull block, Append waits while the spool or the disk is full. If ctx ends meanwhile the frame is not in the
// spool. If ctx ends while another caller's goroutine writes the frame, and after errors of the disk other than
// ErrDiskFull, it may be or not be: append it again. The disk's own work is not interrupted by ctx.
func (s *Spool) Append(ctx context.Context, frame []byte) (Position, error) {
	frames, ends := [1][]byte{frame}, [1]Position{}
	_, err := s.put(ctx, frames[:], ends[:], true)
	return ends[0], err
}

// TryAppend is Append that does not wait for room: it returns ErrFull or ErrDiskFull at once.
func (s *Spool) TryAppend(ctx context.Context, frame []byte) (Position, error) {
	frames, ends := [1][]byte{frame}, [1]Position{}
	_, err := s.put(ctx, frames[:], ends[:], false)
	return ends[0], err
}

// AppendBatch appends frames in order, as Append does, and returns the position behind each. Frames of other callers may
// come between them. On an error the positions returned are those of the frames that are in, which come first.
func (s *Spool) AppendBatch(ctx context.Context, frames [][]byte) ([]Position, error) {
	ends := make([]Position, len(frames))
	n, err := s.put(ctx, frames, ends, true)
	return ends[:n], err
}

// put appends frames in as few groups as they fit, and returns how many are in.
func (s *Spool) put(ctx context.Context, frames [][]byte, ends []Position, wait bool) (int, error) {
	for _, frame := range frames {
		if err := s.checkFrame(frame); err != nil {
			return 0, err
		}
	}
	var full error // why it is not the first attempt
	n := 0
	for n < len(frames) {
		m, err := s.admit(ctx, frames[n:], wait)
		if err != nil && full != nil {
			return n, fmt.Errorf("%w: %w", full, err)
		}
		if err != nil {
			return n, err
		}
		base, err := s.land(ctx, m)
		if err == nil {
			for i := range m.frames {
				base.Offset += frameHeaderBytes + int64(len(frames[n+i]))
				ends[n+i] = base
			}
			n += m.frames
			full = nil
			continue
		}
		if !isDiskFull(err) {
			return n, err
		}
		full = err
		if err := s.outwait(ctx, err, wait); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Spool) checkFrame(frame []byte) error {
	if len(frame) == 0 {
		return ErrEmptyFrame
	}
	if int64(len(frame)) > s.cfg.MaxFrameBytes {
		return fmt.Errorf("%w: %d bytes, max_frame_bytes is %d", ErrFrameTooLarge, len(frame), s.cfg.MaxFrameBytes)
	}
	return nil
}

// outwait deals with a full disk: it returns nil when the append may be tried again, and otherwise full or ctx's error.
func (s *Spool) outwait(ctx context.Context, full error, wait bool) error {
	if !wait || s.cfg.WhenFull == FullDropOldest {
		return full
	}
	s.releaseNewest()
	s.mu.Lock()
	room := s.room.wait()
	s.mu.Unlock()
	return s.pause(ctx, room, full)
}

// pause waits for room, at most for DiskRetry. why explains the error that it returns if ctx ends.
func (s *Spool) pause(ctx context.Context, room <-chan struct{}, why error) error {
	timer := time.NewTimer(s.cfg.DiskRetry)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("append: %w: %w", why, context.Cause(ctx))
	case <-room:
	case <-timer.C:
	}
	return nil
}
