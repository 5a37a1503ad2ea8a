package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
)

// Flow is how readings move through the line at this moment.
type Flow struct {
	// ReceivedPerSecond and WrittenPerSecond are readings, averaged over the last few seconds.
	ReceivedPerSecond, WrittenPerSecond float64
	// Totals are of all time.
	Totals ledger.Totals
	// DelayP50 and DelayP99 are the times from receipt until the store has it.
	DelayP50, DelayP99 time.Duration
}

const (
	samplePause = time.Second
	// samples is over how many pauses rates are averaged.
	samples = 5
)

// meter looks at the ledger every second.
type meter struct {
	mu   sync.Mutex
	seen []sample // oldest first
}

type sample struct {
	at                time.Time
	received, written int64
}

func (m *meter) run(ctx context.Context, l *ledger.Ledger) {
	ticker := time.NewTicker(samplePause)
	defer ticker.Stop()
	for {
		m.add(l.City())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (m *meter) add(t ledger.Totals) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) > samples {
		m.seen = append(m.seen[:0], m.seen[1:]...)
	}
	m.seen = append(m.seen, sample{time.Now(), t.Received, t.Written})
}

func (m *meter) rates() (received, written float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) < 2 {
		return 0, 0
	}
	first, last := m.seen[0], m.seen[len(m.seen)-1]
	seconds := last.at.Sub(first.at).Seconds()
	// Corrections can make a sum smaller; a rate is not.
	return max(0, float64(last.received-first.received)/seconds), max(0, float64(last.written-first.written)/seconds)
}

// Flow tells how readings move. It costs little and can be asked often.
func (l *Line) Flow() Flow {
	f := Flow{Totals: l.ledger.City()}
	f.ReceivedPerSecond, f.WrittenPerSecond = l.meter.rates()
	f.DelayP50, f.DelayP99 = l.writer.Delays()
	return f
}
