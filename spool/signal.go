package spool

// signal wakes everybody who waits for a change. It is used with Spool.mu held; the channel is received from without.
type signal struct{ ch chan struct{} }

// wait returns a channel that is closed by the next fire.
func (g *signal) wait() <-chan struct{} {
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
	return g.ch
}

func (g *signal) fire() {
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}
