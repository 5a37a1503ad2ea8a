package write

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/ingest/ledger"
	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/telemetry"
)

// judge finds out which suspects of the job's first frame the store has already, and keeps the verdict before anything
// is written: afterwards the store has them all. It reports false if ctx ended before.
func (w *Writer) judge(ctx context.Context, j *job) bool {
	p := &j.parts[0]
	for pause := w.cfg.MinBackoff; ; pause = min(2*pause, w.cfg.MaxBackoff) {
		verdicts, err := w.verdict(ctx, p)
		if err == nil {
			w.recovered() // there may be nothing left to write that would tell
			p.verdicts = verdicts
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.complain(err)
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// What the store has of a suspect.
const (
	unknown = iota
	// known: the same value.
	known
	// changed: another value, which is to be overwritten.
	changed
)

// verdict returns for each suspect what the store has of it.
func (w *Writer) verdict(ctx context.Context, p *part) ([]byte, error) {
	verdicts, decided, err := w.deps.Ledger.Verdict(ctx, p.end)
	if err != nil || decided {
		return verdicts, err
	}
	began := time.Now()
	verdicts = make([]byte, len(p.frame.Suspects))
	for _, group := range groups(p.frame.Suspects) {
		if err := w.mark(ctx, p.frame.Suspects, group, verdicts); err != nil {
			return nil, err
		}
	}
	w.metrics.suspects.Add(float64(len(verdicts)))
	w.metrics.lookup.Observe(time.Since(began).Seconds())
	return verdicts, w.deps.Ledger.Decide(ctx, p.end, verdicts)
}

// maxQuiet is the longest stretch without a suspect inside one question to the store.
const maxQuiet = telemetry.UnixMilli(6 * time.Hour / time.Millisecond)

// groups sorts the suspects' indexes into questions: one domain and sensor, and times that are not far apart.
func groups(suspects []frame.Suspect) [][]int {
	order := make([]int, len(suspects))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &suspects[a], &suspects[b]
		return cmp.Or(cmp.Compare(x.Domain, y.Domain), cmp.Compare(x.Sensor, y.Sensor), cmp.Compare(x.Measured, y.Measured))
	})
	var all [][]int
	begin := 0
	for i := 1; i <= len(order); i++ {
		if i < len(order) {
			x, y := &suspects[order[i-1]], &suspects[order[i]]
			if x.Domain == y.Domain && x.Sensor == y.Sensor && y.Measured-x.Measured <= maxQuiet {
				continue
			}
		}
		if begin < i {
			all = append(all, order[begin:i])
		}
		begin = i
	}
	return all
}

// point is what makes two readings of one sensor the same.
type point struct {
	quantity, channel string
	measured          telemetry.UnixMilli
}

// mark asks the store about one group. Of two suspects that are the same, the later one is not new in any case.
func (w *Writer) mark(ctx context.Context, suspects []frame.Suspect, group []int, verdicts []byte) error {
	first, last := &suspects[group[0]], &suspects[group[len(group)-1]]
	has := make(map[point]float64)
	err := w.deps.Store.Points(ctx, first.Domain, first.Sensor, first.Measured.Time(), (last.Measured + 1).Time(), func(v store.Value) error {
		has[point{v.Quantity, v.Channel, v.Time}] = v.Value
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(group) // in the order of arrival
	for _, i := range group {
		s := &suspects[i]
		p := point{s.Quantity, s.Channel, s.Measured}
		if value, ok := has[p]; ok {
			verdicts[i] = known
			if value != s.Value {
				verdicts[i] = changed
			}
		}
		has[p] = s.Value
	}
	return nil
}

// leaveOutKnown takes out of the body what the store has already: written once more it would overwrite itself, but
// become a second point where the sensor's site has changed since.
func (j *job) leaveOutKnown() {
	p := &j.parts[0]
	has := make(map[int][]string) // quantities of a line that the store has as they are
	for i, verdict := range p.verdicts {
		if s := &p.frame.Suspects[i]; verdict == known {
			has[s.Line] = append(has[s.Line], s.Quantity)
		}
	}
	j.kept = make([]int, 0, j.lines)
	kept, rest := j.body[:0], j.body
	for line := range j.lines {
		length := bytes.IndexByte(rest, '\n') + 1
		text := rest[:length]
		rest = rest[length:]
		if names := has[line]; len(names) > 0 {
			text = without(text, names)
		}
		if len(text) > 0 {
			kept = append(kept, text...) // never longer than what has been read
			j.kept = append(j.kept, line)
		}
	}
	j.body = kept
}

// without takes fields out of a line; nothing is left if it has no others.
func without(line []byte, names []string) []byte {
	head, rest, _ := bytes.Cut(line, []byte(" "))
	at := bytes.LastIndexByte(rest, ' ')
	var left [][]byte
	for field := range bytes.SplitSeq(rest[:at], []byte(",")) {
		name, _, _ := bytes.Cut(field, []byte("="))
		if !slices.Contains(names, string(name)) {
			left = append(left, field)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return slices.Concat(head, []byte(" "), bytes.Join(left, []byte(",")), rest[at:])
}

// corrections sums up what writing a frame showed: suspects that the store had, and lines that it refused.
func (j *job) corrections(p *part) ([]ledger.Correction, []frame.Refused) {
	var all []ledger.Correction
	duplicates := make(map[int]int64) // by line of the frame
	for i, verdict := range p.verdicts {
		if verdict == unknown {
			continue
		}
		s := &p.frame.Suspects[i]
		duplicates[s.Line]++
		known := ledger.Correction{Sensor: s.Sensor, Minute: ledger.MinuteOf(s.Measured), Duplicate: 1}
		if s.Late {
			known.Late = 1
		}
		all = append(all, known)
	}
	var refused []frame.Refused
	for _, bad := range j.bad {
		line := bad.index - p.first
		if line < 0 || line >= len(p.frame.Accepted) {
			continue
		}
		sensor, measured := parseLine(bad.text)
		n := int64(p.frame.Accepted[line]) - duplicates[line]
		all = append(all, ledger.Correction{Sensor: sensor, Minute: ledger.MinuteOf(measured), Refused: n})
		refused = append(refused, frame.Refused{
			Received: telemetry.MilliOf(time.Now()), Minute: ledger.MinuteOf(measured), Publisher: sensor, Payload: bad.text, SizeBytes: int64(len(bad.text)),
			Faults: []frame.Fault{{Reason: telemetry.ReasonStore, Counted: sensor, Sensor: sensor, Detail: bad.why, Readings: n}},
		})
	}
	return all, refused
}
