package api

import (
	"context"
	"time"

	"github.com/lamppost-city/lamppost/query"
)

// PipelineState is how the way of the readings does at this moment.
type PipelineState struct {
	ReceivedPerS  float64     `json:"received_per_s" doc:"Readings a second that arrive."`
	WrittenPerS   float64     `json:"written_per_s" doc:"Readings a second that the store takes."`
	Waiting       int64       `json:"waiting" doc:"Accepted readings that the store has not yet."`
	Quarantined   int64       `json:"quarantined" doc:"Messages in quarantine."`
	RejectedTotal int64       `json:"rejected_total" doc:"Readings refused so far."`
	Spool         SpoolState  `json:"spool"`
	Parts         []PartState `json:"parts" nullable:"false" doc:"The parts of the process, in the order in which they start."`
	DelayMS       DelayState  `json:"delay_ms" doc:"From receipt until the store has it, in milliseconds."`
	Started       Time        `json:"started"`
	Version       string      `json:"version"`
}

// SpoolState is the queue on disk between broker and store.
type SpoolState struct {
	Bytes    int64   `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`
	OldestS  float64 `json:"oldest_s" doc:"Age of what has waited longest, in seconds."`
	Full     bool    `json:"full"`
}

// DelayState holds percentiles over the last minute or so.
type DelayState struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// PartState is a part of the process.
type PartState struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Message string `json:"message" doc:"What is wrong; empty when ready."`
}

type pipelineOutput struct {
	Body PipelineState
}

func (s *Server) getPipeline(ctx context.Context, _ *struct{}) (*pipelineOutput, error) {
	state, err := s.deps.Pipeline.State(ctx)
	if err != nil {
		return nil, s.fault(ctx, "ask how the readings flow", err)
	}
	state.Parts = s.deps.Parts.Parts()
	if state.Parts == nil {
		state.Parts = []PartState{}
	}
	return &pipelineOutput{Body: state}, nil
}

// AuditReport compares the ledger with the rows in the store.
type AuditReport struct {
	Clean       bool              `json:"clean" doc:"Whether every accepted reading is in the store, once, or waiting."`
	From        Time              `json:"from"`
	To          Time              `json:"to"`
	Readings    int64             `json:"readings" doc:"Readings that the ledger holds as written."`
	Rows        int64             `json:"rows" doc:"Values that the store holds."`
	Waiting     int64             `json:"waiting" doc:"Accepted readings that are still on their way."`
	Differences []AuditDifference `json:"differences" nullable:"false" doc:"Minutes of sensors where the two differ, at most 1000."`
	Truncated   bool              `json:"truncated" doc:"Whether there are more differences than are listed."`
}

// AuditDifference is a minute of a sensor in which ledger and store differ.
type AuditDifference struct {
	Sensor string `json:"sensor"`
	Time   Time   `json:"time"`
	Ledger int64  `json:"ledger"`
	Store  int64  `json:"store"`
}

type auditInput struct {
	From string `query:"from" maxLength:"40" doc:"Begin, rounded down to an hour: RFC 3339, Unix milliseconds, or relative like -24h or -7d. Without it, the ledger's beginning." example:"-24h"`
	To   string `query:"to" maxLength:"40" doc:"End, rounded up to an hour; without it, everything." example:"now"`
}

type auditOutput struct {
	Body AuditReport
}

func (s *Server) getAudit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	first, end, err := parseRange(in.From, in.To, 0, time.Now())
	if err != nil {
		return nil, err
	}
	var from, to time.Time
	if in.From != "" {
		from = first.Time()
	}
	if in.To != "" {
		to = end.Time()
	}
	done, err := s.begin(ctx, s.queries)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AuditTimeout)
	defer cancel()
	report, err := s.deps.Audit.Audit(ctx, from, to)
	if refusal, ok := query.RefusalOf(err); ok && refusal.Kind == query.TooMuch {
		s.log.Warn("store did not answer", "action", "compare ledger and store", "error", err)
		return nil, badQuery("from", in.From, "is further from to than the store allows for one comparison; compare a shorter range")
	}
	if err != nil {
		return nil, s.storeFault(ctx, "compare ledger and store", err)
	}
	if report.Differences == nil {
		report.Differences = []AuditDifference{}
	}
	return &auditOutput{Body: report}, nil
}
