package city

import (
	"net/http"
	"sync/atomic"
	"time"
)

// unsure is how far the server's clock may seem to be off without being so: Date has no fractions, and an answer is under way for a while.
const unsure = 10 * time.Second

// clock is how far the server's clock is ahead of ours, as the Date of its last answer says it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) hear(header http.Header) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	ahead := time.Until(at)
	if ahead.Abs() < unsure {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}

// Ahead is how far the server's clock is ahead of ours, or behind where it is negative. What is less than 10 s is none.
func (c *Client) Ahead() time.Duration { return time.Duration(c.clock.ahead.Load()) }

// Now is what time it is for the server.
func (c *Client) Now() time.Time { return time.Now().Add(c.Ahead()) }
