package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A segment begins with its header, twice, so that no single damaged byte costs the whole segment. Integers are little
// endian:
//
//	0       8         12      16       24      32     40        48        56     64    68
//	| magic | version | carry | number | first | prev | prevEnd | created | salt | sum |
//
// number is the segment's own, as in its file name; the first frame's position is number:136. first is how many frames
// the spool had ever taken before. prev and prevEnd say which segment came before, and where the frames that count end
// in it: what stands behind that, after a failed fsync, was written again into this segment. The first carry bytes of
// this segment are such frames that had been handed out already, so that positions in the old place stay valid.
// created is in milliseconds of Unix time. sum is the CRC32C of all before it.
const (
	segmentMagic       = "lampspl\n"
	segmentVersion     = 1
	headerRecordBytes  = 68
	segmentHeaderBytes = 2 * headerRecordBytes
	maxSegmentBytes    = 1 << 40

	segmentSuffix = ".seg"
	badSuffix     = ".bad"
)

type segmentHeader struct {
	number  uint64
	first   uint64
	prev    uint64
	prevEnd int64
	carry   uint32
	created time.Time
	salt    uint64
}

// segment is one file. The header and path never change; the rest is guarded by Spool.mu.
type segment struct {
	segmentHeader
	path string

	size    int64  // bytes of the file, as far as they are known to be taken
	end     int64  // where the frames end that readers may have
	frames  uint32 // how many those are, damaged ones included
	firstAt time.Time
	lastAt  time.Time // when the newest frame came; estimated after a restart
	holes   []hole    // damage found so far, by offset
}

// hole is a stretch of a segment that holds no readable frame.
type hole struct{ from, to int64 }

func (g *segment) start() Position { return Position{g.number, segmentHeaderBytes} }
func (g *segment) last() Position  { return Position{g.number, g.end} }

// appendHeader appends both copies.
func (h segmentHeader) appendHeader(dst []byte) []byte {
	b := make([]byte, headerRecordBytes)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], segmentVersion)
	binary.LittleEndian.PutUint32(b[12:], h.carry)
	binary.LittleEndian.PutUint64(b[16:], h.number)
	binary.LittleEndian.PutUint64(b[24:], h.first)
	binary.LittleEndian.PutUint64(b[32:], h.prev)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.prevEnd))
	binary.LittleEndian.PutUint64(b[48:], uint64(h.created.UnixMilli()))
	binary.LittleEndian.PutUint64(b[56:], h.salt)
	binary.LittleEndian.PutUint32(b[64:], checksum(b[:64]))
	return append(append(dst, b...), b...)
}

// parseSegmentHeader reads the first of the copies in b that is whole. b may be short.
func parseSegmentHeader(b []byte) (segmentHeader, error) {
	var first error
	for i := range 2 {
		if len(b) < (i+1)*headerRecordBytes {
			break
		}
		h, err := parseHeaderRecord(b[i*headerRecordBytes:])
		if err == nil {
			return h, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = fmt.Errorf("%w: the file has %d bytes", errHeader, len(b))
	}
	return segmentHeader{}, first
}

func parseHeaderRecord(b []byte) (segmentHeader, error) {
	if !bytes.Equal(b[:8], []byte(segmentMagic)) {
		return segmentHeader{}, fmt.Errorf("%w: it begins with %q", errHeader, b[:8])
	}
	if binary.LittleEndian.Uint32(b[64:]) != checksum(b[:64]) {
		return segmentHeader{}, fmt.Errorf("%w: the checksum is wrong", errHeader)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != segmentVersion {
		return segmentHeader{}, fmt.Errorf("%w %d, only %d is known", errVersion, v, segmentVersion)
	}
	return segmentHeader{
		carry:   binary.LittleEndian.Uint32(b[12:]),
		number:  binary.LittleEndian.Uint64(b[16:]),
		first:   binary.LittleEndian.Uint64(b[24:]),
		prev:    binary.LittleEndian.Uint64(b[32:]),
		prevEnd: int64(binary.LittleEndian.Uint64(b[40:])),
		created: time.UnixMilli(int64(binary.LittleEndian.Uint64(b[48:]))),
		salt:    binary.LittleEndian.Uint64(b[56:]),
	}, nil
}

func readSegmentHeader(f io.ReaderAt) (segmentHeader, error) {
	b := make([]byte, segmentHeaderBytes)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return segmentHeader{}, err
	}
	return parseSegmentHeader(b[:n])
}

// segmentPath pads the number so that names sort like numbers.
func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", number, segmentSuffix))
}

// badPath names the file that keeps the damaged bytes of a segment from an offset on.
func badPath(dir string, number uint64, from int64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d-%d%s", number, from, badSuffix))
}

// fileNumber reads the segment's number from the name of a segment or of a bad file.
func fileNumber(name, suffix string) (uint64, bool) {
	stem, found := strings.CutSuffix(name, suffix)
	if !found {
		return 0, false
	}
	if suffix == badSuffix {
		stem, _, _ = strings.Cut(stem, "-")
	}
	if len(stem) != 20 {
		return 0, false
	}
	number, err := strconv.ParseUint(stem, 10, 64)
	return number, err == nil
}
