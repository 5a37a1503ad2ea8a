package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// trimBytes is how much may gather before what all subscribers have taken is removed, or a quarter of the limit. It
	// leaves some blocks of the store, of 8 MB each, to be dropped whole.
	trimBytes = 32 << 20
	// trimRest is how many times as long as it looked a trimmer rests, for a look at ten thousand subscriptions takes a second.
	trimRest = 50
	// trimEvery is how often it is removed where less gathers.
	trimEvery = time.Minute

	globalAccount = "$G"
	// messagePrefix stands before the topic in the subject of a stored message.
	messagePrefix = "$MQTT.msgs."
)

// trimmer removes from the stream of messages what every subscriber has taken. nats-server would do that itself with
// each acknowledgement, but where a session ends its sum of the messages to look at can fall below zero, and then it
// removes all of them, also those that were acknowledged to their publisher and that nobody has taken.
type trimmer struct {
	srv   *server.Server
	store *messageStore
	cfg   Config

	held    uint64 // bytes after the last time
	at      time.Time
	waiting uint64    // messages, of the subscription that was furthest behind when it looked last
	rests   time.Time // until then
}

// run looks how far the subscriptions are, and removes what all have taken where it is time for that. s is the state of the
// stream from before.
func (t *trimmer) run(ctx context.Context, s jetstream.StreamState) error {
	began := time.Now()
	if began.Before(t.rests) && !t.filling(s) {
		return nil
	}
	b, err := t.backlog()
	if err != nil {
		return err
	}
	t.waiting = b.waiting
	if t.due(s, b.again) {
		err = t.trim(ctx, s, b)
	}
	t.rests = time.Now().Add(trimRest * time.Since(began))
	return err
}

// taken is how far a subscription has come.
type taken struct {
	filter string
	// to is the sequence up to which it has acknowledged all that is for it.
	to uint64
	// next is where to look for the first message that it has not been sent; 0 where to is exact already.
	next uint64
}

// backlog is what the subscriptions have yet to take.
type backlog struct {
	subscriptions []taken
	waiting       uint64 // messages, of the one that is furthest behind
	again         bool   // some are being sent again
}

// backlog reads the state of all subscriptions in one piece: a list by pages passes over a subscription where another
// one on an earlier page ends meanwhile.
func (t *trimmer) backlog() (backlog, error) {
	var b backlog
	account, err := t.srv.JszAccount(&server.JSzOptions{Account: globalAccount, Streams: true, Consumer: true, Config: true})
	if err != nil {
		return b, fmt.Errorf("read the subscriptions: %w", err)
	}
	for _, stream := range account.Streams {
		if stream.Name != streamMessages {
			continue
		}
		for _, c := range stream.Consumer {
			s := taken{filter: c.Config.FilterSubject, to: c.AckFloor.Stream}
			if c.NumAckPending == 0 {
				s.to = c.Delivered.Stream
				s.next = c.Delivered.Stream + 1
			}
			b.subscriptions = append(b.subscriptions, s)
			b.waiting = max(b.waiting, c.NumPending+uint64(c.NumAckPending))
			b.again = b.again || c.NumRedelivered > 0
		}
		return b, b.complete(t.cfg.Subscribers)
	}
	return b, fmt.Errorf("read the subscriptions: no stream %s", streamMessages)
}

// complete refuses a list in which a subscription of the durable sessions is missing: nats-server leaves out one whose state it
// cannot read from disk, and what it has yet to take would be removed.
func (b backlog) complete(sessions []Subscriber) error {
	for _, s := range sessions {
		for _, f := range s.Filters {
			if !slices.ContainsFunc(b.subscriptions, func(t taken) bool { return t.filter == messagePrefix+natsSubject(f) }) {
				return fmt.Errorf("read the subscriptions: %s of session %s is not among them", f, s.ClientID)
			}
		}
	}
	return nil
}

// due says whether it is time to remove. Not while messages are sent again, for nats-server would forget which of them
// are still to go and wait until AckWait has passed, except where the store fills.
func (t *trimmer) due(s jetstream.StreamState, again bool) bool {
	grown := s.Bytes >= t.held+min(trimBytes, uint64(t.cfg.MaxStoreBytes)/4) || time.Since(t.at) >= trimEvery
	return s.Msgs > 0 && (t.filling(s) || grown && !again)
}

func (t *trimmer) filling(s jetstream.StreamState) bool {
	return s.Bytes >= uint64(t.cfg.MaxStoreBytes)/2
}

// trim removes what all subscriptions had taken. b was read after s: a subscription that is made later gets only what
// comes later.
func (t *trimmer) trim(ctx context.Context, s jetstream.StreamState, b backlog) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	stream, err := t.store.js.Stream(ctx, streamMessages)
	if err != nil {
		return fmt.Errorf("open stream %s: %w", streamMessages, err)
	}
	readings := messagePrefix + natsSubject(t.cfg.TopicRoot+"/+/readings")
	all, ofReadings := s.LastSeq, s.LastSeq
	for _, sub := range b.subscriptions {
		to, err := sub.exactly(ctx, stream, s.LastSeq)
		if err != nil {
			return err
		}
		all = min(all, to)
		if server.SubjectsCollide(sub.filter, readings) {
			ofReadings = min(ofReadings, to)
		}
	}
	if all >= s.FirstSeq {
		if err := stream.Purge(ctx, jetstream.WithPurgeSequence(all+1)); err != nil {
			return fmt.Errorf("remove the messages that all have taken: %w", err)
		}
	}
	// A subscription to a few other messages, whose client is away, does not hold up the removal of all readings.
	if ofReadings > max(all, s.FirstSeq) {
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(readings), jetstream.WithPurgeSequence(ofReadings+1)); err != nil {
			return fmt.Errorf("remove the readings that all have taken: %w", err)
		}
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", streamMessages, err)
	}
	t.held, t.at = info.State.Bytes, time.Now()
	return nil
}

// exactly says up to where, at most last, there is nothing that the subscription has not taken. One that has no message
// under way stands where it was sent its last one, which may be long ago: whether there is one for it since, the
// store says.
func (s taken) exactly(ctx context.Context, stream jetstream.Stream, last uint64) (uint64, error) {
	if s.next == 0 || s.to >= last {
		return s.to, nil
	}
	msg, err := stream.GetMsg(ctx, s.next, jetstream.WithGetMsgSubject(s.filter))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return last, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for messages of %s: %w", s.filter, err)
	}
	return msg.Sequence - 1, nil
}
