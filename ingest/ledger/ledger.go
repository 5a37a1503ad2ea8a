package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Config bounds the ledger and the quarantine beside it.
type Config struct {
	// FlushInterval is how often the sums go to disk. A crash makes ingest read what came since once more.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// MaxPending is how many sums of a sensor and minute may wait in memory; ingest then waits for a flush.
	MaxPending int `mapstructure:"max_pending"`
	// QuarantineBytes bounds the messages kept in quarantine, each with half a kilobyte beside its payload. Beyond it the
	// oldest are dropped, and counted.
	QuarantineBytes int64 `mapstructure:"quarantine_bytes"`
}

// DefaultConfig suits a city of some ten thousand sensors.
func DefaultConfig() Config {
	return Config{FlushInterval: 2 * time.Second, MaxPending: 100_000, QuarantineBytes: 256 << 20}
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	var faults []error
	if c.FlushInterval < 50*time.Millisecond || c.FlushInterval > time.Minute {
		faults = append(faults, fmt.Errorf("flush_interval: must be 50ms to 1m, is %s", c.FlushInterval))
	}
	if c.MaxPending < 1000 {
		faults = append(faults, fmt.Errorf("max_pending: must be at least 1000, is %d", c.MaxPending))
	}
	if c.QuarantineBytes < 1<<20 {
		faults = append(faults, fmt.Errorf("quarantine_bytes: must be at least 1 MiB, is %d", c.QuarantineBytes))
	}
	return errors.Join(faults...)
}

// Ledger is the account of all readings, in one SQLite file.
type Ledger struct {
	cfg     Config
	db      *sql.DB // for one writer at a time
	reading *sql.DB
	log     *slog.Logger
	metrics *metrics

	mu      sync.Mutex
	pending pending
	onDisk  positions
	city    Totals // of all time, with what is pending
	flushed time.Time
	fresh   bool                                       // no positions are in the database
	newest  map[telemetry.SensorID]telemetry.UnixMilli // as of the last flush
	plan    func() Plan
	failed  error // of the last flush
	changed func(minutes []int64)

	flushing sync.Mutex
}

// pending is what is not yet in the database.
type pending struct {
	sums      map[key]*sum
	sequences map[telemetry.SensorID]uint64
	silences  map[telemetry.SensorID][]frame.Silence
	refused   []frame.Refused
	released  []int64
	// bytes is the cost of refused.
	bytes int64
	positions
}

type key struct {
	sensor telemetry.SensorID
	minute int64
}

// sum is what is to be added to a sensor's minute.
type sum struct {
	Totals
	// newest is the newest measured time of the readings, 0 if there are none.
	newest telemetry.UnixMilli
}

func (p *pending) at(sensor telemetry.SensorID, minute int64) *sum {
	k := key{sensor, minute}
	s, ok := p.sums[k]
	if !ok {
		s = new(sum)
		p.sums[k] = s
	}
	return s
}

// newest returns the newest measured times by sensor.
func (p *pending) newest() map[telemetry.SensorID]telemetry.UnixMilli {
	newest := make(map[telemetry.SensorID]telemetry.UnixMilli)
	for k, s := range p.sums {
		if s.newest != 0 {
			newest[k.sensor] = max(newest[k.sensor], s.newest)
		}
	}
	return newest
}

func (p *pending) empty() bool {
	return len(p.sums)+len(p.sequences)+len(p.silences)+len(p.refused)+len(p.released) == 0
}

func newPending(recorded, settled spool.Position) pending {
	return pending{
		sums:      make(map[key]*sum),
		sequences: make(map[telemetry.SensorID]uint64),
		silences:  make(map[telemetry.SensorID][]frame.Silence),
		positions: positions{recorded, settled},
	}
}

