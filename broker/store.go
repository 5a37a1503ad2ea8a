package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams in which nats-server keeps its MQTT state, by its own names.
const (
	streamMessages = "$MQTT_msgs"
	streamSessions = "$MQTT_sess"
	streamRetained = "$MQTT_rmsgs"
	streamQoS2In   = "$MQTT_qos2in"
	streamQoS2Out  = "$MQTT_out"

	qos2Bytes     = 128 << 20
	retainedBytes = 1 << 30
	sessionBytes  = 1 << 30

	aside = inboxPrefix + ".aside."
)

// storedStreams lists the streams that are on disk before a start. nats-server passes over one that it cannot read, and
// would make it anew and empty.
func storedStreams(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "jetstream", "$G", "streams"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the broker's folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// messageStore is the broker's own connection to the store inside nats-server; it needs no port.
type messageStore struct {
	mu    sync.Mutex // held by sendAgain
	conn  *nats.Conn
	js    jetstream.JetStream
	first uint64 // sequence of the last message stored before this start
	seen  bool
}

func openStore(srv *server.Server, as account) (*messageStore, error) {
	conn, err := nats.Connect("", nats.InProcessServer(srv), nats.UserInfo(as.user, as.password.Reveal()),
		nats.NoReconnect(), nats.CustomInboxPrefix(inboxPrefix), nats.Timeout(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("connect to the message store: %w", err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to the message store: %w", err)
	}
	return &messageStore{conn: conn, js: js}, nil
}

func (s *messageStore) close() { s.conn.Close() }

// missing returns the first stream that was on disk and is not served.
func (s *messageStore) missing(ctx context.Context, before []string) (string, error) {
	for _, name := range before {
		_, err := s.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return name, nil
		}
		if err != nil {
			return "", fmt.Errorf("open stream %s: %w", name, err)
		}
	}
	return "", nil
}

// bound makes the streams, as nats-server would, but with limits. When a limit is reached a new message is refused; an
// old one is never dropped.
func (s *messageStore) bound(ctx context.Context, cfg Config) error {
	streams := []jetstream.StreamConfig{
		{Name: streamMessages, Subjects: []string{"$MQTT.msgs.>"}, Retention: jetstream.InterestPolicy, MaxBytes: cfg.MaxStoreBytes},
		{Name: streamSessions, Subjects: []string{"$MQTT.sess.>"}, MaxMsgsPerSubject: 1, MaxMsgs: cfg.MaxSessions, MaxBytes: sessionBytes},
		{Name: streamRetained, Subjects: []string{"$MQTT.rmsgs.>"}, MaxMsgsPerSubject: 1, MaxMsgs: cfg.MaxRetained, MaxBytes: retainedBytes},
		{Name: streamQoS2In, Subjects: []string{"$MQTT.qos2.in.>"}, MaxMsgsPerSubject: 1, DiscardNewPerSubject: true, MaxBytes: qos2Bytes},
		{Name: streamQoS2Out, Subjects: []string{"$MQTT.out.>"}, Retention: jetstream.InterestPolicy, MaxBytes: qos2Bytes},
	}
	for _, c := range streams {
		c.Storage, c.Discard, c.Replicas = jetstream.FileStorage, jetstream.DiscardNew, 1
		if _, err := s.js.CreateOrUpdateStream(ctx, c); err != nil {
			return fmt.Errorf("set the limits of stream %s: %w", c.Name, err)
		}
	}
	return nil
}

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
// Nobody would ever take their messages, which would fill the store. A session whose consumer is gone would get
// nothing for ever; it is removed too, so that its client subscribes anew.
//
// It returns the sessions that stay, by client id.
func (s *messageStore) tidy(ctx context.Context, log *slog.Logger) (map[string]sessionRecord, error) {
	messages, err := s.js.Stream(ctx, streamMessages)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", streamMessages, err)
	}
	orphans := map[string]bool{}
	names := messages.ConsumerNames(ctx)
	for name := range names.Name() {
		orphans[name] = true
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list the subscriptions: %w", err)
	}
	kept, err := s.tidySessions(ctx, log, orphans)
	if err != nil {
		return nil, err
	}
	for name := range orphans {
		if err := messages.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("remove the forsaken subscription %s: %w", name, err)
		}
	}
	if len(orphans) > 0 {
		log.Info("subscriptions of clean sessions removed", "subscriptions", len(orphans))
	}
	return kept, nil
}

