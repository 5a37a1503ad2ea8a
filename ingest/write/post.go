package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/lamppost-city/lamppost/store"
)

// post writes a job and returns when every line is in the store or refused, or ctx ended.
func (w *Writer) post(ctx context.Context, j *job) {
	lines := j.lines
	if j.kept != nil {
		lines = len(j.kept)
	}
	j.complete = w.postLines(ctx, j, j.body, 0, lines)
}

// postLines writes the lines of a body that begin with line first of the job's body. It reports false if ctx ended before.
func (w *Writer) postLines(ctx context.Context, j *job, body []byte, first, lines int) bool {
	if lines == 0 {
		return true
	}
	for pause := w.cfg.MinBackoff; ; pause = min(2*pause, w.cfg.MaxBackoff) {
		began := time.Now()
		err := w.deps.Store.Write(ctx, body)
		w.metrics.observe(err, time.Since(began))
		if err == nil {
			j.took = true
			w.recovered()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		var answer *store.Error
		if !errors.As(err, &answer) {
			answer = &store.Error{Kind: store.Retry, Err: err}
		}
		if answer.Kind == store.TooLarge || answer.Kind == store.Rejected {
			if lines > 1 || w.takes(ctx, j) {
				return w.divide(ctx, j, body, first, lines, answer)
			}
			answer = &store.Error{Kind: store.Denied}
			err = fmt.Errorf("it refuses whatever it is sent: %w", err)
		}
		w.complain(err)
		wait := pause/2 + rand.N(pause/2+1)
		if answer.Kind == store.Denied {
			wait = w.cfg.MaxBackoff
		}
		if !sleep(ctx, max(wait, min(answer.RetryAfter, w.cfg.MaxRetryAfter))) {
			return false
		}
	}
}

// divide writes the two halves of lines that the store would not take together. A single line that it will not take
// goes to quarantine. What was stored of the first attempt overwrites itself.
func (w *Writer) divide(ctx context.Context, j *job, body []byte, first, lines int, answer *store.Error) bool {
	if lines == 1 {
		of := keptLine{line: first}
		if j.kept != nil {
			of = j.kept[first]
		}
		j.bad = append(j.bad, badLine{index: of.line, overwrites: of.overwrites, text: bytes.Clone(body), why: answer.Error()})
		return true
	}
	half, at := lines/2, 0
	for range half {
		at += bytes.IndexByte(body[at:], '\n') + 1
	}
	return w.postLines(ctx, j, body[:at], first, half) && w.postLines(ctx, j, body[at:], first+half, lines-half)
}

// probe is a line that no store has a reason of its own to refuse.
const probe = "lamppost_probe ok=1 "

// takes tells whether the store takes anything, before a line is taken for bad that it has refused: of the job, or else the
// probe. A request may be refused for what all have in common, such as a missing organisation.
func (w *Writer) takes(ctx context.Context, j *job) bool {
	if j.took {
		return true
	}
	line := strconv.AppendInt([]byte(probe), time.Now().UnixMilli(), 10)
	if w.deps.Store.Write(ctx, append(line, '\n')) != nil {
		return false
	}
	j.took = true
	w.recovered()
	return true
}

// complain raises health once; logging every attempt would bury the first.
func (w *Writer) complain(err error) {
	if w.trouble.Swap(&err) == nil {
		w.log.Warn("store takes no readings; they are kept in the spool", "error", err)
	}
}

func (w *Writer) recovered() {
	if w.trouble.Swap(nil) != nil {
		w.log.Info("store takes readings again")
	}
}

// sleep waits and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
