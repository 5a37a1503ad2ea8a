package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockName is the file that says who uses the folder. It stays behind; only the kernel's lock on it counts, which ends
// with the process, however it ends.
const lockName = "lock"

// lockFolder creates the folder if need be, and takes it for this process. The file must be closed to give it back.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the store's folder %s: %w; check who owns it, or set another one", dir, err)
	}
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write into the store's folder %s: %w; check who owns it, or set another one", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		owner := make([]byte, 20)
		n, _ := f.Read(owner)
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the store's folder %s: %w", dir, err)
		}
		return nil, fmt.Errorf("store's folder %s is in use by process %s; stop that one first, or set another folder",
			dir, strings.TrimSpace(string(owner[:n])))
	}
	if err := errors.Join(f.Truncate(0), writeOwner(f)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write into the store's folder %s: %w; check who owns it and that the disk is not full", dir, err)
	}
	return f, nil
}

func writeOwner(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
