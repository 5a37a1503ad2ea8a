package outbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lamppost-city/lamppost/spool"
)

// diskFault is what the disk does not do.
type diskFault struct {
	state DiskState
	text  string
}

func stateOf(err error) DiskState {
	switch {
	case err == nil:
		return DiskFine
	case errors.Is(err, spool.ErrDiskFull), errors.Is(err, spool.ErrFull), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return DiskFull
	case errors.Is(err, unix.EROFS):
		return DiskReadOnly
	}
	return DiskFailing
}

// noteDisk remembers how the disk did what it was last asked to do.
func (o *Outbox) noteDisk(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.disk
	o.disk = diskFault{state: stateOf(err)}
	if err != nil {
		o.disk.text = err.Error()
	}
	switch {
	case o.disk.state == was.state:
	case err != nil:
		o.log.Error("the disk takes no readings, they are kept in memory and sent from there", "state", string(o.disk.state), "error", o.disk.text)
		notify(o.sending)
	default:
		o.log.Info("the disk takes readings again")
	}
}

// keep puts messages into the spool as they are made, until ctx ends and all are stored, or Config.Grace has passed.
func (o *Outbox) keep(ctx context.Context) {
	var deadline time.Time
	for {
		err := o.storeAll()
		o.noteDisk(err)
		var again <-chan time.Time // never, unless there is something to try
		if err != nil {
			again = time.After(o.cfg.Spool.DiskRetry)
		}
		if ctx.Err() != nil {
			if deadline.IsZero() {
				deadline = time.Now().Add(o.cfg.Grace)
			}
			if err == nil || !o.anyUnstored() || time.Now().After(deadline) {
				return
			}
			<-again
			continue
		}
		if err != nil {
			select {
			case <-again: // what is made meanwhile waits
			case <-ctx.Done():
			}
			continue
		}
		select {
		case <-o.storing:
		case <-ctx.Done():
		}
	}
}

// stall is how long a write may take before messages are sent from memory.
const stall = 5 * time.Second

// stalled is how long the disk has been at a write that takes too long; 0 if there is none. It is called with mu held.
func (o *Outbox) stalled() time.Duration {
	if o.busySince.IsZero() || time.Since(o.busySince) < stall {
		return 0
	}
	return time.Since(o.busySince)
}

func (o *Outbox) anyUnstored() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.queue, func(m *message) bool { return !m.stored && !m.acked })
}

// storeAll opens the spool if need be, and stores what waits for it.
func (o *Outbox) storeAll() error {
	o.mu.Lock()
	there := o.spool != nil
	o.mu.Unlock()
	if !there {
		if err := o.openSpool(); err != nil {
			return err
		}
	}
	for {
		m, s := o.unstored()
		if m == nil {
			return nil
		}
		if err := o.store(m, s); err != nil {
			return err
		}
	}
}

// unstored returns the oldest message that is not stored, and the spool.
func (o *Outbox) unstored() (*message, *spool.Spool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tidy()
	for _, m := range o.queue {
		if !m.stored {
			m.busy, o.busySince = true, time.Now()
			m.total = o.stored.readings + uint64(m.readings)
			return m, o.spool
		}
	}
	return nil, nil
}

// store puts m into the spool. A frame of which the spool does not know whether it is in is stored again: the broker may
// get it twice.
func (o *Outbox) store(m *message, s *spool.Spool) error {
	_, err := s.TryAppend(context.Background(), m.bytes())
	o.mu.Lock()
	defer o.mu.Unlock()
	m.busy, o.busySince = false, time.Time{}
	if err != nil {
		o.tidy()
		return err
	}
	m.stored = true
	o.stored = o.stored.plus(1, uint64(m.readings))
	if m.acked {
		o.aheadAcked = o.aheadAcked.plus(1, uint64(m.readings))
	}
	o.tidy()
	notify(o.sending)
	return nil
}
