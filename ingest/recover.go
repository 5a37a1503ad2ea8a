package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/spool"
)

// CatchUp writes everything that is in the spool to the store and returns when the ledger knows of it, without
// reading from a broker. It is for a process that only looks at the folder; Run must not be called beside it.
func (l *Line) CatchUp(ctx context.Context) error {
	if _, err := l.start(ctx); err != nil {
		return err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	writers.Go(func() { l.writer.Run(writing) })
	defer writers.Wait()
	defer stop()
	for end := l.spool.Stats().End; l.writer.Settled().Before(end); {
		if err := l.writer.Health(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return l.ledger.Flush(ctx)
}

// start goes on where the process before this one ended.
func (l *Line) start(ctx context.Context) (*judge, error) {
	recorded, settled, err := l.ledger.Positions(ctx)
	if err != nil {
		return nil, err
	}
	if l.replaced(recorded) || l.replaced(settled) {
		l.log.Error("spool is not the one that the ledger knows; has its folder been removed or replaced? All of it is taken for new, "+
			"and readings that waited in the old one stay waiting for ever", "spool_ends", l.spool.Stats().End.String(),
			"ledger_recorded", recorded.String(), "waiting_readings", l.ledger.City().Waiting())
		if err := l.ledger.Rewind(ctx); err != nil {
			return nil, err
		}
		recorded, settled = spool.Position{}, spool.Position{}
	}
	if err := l.recover(ctx, recorded); err != nil {
		return nil, err
	}
	if err := l.writer.Start(settled); err != nil {
		return nil, err
	}
	sequences, err := l.ledger.Sequences(ctx)
	if err != nil {
		return nil, err
	}
	silences, err := l.ledger.Silences(ctx)
	if err != nil {
		return nil, err
	}
	return newJudge(l.cfg, memory{newest: l.ledger.Newest(), sequences: sequences, silences: silences}), nil
}

// replaced tells whether the spool has no such position: what the ledger has seen of it is gone. A spool loses only
// what lies before its oldest frame, never at its end.
func (l *Line) replaced(at spool.Position) bool {
	return l.spool.Stats().End.Before(at) || errors.Is(l.reader.Seek(at), spool.ErrBadPosition)
}

// recover tells the ledger of frames that became durable after its last flush.
func (l *Line) recover(ctx context.Context, recorded spool.Position) error {
	if err := l.reader.Seek(recorded); err != nil {
		return fmt.Errorf("find the spool's frames that the ledger does not know: %w", err)
	}
	parser, count, serial := frame.NewParser(), 0, uint64(0)
	var f frame.Frame
	for {
		data, end, ok, err := l.reader.TryNext()
		if err != nil {
			return fmt.Errorf("read the spool again: %w", err)
		}
		if !ok {
			break
		}
		err = parser.Parse(data, &f)
		if errors.Is(err, frame.ErrVersion) {
			return fmt.Errorf("spool's frame that ends at %s: %w; let that version empty the spool first", end, err)
		}
		if err != nil {
			l.log.Error("frame in the spool cannot be read and is passed over", "position", end.String(), "error", err)
			f.Reset()
		}
		if f.Serial != 0 && f.Serial == serial {
			f.Reset() // written twice, after an error of the disk
		} else {
			serial = f.Serial
		}
		if err := l.ledger.Record(ctx, &f, end); err != nil {
			return err
		}
		count++
	}
	if count > 0 && l.ledger.Fresh() {
		l.log.Warn("ledger begins with what is in the spool; readings that had left the spool before, if any, are in no account, and an audit shows them", "frames", count)
	} else if count > 0 {
		l.log.Info("ledger caught up with the spool", "frames", count)
	}
	// Also where there was nothing: the next process must know that this ledger was here before what comes now.
	return l.ledger.Flush(ctx)
}
