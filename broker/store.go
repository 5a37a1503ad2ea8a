package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// streamDir is where nats-server keeps a stream: meta.inf and meta.sum describe it, msgs/*.blk are its messages, and
// obs/<name> its consumers.
func streamDir(dir, stream string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", stream)
}

// storedStreams lists the streams that are on disk before a start. nats-server passes over one that it cannot read, and
// would make it anew and empty. One that has no description and no message yet was being made when the process was
// killed; it is left out.
func storedStreams(dir string) ([]string, error) {
	entries, err := os.ReadDir(streamDir(dir, ""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the broker's folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		at := streamDir(dir, e.Name())
		blocks, _ := filepath.Glob(filepath.Join(at, "msgs", "*.blk")) // the pattern is well-formed
		if exists(filepath.Join(at, "meta.inf")) && exists(filepath.Join(at, "meta.sum")) || len(blocks) > 0 {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// messageStore is the broker's own connection to the store inside nats-server; it needs no port.
type messageStore struct {
	mu    sync.Mutex // held by sendAgain and trim
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

// complete checks that every stream that was on disk is served.
func (s *messageStore) complete(ctx context.Context, before []string) error {
	for _, name := range before {
		if _, err := s.js.Stream(ctx, name); err != nil {
			return fmt.Errorf("stream %s cannot be read: %w", name, err)
		}
	}
	return nil
}

// messagesOf is the subject of all stored messages: letter for letter the filter that nats-server makes of ingest's
// <root>/#. Only where the two are the same it reads a backlog straight on. Else it looks through all topics of a block
// of messages for each message, which costs 18 µs with a thousand topics, and more with more.
func messagesOf(root string) string { return messagePrefix + natsSubject(root+"/#") }

// bound makes the streams, as nats-server would, but with limits and the subject of messagesOf, and with the messages for
// the trimmer to remove. When a limit is reached a new message is refused; an old one is never dropped.
func (s *messageStore) bound(ctx context.Context, cfg Config) error {
	streams := []jetstream.StreamConfig{
		{Name: streamMessages, Subjects: []string{messagesOf(cfg.TopicRoot)}, Retention: jetstream.LimitsPolicy, MaxBytes: cfg.MaxStoreBytes},
		{Name: streamSessions, Subjects: []string{"$MQTT.sess.>"}, MaxMsgsPerSubject: 1, MaxMsgs: cfg.MaxSessions, MaxBytes: sessionBytes},
		{Name: streamRetained, Subjects: []string{"$MQTT.rmsgs.>"}, MaxMsgsPerSubject: 1, MaxMsgs: cfg.MaxRetained, MaxBytes: retainedBytes},
		{Name: streamQoS2In, Subjects: []string{"$MQTT.qos2.in.>"}, MaxMsgsPerSubject: 1, DiscardNewPerSubject: true, MaxBytes: qos2Bytes},
		{Name: streamQoS2Out, Subjects: []string{"$MQTT.out.>"}, Retention: jetstream.InterestPolicy, MaxBytes: qos2Bytes},
	}
	for _, c := range streams {
		c.Storage, c.Discard, c.Replicas = jetstream.FileStorage, jetstream.DiscardNew, 1
		if err := s.ensure(ctx, c); err != nil {
			return fmt.Errorf("set the limits of stream %s: %w", c.Name, err)
		}
	}
	return nil
}

// ensure makes or changes a stream. One that is as it should be is left alone, because nats-server writes its two
// description files one after the other, and cannot read the stream if it is killed between them.
func (s *messageStore) ensure(ctx context.Context, want jetstream.StreamConfig) error {
	stream, err := s.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.js.CreateStream(ctx, want)
		return err
	}
	if err != nil {
		return err
	}
	is := stream.CachedInfo().Config
	if is.Retention == want.Retention && is.MaxBytes == want.MaxBytes && (is.MaxMsgs == want.MaxMsgs || want.MaxMsgs == 0) && is.Discard == want.Discard &&
		slices.Equal(is.Subjects, want.Subjects) {
		return nil
	}
	is.Subjects, is.Retention = want.Subjects, want.Retention
	is.MaxBytes, is.MaxMsgs, is.Discard, is.DiscardNewPerSubject = want.MaxBytes, want.MaxMsgs, want.Discard, want.DiscardNewPerSubject
	_, err = s.js.UpdateStream(ctx, is)
	return err
}

// stats reads the figures of the streams, and the state of that of the messages.
func (s *messageStore) stats(ctx context.Context) (Stats, jetstream.StreamState, error) {
	var infos [3]jetstream.StreamState
	for i, name := range []string{streamMessages, streamSessions, streamRetained} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return Stats{}, infos[0], fmt.Errorf("read stream %s: %w", name, err)
		}
		infos[i] = stream.CachedInfo().State
	}
	if !s.seen {
		s.first, s.seen = infos[0].LastSeq, true
	}
	return Stats{
		Sessions:    infos[1].Msgs,
		Messages:    infos[0].LastSeq - s.first,
		StoredBytes: infos[0].Bytes,
		Retained:    infos[2].Msgs,
	}, infos[0], nil
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