// Open opens or makes the ledger at path. Close must be called.
func Open(ctx context.Context, path string, cfg Config, reg prometheus.Registerer, log *slog.Logger) (*Ledger, error) {
	db, reading, err := openDatabase(ctx, path)
	if err != nil {
		return nil, err
	}
	l := &Ledger{cfg: cfg, db: db, reading: reading, log: log, metrics: newMetrics(reg)}
	err = reading.QueryRowContext(ctx, "SELECT NOT EXISTS (SELECT 1 FROM positions)").Scan(&l.fresh)
	var recorded spool.Position
	if err == nil {
		recorded, err = l.position(ctx, "recorded")
	}
	if err == nil {
		var settled spool.Position
		settled, err = l.position(ctx, "settled")
		l.pending = newPending(recorded, settled)
		l.onDisk = positions{recorded, settled}
	}
	if err == nil {
		err = l.view(ctx, func(tx *sql.Tx) error {
			return addHours(ctx, tx, &l.city, allSensors, math.MinInt32, math.MaxInt32)
		})
	}
	if err == nil {
		l.newest, err = l.readNewest(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close(), reading.Close())
	}
	return l, nil
}

// Close writes what is pending and closes the database.
func (l *Ledger) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(l.Flush(ctx), l.reading.Close(), l.db.Close())
}

// positions are those up to which sums hold everything: of Record and of Settle.
type positions struct{ recorded, settled spool.Position }

// both is up to where both have been done.
func (p positions) both() spool.Position {
	if p.settled.Before(p.recorded) {
		return p.settled
	}
	return p.recorded
}

// Run flushes every FlushInterval until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	ticker := time.NewTicker(l.cfg.FlushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			_ = l.Flush(ctx) // Health tells
		}
	}
}

// Health says why the ledger cannot be written, or returns nil.
func (l *Ledger) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Positions are the spool positions up to which the database holds every frame's Record and Settle.
func (l *Ledger) Positions(ctx context.Context) (recorded, settled spool.Position, err error) {
	if recorded, err = l.position(ctx, "recorded"); err != nil {
		return recorded, settled, err
	}
	settled, err = l.position(ctx, "settled")
	return recorded, settled, err
}

// Fresh tells that the ledger has never been flushed: whatever is in a spool, it has not been beside it.
func (l *Ledger) Fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh
}

// Rewind forgets the positions, and with them what was decided about frames: the spool that they are of is gone, and
// another one begins. The sums stay; readings that were on their way in the lost spool wait for ever.
func (l *Ledger) Rewind(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if _, err := l.db.ExecContext(ctx, "UPDATE positions SET segment = 0, offset = 0; DELETE FROM verdicts"); err != nil {
		return fmt.Errorf("forget the ledger's positions: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onDisk, l.pending.positions = positions{}, positions{}
	return nil
}

// Durable is the position up to which the database holds everything of every frame: the spool may forget what lies
// before.
func (l *Ledger) Durable() spool.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.onDisk.both()
}

func (l *Ledger) position(ctx context.Context, name string) (spool.Position, error) {
	var p spool.Position
	err := l.reading.QueryRowContext(ctx, "SELECT segment, offset FROM positions WHERE name = ?", name).Scan(&p.Segment, &p.Offset)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("ledger's position %s: %w", name, err)
	}
	return p, nil
}

