package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/uplink"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Config is what may be changed of the city's end.
type Config struct {
	// TimeEvery is how often the city says what time it is; 0 never does.
	TimeEvery time.Duration `mapstructure:"time_every"`
	// MaxBridges bounds the bridges whose status is kept; of more the newest are not.
	MaxBridges int `mapstructure:"max_bridges"`
	// AnswerWithin is how long a command waits for its answer.
	AnswerWithin time.Duration `mapstructure:"answer_within"`
}

// DefaultConfig suits a city of a thousand cabinets.
func DefaultConfig() Config {
	return Config{TimeEvery: 10 * time.Second, MaxBridges: 10_000, AnswerWithin: 30 * time.Second}
}

// Validate reports every fault, each with its key.
func (c Config) Validate() error {
	var faults []error
	if c.TimeEvery != 0 && (c.TimeEvery < time.Second || c.TimeEvery > time.Hour) {
		faults = append(faults, fmt.Errorf("time_every: %s is neither 0s nor within 1s to 1h", c.TimeEvery))
	}
	if c.MaxBridges < 1 || c.MaxBridges > 1_000_000 {
		faults = append(faults, fmt.Errorf("max_bridges: %d is outside 1 to 1000000", c.MaxBridges))
	}
	if c.AnswerWithin < time.Second || c.AnswerWithin > 5*time.Minute {
		faults = append(faults, fmt.Errorf("answer_within: %s is outside 1s to 5m", c.AnswerWithin))
	}
	return errors.Join(faults...)
}

// Errors of City.
var (
	// ErrUnknown says that no bridge of this id has ever said how it does.
	ErrUnknown = errors.New("no bridge of this id has reported")
	// ErrOffline says that the bridge has no connection: a command would not be heard.
	ErrOffline = errors.New("the bridge has no connection at present")
	// ErrNoAnswer says that the bridge did not answer in time.
	ErrNoAnswer = errors.New("the bridge did not answer in time")
	// ErrTooLarge refuses settings that no bridge would take.
	ErrTooLarge = errors.New("the settings are too large for a bridge")
)

// City is the city's end: it hears how the bridges do, and tells them what to do. All methods may be called by several
// goroutines at once.
type City struct {
	cfg  Config
	root string
	log  *slog.Logger

	mu       sync.Mutex
	statuses map[telemetry.SensorID]Status
	waiting  map[string]chan Answer // by the command's id
	link     Link
}

// Link is the connection to the broker. *uplink.Publisher is one.
type Link interface {
	// Publish accepts m, and calls its Done when the broker has acknowledged it.
	Publish(ctx context.Context, m uplink.Message) error
	// Announce sends m on the present connection and forgets it.
	Announce(m uplink.Message) error
}

// New makes the city's end for the given first level of the topics.
func New(cfg Config, root string, log *slog.Logger) *City {
	return &City{
		cfg: cfg, root: root, log: log, statuses: make(map[telemetry.SensorID]Status), waiting: make(map[string]chan Answer),
	}
}

// Session is what the connection to the broker carries.
func (c *City) Session() uplink.Session {
	return uplink.Session{Subscriptions: []uplink.Subscription{
		{Filter: c.root + "/+/" + TopicStatus, Handle: c.hearStatus, Waiting: 1000}, // all retained ones come at once
		{Filter: c.root + "/+/" + TopicAnswer, Handle: c.hearAnswer},
	}}
}

