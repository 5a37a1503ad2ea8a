package spool

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrClosed is returned by every call on a spool, or a reader, that has been closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrLocked is returned by Open when another process (or another Spool of this one) has the folder open.
	ErrLocked = errors.New("the spool is in use by another process")
	// ErrFull says that MaxBytes is reached and nothing may be dropped. TryAppend returns it; Append waits instead. The
	// frame is not in the spool. It can be retried once a reader has committed.
	ErrFull = errors.New("the spool is full")
	// ErrDiskFull says that the disk has no room for the frame, which is not in the spool. It can be retried.
	ErrDiskFull = errors.New("the disk is full")
	// ErrEmptyFrame refuses a frame of no bytes: on disk it would look like the zeros that power loss leaves.
	ErrEmptyFrame = errors.New("a frame must have at least one byte")
	// ErrFrameTooLarge refuses a frame above Config.MaxFrameBytes. Retrying is useless.
	ErrFrameTooLarge = errors.New("the frame is too large")
	// ErrUnknownReader refuses a reader that Config.Readers does not list.
	ErrUnknownReader = errors.New("the reader is not listed")
	// ErrReaderOpen refuses to open the same reader twice at a time.
	ErrReaderOpen = errors.New("the reader is open already")
	// errVersion keeps an older program from taking a newer one's segments for damage.
	errVersion = errors.New("written by another version of lamppost: version")
	errHeader  = errors.New("the segment's header is damaged")
	// ErrBadPosition refuses a position that is not the edge of a frame, or lies behind the newest frame.
	ErrBadPosition = errors.New("no frame ends at this position")
)

// diskError names the action and the file, and marks a full disk (or a used-up quota) as ErrDiskFull.
func diskError(action, path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%s %s: %w: %w", action, path, ErrDiskFull, err)
	}
	return fmt.Errorf("%s %s: %w", action, path, err)
}

func isDiskFull(err error) bool { return errors.Is(err, ErrDiskFull) }
