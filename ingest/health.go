package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/lamppost-city/lamppost/spool"
)

// Health names everything that keeps readings from being taken or stored, or returns nil.
func (l *Line) Health() error {
	var all []error
	for _, s := range l.sessions {
		if err := s.Health(); err != nil {
			all = append(all, fmt.Errorf("broker: %w", err))
		}
	}
	if err := l.trouble.Load(); err != nil {
		all = append(all, *err)
	}
	if now := time.Now(); now.Before(l.cfg.OldestTime) {
		all = append(all, fmt.Errorf("this computer's clock says %s, before oldest_time: set it; readings without a time are refused, and others seem to come from the future",
			now.UTC().Format(time.RFC3339)))
	}
	if stats := l.spool.Stats(); stats.DiskFull {
		all = append(all, errors.New("disk is full: nothing is acknowledged until there is room for the spool"))
	} else if stats.Full {
		all = append(all, errors.New("spool is full: nothing is acknowledged until the store takes readings"))
	}
	if err := l.ledger.Health(); err != nil {
		all = append(all, err)
	}
	if err := l.writer.Health(); err != nil {
		all = append(all, fmt.Errorf("store: %w", err))
	}
	return errors.Join(all...)
}

// Spool tells how much waits on disk.
func (l *Line) Spool() spool.Stats { return l.spool.Stats() }
