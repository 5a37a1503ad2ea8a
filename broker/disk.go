package broker

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeBytes is the room that this user has left on the disk of dir.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // narrower on 32 bits
}

// startBytes is what nats-server may write while it starts. On a disk without room it stops half-way, and may hang.
const startBytes = 4 << 20

// roomToStart returns an error if there is not even room to start.
func roomToStart(dir string) error {
	free, err := freeBytes(dir)
	if err != nil {
		return err
	}
	if free >= startBytes {
		return nil
	}
	return fmt.Errorf("the disk of the broker's folder %s is full: %d bytes are free, a start takes %d; make room and start again", dir, free, startBytes)
}
