package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// wire is a way to the units of a line. It has one user, save that Close may come at any time.
type wire interface {
	// ask sends a request and returns the answer: function code and data, those of an exception too. The answer may take
	// patience to begin. A fault of kind Timeout leaves the wire usable; so does one of kind Garbled, on a serial line.
	ask(r modbusRequest, patience time.Duration) ([]byte, error)
	Close() error
}

// modbusLine is a Modbus line.
type modbusLine struct {
	cfg     Config
	log     *slog.Logger
	open    func(ctx context.Context) (wire, error)
	scheme  string // rtu, rtuovertcp or tcp
	timeout time.Duration

	asks chan *modbusAsk
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	wire   wire // nil while closed
	closed bool

	// What follows is the worker's own.
	heard    bool           // a unit has answered since the line was opened
	deaf     int            // requests in a row that nobody answered
	answered map[uint8]bool // whether a unit answered its last request
	failures int            // since the last answer, to open the line or to keep it open
	after    time.Time      // the line is not opened before
	why      error          // what was wrong with it
	owed     map[uint8]*debt
}

// modbusAsk is one Read that waits.
type modbusAsk struct {
	modbusRequest
	gone     <-chan struct{} // closed when nobody waits any more
	end      time.Time       // when the caller will go; zero if it stays
	patience time.Duration   // how long the answer may take to begin
	answer   chan modbusAnswer
}

func (a *modbusAsk) wanted() bool {
	select {
	case <-a.gone:
		return false
	default:
		return true
	}
}

type modbusAnswer struct {
	values []uint16
	err    error
}

var _ Registers = (*modbusLine)(nil)

func (l *modbusLine) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go l.run(ctx)
}

// Close ends the line; requests that wait end with a fault of kind Lost.
func (l *modbusLine) Close() error {
	l.stop()
	l.mu.Lock()
	l.closed = true
	w := l.wire
	l.mu.Unlock()
	var err error
	if w != nil {
		err = w.Close()
	}
	<-l.done
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) { // run was quicker
		return nil
	}
	return err
}

// Read waits for its turn: those that wait are served in the order in which they came, so that no sensor and no unit keeps
// the line for itself. It returns when ctx ends, though the line may still be waiting for the answer.
func (l *modbusLine) Read(ctx context.Context, unit uint8, table Table, address, n uint16) ([]uint16, error) {
	return l.read(ctx, modbusRequest{unit, table, address, n}, l.timeout)
}

func (l *modbusLine) read(ctx context.Context, r modbusRequest, patience time.Duration) ([]uint16, error) {
	a := &modbusAsk{modbusRequest: r, gone: ctx.Done(), patience: patience, answer: make(chan modbusAnswer, 1)}
	a.end, _ = ctx.Deadline()
	if err := a.check(); err != nil {
		return nil, fault.New(fault.Misconfigured, err, "")
	}
	select {
	case l.asks <- a:
	case <-ctx.Done():
		return nil, l.ended(ctx, a, "the line was busy with other units", "the line has more to do than it can: read its sensors less often, or set a higher baud rate")
	case <-l.done:
		return nil, l.over(a)
	}
	select {
	case got := <-a.answer:
		return got.values, got.err
	case <-ctx.Done():
		return nil, l.ended(ctx, a, "no answer in the time given", "")
	case <-l.done:
		return nil, l.over(a)
	}
}

// ended is the error of a Read whose context ended: a fault only if its time was over.
func (l *modbusLine) ended(ctx context.Context, a *modbusAsk, why, advice string) error {
	err := fmt.Errorf("%s: %s: %w", a, why, ctx.Err())
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	if advice == "" {
		advice = l.advise(fault.Timeout, a.unit)
	}
	return fault.New(fault.Timeout, err, advice)
}

func (l *modbusLine) over(a *modbusAsk) error {
	return fault.New(fault.Lost, fmt.Errorf("%s: bus %s: %w", a, l.cfg.ID, os.ErrClosed), "")
}

// run serves one request after the other.
func (l *modbusLine) run(ctx context.Context) {
	defer close(l.done)
	defer l.drop()
	for {
		select {
		case a := <-l.asks:
			if a.wanted() {
				values, err := l.serve(ctx, a)
				a.answer <- modbusAnswer{values, err}
			}
		case <-ctx.Done():
			return
		}
	}
}

