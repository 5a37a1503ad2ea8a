package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/influxdata/influxdb/tsdb/engine/tsm1"
)

// repairLogs cuts what a crash has left behind the last whole entry of the write-ahead logs.
//
// The engine cuts it too, but after it has opened the same file for appending at its old end. What is written and
// answered from then on comes behind a hole, and the next start cuts the file at the hole: two crashes lose what was
// stored between them. With the end cut before the engine opens the file there is no hole.
func repairLogs(dir string, log *slog.Logger) error {
	// wal/DATABASE/POLICY/SHARD/_00001.wal; Glob sorts, so the last of a folder is the one that is appended to.
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*", "*", "*", "_*.wal"))
	if err != nil {
		return err
	}
	for i, name := range segments {
		last := i == len(segments)-1 || filepath.Dir(segments[i+1]) != filepath.Dir(name)
		if !last {
			continue
		}
		if err := repairLog(name, log); err != nil {
			return fmt.Errorf("repair the store's log %s: %w", name, err)
		}
	}
	return nil
}

func repairLog(name string, log *slog.Logger) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	whole, err := wholeEntries(f, info.Size())
	if err != nil {
		return err
	}
	if whole = goodEntries(f, whole); whole == info.Size() {
		return nil
	}
	log.Warn("store's log ends in the middle of a write that was not answered, cut it off",
		"file", name, "kept_bytes", whole, "cut_bytes", info.Size()-whole)
	return errors.Join(f.Truncate(whole), f.Sync())
}

// wholeEntries returns where the last entry ends that is there in its full length. It reads only the heads: one byte of
// type, four of length.
func wholeEntries(f io.ReaderAt, size int64) (int64, error) {
	const head = 5
	var at int64
	for at+head <= size {
		var b [head]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return 0, err
		}
		end := at + head + int64(binary.BigEndian.Uint32(b[1:]))
		if end > size {
			break
		}
		at = end
	}
	return at, nil
}

// goodEntries returns where the last entry ends that can be read, of those that end before size: after power loss a file
// can have its length but not its bytes.
func goodEntries(f io.ReaderAt, size int64) int64 {
	r := tsm1.NewWALSegmentReader(io.NopCloser(io.NewSectionReader(f, 0, size)))
	for r.Next() {
		if _, err := r.Read(); err != nil {
			break
		}
	}
	return r.Count()
}