// tidySessions deletes clean and broken sessions, takes out of consumers those that a session needs, and returns the
// sessions that stay.
func (s *messageStore) tidySessions(ctx context.Context, log *slog.Logger, consumers map[string]bool) (map[string]sessionRecord, error) {
	sessions, err := s.js.Stream(ctx, streamSessions)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", streamSessions, err)
	}
	kept := map[string]sessionRecord{}
	for seq := uint64(1); ; {
		msg, err := sessions.GetMsg(ctx, seq, jetstream.WithGetMsgSubject("$MQTT.sess.>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return kept, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the sessions: %w", err)
		}
		seq = msg.Sequence + 1
		if rec, ok := readSession(msg.Data, consumers, log); ok {
			kept[rec.ID] = rec
			for _, c := range rec.Cons {
				delete(consumers, c.Name)
			}
		} else if err := sessions.DeleteMsg(ctx, msg.Sequence); err != nil {
			return nil, fmt.Errorf("remove a session: %w", err)
		}
	}
}

// readSession decodes what nats-server kept of a session; ok is false where it should not stay.
func readSession(data []byte, consumers map[string]bool, log *slog.Logger) (rec sessionRecord, ok bool) {
	if err := json.Unmarshal(data, &rec); err != nil {
		log.Warn("unreadable mqtt session removed", "error", err)
		return rec, false
	}
	if rec.Clean {
		return rec, false
	}
	for _, c := range rec.Cons {
		if c == nil || !consumers[c.Name] {
			log.Warn("mqtt session without its subscription removed", "client_id", clip(rec.ID))
			return rec, false
		}
	}
	return rec, true
}

// stats reads the figures of the streams.
func (s *messageStore) stats(ctx context.Context) (Stats, error) {
	var infos [3]jetstream.StreamState
	for i, name := range []string{streamMessages, streamSessions, streamRetained} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return Stats{}, fmt.Errorf("read stream %s: %w", name, err)
		}
		infos[i] = stream.CachedInfo().State
	}
	if !s.seen {
		s.first, s.seen = infos[0].LastSeq, true
	}
	return Stats{
		Sessions:    infos[1].Msgs,
		Messages:    infos[0].LastSeq - s.first,
		Stored:      infos[0].Msgs,
		StoredBytes: infos[0].Bytes,
		Retained:    infos[2].Msgs,
	}, nil
}

// failed says whether the connection to the store is gone: only nats-server itself ends it.
func (s *messageStore) failed() bool { return s.conn.IsClosed() }

// sendAgain has the unacknowledged messages of all absent sessions sent at once when they come back. nats-server would
// wait until AckWait has passed since it sent them first; it makes an exception where the subject of delivery changes,
// so that is changed, and changed back. The one in between names the other, so that a crash between the two is mended
// by the next call, which Run makes before it lets anybody in.
func (s *messageStore) sendAgain(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, err := s.js.Stream(ctx, streamMessages)
	if err != nil {
		return fmt.Errorf("open stream %s: %w", streamMessages, err)
	}
	list := stream.ListConsumers(ctx)
	var due []jetstream.ConsumerConfig
	for c := range list.Info() {
		if c.NumAckPending > 0 && !c.PushBound || strings.HasPrefix(c.Config.DeliverSubject, aside) {
			due = append(due, c.Config)
		}
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list the subscriptions: %w", err)
	}
	for _, c := range due {
		home := strings.TrimPrefix(c.DeliverSubject, aside)
		for _, to := range []string{aside + home, home} {
			c.DeliverSubject = to
			if _, err := stream.UpdatePushConsumer(ctx, c); err != nil {
				return fmt.Errorf("have subscription %s sent again: %w", c.Durable, err)
			}
		}
	}
	return nil
}
