package api

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/telemetry"
)

// QuarantineEntry is a message of which some or all readings were refused.
type QuarantineEntry struct {
	ID        int64             `json:"id"`
	Received  Time              `json:"received"`
	Reason    string            `json:"reason" doc:"Why it was refused: the reason asked for, or the first one."`
	Topic     string            `json:"topic"`
	Publisher string            `json:"publisher" doc:"As the topic says; empty where it says none."`
	Sensor    string            `json:"sensor" doc:"As the payload says, if it could be read so far; it need not be registered."`
	Detail    string            `json:"detail" doc:"What was wrong, for a person."`
	Readings  int64             `json:"readings" doc:"How many readings were refused for this reason."`
	Faults    []QuarantineFault `json:"faults" nullable:"false" doc:"Everything that was wrong with the message."`
	SizeBytes int64             `json:"size_bytes" doc:"Length of the whole payload."`
	Payload   string            `json:"payload_base64" doc:"The raw bytes in base64, possibly cut."`
	Truncated bool              `json:"truncated" doc:"Whether only the beginning of the payload was kept."`
}

// QuarantineFault is one of the things wrong with a message.
type QuarantineFault struct {
	Reason   string `json:"reason"`
	Sensor   string `json:"sensor"`
	Detail   string `json:"detail"`
	Readings int64  `json:"readings"`
}

// QuarantineList is a page of entries and how many there are on all pages.
type QuarantineList struct {
	Items []QuarantineEntry `json:"items" nullable:"false"`
	Total int64             `json:"total"`
}

type quarantineInput struct {
	Reason string `query:"reason" maxLength:"40" doc:"Only messages refused for this reason." example:"unregistered"`
	Sensor string `query:"sensor" maxLength:"63" doc:"Only messages refused for this sensor."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
	Before int64  `query:"before" minimum:"0" doc:"Only messages with a smaller id: the last one of the page before."`
}

type quarantineOutput struct {
	Body QuarantineList
}

func (s *Server) getQuarantine(ctx context.Context, in *quarantineInput) (*quarantineOutput, error) {
	reason, err := parseReason(in.Reason)
	if err != nil {
		return nil, err
	}
	messages, total, err := s.deps.Quarantine.Quarantined(ctx, ledger.QuarantineFilter{
		Reason: reason, Sensor: telemetry.SensorID(in.Sensor), Before: in.Before, Limit: in.Limit,
	})
	if err != nil {
		return nil, s.fault(ctx, "list the quarantine", err)
	}
	list := QuarantineList{Items: make([]QuarantineEntry, len(messages)), Total: total}
	for i := range messages {
		list.Items[i] = quarantineEntry(&messages[i], reason)
	}
	return &quarantineOutput{Body: list}, nil
}

func quarantineEntry(m *ledger.Message, asked telemetry.Reason) QuarantineEntry {
	e := QuarantineEntry{
		ID:        m.ID,
		Received:  Time(m.Received),
		Topic:     m.Topic,
		Publisher: string(m.Publisher),
		SizeBytes: m.SizeBytes,
		Payload:   base64.StdEncoding.EncodeToString(m.Payload),
		Truncated: int64(len(m.Payload)) < m.SizeBytes,
		Faults:    make([]QuarantineFault, len(m.Faults)),
	}
	for i, f := range m.Faults {
		e.Faults[i] = QuarantineFault{Reason: f.Reason.String(), Sensor: string(f.Sensor), Detail: f.Detail, Readings: f.Readings}
		if e.Reason == "" || f.Reason == asked && e.Reason != asked.String() {
			e.Reason, e.Sensor, e.Detail, e.Readings = f.Reason.String(), string(f.Sensor), f.Detail, f.Readings
		}
	}
	return e
}

// parseReason reads a reason's name; "" is ReasonNone.
func parseReason(name string) (telemetry.Reason, error) {
	if name == "" {
		return telemetry.ReasonNone, nil
	}
	reason, ok := telemetry.ParseReason(name)
	if !ok {
		var names []string
		for _, r := range telemetry.Reasons() {
			names = append(names, r.String())
		}
		return 0, badQuery("reason", name, "%q is not a reason; use one of %s", cut(name), strings.Join(names, ", "))
	}
	return reason, nil
}

// ReplayRequest names what to take in again; both empty means everything.
type ReplayRequest struct {
	Reason string  `json:"reason,omitempty" maxLength:"40" doc:"Only messages refused for this reason."`
	IDs    []int64 `json:"ids,omitempty" maxItems:"1000" doc:"Only these messages."`
}

// ReplayResult says what became of them.
type ReplayResult struct {
	Replayed     int64 `json:"replayed" doc:"Messages that have left the quarantine."`
	StillRefused int64 `json:"still_refused" doc:"Messages that were refused again and stay."`
}

type replayInput struct {
	Body ReplayRequest
}

type replayOutput struct {
	Body ReplayResult
}

func (s *Server) replayQuarantine(ctx context.Context, in *replayInput) (*replayOutput, error) {
	reason, err := parseReason(in.Body.Reason)
	if err != nil {
		return nil, err
	}
	done, err := s.begin(ctx, s.writes)
	if err != nil {
		return nil, err
	}
	defer done()
	began := time.Now()
	result, err := s.deps.Replay.Replay(ctx, reason, in.Body.IDs)
	if err != nil {
		return nil, s.fault(ctx, "replay the quarantine", err)
	}
	s.log.Info("quarantine replayed", "replayed", result.Replayed, "still_refused", result.StillRefused, "took_ms", time.Since(began).Milliseconds())
	return &replayOutput{Body: result}, nil
}
