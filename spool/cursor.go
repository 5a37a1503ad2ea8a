package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

const (
	cursorSuffix = ".cursor"
	tempSuffix   = ".tmp"
	// maxReaders bounds the label of the metrics, and the files of a folder that names no readers.
	maxReaders = 64
)

// cursor is how far one reader has committed. Its file holds one line, the position and its CRC32C: "12:3456 89abcdef".
type cursor struct {
	name string
	save sync.Mutex // held while the file is written; taken between Spool.flush and Spool.removal

	// The rest is guarded by Spool.mu.
	at     Position // committed
	frame  uint64   // the number of the frame behind at
	saved  Position // what the file says
	exists bool     // whether there is a file
	failed bool     // whether the file could not be written when that was tried last
	passed Position // segments before it may go: saved, or at if the full disk keeps the file from being written
	reader *Reader  // nil while it is not open
}

func validReaderName(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func cursorPath(dir, name string) string { return filepath.Join(dir, name+cursorSuffix) }

func appendCursor(dst []byte, p Position) []byte {
	text := p.String()
	return fmt.Appendf(dst, "%s %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

func parseCursor(b []byte) (Position, error) {
	text, sum, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), " ")
	want, err := strconv.ParseUint(sum, 16, 32)
	if err != nil || want != uint64(checksum([]byte(text))) {
		return Position{}, fmt.Errorf("cursor %q: the checksum is wrong", b)
	}
	return ParsePosition(text)
}

// readCursor returns os.ErrNotExist for a reader that has none.
func readCursor(fsys fileSystem, path string) (Position, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return Position{}, err
	}
	defer f.Close()
	b := make([]byte, 128)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Position{}, err
	}
	return parseCursor(b[:n])
}

// commit moves c to p. It becomes durable at once, or under SyncInterval within the interval.
func (s *Spool) commit(c *cursor, p Position) error {
	p, frame, err := s.locate(p)
	if err != nil {
		return fmt.Errorf("commit reader %s: %w", c.name, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if c.at.Before(p) {
		c.at, c.frame = p, frame
	}
	later := s.cfg.Sync == SyncInterval && !s.full && !s.diskFull
	s.mu.Unlock()
	if later {
		return nil
	}
	err = s.saveCursor(c)
	s.removeConsumed()
	s.mu.Lock()
	starved := s.full || s.diskFull
	s.mu.Unlock()
	if starved {
		s.releaseNewest()
	}
	return err
}

// saveCursor writes c's file unless it is up to date.
func (s *Spool) saveCursor(c *cursor) error {
	c.save.Lock()
	defer c.save.Unlock()
	s.mu.Lock()
	at := c.at
	same := at == c.saved && c.exists
	s.mu.Unlock()
	if same {
		return nil
	}
	err := s.replaceFile(cursorPath(s.dir, c.name), appendCursor(nil, at))
	s.mu.Lock()
	changed := c.failed != (err != nil)
	c.failed = err != nil
	if err == nil {
		c.saved, c.exists = at, true
	}
	if err == nil || isDiskFull(err) {
		// Without the file a restart reads again what is still there, and that is all. Waiting for room instead, while
		// the segments that would give it may not go, would be for ever.
		c.passed = at
	}
	s.mu.Unlock()
	if changed && err == nil {
		s.log.Info("a cursor can be saved again", "reader", c.name)
	}
	if err != nil {
		s.counts.failed(opCursor)
		if changed { // it is tried again every second, perhaps for months
			s.log.Warn("a cursor cannot be saved", "reader", c.name, "position", at, "err", err)
		}
		return fmt.Errorf("save cursor of reader %s: %w", c.name, err)
	}
	return nil
}

func (s *Spool) saveCursors() error {
	s.mu.Lock()
	todo := make([]*cursor, 0, len(s.cursors))
	for _, c := range s.cursors {
		if c.at != c.saved {
			todo = append(todo, c)
		}
	}
	s.mu.Unlock()
	var err error
	for _, c := range todo {
		err = errors.Join(err, s.saveCursor(c))
	}
	return err
}

// replaceFile gives path new content, so that after a crash it has either the old or the new.
func (s *Spool) replaceFile(path string, content []byte) error {
	temp := path + tempSuffix
	f, err := s.fsys.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return diskError("create", temp, err)
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = s.fsys.Rename(temp, path)
	}
	if err == nil {
		err = s.fsys.SyncDir(s.dir)
	}
	if err != nil {
		return diskError("replace", path, err)
	}
	return nil
}

// lowest is the position that every reader has passed; false if there is no reader. It is called with mu held.
func (s *Spool) lowest() (Position, bool) {
	low, found := Position{}, false
	for _, c := range s.cursors {
		if !found || c.passed.Before(low) {
			low, found = c.passed, true
		}
	}
	if seg, p := s.resolve(low); found && seg != nil {
		low = p
	}
	return low, found
}

// lowestFrame is the number of the first frame that some reader has not committed; that of the oldest frame if there is
// no reader. It is called with mu held.
func (s *Spool) lowestFrame() uint64 {
	if len(s.cursors) == 0 {
		if len(s.segs) == 0 {
			return s.nextFrame()
		}
		return s.segs[0].first
	}
	low := s.nextFrame()
	for _, c := range s.cursors {
		low = min(low, c.frame)
	}
	return low
}
