package query

import (
	"context"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// stretch is a part of a question's time.
type stretch struct{ from, to time.Time }

// answer asks the store for all of a question in one domain, or for what is not kept, and gives the parts to each in
// order of time.
//
//	From ┆ cut │ block │ block │ block │ cut ┆ To
//	       ask    kept    ask     kept   ask
func (h *History) answer(ctx context.Context, domain telemetry.Domain, quantities []*telemetry.Quantity, q HistoryQuery, limit int, each func(store.Series) error) error {
	length := blockOf(q.Step)
	steps := int64(0)
	if length > 0 {
		steps = int64(q.To.Sub(q.From)/q.Step) + 2
	}
	// Where an answer would be truncated what is left of it is not worth keeping.
	if h.blocks.bytes == 0 || length == 0 || steps > int64(limit) {
		return h.past.Stream(ctx, statement(domain, quantities, q, limit), each)
	}
	of := q
	of.From, of.To = time.UnixMilli(0), time.UnixMilli(0)
	text := statement(domain, quantities, of, 0)
	first := time.UnixMilli(ceilDiv(q.From.UnixMilli(), length.Milliseconds()) * length.Milliseconds())
	ask := stretch{q.From, q.From} // what is not kept, up to here
	for at := first; !at.Add(length).After(q.To); at = at.Add(length) {
		series, ok := h.blocks.get(blockKey{text, telemetry.MilliOf(at)}, length)
		if !ok {
			continue
		}
		ask.to = at
		if err := h.fetch(ctx, text, domain, quantities, q, ask, limit, each); err != nil {
			return err
		}
		for i := range series {
			if err := each(series[i]); err != nil {
				return err
			}
		}
		ask.from = at.Add(length)
	}
	ask.to = q.To
	return h.fetch(ctx, text, domain, quantities, q, ask, limit, each)
}

// fetch asks the store for a stretch of a question, and keeps the whole blocks of it.
func (h *History) fetch(ctx context.Context, text string, domain telemetry.Domain, quantities []*telemetry.Quantity, q HistoryQuery, part stretch, limit int, each func(store.Series) error) error {
	if !part.from.Before(part.to) {
		return nil
	}
	q.From, q.To = part.from, part.to
	since := h.blocks.now()
	var all []store.Series
	rows := 0
	err := h.past.Stream(ctx, statement(domain, quantities, q, limit), func(s store.Series) error {
		if rows += s.Rows(); rows <= h.cfg.MaxPoints {
			all = append(all, s)
		}
		return each(s)
	})
	if err != nil || rows > h.cfg.MaxPoints {
		return err
	}
	width := blockOf(q.Step).Milliseconds()
	parts := split(all, blockOf(q.Step))
	for n := ceilDiv(part.from.UnixMilli(), width); (n+1)*width <= part.to.UnixMilli(); n++ {
		h.blocks.put(blockKey{text, telemetry.UnixMilli(n * width)}, parts[n], since) // nothing is an answer as well
	}
	return nil
}
