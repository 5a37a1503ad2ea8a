package query

import (
	"context"
	"time"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// answer asks the store for all of a run, or for what of it is not kept, and gives the parts to each in order of time.
//
//	From ┆ cut │ block │ block │ block │ cut ┆ To
//	       ask    kept    ask     kept   ask
func (h *History) answer(ctx context.Context, what asked, r run, each func(store.Series) error) error {
	length := blockOf(r.every)
	steps := int64(0)
	if length > 0 {
		steps = int64(r.to.Sub(r.from)/r.every) + 2
	}
	// Where an answer would be truncated what is left of it is not worth keeping.
	if h.blocks.bytes == 0 || length == 0 || steps > int64(what.limit) {
		return h.past.Stream(ctx, what.statement(r, what.limit), each)
	}
	text := what.statement(run{stretch{time.UnixMilli(0), time.UnixMilli(0)}, r.every, r.offset}, 0)
	part := r // what is not kept, up to here
	for at := r.blockAt(r.firstBlock()); !at.Add(length).After(r.to); at = at.Add(length) {
		series, ok := h.blocks.get(blockKey{text, telemetry.MilliOf(at)}, length)
		if !ok {
			continue
		}
		part.to = at
		if err := h.fetch(ctx, text, what, part, each); err != nil {
			return err
		}
		for i := range series {
			if err := each(series[i]); err != nil {
				return err
			}
		}
		part.from = at.Add(length)
	}
	part.to = r.to
	return h.fetch(ctx, text, what, part, each)
}

// fetch asks the store for a run, and keeps the whole blocks of it.
func (h *History) fetch(ctx context.Context, text string, what asked, r run, each func(store.Series) error) error {
	if !r.from.Before(r.to) {
		return nil
	}
	since := h.blocks.now()
	var all []store.Series
	rows := 0
	err := h.past.Stream(ctx, what.statement(r, what.limit), func(s store.Series) error {
		if rows += s.Rows(); rows <= h.cfg.MaxPoints {
			all = append(all, s)
		}
		return each(s)
	})
	if err != nil || rows > h.cfg.MaxPoints {
		return err
	}
	parts := split(all, blockOf(r.every), r.offset)
	for n := r.firstBlock(); !r.blockAt(n + 1).After(r.to); n++ {
		h.blocks.put(blockKey{text, telemetry.MilliOf(r.blockAt(n))}, parts[n], since) // nothing is an answer as well
	}
	return nil
}

// firstBlock is the number of the first block that is whole in the run.
func (r run) firstBlock() int64 {
	return ceilDiv(r.from.UnixMilli()-r.offset.Milliseconds(), blockOf(r.every).Milliseconds())
}

// blockAt is where a block begins.
func (r run) blockAt(number int64) time.Time {
	return time.UnixMilli(number*blockOf(r.every).Milliseconds() + r.offset.Milliseconds())
}
