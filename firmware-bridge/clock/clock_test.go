package clock_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/firmware-bridge/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is a machine without a battery for its clock: switched on, it believes that it is 1970. True time passes with
// that of the test.
type board struct {
	mu      sync.Mutex
	on      time.Time // by the test's own clock
	truth   time.Time // the date when it was switched on
	boot    clock.Boot
	shown   time.Time // the date that the system's clock showed when it was switched on
	synced  bool
	maxErr  time.Duration
	builtAt time.Time
}

var built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func newBoard(n byte, truth time.Time) *board {
	return &board{on: time.Now(), truth: truth, boot: clock.Boot{15: n}, shown: time.Unix(0, 0), maxErr: 10 * time.Millisecond, builtAt: built}
}

func (b *board) now() clock.Instant { return clock.Instant(time.Since(b.on)) }

// date is the true one.
func (b *board) date() time.Time { return b.truth.Add(time.Duration(b.now())) }

// set is what NTP does: the system's clock is right, or wrong by error, and the kernel says that it is synchronised.
func (b *board) set(wrong time.Duration, synced bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown, b.synced = b.truth.Add(wrong), synced
}

func (b *board) machine() clock.Machine {
	return clock.Machine{
		Boot: func() clock.Boot { return b.boot }, Now: b.now, Built: b.builtAt,
		Date: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.shown.Add(time.Duration(b.now()))
		},
		Synchronised: func() (time.Duration, bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.maxErr, b.synced
		},
	}
}

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// start opens a clock and runs it until the test ends.
func start(t *testing.T, cfg clock.Config, dir string, b *board) (*clock.Clock, *bytes.Buffer, func()) {
	t.Helper()
	var text bytes.Buffer
	c, err := clock.OpenOn(cfg, dir, b.machine(), slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop := func() { cancel(); <-ended }
	t.Cleanup(stop)
	return c, &text, stop
}

func isKnown(c *clock.Clock) bool {
	select {
	case <-c.Known():
		return true
	default:
		return false
	}
}

// wantDate checks that instant 0 is dated as truth says, or not at all if that is the zero time.
func wantDate(t *testing.T, c *clock.Clock, truth time.Time, within time.Duration) {
	t.Helper()
	got, ok := c.Date(0)
	if truth.IsZero() {
		if ok || isKnown(c) || c.Status().Source != "" {
			t.Errorf("the date is known: %s, %+v", got, c.Status())
		}
		return
	}
	if !ok || !isKnown(c) || got.Sub(truth).Abs() > within || got.Location() != time.UTC {
		t.Errorf("date at instant 0: %s, %v; want %s within %s; %+v", got, ok, truth, within, c.Status())
	}
}

func TestWhatIsMeasuredBeforeTheDateIsKnownIsDatedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		c, _, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		time.Sleep(time.Minute)
		measured := c.Now()
		wantDate(t, c, time.Time{}, 0)
		b.set(0, true)
		time.Sleep(2 * time.Second)
		wantDate(t, c, noon, 20*time.Millisecond)
		if got, _ := c.Date(measured); got.Sub(noon.Add(time.Minute)).Abs() > 20*time.Millisecond {
			t.Errorf("a reading of 12:01 is dated %s", got)
		}
		if s := c.Status(); s.Source != clock.System || s.Since < clock.Instant(time.Minute) || s.SystemOffset.Abs() > 20*time.Millisecond {
			t.Errorf("%+v", s)
		}
	})
}

func TestSystemsClockIsTrustedAsConfigured(t *testing.T) {
	for _, test := range []struct {
		trust  clock.Trust
		synced bool
		want   clock.Source
	}{
		{clock.TrustAuto, false, ""},
		{clock.TrustAuto, true, clock.System},
		{clock.TrustAlways, false, clock.Unsynchronised},
		{clock.TrustAlways, true, clock.System},
		{clock.TrustNever, false, ""},
		{clock.TrustNever, true, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBoard(1, noon)
			b.set(0, test.synced)
			cfg := clock.DefaultConfig()
			cfg.TrustSystem = test.trust
			c, _, _ := start(t, cfg, t.TempDir(), b)
			time.Sleep(3 * time.Second)
			if got := c.Status().Source; got != test.want {
				t.Errorf("trust %s, synchronised %v: source %q, want %q", test.trust, test.synced, got, test.want)
			}
		})
	}
}

