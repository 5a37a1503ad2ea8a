package bus

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

func TestBroadcastAndNonsenseAreRefusedBeforeTheyAreSent(t *testing.T) {
	onCable(t, Config{}, healthy, func(t *testing.T, l *modbusLine, w *cable) {
		for _, r := range []modbusRequest{{0, HoldingRegisters, 0, 1}, {1, HoldingRegisters, 0, 0}, {1, HoldingRegisters, 0, 126}, {1, Coils, 0, 2001}, {1, InputRegisters, 65535, 2}, {1, 9, 0, 1}} {
			if _, err := l.Read(t.Context(), r.unit, r.table, r.address, r.n); fault.KindOf(err) != fault.Misconfigured {
				t.Errorf("%+v: %v", r, err)
			}
		}
		if w.sent != 0 {
			t.Errorf("%d requests were sent", w.sent)
		}
	})
}

func TestCallersTakeTurns(t *testing.T) {
	onCable(t, Config{}, func(r []byte) []piece {
		if r[0] == 9 {
			return nil // dead
		}
		return healthy(r)
	}, func(t *testing.T, l *modbusLine, _ *cable) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		counts := make([]int, 4)
		for i, unit := range []uint8{1, 2, 3, 9} {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = l.Read(ctx, unit, HoldingRegisters, 7, 2)
					counts[i]++
				}
			})
		}
		wg.Wait()
		for _, n := range counts {
			if n < counts[0]-1 || n > counts[0]+1 || n < 40 {
				t.Errorf("reads in a minute: %v", counts)
				break
			}
		}
	})
}

func TestWhoGivesUpStopsWaitingAtOnce(t *testing.T) {
	onCable(t, Config{}, func([]byte) []piece { return nil }, func(t *testing.T, l *modbusLine, _ *cable) {
		began := time.Now()
		for _, c := range []struct {
			name string
			ctx  func() (context.Context, context.CancelFunc)
			kind fault.Kind
		}{
			{"its time is over", func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 100*time.Millisecond)
			}, fault.Timeout},
			{"its turn does not come in time", func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 100*time.Millisecond)
			}, fault.Timeout},
			{"it was stopped", func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				return ctx, cancel
			}, fault.Other},
		} {
			ctx, cancel := c.ctx()
			before := time.Now()
			_, err := l.Read(ctx, 1, HoldingRegisters, 1, 1)
			cancel()
			if fault.KindOf(err) != c.kind || time.Since(before) > 101*time.Millisecond {
				t.Errorf("%s: %v after %s", c.name, err, time.Since(before))
			}
		}
		if time.Since(began) > 310*time.Millisecond {
			t.Errorf("it took %s", time.Since(began))
		}
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lineOn(t, Config{}, func() (*cable, error) { return newCable(func([]byte) []piece { return nil }), nil })
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := l.Read(t.Context(), 1, HoldingRegisters, 1, 1)
				errs <- err
			}()
		}
		synctest.Wait()
		before := time.Now()
		if err := l.Close(); err != nil || l.Close() != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-errs; fault.KindOf(err) != fault.Lost {
				t.Errorf("got %v", err)
			}
		}
		if _, err := l.Read(t.Context(), 1, HoldingRegisters, 1, 1); fault.KindOf(err) != fault.Lost || !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if time.Since(before) != 0 {
			t.Errorf("it took %s", time.Since(before))
		}
	})
}

func TestALineThatIsGoneIsOpenedAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Time
		gone, current := true, newCable(healthy)
		errPlug := errors.New("no such device")
		l := lineOn(t, Config{}, func() (*cable, error) {
			attempts = append(attempts, time.Now())
			if gone {
				return nil, fault.New(fault.Lost, errPlug, "look at the plug")
			}
			current = newCable(healthy)
			return current, nil
		})
		defer l.Close()
		for range 1000 { // 100 s
			_, err := l.Read(t.Context(), 1, HoldingRegisters, 1, 1)
			if fault.KindOf(err) != fault.Lost || !errors.Is(err, errPlug) || fault.AdviceOf(err) != "look at the plug" {
				t.Fatalf("got %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(attempts); n < 7 || n > 16 {
			t.Errorf("%d attempts in 100 s", n)
		}
		for i := 2; i < len(attempts); i++ {
			if pause := attempts[i].Sub(attempts[i-1]); pause > longestPause+100*time.Millisecond {
				t.Errorf("a pause of %s", pause)
			}
		}
		gone = false
		time.Sleep(longestPause)
		want(t, l, 1, 5, 2)

		// Pulled out in use: the next read opens it again, and nobody notices.
		before := len(attempts)
		current.Close()
		want(t, l, 1, 6, 2)
		if len(attempts) != before+1 {
			t.Errorf("%d attempts after it was lost", len(attempts)-before)
		}
	})
}

func TestAPortThatHearsNothingAnyMoreIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		l := lineOn(t, Config{}, func() (*cable, error) {
			if opened++; opened == 1 {
				return newCable(func([]byte) []piece { return nil }), nil
			}
			return newCable(healthy), nil
		})
		defer l.Close()
		for range deafPort {
			if _, err := l.Read(t.Context(), 1, HoldingRegisters, 1, 1); fault.KindOf(err) != fault.Timeout {
				t.Fatalf("got %v", err)
			}
		}
		want(t, l, 1, 2, 2)
	})
}

func TestScanFindsTheUnitsThatAnswer(t *testing.T) {
	onCable(t, Config{}, func(r []byte) []piece {
		switch r[0] {
		case 3:
			return healthy(r)
		case 5:
			return []piece{{normal, appendCRC([]byte{5, r[1] | 0x80, 1})}}
		case 7:
			return []piece{{normal, []byte{7, 3, 1, 2, 3, 4, 5, 6, 7}}}
		case 8:
			return []piece{{normal, appendCRC([]byte{8, r[1] | 0x80, 11})}}
		}
		return nil
	}, func(t *testing.T, l *modbusLine, _ *cable) {
		before := time.Now()
		found, err := ScanModbus(t.Context(), l, 1, 10)
		if err != nil || len(found) != 3 || found[0].Unit != 3 || found[0].Err != nil || found[1].Unit != 5 || found[2].Unit != 7 || fault.KindOf(found[2].Err) != fault.Garbled {
			t.Errorf("found %v, %v", found, err)
		}
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if found, err = ScanModbus(ctx, l, 1, 247); !errors.Is(err, context.DeadlineExceeded) || len(found) != 0 {
			t.Errorf("a scan that is stopped: %v, %v", found, err)
		}
	})
}
