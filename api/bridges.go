package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Bridge is an edge bridge as it described itself last. What it has never said is left out.
type Bridge struct {
	Publisher string          `json:"publisher" doc:"The id under which it publishes."`
	Title     string          `json:"title" doc:"Its title as a registered sensor; its id where it is none."`
	State     string          `json:"state" enum:"online,offline" doc:"offline: it has no connection; the rest is what was known last."`
	Version   string          `json:"version"`
	At        *Time           `json:"at" nullable:"true" doc:"When it said this; null where it did not know the date."`
	Started   *Time           `json:"started" nullable:"true" doc:"When its program began; null where it did not know the date."`
	Boot      string          `json:"boot,omitempty" doc:"Changes when the machine was switched off and on."`
	Sensors   int             `json:"sensors" doc:"How many sensors it reads."`
	Failing   int             `json:"failing" doc:"How many of them cannot be read at present."`
	Settings  *BridgeSettings `json:"settings,omitempty"`
	Outbox    *BridgeOutbox   `json:"outbox,omitempty"`
	Clock     *BridgeClock    `json:"clock,omitempty"`
}

// BridgeSettings says which settings are in force, and what became of newer ones.
type BridgeSettings struct {
	Source  string         `json:"source" enum:"file,remote,none" doc:"file: of its own disk; remote: left here for it."`
	ID      string         `json:"id" doc:"Made of the settings' bytes, as PUT answers it."`
	Buses   int            `json:"buses"`
	Sensors int            `json:"sensors"`
	Applied *Time          `json:"applied" nullable:"true"`
	Refused *BridgeRefusal `json:"refused,omitempty" doc:"The newest that came after these and cannot be used."`
}

// BridgeRefusal says why settings are not in force.
type BridgeRefusal struct {
	Source string `json:"source" enum:"file,remote,none"`
	ID     string `json:"id"`
	At     *Time  `json:"at" nullable:"true"`
	Error  string `json:"error"`
}

// BridgeOutbox says what waits at the bridge for the broker.
type BridgeOutbox struct {
	WaitingReadings uint64            `json:"waiting_readings"`
	OldestS         int64             `json:"oldest_s" doc:"Age of what has waited longest, in seconds."`
	UndatedReadings uint64            `json:"undated_readings" doc:"Those of the waiting whose date is not known yet."`
	DiskBytes       int64             `json:"disk_bytes"`
	MaxBytes        int64             `json:"max_bytes"`
	Acknowledged    uint64            `json:"acknowledged" doc:"Readings that have reached the broker since its start."`
	Dropped         map[string]uint64 `json:"dropped,omitempty" doc:"Readings that were lost since its start, by reason."`
	Disk            string            `json:"disk" doc:"fine, full, read_only or failing."`
	Error           string            `json:"error,omitempty"`
}

// BridgeClock says whom the bridge believes about the date.
type BridgeClock struct {
	Known          bool   `json:"known"`
	Source         string `json:"source,omitempty" doc:"system, gnss, broker or kept, for instance."`
	UncertaintyMS  int64  `json:"uncertainty_ms"`
	SystemOffsetMS int64  `json:"system_offset_ms" doc:"How far the system's clock is ahead of what is believed."`
	Error          string `json:"error,omitempty"`
}

// BridgeSensor is what a bridge knows of one of its sensors.
type BridgeSensor struct {
	ID       string            `json:"id"`
	Driver   string            `json:"driver"`
	Bus      string            `json:"bus"`
	State    string            `json:"state" enum:"starting,ok,failing,hanging" doc:"hanging: a call of its driver does not return."`
	LastGood *Time             `json:"last_good" nullable:"true" doc:"When it was read last without a fault; null if never since the start, or without a date."`
	Readings uint64            `json:"readings" doc:"Readings taken from it since the start."`
	Faults   map[string]uint64 `json:"faults,omitempty" doc:"What went wrong since the start, by kind."`
	Kind     string            `json:"kind,omitempty" doc:"Of the newest fault, while it lasts."`
	Error    string            `json:"error,omitempty"`
	Advice   string            `json:"advice,omitempty" doc:"What to look at or to do."`
}

// BridgeWithSensors is a bridge and its sensors. Title and Failing are the API's to fill in.
type BridgeWithSensors struct {
	Bridge
	Sensors []BridgeSensor `json:"sensors" nullable:"false"`
}

// BridgeList is a page of bridges in order of id, and how many there are on all pages.
type BridgeList struct {
	Items []Bridge `json:"items" nullable:"false"`
	Total int      `json:"total"`
}

