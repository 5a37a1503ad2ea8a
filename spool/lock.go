package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock uses flock: the kernel gives it back when the process dies, however it dies. The file itself stays, with the
// holder's process id for the message to whoever comes second.
func (osFS) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, fmt.Errorf("%w: %s is held%s; stop the other process or use another folder", ErrLocked, path, holder(f))
	}
	// The id is a courtesy: a disk that cannot take it does not keep the spool from opening.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return fileLock{f}, nil
}

type fileLock struct{ f *os.File }

// Close unlocks before it closes: a child that another goroutine forks in this moment holds a copy of the descriptor
// until its exec, and with it the lock.
func (l fileLock) Close() error {
	return errors.Join(unix.Flock(int(l.f.Fd()), unix.LOCK_UN), l.f.Close())
}

func holder(f *os.File) string {
	var text [32]byte
	n, _ := f.ReadAt(text[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return ""
	}
	return " by process " + strconv.Itoa(pid)
}
