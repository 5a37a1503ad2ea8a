package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/lamppost-city/lamppost/spool"
)

// disk is a disk in memory that behaves as badly as real ones may: what is not synced is gone, or half gone, after power
// loss; what a failed fsync was to write is never written, though it can be read until then; and any operation can fail.
type disk struct {
	mu    sync.Mutex
	names map[string]*inode // as programs see it
	kept  map[string]*inode // as of the newest SyncDir
	owner *mount            // who has the lock

	room   int64                            // bytes that can still be written; negative: any number
	fail   func(op op, path string) error   // nil, or asked before each operation
	unread func(path string, at int64) bool // nil, or which blocks cannot be read
	syncs  int                              // of files, so far
	gate   chan struct{}                    // see setGate
}

type op string

const (
	opOpen   op = "open"
	opCreate op = "create"
	opWrite  op = "write"
	opCut    op = "truncate"
	opSync   op = "sync"
	opDir    op = "syncdir"
	opRename op = "rename"
	opRemove op = "remove"
	opChange op = "any but open"
)

var errDead = errors.New("the process is dead")

type inode struct {
	data  []byte // as programs see it
	kept  []byte // as it is on the platter
	dirty []extent
}

type extent struct{ from, to int64 }

func newDisk() *disk {
	return &disk{names: map[string]*inode{}, kept: map[string]*inode{}, room: -1}
}

// mount is the disk as one process sees it. A dead process sees errors.
type mount struct {
	disk *disk
	dead bool
}

func (d *disk) mount() *mount { return &mount{disk: d} }

// kill ends the process: what it has written stays.
func (m *mount) kill() {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.dead = true
	if m.disk.owner == m {
		m.disk.owner = nil
	}
}

// losePower ends all processes, and all that is not synced but for what keep lets by chance be written: of each
// extent the first so many bytes.
func (d *disk) losePower(m *mount, keepNames bool, keep func(extent) int64) {
	m.kill()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !keepNames {
		d.names = maps.Clone(d.kept)
	}
	for _, n := range d.names {
		for _, e := range n.dirty {
			e.to = min(e.to, int64(len(n.data)), e.from+keep(e))
			n.persist(e)
		}
		n.data, n.dirty = append([]byte(nil), n.kept...), nil
	}
	d.kept = maps.Clone(d.names)
}

func (n *inode) persist(e extent) {
	if e.to <= e.from {
		return
	}
	if grow := e.to - int64(len(n.kept)); grow > 0 {
		n.kept = append(n.kept, make([]byte, grow)...)
	}
	copy(n.kept[e.from:e.to], n.data[e.from:e.to])
}

func (m *mount) check(op op, path string) error {
	if m.dead {
		return errDead
	}
	if m.disk.fail != nil {
		if err := m.disk.fail(op, path); err != nil {
			return &fs.PathError{Op: string(op), Path: path, Err: err}
		}
	}
	return nil
}

func (m *mount) OpenFile(path string, flag int, _ fs.FileMode) (spool.File, error) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	n := m.disk.names[path]
	kind := opOpen
	if flag&os.O_CREATE != 0 {
		kind = opCreate
	}
	if err := m.check(kind, path); err != nil {
		return nil, err
	}
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case n != nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrExist}
	case n == nil:
		n = &inode{}
		m.disk.names[path] = n
	case flag&os.O_TRUNC != 0:
		n.data = nil
	}
	return &openFile{mount: m, inode: n, path: path}, nil
}

func (m *mount) Rename(from, to string) error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if err := m.check(opRename, to); err != nil {
		return err
	}
	n := m.disk.names[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	m.disk.names[to] = n
	delete(m.disk.names, from)
	return nil
}

func (m *mount) Remove(path string) error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if err := m.check(opRemove, path); err != nil {
		return err
	}
	n := m.disk.names[path]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	if m.disk.room >= 0 {
		m.disk.room += int64(len(n.data))
	}
	delete(m.disk.names, path)
	return nil
}

func (m *mount) List(dir string) ([]string, error) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	var names []string
	for path := range m.disk.names {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

func (m *mount) MakeDir(string) error { return nil }

func (m *mount) SyncDir(dir string) error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if err := m.check(opDir, dir); err != nil {
		return err
	}
	m.disk.kept = maps.Clone(m.disk.names)
	return nil
}

func (m *mount) Lock(path string) (io.Closer, error) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if m.disk.owner != nil {
		return nil, fmt.Errorf("%w: %s", spool.ErrLocked, path)
	}
	m.disk.owner = m
	return lock{m}, nil
}

type lock struct{ mount *mount }

func (l lock) Close() error {
	l.mount.disk.mu.Lock()
	defer l.mount.disk.mu.Unlock()
	if l.mount.disk.owner == l.mount {
		l.mount.disk.owner = nil
	}
	return nil
}

