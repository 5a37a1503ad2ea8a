package pulse

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

// tally is the count, as it was, is, and is told. It survives restarts exactly, and power cuts short by the pulses since the
// last save, which is at most a minute ago: an SD card does not bear more.
//
// A power cut must not make a total run backwards, nor count rain twice. So a total is never told beyond what a save has
// promised (ceiling); after a cut it stands at the promise until the count has come up to it. What is told by the period is
// saved as told.
type tally struct {
	counted uint64 // all pulses, as far as known
	told    uint64 // of these, those that were told by the period
	floor   uint64 // the most that may have been told as a total before the last cut
	ceiling uint64 // the most that may be told now

	saved      record
	savedAt    clock.Instant
	savedSince bool // savedAt counts: there was a save since the start
}

// record is what is saved: counted, and what of it has been told (by the period) or may have been (as a total).
type record struct{ counted, told uint64 }

// saveEvery is how often the count is saved, and hurry how much earlier that may be, so that a reading every minute is
// always of a total that was just saved.
const (
	saveEvery = time.Minute
	hurry     = 5 * time.Second
)

// The saved state: a word, two numbers, and their checksum.
const (
	magic      = "lpc1"
	stateBytes = 4 + 8 + 8 + 4
)

var errTorn = errors.New("the saved count is damaged")

func (r record) encode() []byte {
	b := append(make([]byte, 0, stateBytes), magic...)
	b = binary.BigEndian.AppendUint64(b, r.counted)
	b = binary.BigEndian.AppendUint64(b, r.told)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// decode is errTorn for anything that encode did not make. nil, which is what there is before the first save, is a count of nothing; an
// empty file is what a card may make of one that was there.
func decode(b []byte) (record, error) {
	if b == nil {
		return record{}, nil
	}
	if len(b) != stateBytes || string(b[:4]) != magic ||
		crc32.Checksum(b[:stateBytes-4], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[stateBytes-4:]) {
		return record{}, errTorn
	}
	return record{counted: binary.BigEndian.Uint64(b[4:]), told: binary.BigEndian.Uint64(b[12:])}, nil
}

// load begins with what was saved.
func (t *tally) load(r record) {
	*t = tally{counted: r.counted, told: r.told, floor: r.told, ceiling: r.told, saved: r}
}

// mayBeSaved says whether the last save is long enough ago.
func (t *tally) mayBeSaved(now clock.Instant) bool {
	return !t.savedSince || now.Sub(t.savedAt) >= saveEvery-hurry
}

// total is what the total is if it may be told.
func (t *tally) total() uint64 { return max(t.counted, t.floor) }

// promise is the record of a total that will be told before the next save can be: as many pulses ahead as came in twice the
// time since the last one, and a few.
func (t *tally) promise() record {
	const few = 16
	return record{counted: t.counted, told: t.total() + 2*(t.counted-min(t.saved.counted, t.counted)) + few}
}

// exact is the record of a total that is saved each time before it is told.
func (t *tally) exact() record { return record{counted: t.counted, told: t.total()} }

// period is the record of what is told by the period.
func (t *tally) period() record { return record{counted: t.counted, told: t.told} }

// keep notes that r was saved.
func (t *tally) keep(r record, now clock.Instant) {
	t.saved, t.savedAt, t.savedSince, t.ceiling = r, now, true, r.told
}
