package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/spool"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Config is everything about an outbox that may be changed. The zero Config is not valid; start from DefaultConfig.
type Config struct {
	// Spool is the queue on the disk: its bounds by bytes and age, and how often it is forced to the card.
	Spool spool.Config `mapstructure:"spool"`
	// MaxReadings is how many readings a message holds at most.
	MaxReadings int `mapstructure:"max_readings"`
	// MaxDelay is how long a reading waits for company before its message is made.
	MaxDelay time.Duration `mapstructure:"max_delay"`
	// NewestShare is the part of the messages that is taken from the newest while a backlog drains; 0 is none.
	NewestShare float64 `mapstructure:"newest_share"`
	// InFlight is how many messages may be with the uplink, unacknowledged. It must not exceed the uplink's window. What
	// is in flight is in memory, and goes before anything newer: keep it small on slow links.
	InFlight int `mapstructure:"in_flight"`
	// MemoryBytes bounds the messages that wait in memory for the disk; the oldest of them go when there are more.
	MemoryBytes int64 `mapstructure:"memory_bytes"`
	// CommitEvery is how often, at most, the place up to which the broker has everything is written to the disk. After
	// a power cut so much is sent again.
	CommitEvery time.Duration `mapstructure:"commit_every"`
	// AsideBytes bounds the file of readings that cannot be dated; 0 keeps none.
	AsideBytes int64 `mapstructure:"aside_bytes"`
	// Grace is how long Run goes on trying to put what it has on a disk that refuses it, after its context has ended.
	Grace time.Duration `mapstructure:"grace"`
}

// DefaultConfig suits a small board with an SD card.
func DefaultConfig() Config {
	return Config{
		Spool: spool.EdgeConfig(), MaxReadings: 100, MaxDelay: time.Second, NewestShare: 0.25, InFlight: 64,
		MemoryBytes: 4 << 20, CommitEvery: 30 * time.Second, AsideBytes: 1 << 20, Grace: 5 * time.Second,
	}
}

// Validate returns every fault of c, joined.
func (c Config) Validate() error { return errors.ErrUnsupported }

// Reading is one value on its way up.
type Reading struct {
	// Sensor is whose reading it is; "" is the publisher itself.
	Sensor telemetry.SensorID
	// Quantity is a name of the catalogue. A reading of another quantity is dropped and counted.
	Quantity string
	// Channel tells alike quantities of one sensor apart; "" if there is only one.
	Channel string
	// Value is in the quantity's unit.
	Value float64
	// At is when it was measured; 0 is now.
	At clock.Instant
	// Date is when it was measured where the device itself said so and it can be; the zero time means that At counts.
	Date time.Time
}

// Deps is what an outbox needs of others.
type Deps struct {
	// Publisher is who publishes: the bridge's own id.
	Publisher telemetry.SensorID
	// Root is the first level of the topics.
	Root  string
	Clock *clock.Clock
	Log   *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Uplink takes messages and reports through Message.Done when the broker has acknowledged one. *uplink.Publisher is one.
type Uplink interface {
	// Publish accepts m, which it keeps until it is acknowledged. It may wait for room, until ctx ends.
	Publish(ctx context.Context, m uplink.Message) error
}

// Reason says why readings were dropped. It is a label of metrics, so the set is closed.
type Reason string

// The reasons.
const (
	// Unknown: the quantity is not in the catalogue.
	Unknown Reason = "unknown_quantity"
	// Memory: the disk did not take them, and memory was full.
	Memory Reason = "memory"
	// Bounds: the spool's bounds, by bytes or age, or a full card.
	Bounds Reason = "bounds"
	// Undated: measured in an earlier boot whose date nobody has known. As many as fit are in the file aside.
	Undated Reason = "undated"
	// Unreadable: the spool found them damaged, or a program of another version has left them.
	Unreadable Reason = "unreadable"
	// Stopped: the disk did not take them when the bridge was stopped.
	Stopped Reason = "stopped"
)

// Reasons lists all reasons.
func Reasons() []Reason { return []Reason{Unknown, Memory, Bounds, Undated, Unreadable, Stopped} }

// DiskState is how the disk is, in a word.
type DiskState string

// The states.
const (
	DiskFine     DiskState = "fine"
	DiskFull     DiskState = "full"
	DiskReadOnly DiskState = "read_only"
	DiskFailing  DiskState = "failing"
)

// Status is how an outbox is.
type Status struct {
	// WaitingReadings and WaitingMessages have not been acknowledged. After the spool has dropped something they are
	// estimates until the next acknowledgement.
	WaitingReadings, WaitingMessages uint64
	// MemoryReadings and MemoryBytes are the part of them that is not on the disk.
	MemoryReadings uint64
	MemoryBytes    int64
	// UndatedReadings is how many of those that wait were measured in this boot when the date was not known, as far as
	// sending has come upon them.
	UndatedReadings uint64
	// Oldest is how long the oldest of them has waited; 0 if none waits or nobody knows.
	Oldest time.Duration
	// DiskBytes is what the spool takes on the disk, of at most MaxBytes.
	DiskBytes, MaxBytes int64
	// Put is how many readings were put in, and Dropped how many of all were lost, since Open.
	Put     uint64
	Dropped map[Reason]uint64
	// SentMessages were handed to the uplink, AheadMessages of them before older ones.
	SentMessages, AheadMessages uint64
	// AcknowledgedMessages and AcknowledgedReadings have reached the broker, since Open.
	AcknowledgedMessages, AcknowledgedReadings uint64
	// LastAcknowledged is when the broker last acknowledged something; 0 if it has not.
	LastAcknowledged clock.Instant
	// Seq is the newest sequence number that was given.
	Seq uint64
	// Disk is how the disk is; DiskError says it to a person, "" if all is well.
	Disk      DiskState
	DiskError string
}

// Outbox keeps readings until the broker has them. Put and Status may be called by several goroutines at once.
type Outbox struct{}

// Open opens the spool in folder dir. A disk that is full, read-only or failing is no error: the outbox then keeps its
// messages in memory, sends them from there, says so in its status, and goes over to the disk when that works. ctx
// bounds Open alone. Run or Close gives back what Open takes.
func Open(ctx context.Context, cfg Config, dir string, deps Deps) (*Outbox, error) {
	return nil, errors.ErrUnsupported
}

// Put takes readings. It copies them, never waits for the disk or the network, and never refuses.
func (o *Outbox) Put(readings []Reading) {}

// Run puts readings on the disk and sends them through up until ctx ends. When it returns, everything that was put is on
// the disk, unless that refuses it for longer than Config.Grace, and the outbox is closed.
func (o *Outbox) Run(ctx context.Context, up Uplink) error { return errors.ErrUnsupported }

// Close ends an outbox that does not run.
func (o *Outbox) Close() error { return errors.ErrUnsupported }

// Status returns how the outbox is. It is cheap: no file is touched.
func (o *Outbox) Status() Status { return Status{} }
