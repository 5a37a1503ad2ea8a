package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData uses fdatasync, which spares the journal write that only a newer modification time would need; a changed size
// is written all the same.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = conn.Control(func(fd uintptr) {
		failure = unix.Fdatasync(int(fd))
		for errors.Is(failure, unix.EINTR) {
			failure = unix.Fdatasync(int(fd))
		}
	})
	if err != nil {
		return err
	}
	return failure
}
