package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// gpioChip is a chip of the kernel's GPIO character device, version 2 of its interface (Linux 5.10 and later;
// include/uapi/linux/gpio.h).
type gpioChip struct{ file *os.File }

func openChip(path string) (chipDevice, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, openFault(path, err, enabling{pattern: "/dev/gpiochip*", advice: adviseGPIO, group: groupGPIO})
	}
	if _, err := chipInfo(f); err != nil {
		f.Close()
		return nil, fault.New(fault.Misconfigured, fmt.Errorf("open %s: it is no GPIO chip: %w", path, err), adviseGPIO+others("/dev/gpiochip*"))
	}
	return &gpioChip{file: f}, nil
}

// onDescriptor runs an ioctl of uapi on a file. Fd() would do as well, if it did not make the file block.
func onDescriptor(f *os.File, do func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = do(fd) }); err != nil {
		return err
	}
	return result
}

func chipInfo(f *os.File) (info uapi.ChipInfo, err error) {
	err = onDescriptor(f, func(fd uintptr) error {
		info, err = uapi.GetChipInfo(fd)
		return err
	})
	return info, err
}

// chipLabel returns a chip's label, or "" if it cannot be opened: then Open will say why.
func chipLabel(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := chipInfo(f)
	if err != nil {
		return ""
	}
	return uapi.BytesToString(info.Label[:])
}

func (c *gpioChip) lines() ([]chipLine, error) {
	info, err := chipInfo(c.file)
	if err != nil {
		return nil, gpioFault("look at the pins of "+c.file.Name(), err)
	}
	all := make([]chipLine, info.Lines)
	for i := range all {
		err := onDescriptor(c.file, func(fd uintptr) error {
			line, err := uapi.GetLineInfoV2(fd, i)
			all[i] = chipLine{name: uapi.BytesToString(line.Name[:]), used: line.Flags.IsUsed(), consumer: uapi.BytesToString(line.Consumer[:])}
			return err
		})
		if err != nil {
			return nil, gpioFault(fmt.Sprintf("look at pin %d of %s", i, c.file.Name()), err)
		}
	}
	return all, nil
}

func (c *gpioChip) pin(offset int, name string, halted func()) Pin {
	return &gpioPin{chip: c, offset: offset, name: name, halted: halted}
}

// Close ends the chip; pins that were requested live on until their Halt.
func (c *gpioChip) Close() error { return c.file.Close() }

// gpioFault says what the kernel's error means.
func gpioFault(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	switch {
	case errors.Is(err, unix.EBUSY):
		return fault.New(fault.Misconfigured, err, "another program or driver uses the pin: look at config.txt and at the other sensors")
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTTY):
		return fault.New(fault.Misconfigured, err, "the chip cannot do this: set pull to none and use a resistor; Linux 5.10 or later is needed")
	case errors.Is(err, unix.ENXIO):
		return fault.New(fault.Misconfigured, err, "this pin has no interrupt: use another one")
	case errors.Is(err, os.ErrPermission):
		return fault.New(fault.Denied, err, "add the bridge's user to the group "+groupGPIO+", and restart the bridge")
	}
	return fault.New(fault.Lost, err, "the GPIO chip is gone: look at its plug if it is on USB")
}

// gpioPin is a line. It is requested from the kernel by In or Out, and given back by Halt.
type gpioPin struct {
	chip   *gpioChip
	offset int
	name   string
	halted func()

	mu   sync.Mutex
	file *os.File // the requested line; nil before In and after Halt
	pull gpio.Pull
	out  bool

	// Of the one that waits for edges.
	waiting sync.Mutex
	events  eventReader
}

var errNotRequested = errors.New("the pin is neither input nor output yet, or was halted")

// eventBuffer is how many edges the kernel keeps until they are read, at the most that it allows: ten seconds of a meter at
// full load, while the process has no time.
const eventBuffer = 1024

