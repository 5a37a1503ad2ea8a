package spool

import (
	"encoding/binary"
	"io"
	"log/slog"
)

type (
	FileSystem = fileSystem
	File       = file
)

const (
	SegmentHeaderBytes = segmentHeaderBytes
	FrameHeaderBytes   = frameHeaderBytes
	MaxBadFiles        = maxBadFiles
)

func RealDisk() FileSystem { return osFS{} }

func OpenOn(fsys FileSystem, dir string, cfg Config, log *slog.Logger) (*Spool, error) {
	return openOn(fsys, dir, cfg, log)
}

// ParseSegment gives a fuzzer the reading of a segment file: the payloads that are whole, and where the frames end.
func ParseSegment(f io.ReaderAt, size int64) (payloads [][]byte, end int64, err error) {
	header, err := readSegmentHeader(f)
	if err != nil {
		return nil, 0, err
	}
	w := newWindow(4096)
	found, err := surveySegment(&w, f, header.salt, size)
	if err != nil {
		return nil, 0, err
	}
	for at := int64(segmentHeaderBytes); at < found.end; {
		payload, h, v, err := readFrame(&w, f, header.salt, at, size)
		if err != nil {
			return nil, 0, err
		}
		switch v {
		case frameWhole:
			payloads = append(payloads, append([]byte(nil), payload...))
			at += h.size()
		case frameWrongPayload:
			at += h.size()
		default:
			next, _, ok, err := findFrame(&w, f, header.salt, at+1, size, false)
			if err != nil || !ok {
				return payloads, found.end, err
			}
			at = next
		}
	}
	return payloads, found.end, nil
}

// Kill ends the spool as the end of the process would: nothing is synced or saved.
func (s *Spool) Kill() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stopTend()
	<-s.tended
	_ = s.closeReaders()
	_ = s.unlock.Close()
}

// Gathered is how many callers wait in the group that fills.
func (s *Spool) Gathered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.group.members
}

// SealHeader makes the checksums of both copies of a segment's header right again.
func SealHeader(content []byte) {
	for i := range 2 {
		b := content[i*headerRecordBytes:]
		binary.LittleEndian.PutUint32(b[64:], checksum(b[:64]))
	}
}

func ParseCursor(b []byte) (Position, error)     { return parseCursor(b) }
func AppendCursor(dst []byte, p Position) []byte { return appendCursor(dst, p) }