func TestSynchronisedClockThatSaysNonsenseIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		b.synced = true // and shows 1970
		c, text, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		time.Sleep(time.Minute)
		wantDate(t, c, time.Time{}, 0)
		if n := strings.Count(text.String(), "\n"); n != 1 || c.Status().Refused != 1 {
			t.Errorf("%d lines, %d refused, want 1: %s", n, c.Status().Refused, text)
		}
	})
}

func TestStepOfTheSystemsClockIsFollowedAndInstantsDoNotJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		b.set(3*time.Hour, true)
		c, text, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		wantDate(t, c, noon.Add(3*time.Hour), 20*time.Millisecond)
		before := c.Now()
		b.set(0, true)
		if c.Now() != before {
			t.Error("the instant has jumped")
		}
		time.Sleep(2 * time.Second)
		wantDate(t, c, noon, 20*time.Millisecond)
		if !strings.Contains(text.String(), "the date was corrected") {
			t.Errorf("the log does not say so: %s", text)
		}
	})
}

func TestAbsurdStatementsAreRefused(t *testing.T) {
	for name, tell := range map[string]func(c *clock.Clock, now clock.Instant){
		"1970":                             func(c *clock.Clock, now clock.Instant) { c.Tell(time.Unix(100, 0), now, time.Second) },
		"before the program was built":     func(c *clock.Clock, now clock.Instant) { c.Tell(built.Add(-time.Second), now, time.Second) },
		"1,024 weeks back":                 func(c *clock.Clock, now clock.Instant) { c.Tell(noon.Add(-1024*7*24*time.Hour), now, time.Second) },
		"1,024 weeks ahead":                func(c *clock.Clock, now clock.Instant) { c.Tell(noon.Add(1024*7*24*time.Hour), now, time.Second) },
		"year 2080, a receiver's default":  func(c *clock.Clock, now clock.Instant) { c.Tell(noon.AddDate(53, 0, 0), now, time.Second) },
		"no bound":                         func(c *clock.Clock, now clock.Instant) { c.Tell(noon, now, 0) },
		"a bound of days":                  func(c *clock.Clock, now clock.Instant) { c.Tell(noon, now, 48*time.Hour) },
		"an instant that is still to come": func(c *clock.Clock, now clock.Instant) { c.Tell(noon, now.Add(time.Hour), time.Second) },
		"an instant before the start":      func(c *clock.Clock, now clock.Instant) { c.Tell(noon, -1, time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBoard(1, noon)
				c, text, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
				time.Sleep(time.Hour)
				for range 5 {
					tell(c, c.Now())
				}
				wantDate(t, c, time.Time{}, 0)
				if n := strings.Count(text.String(), "cannot be"); n != 1 || c.Status().Refused != 5 {
					t.Errorf("%d lines in the log, %d refused; want 1 and 5", n, c.Status().Refused)
				}
				c.Tell(b.date(), c.Now(), time.Second)
				wantDate(t, c, noon, 0)
			})
		})
	}
}

func TestBetterSourceWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		c, _, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		time.Sleep(time.Minute)
		want := func(source clock.Source, truth time.Time) {
			t.Helper()
			wantDate(t, c, truth, 20*time.Millisecond)
			if s := c.Status(); s.Source != source || s.Contradiction != "" {
				t.Errorf("%+v, want %s and no contradiction", s, source)
			}
		}
		c.TellFrom(clock.Broker, b.date().Add(-2*time.Second), c.Now(), 3*time.Second)
		want(clock.Broker, noon.Add(-2*time.Second))
		c.TellFrom(clock.Broker, b.date().Add(4*time.Second), c.Now(), 5*time.Second) // true as well, and less certain
		want(clock.Broker, noon.Add(-2*time.Second))
		c.Tell(b.date().Add(300*time.Millisecond), c.Now(), 500*time.Millisecond)
		want(clock.GNSS, noon.Add(300*time.Millisecond))
		c.TellFrom(clock.Broker, b.date(), c.Now(), 400*time.Millisecond)
		want(clock.GNSS, noon.Add(300*time.Millisecond)) // by rank: both are good
		b.set(0, true)
		time.Sleep(2 * time.Second)
		want(clock.System, noon)
		b.set(time.Hour, false) // somebody sets the clock by hand, and the kernel no longer vouches for it
		time.Sleep(2 * time.Second)
		want(clock.System, noon)
		time.Sleep(24 * time.Hour) // 24 h at 100 ppm are 8.6 s
		if u := c.Status().Uncertainty; u < 8*time.Second || u > 9*time.Second {
			t.Errorf("uncertain by %s after a day", u)
		}
		c.Tell(b.date(), c.Now(), 500*time.Millisecond)
		want(clock.GNSS, noon)
		if off := c.Status().SystemOffset; (off - time.Hour).Abs() > time.Second {
			t.Errorf("the system's clock is said to be ahead by %s, it is by 1h", off)
		}
	})
}

