// Package smalldisk gives tests a file system of their own that can be filled. In comes a folder, out goes a tmpfs that is
// mounted there until the test ends; where none can be mounted, the test is skipped and says why. The spool's tests call it, the
// outbox's and the bridge's.
package smalldisk

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Mount mounts a tmpfs at dir, with options such as "size=256k". It takes root.
func Mount(t testing.TB, dir, options string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a tmpfs takes root")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
			_ = unix.Unmount(dir, unix.MNT_DETACH) // so that it does not outlive the test
		}
	})
}

// Remount mounts the tmpfs at dir again with other flags, such as unix.MS_RDONLY; 0 makes it writable. Where that cannot be done, the
// test is skipped.
func Remount(t testing.TB, dir string, flags uintptr) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, ""); err != nil {
		t.Skipf("the tmpfs cannot be mounted again here: %v", err)
	}
}

// Fill writes a file until its file system has no room.
func Fill(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
}
