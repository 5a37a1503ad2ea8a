package write

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
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
		err := w.verdict(ctx, p)
		if err == nil {
			w.recovered() // there may be nothing left to write that would tell
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

// place is where the store has a value: under which tags.
type place struct {
	// known is false for what the store did not have before the frame.
	known          bool
	site, district string
}

// verdict finds out for each suspect what the store has of it, and where.
func (w *Writer) verdict(ctx context.Context, p *part) error {
	verdicts, decided, err := w.deps.Ledger.Verdict(ctx, p.end)
	if err != nil {
		return err
	}
	if decided && !slices.Contains(verdicts, changed) {
		p.verdicts, p.places = verdicts, nil
		return nil
	}
	began := time.Now()
	p.verdicts, p.places = make([]byte, len(p.frame.Suspects)), make([]place, len(p.frame.Suspects))
	for _, group := range groups(p.frame.Suspects) {
		if err := w.mark(ctx, p, group); err != nil {
			return err
		}
	}
	w.metrics.suspects.Add(float64(len(p.verdicts)))
	w.metrics.lookup.Observe(time.Since(began).Seconds())
	if decided {
		// The process before may have written the frame. Where it did, and where it would, is the same.
		p.verdicts = verdicts
		return nil
	}
	return w.deps.Ledger.Decide(ctx, p.end, p.verdicts)
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
func (w *Writer) mark(ctx context.Context, p *part, group []int) error {
	type stored struct {
		value float64
		place place
	}
	suspects := p.frame.Suspects
	first, last := &suspects[group[0]], &suspects[group[len(group)-1]]
	has := make(map[point]stored)
	err := w.deps.Store.Points(ctx, first.Domain, first.Sensor, first.Measured.Time(), (last.Measured + 1).Time(), func(v store.Value) error {
		has[point{v.Quantity, v.Channel, v.Time}] = stored{v.Value, place{known: true, site: v.Site, district: v.District}}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(group) // in the order of arrival
	for _, i := range group {
		s := &suspects[i]
		at := point{s.Quantity, s.Channel, s.Measured}
		before, ok := has[at]
		if ok {
			p.places[i], p.verdicts[i] = before.place, known
			if before.value != s.Value {
				p.verdicts[i] = changed
			}
		}
		has[at] = stored{s.Value, before.place}
	}
	return nil
}

// keptLine is a line of a job's body of which some lines were left out or parted.
type keptLine struct {
	// line is its index in the job's frames.
	line int
	// overwrites tells that none of its values is new.
	overwrites bool
}

// sortOut takes out of the body what the store has already, and puts what overwrites a value under the tags where that
// stands: the sensor's site may have changed since, and under the new one it would become a second value.
func (j *job) sortOut() {
	p := &j.parts[0]
	told := make(map[int][]int) // suspects that the store has, by their line
	for i, verdict := range p.verdicts {
		if verdict != unknown {
			told[p.frame.Suspects[i].Line] = append(told[p.frame.Suspects[i].Line], i)
		}
	}
	j.kept = make([]keptLine, 0, j.lines)
	body, rest := j.spare[:0], j.body
	for line := range j.lines {
		length := bytes.IndexByte(rest, '\n') + 1
		text := rest[:length]
		rest = rest[length:]
		if suspects := told[line]; len(suspects) > 0 {
			body = j.part(body, line, text, suspects)
			continue
		}
		body = append(body, text...)
		j.kept = append(j.kept, keptLine{line: line})
	}
	j.body, j.spare = body, j.body
}

// part appends to body what is to be written of a line: the fields that stay in it, and lines of their own for those
// that stand elsewhere.
func (j *job) part(body []byte, line int, text []byte, suspects []int) []byte {
	p := &j.parts[0]
	head, rest, _ := bytes.Cut(text, []byte(" "))
	end := bytes.LastIndexByte(rest, ' ')
	var stay, elsewhere []byte
	moved := 0
	for field := range bytes.SplitSeq(rest[:end], []byte(",")) {
		name, _, _ := bytes.Cut(field, []byte("="))
		of := slices.IndexFunc(suspects, func(i int) bool { return p.frame.Suspects[i].Quantity == string(name) })
		if of >= 0 && p.verdicts[suspects[of]] == known {
			continue
		}
		if of >= 0 {
			if stands := p.stands(suspects[of]); stands != nil && !bytes.Equal(stands, head) {
				elsewhere = slices.Concat(elsewhere, stands, []byte(" "), field, rest[end:])
				moved++
				continue
			}
		}
		if len(stay) > 0 {
			stay = append(stay, ',')
		}
		stay = append(stay, field...)
	}
	if len(stay) > 0 {
		body = append(append(append(append(body, head...), ' '), stay...), rest[end:]...)
		j.kept = append(j.kept, keptLine{line: line})
	}
	for range moved {
		j.kept = append(j.kept, keptLine{line: line, overwrites: true})
	}
	return append(body, elsewhere...)
}

// stands returns the beginning of the line under which the store has a suspect, or nil if only this frame has it.
func (p *part) stands(suspect int) []byte {
	s, where := &p.frame.Suspects[suspect], p.places[suspect]
	if !where.known {
		return nil
	}
	return frame.AppendHead(nil, frame.Head{
		Domain: s.Domain, Channel: s.Channel, District: escaped.Replace(where.district), Sensor: s.Sensor, Site: escaped.Replace(where.site),
	})
}

// escaped writes a tag's value as line protocol asks for it: not all that is in the store need have come from here.
var escaped = strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `)

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
		if bad.overwrites {
			n = 0
		}
		all = append(all, ledger.Correction{Sensor: sensor, Minute: ledger.MinuteOf(measured), Refused: n})
		refused = append(refused, frame.Refused{
			Received: telemetry.MilliOf(time.Now()), Minute: ledger.MinuteOf(measured), Publisher: sensor, Payload: bad.text, SizeBytes: int64(len(bad.text)),
			Faults: []frame.Fault{{Reason: telemetry.ReasonStore, Counted: sensor, Sensor: sensor, Detail: bad.why, Readings: n}},
		})
	}
	return all, refused
}
