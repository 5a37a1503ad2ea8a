package bus

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// i2cDevice is a bus of the kernel's i2c-dev. periph's host/sysfs, which does the same, tells the kernel's error as text only,
// and has neither quick writes nor a timeout.
//
// It is opened again by the next transaction after its adapter was unplugged.
type i2cDevice struct {
	path    string
	timeout time.Duration

	mu     sync.Mutex
	file   *os.File // nil while the adapter is gone
	closed bool
	quick  bool
}

var (
	_ i2c.BusCloser = (*i2cDevice)(nil)
	_ quick         = (*i2cDevice)(nil)
	_ taker         = (*i2cDevice)(nil)
)

// From include/uapi/linux/i2c-dev.h and i2c.h of the kernel.
const (
	i2cTimeout    = 0x0702 // in units of 10 ms
	i2cSlave      = 0x0703
	i2cFuncs      = 0x0705
	i2cRdwr       = 0x0707
	i2cRead       = 0x0001 // flag of a message
	i2cFuncI2C    = 0x00000001
	i2cFuncQuick  = 0x00010000
	i2cMaxMessage = 8192
)

// i2cMessage is struct i2c_msg.
type i2cMessage struct {
	address uint16
	flags   uint16
	length  uint16
	data    *byte
}

// i2cTransfer is struct i2c_rdwr_ioctl_data.
type i2cTransfer struct {
	messages *i2cMessage
	count    uint32
}

func newI2CDevice(path string, timeout time.Duration) (*i2cDevice, error) {
	d := &i2cDevice{path: path, timeout: timeout}
	if err := d.reopen(); err != nil {
		return nil, err
	}
	return d, nil
}

// reopen opens the file; the caller holds mu or is the only one.
func (d *i2cDevice) reopen() error {
	f, err := os.OpenFile(d.path, os.O_RDWR, 0)
	if err != nil {
		return openFault(d.path, err, enabling{pattern: "/dev/i2c-*", advice: adviseI2C, group: adviseI2CGroup})
	}
	var functions uintptr // unsigned long
	if err := control(f, i2cFuncs, unsafe.Pointer(&functions)); err != nil || functions&i2cFuncI2C == 0 {
		f.Close()
		return fault.New(fault.Misconfigured, fmt.Errorf("open %s: %w", d.path, errors.Join(errNotI2C, err)), "set device to one like /dev/i2c-1"+others("/dev/i2c-*"))
	}
	if d.timeout > 0 {
		if err := controlValue(f, i2cTimeout, uintptr(max(1, d.timeout/(10*time.Millisecond)))); err != nil {
			f.Close()
			return fmt.Errorf("set the timeout of %s: %w", d.path, err)
		}
	}
	d.quick = functions&i2cFuncQuick != 0
	d.file = f
	return nil
}

// Tx is one transaction: what is written, and then, without giving up the bus, what is read.
func (d *i2cDevice) Tx(address uint16, w, r []byte) error {
	if len(w) > i2cMaxMessage || len(r) > i2cMaxMessage {
		return fmt.Errorf("%s, address %#x: more than %d bytes in one transaction", d.path, address, i2cMaxMessage)
	}
	messages := make([]i2cMessage, 0, 2)
	if len(w) > 0 {
		messages = append(messages, i2cMessage{address: address, length: uint16(len(w)), data: &w[0]})
	}
	if len(r) > 0 {
		messages = append(messages, i2cMessage{address: address, flags: i2cRead, length: uint16(len(r)), data: &r[0]})
	}
	if len(messages) == 0 {
		return nil
	}
	return d.transfer(address, messages)
}

// Quick asks whether the address is acknowledged.
func (d *i2cDevice) Quick(address uint16) error {
	d.mu.Lock()
	can := d.quick
	d.mu.Unlock()
	if !can {
		return d.Tx(address, nil, make([]byte, 1))
	}
	return d.transfer(address, []i2cMessage{{address: address}})
}

// Taken says whether a driver of the kernel uses the address.
func (d *i2cDevice) Taken(address uint16) bool {
	f, err := d.opened()
	return err == nil && errors.Is(controlValue(f, i2cSlave, uintptr(address)), unix.EBUSY)
}

// transfer is safe for several callers: the kernel lets one transaction after another onto the bus.
func (d *i2cDevice) transfer(address uint16, messages []i2cMessage) error {
	f, err := d.opened()
	if err != nil {
		return err
	}
	t := &i2cTransfer{messages: &messages[0], count: uint32(len(messages))}
	err = control(f, i2cRdwr, unsafe.Pointer(t))
	if err == nil {
		return nil
	}
	if gone(err) {
		d.drop(f)
	}
	return I2CFault(d.path, address, err)
}

func (d *i2cDevice) opened() (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, I2CFault(d.path, 0, os.ErrClosed)
	}
	if d.file == nil {
		if err := d.reopen(); err != nil {
			return nil, err
		}
	}
	return d.file, nil
}

// drop closes a file whose adapter is gone.
func (d *i2cDevice) drop(f *os.File) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == f {
		f.Close()
		d.file = nil
	}
}

// Close ends the bus for all who use it.
func (d *i2cDevice) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.file
	d.closed, d.file = true, nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// SetSpeed does nothing: the clock is the device tree's (dtparam=i2c_arm_baudrate).
func (d *i2cDevice) SetSpeed(physic.Frequency) error { return nil }

// String is the device's path.
func (d *i2cDevice) String() string { return d.path }

// control is an ioctl with a pointer. An interrupted one is tried again.
func control(f *os.File, request uint, argument unsafe.Pointer) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = conn.Control(func(fd uintptr) {
		for range 3 {
			if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(argument)); errno != unix.EINTR {
				return
			}
		}
	})
	if err == nil && errno != 0 {
		return errno
	}
	return err
}

// controlValue is an ioctl with a number.
func controlValue(f *os.File, request uint, value uintptr) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = conn.Control(func(fd uintptr) { _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), value) })
	if err == nil && errno != 0 {
		return errno
	}
	return err
}

// gone says whether the adapter was unplugged.
func gone(err error) bool { return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESHUTDOWN) }

// I2CFault says what the kernel's error means (Documentation/i2c/fault-codes.rst; adapters keep to it more or less).
func I2CFault(path string, address uint16, err error) error {
	at := fmt.Errorf("%s, address %#x: %w", path, address, err)
	is := func(these ...error) bool {
		for _, one := range these {
			if errors.Is(err, one) {
				return true
			}
		}
		return false
	}
	switch {
	case is(unix.ENXIO, unix.EREMOTEIO, unix.EIO):
		return fault.New(fault.Absent, at, adviseAbsent)
	case is(unix.ETIMEDOUT, unix.EAGAIN, unix.EBUSY):
		return fault.New(fault.Lost, at, adviseStuck)
	case is(os.ErrPermission):
		return fault.New(fault.Denied, at, "this user may not use "+path+": add it to the group "+adviseI2CGroup+", and restart the bridge")
	case is(os.ErrClosed):
		return fault.New(fault.Lost, fmt.Errorf("%s: %w", path, err), "")
	case gone(err):
		return fault.New(fault.Lost, at, adviseGone)
	case is(unix.EOPNOTSUPP, unix.EINVAL):
		return fault.New(fault.Misconfigured, at, "the adapter of the bus cannot do what this sensor needs")
	}
	return fault.New(fault.Other, at, "")
}