func TestContradictionIsSaidOnceAndTheBetterSourceWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		b.set(0, true)
		c, text, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		for range 30 {
			time.Sleep(time.Second)
			c.Tell(b.date().Add(3*time.Hour), c.Now(), 100*time.Millisecond)
		}
		wantDate(t, c, noon, 20*time.Millisecond)
		if s := c.Status(); s.Source != clock.System || !strings.Contains(s.Contradiction, "gnss says") {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(text.String(), "contradict"); n != 1 {
			t.Errorf("the log says so %d times: %s", n, text)
		}
	})
}

func TestOneWrongStatementOfAGoodSourceDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		c, _, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		tell := func(wrong time.Duration) {
			time.Sleep(time.Second)
			c.Tell(b.date().Add(wrong), c.Now(), 100*time.Millisecond)
		}
		tell(0)
		tell(-40 * 24 * time.Hour)
		wantDate(t, c, noon, 0)
		tell(0)
		tell(-40 * 24 * time.Hour)
		tell(-50 * 24 * time.Hour)
		wantDate(t, c, noon, 0)
		tell(5 * time.Hour)
		tell(5 * time.Hour) // it means it
		wantDate(t, c, noon.Add(5*time.Hour), 0)
	})
}

func TestDatesOfDevicesAreBelievedWithinReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(1, noon)
		c, _, _ := start(t, clock.DefaultConfig(), t.TempDir(), b)
		check := func(date time.Time, want bool) {
			t.Helper()
			if c.Believable(date) != want {
				t.Errorf("Believable(%s) = %v at %s, %+v", date, !want, b.date(), c.Status())
			}
		}
		check(time.Unix(0, 0), false)
		check(built, true)
		check(noon.Add(time.Hour), true) // nobody knows better
		check(noon.AddDate(20, 0, 0), false)
		c.Tell(b.date(), c.Now(), time.Second)
		check(noon.Add(time.Hour), false)
		check(noon.Add(time.Minute), true)
		check(noon.AddDate(0, -1, 0), true)
	})
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := clock.Config{TrustSystem: "sometimes", Good: -1, DriftPPM: -1}
	err := cfg.Validate()
	for _, key := range []string{"trust_system:", "good:", "drift_ppm:", "boots:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
	if _, opened := clock.Open(cfg, t.TempDir(), slog.New(slog.DiscardHandler)); opened == nil || !strings.Contains(opened.Error(), "boots:") {
		t.Errorf("Open: %v", errors.Unwrap(opened))
	}
	if err := clock.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestBootIDs(t *testing.T) {
	const text = "0f9f3c6e-3a83-4d47-9c6b-8a2a5b1f0e11"
	b, err := clock.ParseBoot(text + "\n")
	if err != nil || b.String() != text {
		t.Errorf("%s, %v", b, err)
	}
	for _, bad := range []string{"", "0f9f3c6e", text + "00", strings.Replace(text, "f", "g", 1)} {
		if b, err := clock.ParseBoot(bad); err == nil {
			t.Errorf("ParseBoot(%q) = %s", bad, b)
		}
	}
}

// The real machine: what it says of itself holds together.
func TestThisMachine(t *testing.T) {
	m, again := clock.ThisMachine(), clock.ThisMachine()
	if _, err := os.Stat("/proc/sys/kernel/random/boot_id"); err == nil && m.Boot() != again.Boot() {
		t.Error("two boots at once")
	}
	before := m.Now()
	time.Sleep(10 * time.Millisecond)
	if passed := m.Now().Sub(before); passed < 10*time.Millisecond || passed > 10*time.Second {
		t.Errorf("10 ms took %s", passed)
	}
	if m.Built.Before(built) {
		t.Errorf("built %s", m.Built)
	}
	within, ok := m.Synchronised()
	t.Logf("boot %s, on for %s, built %s, synchronised %v within %s", m.Boot(), time.Duration(m.Now()), m.Built, ok, within)
}

func BenchmarkDate(b *testing.B) {
	cfg := clock.DefaultConfig()
	cfg.TrustSystem = clock.TrustAlways
	c, err := clock.Open(cfg, b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Date(c.Now()); !ok {
			b.Fatal("the date is not known")
		}
	}
}
