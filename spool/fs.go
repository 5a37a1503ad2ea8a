package spool

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fileSystem is what the spool asks of a disk. There are two: the real one below, and the tests' one that tears writes,
// fails fsync and loses power.
type fileSystem interface {
	// OpenFile is os.OpenFile.
	OpenFile(path string, flag int, perm fs.FileMode) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	// List returns the names of the files in dir, in no particular order.
	List(dir string) ([]string, error)
	// MakeDir makes dir and its parents, durably, unless it is there.
	MakeDir(dir string) error
	// SyncDir makes the creation, renaming and removal of dir's files durable.
	SyncDir(dir string) error
	// Lock takes path for this process until the Closer is closed, or returns ErrLocked.
	Lock(path string) (io.Closer, error)
}

// file is an open file. WriteAt and ReadAt follow the contracts of package io.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync makes the bytes written and the size durable. After an error the state of the file is unknown.
	Sync() error
	Size() (int64, error)
}

type osFS struct{}

type osFile struct{ *os.File }

func (osFS) OpenFile(path string, flag int, perm fs.FileMode) (file, error) {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(path string) error     { return os.Remove(path) }

func (osFS) List(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (o osFS) MakeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is a file, not a folder", dir)
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return o.SyncDir(filepath.Dir(dir))
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (f osFile) Sync() error { return syncData(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