// In makes the line an input. Edges from before are forgotten.
func (p *gpioPin) In(pull gpio.Pull, edge gpio.Edge) error {
	flags := uapi.LineFlagV2Input
	switch pull {
	case gpio.PullUp:
		flags |= uapi.LineFlagV2BiasPullUp
	case gpio.PullDown:
		flags |= uapi.LineFlagV2BiasPullDown
	case gpio.Float:
		flags |= uapi.LineFlagV2BiasDisabled
	}
	if edge == gpio.RisingEdge || edge == gpio.BothEdges {
		flags |= uapi.LineFlagV2EdgeRising
	}
	if edge == gpio.FallingEdge || edge == gpio.BothEdges {
		flags |= uapi.LineFlagV2EdgeFalling
	}
	if err := p.request(uapi.LineConfig{Flags: flags}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pull, p.out = pull, false
	return nil
}

// Out makes the line an output, or changes its level.
func (p *gpioPin) Out(l gpio.Level) error {
	bits := uapi.NewLineBitmap(0)
	if l {
		bits = uapi.NewLineBitmap(1)
	}
	p.mu.Lock()
	file, out := p.file, p.out
	p.mu.Unlock()
	if out && file != nil {
		err := onDescriptor(file, func(fd uintptr) error {
			return uapi.SetLineValuesV2(fd, uapi.LineValues{Bits: bits, Mask: 1})
		})
		if err != nil {
			return gpioFault("set pin "+p.name, err)
		}
		return nil
	}
	config := uapi.LineConfig{Flags: uapi.LineFlagV2Output}
	config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.OutputValues(bits).Encode(), Mask: 1})
	if err := p.request(config); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = true
	return nil
}

func (p *gpioPin) request(config uapi.LineConfig) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		p.file.Close()
		p.file = nil
	}
	request := uapi.LineRequest{Config: config, Lines: 1, EventBufferSize: eventBuffer}
	request.Offsets[0] = uint32(p.offset)
	copy(request.Consumer[:len(request.Consumer)-1], "lamppost-bridge")
	if err := onDescriptor(p.chip.file, func(fd uintptr) error { return uapi.GetLine(fd, &request) }); err != nil {
		return gpioFault("request pin "+p.name, err)
	}
	// Without blocking, so that the runtime waits for it as for a socket: Close and deadlines end a Read.
	if err := unix.SetNonblock(int(request.Fd), true); err != nil {
		return errors.Join(fmt.Errorf("request pin %s: %w", p.name, err), unix.Close(int(request.Fd)))
	}
	p.file = os.NewFile(uintptr(request.Fd), "pin "+p.name)
	return nil
}

func (p *gpioPin) requested() (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil, fault.New(fault.Lost, fmt.Errorf("pin %s: %w", p.name, errNotRequested), "")
	}
	return p.file, nil
}

// Level asks for the present level.
func (p *gpioPin) Level() (gpio.Level, error) {
	file, err := p.requested()
	if err != nil {
		return gpio.Low, err
	}
	values := uapi.LineValues{Mask: 1}
	err = onDescriptor(file, func(fd uintptr) error { return uapi.GetLineValuesV2(fd, &values) })
	if err != nil {
		return gpio.Low, gpioFault("read pin "+p.name, err)
	}
	return values.Get(0) == 1, nil
}

// Read is Level, and low where that cannot be told.
func (p *gpioPin) Read() gpio.Level {
	l, err := p.Level()
	return l && err == nil
}

// NextEdge waits for an edge.
func (p *gpioPin) NextEdge(ctx context.Context) (Edge, error) {
	p.waiting.Lock()
	defer p.waiting.Unlock()
	file, err := p.requested()
	if err != nil {
		return Edge{}, err
	}
	edge, err := p.events.next(ctx, file)
	if err != nil && ctx.Err() == nil {
		return Edge{}, gpioFault("wait for an edge of pin "+p.name, err)
	}
	return edge, err
}

