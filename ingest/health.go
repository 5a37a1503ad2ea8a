package ingest

import (
	"errors"
	"fmt"

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
	if l.spool.Stats().Full {
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
