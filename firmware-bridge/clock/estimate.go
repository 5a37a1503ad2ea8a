package clock

import (
	"fmt"
	"log/slog"
	"time"
)

// estimate is what a source has said.
type estimate struct {
	source Source
	zero   time.Time // the date at instant 0: when the machine was switched on
	within time.Duration
	at     Instant // when it was said
}

func (e estimate) date(at Instant) time.Time { return e.zero.Add(time.Duration(at)) }

// ranks are the sources, the best first.
func ranks() []Source { return []Source{System, GNSS, Broker, Kept, Unsynchronised} }

const (
	// lifetime is how long a program is believed to be in use. It is less than 1,024 weeks, by which a satellite
	// receiver errs whose counter of weeks has rolled over.
	lifetime = 19 * 365 * 24 * time.Hour
	// vaguest is the largest uncertainty that is worth listening to.
	vaguest = time.Hour
	// slack is what two sources may differ by beyond their own bounds: how long a process may be kept waiting between
	// hearing something and looking at the clock.
	slack = 100 * time.Millisecond
	// worthSaying is the least correction of the date that the log and the disk hear of.
	worthSaying = time.Second
	// unsynchronisedWithin is what is thought of a system's clock that nobody has synchronised.
	unsynchronisedWithin = time.Minute
)

// possible says whether a date can be that of anything that this program meets.
func (c *Clock) possible(date time.Time) bool {
	return !date.Before(c.machine.Built) && date.Before(c.machine.Built.Add(lifetime))
}

// uncertainty is how far off e may be by now.
func (c *Clock) uncertainty(e estimate, now Instant) time.Duration {
	age := max(now.Sub(e.at), e.at.Sub(now))
	return e.within + time.Duration(float64(age)*c.cfg.DriftPPM/1e6)
}

// contradict says by how much two estimates differ beyond what both allow; 0 if they agree.
func (c *Clock) contradict(a, b estimate, now Instant) time.Duration {
	apart := a.zero.Sub(b.zero).Abs()
	if apart <= c.uncertainty(a, now)+c.uncertainty(b, now)+slack {
		return 0
	}
	return apart
}

// Tell says what the date was at an instant, as a satellite receiver knows it: wrong by within at most.
func (c *Clock) Tell(date time.Time, at Instant, within time.Duration) {
	c.TellFrom(GNSS, date, at, within)
}

// TellFrom is Tell of another source: GNSS or Broker. What cannot be is refused. A statement that contradicts what the
// same source has said before counts only when a second one agrees with it.
func (c *Clock) TellFrom(source Source, date time.Time, at Instant, within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	if within <= 0 || within > vaguest || at < 0 || at.Sub(now) > slack || !c.possible(date) || !c.possible(date.Add(now.Sub(at))) {
		c.refuse(source, date)
		return
	}
	c.absurd[source] = false
	e := estimate{source: source, zero: date.UTC().Round(0).Add(-time.Duration(at)), within: within, at: at}
	if !c.accept(e, now) {
		return
	}
	c.told[source] = e
	c.choose(now)
}

// refuse counts a statement that cannot be. The log hears of the first one in a row.
func (c *Clock) refuse(source Source, date time.Time) {
	c.refused++
	if !c.absurd[source] {
		c.log.Warn("a date that cannot be is not believed", "source", string(source), "date", date.UTC().Format(time.RFC3339))
	}
	c.absurd[source] = true
}

// accept says whether e takes the place of what its source has said before.
func (c *Clock) accept(e estimate, now Instant) bool {
	before, known := c.told[e.source]
	if !known {
		return true
	}
	if c.contradict(e, before, now) == 0 {
		delete(c.doubt, e.source)
		return c.uncertainty(e, now) <= c.uncertainty(before, now)
	}
	doubt, doubted := c.doubt[e.source]
	c.doubt[e.source] = e
	if !doubted || c.contradict(e, doubt, now) != 0 {
		return false
	}
	delete(c.doubt, e.source)
	return true
}

// lookAtSystem hears the system's clock, which may have been stepped. It is called with mu held.
func (c *Clock) lookAtSystem() {
	within, synchronised := c.machine.Synchronised()
	source := System
	if !synchronised {
		source, within = Unsynchronised, unsynchronisedWithin
	}
	now, date := c.readSystem()
	switch {
	case c.cfg.TrustSystem == TrustNever, c.cfg.TrustSystem == TrustAuto && !synchronised:
	case !c.possible(date):
		if !c.absurd[source] {
			c.refuse(source, date)
		}
	default:
		c.absurd[source] = false
		c.told[source] = estimate{source: source, zero: date.UTC().Round(0).Add(-time.Duration(now)), within: max(within, time.Millisecond), at: now}
	}
	c.choose(now)
}

// readSystem reads both clocks at the same moment, or nearly.
func (c *Clock) readSystem() (now Instant, date time.Time) {
	least := time.Duration(1<<63 - 1)
	for range 3 {
		before := c.machine.Now()
		read := c.machine.Date()
		if took := c.machine.Now().Sub(before); took < least {
			least, now, date = took, before.Add(took/2), read
		}
		if least < 50*time.Microsecond {
			break
		}
	}
	return now, date
}

// choose decides whom to believe. It is called with mu held.
func (c *Clock) choose(now Instant) {
	best := estimate{}
	for _, source := range ranks() {
		e, known := c.told[source]
		if !known {
			continue
		}
		uncertain := c.uncertainty(e, now)
		if best.source == "" || uncertain < c.uncertainty(best, now) {
			best = e
		}
		if uncertain <= c.cfg.Good {
			best = e
			break
		}
	}
	if best.source == "" {
		return
	}
	before := c.best
	c.best = best
	c.compare(now)
	attributes := []any{
		slog.String("source", string(best.source)), slog.Time("date", best.date(now)), slog.Duration("within", c.uncertainty(best, now)),
	}
	switch step := best.zero.Sub(before.zero); {
	case before.source == "":
		c.since = now
		close(c.known)
		c.log.Info("the date is known", attributes...)
	case step.Abs() >= worthSaying:
		c.log.Warn("the date was corrected", append(attributes, slog.Duration("by", step))...)
	default:
		return
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// compare notes who contradicts the source that is believed.
func (c *Clock) compare(now Instant) {
	text := ""
	for _, source := range ranks() {
		e, known := c.told[source]
		if !known || source == c.best.source {
			continue
		}
		if apart := c.contradict(e, c.best, now); apart > 0 {
			text = fmt.Sprintf("%s says %s, %s says %s: %s is believed", c.best.source, c.best.date(now).Format(time.DateTime),
				source, e.date(now).Format(time.DateTime), c.best.source)
			if c.contradiction == "" {
				c.log.Warn("two sources contradict each other about the date", "believed", string(c.best.source), "other", string(source),
					"apart", apart.Round(time.Millisecond))
			}
			break
		}
	}
	c.contradiction = text
}