type openFile struct {
	mount *mount
	inode *inode
	path  string
}

func (f *openFile) ReadAt(b []byte, at int64) (int, error) {
	f.mount.disk.mu.Lock()
	defer f.mount.disk.mu.Unlock()
	if f.mount.dead {
		return 0, errDead
	}
	if at >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	end := min(at+int64(len(b)), int64(len(f.inode.data)))
	if bad := f.mount.disk.unread; bad != nil {
		for off := at; off < end; off++ {
			if bad(f.path, off) {
				return copy(b, f.inode.data[at:off]), syscall.EIO
			}
		}
	}
	n := copy(b, f.inode.data[at:end])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *openFile) WriteAt(b []byte, at int64) (int, error) {
	d := f.mount.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	alive := !f.mount.dead
	err := f.mount.check(opWrite, f.path)
	if err != nil && !errors.Is(err, syscall.ENOSPC) && (!alive || !errors.Is(err, errDead)) {
		return 0, err
	}
	if err != nil {
		b = b[:len(b)/2] // a full disk takes a part, and so it does from a process that dies
	}
	if grow := at + int64(len(b)) - int64(len(f.inode.data)); grow > 0 {
		if d.room >= 0 && grow > d.room {
			b = b[:max(0, int64(len(b))-(grow-d.room))]
			err = syscall.ENOSPC
			grow = d.room
		}
		if d.room >= 0 {
			d.room -= grow
		}
		f.inode.data = append(f.inode.data, make([]byte, max(0, grow))...)
	}
	copy(f.inode.data[at:], b)
	f.inode.dirty = append(f.inode.dirty, extent{at, at + int64(len(b))})
	return len(b), err
}

func (f *openFile) Truncate(size int64) error {
	d := f.mount.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.mount.check(opCut, f.path); err != nil {
		return err
	}
	if cut := int64(len(f.inode.data)) - size; cut > 0 {
		f.inode.data = f.inode.data[:size]
		if d.room >= 0 {
			d.room += cut
		}
	}
	return nil
}

func (f *openFile) Sync() error {
	d := f.mount.disk
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	if gate != nil {
		gate <- struct{}{} // arrived
		<-gate             // may go on
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.mount.dead {
		return errDead
	}
	d.syncs++
	err := f.mount.check(opSync, f.path)
	if errors.Is(err, errDead) {
		return err // it has not come to the disk
	}
	n := f.inode
	dirty := n.dirty
	n.dirty = nil // also after an error: that is the trap
	if err != nil {
		return err
	}
	for _, e := range dirty {
		e.to = min(e.to, int64(len(n.data)))
		n.persist(e)
	}
	if len(n.kept) > len(n.data) {
		n.kept = n.kept[:len(n.data)]
	}
	return nil
}

func (f *openFile) Size() (int64, error) {
	f.mount.disk.mu.Lock()
	defer f.mount.disk.mu.Unlock()
	return int64(len(f.inode.data)), nil
}

func (f *openFile) Close() error { return nil }

// failing returns a fault that lets the first skip operations of the kind pass and fails the next n with err.
func failing(kind op, skip, n int, err error) func(op, string) error {
	return func(o op, _ string) error {
		if o != kind && (kind != opChange || o == opOpen) {
			return nil
		}
		if skip--; skip >= 0 {
			return nil
		}
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

// killer returns a fault that is the death of the process at its next operation but so many.
func (m *mount) killer(after int) func(op, string) error {
	return func(op, string) error {
		if after--; after >= 0 {
			return nil
		}
		m.dead = true // the disk's mutex is held
		m.disk.owner = nil
		return errDead
	}
}

// inject sets the fault; nil takes it away.
func (d *disk) inject(fail func(op, string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// put makes a file, durably.
func (d *disk) put(path string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{data: bytes.Clone(content), kept: bytes.Clone(content)}
	d.names[path], d.kept[path] = n, n
}

func (d *disk) size(path string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.names[path].data))
}

// list returns the paths that end in suffix.
func (d *disk) list(suffix string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var paths []string
	for path := range d.names {
		if strings.HasSuffix(path, suffix) {
			paths = append(paths, path)
		}
	}
	return paths
}

func (d *disk) setUnread(unread func(path string, at int64) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unread = unread
}

// setGate makes each fsync send to gate when it begins, and receive from it before it does anything. nil ends that.
func (d *disk) setGate(gate chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = gate
}

func (d *disk) synced() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// takeRoom leaves no byte free.
func (d *disk) takeRoom() { d.setRoom(0) }

// setRoom says how many bytes can still be written; negative: any number.
func (d *disk) setRoom(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = bytes
}