// Record adds a frame that is durable in the spool and ends there at end. Frames must come in the spool's order. The
// frame may be used again afterwards. Record waits for a flush where too much is pending, and returns an error only
// when ctx ends.
func (l *Ledger) Record(ctx context.Context, f *frame.Frame, end spool.Position) error {
	if err := l.waitForRoom(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.pending
	for i := range f.Minutes {
		m := &f.Minutes[i]
		s := p.at(m.Sensor, m.Minute)
		s.Counts.Add(m.Counts)
		s.newest = max(s.newest, m.Newest)
		l.city.Counts.Add(m.Counts)
	}
	for _, r := range f.Rejections {
		t := p.at(r.Sensor, r.Minute)
		t.Received += r.N
		t.reject(r.Reason, r.N)
		l.city.Received += r.N
		l.city.reject(r.Reason, r.N)
		l.metrics.rejected.WithLabelValues(r.Reason.String()).Add(float64(r.N))
	}
	for _, s := range f.Sequences {
		p.sequences[s.Publisher] = s.Seq
	}
	for i := range f.Silences {
		p.silences[f.Silences[i].Sensor] = slices.Clone(f.Silences[i].Open)
	}
	for _, r := range f.Refused {
		p.add(r)
	}
	p.released = append(p.released, f.Released...)
	p.recorded = end
	return nil
}

// add keeps a copy: the payload belongs to the frame's owner.
func (p *pending) add(r frame.Refused) {
	r.Payload = append([]byte(nil), r.Payload...)
	r.Faults = append([]frame.Fault(nil), r.Faults...)
	p.refused = append(p.refused, r)
	p.bytes += cost(&r)
}

// City sums up all sensors and all time, up to this moment, without looking at the disk.
func (l *Ledger) City() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.city
	sum.Rejected = maps.Clone(sum.Rejected)
	return sum
}

// Correction is what writing a frame showed of its accepted readings of one sensor and minute.
type Correction struct {
	Sensor telemetry.SensorID
	Minute int64
	// Duplicate of them were in the store already; Refused of them the store would not take.
	Duplicate, Refused int64
	// Late of the duplicates were counted as late.
	Late int64
}

// Settle adds that the frame which ends at end is in the store, but for the corrections; refused are the lines that the
// store would not take, for quarantine. Frames must come in the spool's order.
func (l *Ledger) Settle(ctx context.Context, f *frame.Frame, corrections []Correction, refused []frame.Refused, end spool.Position) error {
	if err := l.waitForRoom(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	l.settle(f, corrections, refused, end)
	changed := l.changed
	l.mu.Unlock()
	if changed != nil {
		changed(writtenMinutes(f))
	}
	return nil
}

// settle adds to what is pending. The lock is held.
func (l *Ledger) settle(f *frame.Frame, corrections []Correction, refused []frame.Refused, end spool.Position) {
	p := &l.pending
	for i := range f.Minutes {
		if m := &f.Minutes[i]; m.Accepted != 0 {
			p.at(m.Sensor, m.Minute).Written += m.Accepted
			l.city.Written += m.Accepted
		}
	}
	for _, c := range corrections {
		for _, t := range []*Totals{&p.at(c.Sensor, c.Minute).Totals, &l.city} {
			t.Written -= c.Duplicate + c.Refused
			t.Accepted -= c.Duplicate + c.Refused
			t.Duplicate += c.Duplicate
			t.Late -= c.Late
			if c.Refused != 0 {
				t.reject(telemetry.ReasonStore, c.Refused)
			}
		}
		if c.Refused != 0 {
			l.metrics.rejected.WithLabelValues(telemetry.ReasonStore.String()).Add(float64(c.Refused))
		}
	}
	for _, r := range refused {
		p.add(r)
	}
	p.settled = end
}

// Watch has changed told of the minutes since 1970 for which the store has got readings, after every Settle. It must be
// quick.
func (l *Ledger) Watch(changed func(minutes []int64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = changed
}

// writtenMinutes lists the minutes for which a frame has lines, neighbours that are equal once.
func writtenMinutes(f *frame.Frame) []int64 {
	minutes := make([]int64, 0, 8)
	for i := range f.Minutes {
		if m := &f.Minutes[i]; m.Accepted != 0 && (len(minutes) == 0 || minutes[len(minutes)-1] != m.Minute) {
			minutes = append(minutes, m.Minute)
		}
	}
	return minutes
}

// waitForRoom flushes while more is pending than the configuration allows.
func (l *Ledger) waitForRoom(ctx context.Context) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		l.mu.Lock()
		full := len(l.pending.sums) >= l.cfg.MaxPending || l.pending.bytes >= maxPendingBytes
		l.mu.Unlock()
		if !full {
			return nil
		}
		if err := l.Flush(ctx); err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// maxPendingBytes bounds the refused messages in memory.
const maxPendingBytes = 16 << 20
