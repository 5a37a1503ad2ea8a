package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame on disk, integers little endian:
//
//	0        4        8        12       16
//	| length | index  | sum    | check  | payload ... |
//
// length counts the payload's bytes and is never 0. index is the frame's number within its segment, from 0, so that a gap
// tells how many frames are missing. sum is the CRC32C of the payload. check is the CRC32C of the first twelve bytes,
// started from a value that depends on the segment's random salt and on the frame's offset. So a header proves itself
// without its payload, and proves where it stands: a payload that contains the image of a frame is never taken for one.
const (
	frameHeaderBytes = 16
	// maxFrameBytes keeps lengths far from the edge of 32 bits.
	maxFrameBytes = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // uses the processor's instruction where there is one

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

type frameHeader struct {
	length, index, sum uint32
}

// size is the frame's bytes on disk.
func (h frameHeader) size() int64 { return frameHeaderBytes + int64(h.length) }

// appendFrame appends a frame whose header still lacks all but the length; stampFrames fills in the rest.
func appendFrame(dst, payload []byte) []byte {
	var header [frameHeaderBytes]byte
	binary.LittleEndian.PutUint32(header[:], uint32(len(payload)))
	dst = append(dst, header[:]...)
	return append(dst, payload...)
}

// stampFrames completes the headers of the frames in buf, the first of which will stand at offset at and have the given
// index. It returns how many there are. Stamping again for another place is allowed.
func stampFrames(buf []byte, salt uint64, at int64, index uint32) uint32 {
	n := uint32(0)
	for len(buf) > 0 {
		size := frameHeaderBytes + frameLength(buf)
		binary.LittleEndian.PutUint32(buf[4:], index+n)
		binary.LittleEndian.PutUint32(buf[8:], checksum(buf[frameHeaderBytes:size]))
		binary.LittleEndian.PutUint32(buf[12:], crc32.Update(checkSeed(salt, at), castagnoli, buf[:12]))
		buf = buf[size:]
		at += int64(size)
		n++
	}
	return n
}

// frameLength reads the payload's length from a header that is not stamped yet, or was.
func frameLength(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }

// parseFrameHeader reads the header in the first bytes of b, which stand at offset at, and reports whether it proves itself.
func parseFrameHeader(b []byte, salt uint64, at int64) (frameHeader, bool) {
	h := frameHeader{
		length: binary.LittleEndian.Uint32(b),
		index:  binary.LittleEndian.Uint32(b[4:]),
		sum:    binary.LittleEndian.Uint32(b[8:]),
	}
	if h.length == 0 || h.length > maxFrameBytes {
		return h, false
	}
	return h, crc32.Update(checkSeed(salt, at), castagnoli, b[:12]) == binary.LittleEndian.Uint32(b[12:])
}

// checkSeed spreads salt and offset over 32 bits (the finaliser of MurmurHash3, which is a bijection before it is cut).
func checkSeed(salt uint64, at int64) uint32 {
	x := salt + uint64(at)*0x9e3779b97f4a7c15
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return uint32(x)
}
