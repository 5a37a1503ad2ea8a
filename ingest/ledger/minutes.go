package ledger

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/lamppost-city/lamppost/ingest/frame"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Totals are sums of readings over sensors and time.
type Totals struct {
	frame.Counts
	// Written counts accepted readings that the store has.
	Written int64
	// Rejected counts refused readings by reason; reasons that did not occur are absent.
	Rejected map[telemetry.Reason]int64
}

// Waiting is how many accepted readings are still on their way to the store.
func (t Totals) Waiting() int64 { return t.Accepted - t.Written }

// RejectedSum adds up all reasons.
func (t Totals) RejectedSum() int64 {
	sum := int64(0)
	for _, n := range t.Rejected {
		sum += n
	}
	return sum
}

// Add adds other to t.
func (t *Totals) Add(other Totals) {
	t.Counts.Add(other.Counts)
	t.Written += other.Written
	for reason, n := range other.Rejected {
		t.reject(reason, n)
	}
}

// reject adds n to one reason and forgets reasons that come to nothing.
func (t *Totals) reject(reason telemetry.Reason, n int64) {
	if t.Rejected == nil {
		t.Rejected = make(map[telemetry.Reason]int64, 1)
	}
	t.Rejected[reason] += n
	if t.Rejected[reason] == 0 {
		delete(t.Rejected, reason)
	}
}

// hour is the blob of a row: the minutes of an hour that are not empty, by minute of the hour. Each is encoded as the
// minute (a byte), the eight counters (varints), the number of reasons (a byte), and each reason (a byte) with its sum
// (a varint).
type hour map[byte]*Totals

func (h hour) at(minute byte) *Totals {
	t, ok := h[minute]
	if !ok {
		t = new(Totals)
		h[minute] = t
	}
	return t
}

func (t *Totals) counters() [8]*int64 {
	return [8]*int64{&t.Received, &t.Duplicate, &t.Late, &t.Stamped, &t.Accepted, &t.Reports, &t.Missing, &t.Written}
}

// nothing tells whether all sums have come to nothing.
func (t *Totals) nothing() bool {
	return t.Counts == frame.Counts{} && t.Written == 0 && len(t.Rejected) == 0
}

// encode appends the sums of a minute of the hour, unless all have come to nothing.
func (t *Totals) encode(dst []byte, minute byte) []byte {
	if t.nothing() {
		return dst
	}
	dst = append(dst, minute)
	for _, n := range t.counters() {
		dst = binary.AppendVarint(dst, *n)
	}
	dst = append(dst, byte(len(t.Rejected)))
	if len(t.Rejected) == 0 {
		return dst
	}
	for _, reason := range slices.Sorted(maps.Keys(t.Rejected)) {
		dst = append(dst, byte(reason))
		dst = binary.AppendVarint(dst, t.Rejected[reason])
	}
	return dst
}

var errBlob = errors.New("minutes of an hour are damaged")

func decodeHour(blob []byte) (hour, error) {
	h := make(hour)
	return h, decode(blob, h.at)
}

// decode reads the minutes of an hour into what at returns for each.
func decode(blob []byte, at func(minute byte) *Totals) error {
	number := func() (int64, error) {
		n, size := binary.Varint(blob)
		if size <= 0 {
			return 0, errBlob
		}
		blob = blob[size:]
		return n, nil
	}
	for len(blob) > 0 {
		minute := blob[0]
		if minute > 59 {
			return errBlob
		}
		blob = blob[1:]
		t := at(minute)
		for _, counter := range t.counters() {
			n, err := number()
			if err != nil {
				return err
			}
			*counter = n
		}
		if len(blob) == 0 {
			return errBlob
		}
		reasons := int(blob[0])
		blob = blob[1:]
		for range reasons {
			if len(blob) == 0 {
				return errBlob
			}
			reason := telemetry.Reason(blob[0])
			blob = blob[1:]
			n, err := number()
			if err != nil {
				return err
			}
			t.reject(reason, n)
		}
	}
	return nil
}
