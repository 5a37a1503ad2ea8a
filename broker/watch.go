package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	pollEvery = time.Second
	pollWait  = 30 * time.Second
	// mendEvery is after how long a store that could not write is started anew though the disk has no more room.
	mendEvery = 30 * time.Second
	// fullFor is how long the store counts as full after a message that found no room.
	fullFor = 3 * time.Second
)

// watch polls the store until ctx ends or the store has to be started anew.
func (b *Broker) watch(ctx context.Context, trim *trimmer) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	began := time.Now()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !trim.srv.JetStreamEnabled() || trim.store.failed() {
			return fmt.Errorf("%w: is the disk of %s full?", errStoreStopped, b.cfg.Dir)
		}
		b.gate.revoke(trim.srv)
		room := b.checkRoom(trim.srv)
		// What could be taken from the store meanwhile has been, so that starting anew frees room.
		if b.unwritten.Load() && (room || time.Since(began) > mendEvery) {
			return fmt.Errorf("%w: it could not write to %s", errStoreStopped, b.cfg.Dir)
		}
		err := b.poll(ctx, trim)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures = 0
		default:
			failures++
		}
		b.judge(room, failures, err)
	}
}

// judge sets what Health says.
func (b *Broker) judge(room bool, failures int, err error) {
	switch {
	case b.unwritten.Load():
		b.setTrouble(fmt.Sprintf("the message store could not write to %s: publishers get no acknowledgement until it can", b.cfg.Dir))
	case !room:
		b.setTrouble(fmt.Sprintf("the disk of %s has less than %d bytes left: publishers wait until there is room", b.cfg.Dir, b.cfg.MinFreeBytes))
	case failures >= 5:
		b.setTrouble(fmt.Sprintf("the message store does not answer: %v", err))
	case failures == 0:
		b.trouble.Store(nil)
	}
}

// checkRoom sends publishers away while the disk is nearly full, and says whether it is not. A nats-server that finds
// the disk full writes no more until it is started anew.
func (b *Broker) checkRoom(srv *server.Server) bool {
	free, err := freeBytes(b.cfg.Dir)
	if err != nil {
		b.noise.warn("cannot tell the free space of the disk", "dir", b.cfg.Dir, "error", err)
		return true
	}
	held := b.gate.held()
	switch {
	case !held && free < b.cfg.MinFreeBytes:
		b.log.Error("disk is nearly full, publishers wait until there is room", "dir", b.cfg.Dir, "free_bytes", free, "min_free_bytes", b.cfg.MinFreeBytes)
		b.gate.hold()
		b.sendAway(srv)
		return false
	case held && free >= b.cfg.MinFreeBytes+b.cfg.MinFreeBytes/4:
		b.log.Info("disk has room again, publishers are let in", "dir", b.cfg.Dir, "free_bytes", free)
		b.gate.release()
		return true
	}
	return !held
}

// sendAway ends every connection but ingest's and our own.
func (b *Broker) sendAway(srv *server.Server) {
	list, err := srv.Connz(&server.ConnzOptions{Username: true, Limit: b.cfg.MaxConnections + 1})
	if err != nil {
		b.noise.warn("cannot list the connections", "error", err)
		return
	}
	for _, c := range list.Conns {
		if c.AuthorizedUser != sessionUser && c.AuthorizedUser != internalUser {
			_ = srv.DisconnectClientByID(c.Cid) // an error means that it is gone already
		}
	}
}

// poll reads the figures of the store, and removes from it what all have taken.
func (b *Broker) poll(ctx context.Context, trim *trimmer) error {
	ctx, cancel := context.WithTimeout(ctx, pollWait)
	defer cancel()
	s, state, err := trim.store.stats(ctx)
	if err != nil {
		return err
	}
	if err := trim.run(ctx, state); err != nil {
		return err
	}
	s.Stored = trim.waiting
	s.StoreLimitBytes = uint64(b.cfg.MaxStoreBytes)
	s.Connections = max(0, trim.srv.NumClients()-1) // without our own, to the store
	at := b.fullAt.Load()
	s.Full = at != 0 && (time.Since(time.Unix(0, at)) < fullFor || s.StoredBytes >= s.StoreLimitBytes/100*99)
	if at != 0 && !s.Full {
		b.fullAt.CompareAndSwap(at, 0)
		b.log.Info("broker store has room again", "stored_bytes", s.StoredBytes)
	}
	b.metrics.stats.Store(&s)
	return nil
}

// noRoom is told of every message that found the store full.
func (b *Broker) noRoom() {
	if b.fullAt.Swap(time.Now().UnixNano()) == 0 {
		b.log.Error("broker store is full, publishers get no acknowledgement until ingest has taken messages", "limit_bytes", b.cfg.MaxStoreBytes)
		s := b.Stats()
		s.Full = true
		b.metrics.stats.Store(&s)
	}
}