// WaitForEdge waits for an edge for so long; for ever if timeout is negative.
func (p *gpioPin) WaitForEdge(timeout time.Duration) bool {
	ctx := context.Background()
	if timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	_, err := p.NextEdge(ctx)
	return err == nil
}

// Now is the clock that the kernel stamps edges with.
func (p *gpioPin) Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // no kernel is without this clock
	}
	return time.Duration(t.Nano())
}

// Halt gives the pin back, and ends who waits for its edges.
func (p *gpioPin) Halt() error {
	p.mu.Lock()
	file := p.file
	p.file = nil
	p.mu.Unlock()
	p.halted()
	if file == nil {
		return nil
	}
	return file.Close()
}

// String names the pin.
func (p *gpioPin) String() string { return p.name }

// Name names the pin.
func (p *gpioPin) Name() string { return p.name }

// Number is the line's number on its chip.
func (p *gpioPin) Number() int { return p.offset }

// Function says what it is used for.
func (p *gpioPin) Function() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.file == nil:
		return ""
	case p.out:
		return "OUT"
	}
	return "IN"
}

// Pull is what In was told.
func (p *gpioPin) Pull() gpio.Pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pull
}

// DefaultPull is not known.
func (p *gpioPin) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// PWM is not what the character device does.
func (p *gpioPin) PWM(gpio.Duty, physic.Frequency) error { return errors.ErrUnsupported }

// eventSize is the size of struct gpio_v2_line_event.
const eventSize = 48

// eventReader reads edges from a requested line, many at a time.
type eventReader struct {
	file *os.File // where seq and left belong to
	seq  uint32   // of the edge before
	left []byte   // events that were read, and not returned yet
}

// next returns the oldest edge, also if ctx has ended. Otherwise it waits until there is one, ctx ends, or the file is closed.
func (r *eventReader) next(ctx context.Context, file *os.File) (Edge, error) {
	if r.file != file {
		*r = eventReader{file: file}
	}
	if len(r.left) >= eventSize {
		return r.take(), nil
	}
	if err := r.fill(true); err != nil || len(r.left) > 0 {
		return r.takeOr(err)
	}
	stop := context.AfterFunc(ctx, func() { file.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // a file without deadlines is closed already
	defer stop()
	for {
		err := r.fill(false)
		switch {
		case err == nil || len(r.left) > 0:
			return r.takeOr(err)
		case ctx.Err() != nil:
			return Edge{}, ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return Edge{}, err
		}
		// That was the end of an earlier caller's ctx.
		if err := file.SetReadDeadline(time.Time{}); err != nil {
			return Edge{}, err
		}
	}
}

// fill reads what edges there are; it waits for the first unless they are wanted at once.
func (r *eventReader) fill(atOnce bool) error {
	conn, err := r.file.SyscallConn()
	if err != nil {
		return err
	}
	if atOnce {
		if err := r.file.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	buffer := make([]byte, 16*eventSize)
	var n int
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		n, failed = unix.Read(int(fd), buffer)
		return atOnce || !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	switch {
	case err != nil:
		return err
	case failed == nil && n >= eventSize:
		r.left = buffer[:n-n%eventSize]
	case failed == nil:
		return errShort
	case !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR):
		return failed
	}
	return nil
}

func (r *eventReader) takeOr(err error) (Edge, error) {
	if err != nil {
		return Edge{}, err
	}
	return r.take(), nil
}

var errShort = errors.New("the kernel gave no whole event")

// take decodes the first event that is left.
func (r *eventReader) take() Edge {
	at := binary.NativeEndian.Uint64(r.left)
	id := binary.NativeEndian.Uint32(r.left[8:])
	seq := binary.NativeEndian.Uint32(r.left[20:]) // of this line
	r.left = r.left[eventSize:]
	e := Edge{Level: id == uint32(uapi.LineEventRisingEdge), At: time.Duration(at), Lost: int(seq - r.seq - 1)}
	r.seq = seq
	return e
}