// serve asks, and once more where that is worth it: on a new connection if the old one had ended, as a peer ends one that
// nobody used for a while; after noise; and if a unit is silent that answered the last time.
func (l *modbusLine) serve(ctx context.Context, a *modbusAsk) ([]uint16, error) {
	for again := true; ; again = false {
		w, fresh, err := l.ready(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		patience := a.patience
		if !a.end.IsZero() {
			patience = min(patience, time.Until(a.end))
		}
		answer, err := w.ask(a.modbusRequest, patience)
		var values []uint16
		if err == nil {
			values, err = a.values(answer)
		}
		if ctx.Err() != nil {
			return nil, l.over(a)
		}
		reliable := l.answered[a.unit]
		kind := l.note(a.unit, err)
		worth := kind == fault.Lost && !fresh || kind == fault.Garbled || kind == fault.Timeout && reliable
		if err == nil || !again || !worth || !a.wanted() {
			return values, l.explain(a.unit, kind, err)
		}
	}
}

// ready returns the open wire, and whether it was opened just now. While the line pauses it returns what is wrong with it.
func (l *modbusLine) ready(ctx context.Context) (w wire, fresh bool, err error) {
	if l.wire != nil {
		return l.wire, false, nil
	}
	if time.Now().Before(l.after) {
		return nil, false, l.why
	}
	if w, err = l.open(ctx); err != nil {
		l.fail(err)
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		w.Close()
		return nil, false, fault.New(fault.Lost, fmt.Errorf("bus %s: %w", l.cfg.ID, os.ErrClosed), "")
	}
	if l.failures > 0 {
		l.log.Info("modbus line is open again")
	}
	l.wire, l.heard, l.deaf = w, false, 0
	return w, true, nil
}

// fail lets the line pause before it is opened again: twice as long after every failure, less up to a half by chance, so
// that the bridges of a street do not come back to a gateway in step.
func (l *modbusLine) fail(err error) {
	if l.failures == 0 {
		l.log.Warn("modbus line cannot be used", "error", err)
	}
	pause := min(firstPause<<min(l.failures, 10), longestPause)
	pause = pause/2 + rand.N(pause/2)
	l.failures++
	l.after, l.why = time.Now().Add(pause), err
}

// note keeps what an answer, or its absence, says of the line, and returns the kind of fault: "" is none.
func (l *modbusLine) note(unit uint8, err error) fault.Kind {
	var exception Exception
	kind := fault.KindOf(err)
	switch {
	case err == nil || errors.As(err, &exception):
		l.heard, l.deaf, l.failures, l.answered[unit] = true, 0, 0, true
		if err == nil {
			return ""
		}
		return fault.Refused
	case kind == fault.Timeout:
		l.answered[unit] = false
		if l.deaf++; l.network() && l.deaf >= deafConnection || l.deaf >= deafPort {
			l.drop()
		}
	case kind == fault.Garbled:
		if l.heard = true; l.scheme == "tcp" { // what follows may begin anywhere
			l.drop()
		}
	case kind == fault.Misconfigured:
	default:
		kind = fault.Lost
		l.drop()
		if l.heard {
			l.log.Info("modbus line was lost, and is opened again", "error", err)
		} else {
			l.fail(fault.New(fault.Lost, err, l.advise(fault.Lost, unit)))
		}
	}
	return kind
}

// drop closes the wire.
func (l *modbusLine) drop() {
	l.mu.Lock()
	w := l.wire
	l.wire = nil
	l.mu.Unlock()
	if w != nil {
		w.Close()
	}
}

// explain makes err a fault of a kind, with advice, if it has none.
func (l *modbusLine) explain(unit uint8, kind fault.Kind, err error) error {
	if err == nil || fault.AdviceOf(err) != "" {
		return err
	}
	return &fault.Fault{Kind: kind, Advice: l.advise(kind, unit), Err: err}
}

func (l *modbusLine) advise(kind fault.Kind, unit uint8) string {
	serial := fmt.Sprintf(" (the line is set to %s)", l.cfg.Mode(modbusMode()))
	switch {
	case kind == fault.Timeout && l.network():
		return fmt.Sprintf("%s can be reached, unit %d does not answer: look at the unit's id and its power, behind a gateway at the wires A and B and the gateway's baud rate, and whether it speaks tcp:// or rtuovertcp://", l.cfg.Device, unit)
	case kind == fault.Timeout:
		return fmt.Sprintf("nobody answers as unit %d: look at the unit's id and power, whether A and B are swapped, and at baud rate and parity%s", unit, serial)
	case kind == fault.Garbled && l.network():
		return "what comes is damaged: look at the gateway's settings of the serial line, and for two units with the same id"
	case kind == fault.Garbled:
		return "bytes come and are damaged: look at parity and baud rate" + serial + ", for two units with the same id, and at the termination (120 Ω at both ends)"
	case kind == fault.Lost && l.network():
		return fmt.Sprintf("%s ended the connection: it may allow only one, or few", l.cfg.Device)
	}
	return ""
}
