package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// sessionRecord is the part that we need of what nats-server keeps of a session.
type sessionRecord struct {
	ID    string `json:"id"`
	Clean bool   `json:"clean"`
	// Cons is keyed by the filter as a NATS subject; only subscriptions with QoS 1 and 2 are in it.
	Cons map[string]*durableRecord `json:"cons"`
}

type durableRecord struct {
	Name string `json:"durable_name"`
}

// tidy removes what a process that was killed leaves behind: clean sessions, and consumers that belong to no session.
// Nobody would ever take their messages, which would fill the store. What looks like damage to a session of
// Config.Subscribers is an error instead, for its messages would go with it.
type tidy struct {
	cfg   Config
	store *messageStore
	log   *slog.Logger

	sessions  map[string]sessionRecord           // those that stay, by client id
	consumers map[string]*jetstream.ConsumerInfo // of the messages; in the end those of no session
}

func newTidy(cfg Config, store *messageStore, log *slog.Logger) *tidy {
	return &tidy{cfg: cfg, store: store, log: log, sessions: map[string]sessionRecord{}, consumers: map[string]*jetstream.ConsumerInfo{}}
}

func (t *tidy) run(ctx context.Context) error {
	messages, err := t.store.js.Stream(ctx, streamMessages)
	if err != nil {
		return fmt.Errorf("open stream %s: %w", streamMessages, err)
	}
	list := messages.ListConsumers(ctx)
	for c := range list.Info() {
		t.consumers[c.Name] = c
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list the subscriptions: %w", err)
	}
	if err := t.readSessions(ctx); err != nil {
		return err
	}
	if err := t.checkOrphans(); err != nil {
		return err
	}
	for name := range t.consumers {
		if err := messages.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("remove the forsaken subscription %s: %w", name, err)
		}
	}
	if n := len(t.consumers); n > 0 {
		t.log.Info("subscriptions of clean sessions removed", "subscriptions", n)
	}
	return nil
}

// readSessions deletes clean and broken sessions and collects the others.
func (t *tidy) readSessions(ctx context.Context) error {
	stream, err := t.store.js.Stream(ctx, streamSessions)
	if err != nil {
		return fmt.Errorf("open stream %s: %w", streamSessions, err)
	}
	for seq := uint64(1); ; {
		msg, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject("$MQTT.sess.>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the sessions: %w", err)
		}
		seq = msg.Sequence + 1
		stays, err := t.take(msg.Data)
		if err != nil {
			return err
		}
		if stays {
			continue
		}
		if err := stream.DeleteMsg(ctx, msg.Sequence); err != nil {
			return fmt.Errorf("remove a session: %w", err)
		}
	}
}

// take decides about one session. A session whose consumer is gone would get nothing for ever; it is removed, so that
// its client subscribes anew.
func (t *tidy) take(data []byte) (stays bool, err error) {
	var rec sessionRecord
	if err := json.Unmarshal(data, &rec); err != nil {
		t.log.Warn("unreadable mqtt session removed", "error", err)
		return false, nil
	}
	if rec.Clean {
		for _, c := range rec.Cons {
			if c != nil && t.consumers[c.Name] != nil {
				t.consumers[c.Name].NumPending, t.consumers[c.Name].NumAckPending = 0, 0 // nobody's, for certain
			}
		}
		return false, nil
	}
	for _, c := range rec.Cons {
		if c != nil && t.consumers[c.Name] != nil {
			continue
		}
		if c != nil && t.reserved(rec.ID) && exists(filepath.Join(streamDir(t.cfg.Dir, streamMessages), "obs", c.Name, "meta.inf")) {
			return false, fmt.Errorf("subscription %s of session %s cannot be read", c.Name, rec.ID)
		}
		t.log.Warn("mqtt session without its subscription removed", "client_id", clip(rec.ID))
		return false, nil
	}
	t.sessions[rec.ID] = rec
	for _, c := range rec.Cons {
		delete(t.consumers, c.Name)
	}
	return true, nil
}

func (t *tidy) reserved(clientID string) bool {
	return slices.ContainsFunc(t.cfg.Subscribers, func(s Subscriber) bool { return s.ClientID == clientID })
}

// checkOrphans refuses where a session of Config.Subscribers has vanished from under its subscription.
func (t *tidy) checkOrphans() error {
	for _, s := range t.cfg.Subscribers {
		for _, f := range s.Filters {
			subject := natsSubject(f)
			if t.sessions[s.ClientID].Cons[subject] != nil {
				continue
			}
			for name, c := range t.consumers {
				if natsFilter(c) == subject && c.NumPending+uint64(c.NumAckPending) > 0 {
					return fmt.Errorf("the session of subscription %s, which holds messages for %s, cannot be read", name, s.ClientID)
				}
			}
		}
	}
	return nil
}

// natsFilter is a consumer's filter without the prefix of stored messages.
func natsFilter(c *jetstream.ConsumerInfo) string {
	if len(c.Config.FilterSubject) < len(messagePrefix) {
		return ""
	}
	return c.Config.FilterSubject[len(messagePrefix):]
}
