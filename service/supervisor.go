package service

import (
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// tellSupervisor tells systemd, if it has started the process and asks for it, that everything is ready; and then, at half
// the interval of its watchdog, that the process is alive. A process whose parts no longer answer is not, even if it runs.
// The function that it returns tells of the stop.
func (g *Group) tellSupervisor() (stopping func()) {
	if asked, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		g.log.Warn("systemd cannot be told that the process is ready", "error", err)
	} else if !asked {
		return func() {}
	}
	done := make(chan struct{})
	var watchdog sync.WaitGroup
	if every, err := daemon.SdWatchdogEnabled(false); err == nil && every > 0 {
		watchdog.Go(func() { g.feedWatchdog(every/2, done) })
	}
	return func() {
		close(done)
		watchdog.Wait()
		_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) // the first one went through
	}
}

func (g *Group) feedWatchdog(every time.Duration, done <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			g.Status()
		}()
		select {
		case <-answered:
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // what does not arrive is what the watchdog is for
		case <-done:
			return
		}
		select {
		case <-tick.C:
		case <-done:
			return
		}
	}
}