type bridgesInput struct {
	State  string `query:"state" enum:"online,offline" doc:"Only bridges in this state."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
	Offset int    `query:"offset" minimum:"0" maximum:"100000000" doc:"How many to leave out before."`
}

type bridgesOutput struct {
	Body BridgeList
}

func (s *Server) getBridges(_ context.Context, in *bridgesInput) (*bridgesOutput, error) {
	snapshot, all := s.deps.Registry.Snapshot(), s.deps.Bridges.Bridges()
	list := BridgeList{Items: []Bridge{}}
	for i := range all {
		if in.State != "" && all[i].State != in.State {
			continue
		}
		list.Total++
		if list.Total > in.Offset && len(list.Items) < in.Limit {
			list.Items = append(list.Items, summary(snapshot, &all[i]))
		}
	}
	return &bridgesOutput{Body: list}, nil
}

// summary counts a bridge's sensors and gives it its title.
func summary(snapshot *registry.Snapshot, b *BridgeWithSensors) Bridge {
	shown := b.Bridge
	shown.Title = shown.Publisher
	if sensor, ok := snapshot.Sensor(telemetry.SensorID(shown.Publisher)); ok && sensor.Title != "" {
		shown.Title = sensor.Title
	}
	shown.Sensors, shown.Failing = len(b.Sensors), 0
	for i := range b.Sensors {
		if state := b.Sensors[i].State; state == "failing" || state == "hanging" {
			shown.Failing++
		}
	}
	return shown
}

type bridgeInput struct {
	ID string `path:"id" maxLength:"63" doc:"The bridge's id as a publisher." example:"bridge-7"`
}

type bridgeOutput struct {
	Body BridgeWithSensors
}

func (s *Server) getBridge(ctx context.Context, in *bridgeInput) (*bridgeOutput, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	b, err := s.deps.Bridges.Bridge(id)
	if err != nil {
		return nil, s.bridgeFault(ctx, "ask for the bridge", id, err)
	}
	b.Bridge = summary(s.deps.Registry.Snapshot(), &b)
	if b.Sensors == nil {
		b.Sensors = []BridgeSensor{}
	}
	return &bridgeOutput{Body: b}, nil
}

// Errors of Bridges.
var (
	// ErrBridgeUnknown says that no bridge of this id has ever reported.
	ErrBridgeUnknown = errors.New("no bridge of this id has reported")
	// ErrBridgeOffline says that the bridge would not hear a command.
	ErrBridgeOffline = errors.New("the bridge has no connection")
	// ErrBridgeSilent says that the bridge did not answer in time.
	ErrBridgeSilent = errors.New("the bridge did not answer in time")
	// ErrBrokerAway says that nothing can be said to any bridge.
	ErrBrokerAway = errors.New("there is no connection to the broker")
	// ErrBrokerSilent says that the broker did not confirm in time what it was given.
	ErrBrokerSilent = errors.New("the broker did not confirm in time")
)

// brokerPause is when a client may ask again what needs the broker.
const brokerPause = 5 * time.Second

// bridgeFault words what Bridges could not do.
func (s *Server) bridgeFault(ctx context.Context, action string, id telemetry.SensorID, err error) error {
	switch {
	case errors.Is(err, ErrBridgeUnknown):
		return newProblem(http.StatusNotFound, "no bridge %q has reported; see /api/v1/bridges", string(id))
	case errors.Is(err, ErrBridgeOffline):
		return newProblem(http.StatusConflict, "bridge %q has no connection and would not hear it; try again when it is online", string(id))
	case errors.Is(err, ErrBridgeSilent):
		return newProblem(http.StatusGatewayTimeout, "bridge %q did not answer in time; it may have done it all the same", string(id))
	case errors.Is(err, ErrBrokerSilent):
		return newProblem(http.StatusGatewayTimeout, "the broker did not confirm in time; it may have it all the same, so ask the bridge's status before you try again")
	case errors.Is(err, ErrBrokerAway):
		s.log.Warn("broker not reached", "action", action, "error", err)
		return retryLater(brokerPause, "%s: there is no connection to the broker; /readyz says why", action)
	}
	return s.fault(ctx, action, err)
}

// MaxBridgeSettingsBytes bounds the settings of a bridge.
const MaxBridgeSettingsBytes = 256 << 10

type putBridgeSettingsInput struct {
	ID      string `path:"id" maxLength:"63" doc:"The bridge's id as a publisher." example:"bridge-7"`
	RawBody []byte `contentType:"application/yaml"`
}

// BridgeSettingsLeft names settings that are left for a bridge.
type BridgeSettingsLeft struct {
	ID string `json:"id" doc:"Made of the settings' bytes: the bridge's settings have it when they are in force, or in refused."`
}

type bridgeSettingsOutput struct {
	Body BridgeSettingsLeft
}

func (s *Server) putBridgeSettings(ctx context.Context, in *putBridgeSettingsInput) (*bridgeSettingsOutput, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	// What is left for a name that nobody has would lie at the broker for ever.
	if _, err := s.deps.Bridges.Bridge(id); err != nil {
		if _, registered := s.deps.Registry.Snapshot().Sensor(id); !registered {
			return nil, newProblem(http.StatusNotFound, "no bridge %q has reported, and no sensor of this id is registered; register it first if it is still to come", in.ID)
		}
	}
	if fault := settingsFault(in.RawBody); fault != "" {
		p := newProblem(http.StatusUnprocessableEntity, "body: %s", fault)
		p.Errors = []*huma.ErrorDetail{{Message: fault, Location: "body"}}
		return nil, p
	}
	left, err := s.deps.Bridges.Configure(ctx, id, in.RawBody)
	if err != nil {
		return nil, s.bridgeFault(ctx, "leave settings for the bridge", id, err)
	}
	s.log.Info("settings left for a bridge", "bridge", string(id), "settings", left, "bytes", len(in.RawBody))
	return &bridgeSettingsOutput{Body: BridgeSettingsLeft{ID: left}}, nil
}

// settingsFault says what is wrong with settings at first sight; the rest only the bridge knows.
func settingsFault(text []byte) string {
	switch {
	case len(strings.TrimSpace(string(text))) == 0:
		return "the settings are empty; send YAML or JSON, or DELETE to withdraw those that are there"
	case !utf8.Valid(text) || strings.ContainsRune(string(text), 0):
		return "the settings are not text in UTF-8; send YAML or JSON"
	}
	return ""
}

func (s *Server) deleteBridgeSettings(ctx context.Context, in *bridgeInput) (*struct{}, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := s.deps.Bridges.Configure(ctx, id, nil); err != nil {
		return nil, s.bridgeFault(ctx, "withdraw the bridge's settings", id, err)
	}
	s.log.Info("settings of a bridge withdrawn", "bridge", string(id))
	return nil, nil
}
