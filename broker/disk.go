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