// Run says what time it is until ctx ends. link is the connection that Session was given to.
func (c *City) Run(ctx context.Context, link Link) error {
	c.mu.Lock()
	c.link = link
	c.mu.Unlock()
	if c.cfg.TimeEvery == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(c.cfg.TimeEvery)
	defer tick.Stop()
	for {
		now := strconv.AppendInt(nil, time.Now().UnixMilli(), 10)
		if err := link.Announce(uplink.Message{Topic: TimeTopic(c.root), Payload: now}); err != nil && !errors.Is(err, uplink.ErrAway) {
			c.log.Warn("time cannot be told", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// publisherOf takes the id out of <root>/<publisher>/<last>.
func (c *City) publisherOf(topic, last string) (telemetry.SensorID, bool) {
	rest, ok := strings.CutPrefix(topic, c.root+"/")
	id, ok2 := strings.CutSuffix(rest, "/"+last)
	publisher := telemetry.SensorID(id)
	return publisher, ok && ok2 && publisher.Check() == nil
}

func (c *City) hearStatus(m uplink.Received) {
	id, ok := c.publisherOf(m.Topic, TopicStatus)
	if !ok {
		return
	}
	if len(m.Payload) == 0 { // the retained one was taken away
		c.mu.Lock()
		delete(c.statuses, id)
		c.mu.Unlock()
		return
	}
	var s Status
	if err := json.Unmarshal(m.Payload, &s); err != nil || s.State == "" {
		return // some other publisher's status, in words of its own
	}
	s.Publisher = id // whatever it says
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.statuses[id]
	if !known && len(c.statuses) >= c.cfg.MaxBridges {
		c.log.Warn("bridge is not kept, there are too many", "bridge", string(id), "max_bridges", c.cfg.MaxBridges)
		return
	}
	if s.State == Offline && known { // the will: what was known last stays known
		last.State = Offline
		s = last
	}
	c.statuses[id] = s
}

func (c *City) hearAnswer(m uplink.Received) {
	if _, ok := c.publisherOf(m.Topic, TopicAnswer); !ok {
		return
	}
	var a Answer
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if waits, ok := c.waiting[m.Topic+" "+a.ID]; ok {
		select {
		case waits <- a:
		default: // it answers twice
		}
	}
}

// Bridges are all bridges that have said how they do, by id.
func (c *City) Bridges() []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Status, 0, len(c.statuses))
	for _, s := range c.statuses {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Publisher, b.Publisher) })
	return all
}

// Bridge is how one bridge does, or did last.
func (c *City) Bridge(id telemetry.SensorID) (Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.statuses[id]
	if !ok {
		return Status{}, fmt.Errorf("bridge %s: %w", id, ErrUnknown)
	}
	return s, nil
}

// MaxSettingsBytes bounds settings.
const MaxSettingsBytes = 256 << 10

// SettingsID names settings by their bytes, as Settings.ID does: by it one sees that they are in force.
func SettingsID(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Configure leaves settings, in YAML or JSON, for a bridge with the broker, where it finds them also when it is away now; no
// bytes withdraw them. It returns when the broker has them. Whether the bridge takes them shows in its status.
func (c *City) Configure(ctx context.Context, id telemetry.SensorID, settings []byte) error {
	if err := id.Check(); err != nil {
		return err
	}
	if len(settings) > MaxSettingsBytes {
		return fmt.Errorf("bridge %s: %w: %d bytes, at most %d", id, ErrTooLarge, len(settings), MaxSettingsBytes)
	}
	c.mu.Lock()
	link := c.link
	c.mu.Unlock()
	if link == nil {
		return uplink.ErrAway
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AnswerWithin)
	defer cancel()
	done := make(chan struct{})
	if len(settings) == 0 {
		settings = []byte(Withdrawn)
	}
	m := uplink.Message{
		Topic: Topic(c.root, id, TopicConfig), Payload: slices.Clone(settings), Retained: true,
		Done: func(uplink.Message) { close(done) },
	}
	if err := link.Publish(ctx, m); err != nil {
		return fmt.Errorf("settings of bridge %s: %w", id, err)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("settings of bridge %s wait for the broker: %w", id, context.Cause(ctx))
	}
}

// Do asks a bridge to do something, and waits for the answer.
func (c *City) Do(ctx context.Context, id telemetry.SensorID, command Command) (Answer, error) {
	s, err := c.Bridge(id)
	if err != nil {
		return Answer{}, err
	}
	if s.State != Online {
		return Answer{}, fmt.Errorf("bridge %s: %w", id, ErrOffline)
	}
	command.ID = rand.Text()
	text, err := json.Marshal(command)
	if err != nil {
		return Answer{}, fmt.Errorf("command to bridge %s: %w", id, err)
	}
	if _, err := ParseCommand(text); err != nil {
		return Answer{}, err
	}
	key := Topic(c.root, id, TopicAnswer) + " " + command.ID
	answers := make(chan Answer, 1)
	c.mu.Lock()
	link := c.link
	c.waiting[key] = answers
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, key)
		c.mu.Unlock()
	}()
	if link == nil {
		return Answer{}, uplink.ErrAway
	}
	if err := link.Announce(uplink.Message{Topic: Topic(c.root, id, TopicCommand), Payload: text}); err != nil {
		return Answer{}, fmt.Errorf("command to bridge %s: %w", id, err)
	}
	timeout := time.NewTimer(c.cfg.AnswerWithin)
	defer timeout.Stop()
	select {
	case a := <-answers:
		return a, nil
	case <-timeout.C:
		return Answer{}, fmt.Errorf("bridge %s: %w (%s)", id, ErrNoAnswer, c.cfg.AnswerWithin)
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}
